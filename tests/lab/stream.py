# SPDX-License-Identifier: BSD-3-Clause
"""A measured UDP stream both ways between two nodes: what was lost, repeated, late; the longest silence."""
import json
import select
import signal

from byway import find_tool
from net import LabError, wait_until


class Stream:
    """Runs from creation to stop(); packets of both directions are counted by phase.

    A report is {"a->b": {...}, "b->a": {...}} with sent, received, lost, reordered, duplicated,
    longest-gap-ms, latency-mean-ms, latency-max-ms and gaps (longest first) of each direction. In a phase
    that does not end the stream, `lost` is what a later packet proves lost.
    """

    def __init__(self, a, a_address, b, b_address, rate=1000, size=128, port=5202, build=None):
        self.ends = []
        program = find_tool("stream", build)
        for node, local, remote in ((a, a_address, b_address), (b, b_address, a_address)):
            self.ends.append(node.spawn(program, "--local", local, "--remote", remote, "--rate", rate,
                                        "--size", size, "--port", port,
                                        stdout=-1, text=True))
        self.names = (f"{a.name}->{b.name}", f"{b.name}->{a.name}")
        for end in self.ends:
            if not self.answer(end).get("ready"):
                self.kill()
                raise LabError(f"stream between {a.name} and {b.name} did not start")
        self.settle()

    def settle(self, timeout=10):
        """Waits until packets arrive both ways, then begins a phase."""
        def flowing():
            report = self.phase()
            return all(way["received"] for way in report.values())
        try:
            wait_until(flowing, timeout, f"packets {' and '.join(self.names)}", interval=0.1)
        except LabError:
            self.kill()
            raise

    @staticmethod
    def answer(end):
        """The next line of an end; {} when it is dead or silent for 5 s."""
        ready, _, _ = select.select([end.stdout], [], [], 5)
        return json.loads(end.stdout.readline() or "{}") if ready else {}

    def kill(self):
        for end in self.ends:
            end.kill()
            end.wait()
            end.stdout.close()

    def phase(self):
        """Ends the phase and begins the next one; the report of the one that ended."""
        for end in self.ends:
            end.send_signal(signal.SIGUSR1)
        return self.report(False)

    def stop(self):
        """Ends the stream; the report of its last phase."""
        for end in self.ends:
            end.send_signal(signal.SIGTERM)
        report = self.report(True)
        self.kill()
        return report

    def report(self, last):
        a, b = map(self.answer, self.ends)
        if not a or not b:
            raise LabError(f"stream {self.names[0]}: an end of it died or hangs")
        result = {}
        for name, sender, receiver in ((self.names[0], a, b), (self.names[1], b, a)):
            way = {key: receiver[key] for key in ("received", "reordered", "duplicated", "longest-gap-ms",
                                                  "latency-mean-ms", "latency-max-ms")}
            way["sent"] = sender["sent"]
            tail = sender["next-seq"] - receiver["expected-seq"] if last else 0
            way["lost"] = receiver["missing"] + tail
            way["gaps"] = sorted(receiver["gaps"], key=lambda gap: -gap["ms"])
            result[name] = way
        return result


def worst(report, key):
    """The larger figure of both directions."""
    return max(way[key] for way in report.values())


def line(report):
    """One readable line."""
    return "; ".join(f"{name}: {way['received']} of {way['sent']} heard, {way['lost']} lost, longest silence "
                     f"{way['longest-gap-ms']:.0f} ms" for name, way in report.items())
