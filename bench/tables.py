# SPDX-License-Identifier: BSD-3-Clause
"""Routing tables to measure with: the real ones where the user has them, else generated ones that resemble them.

What a table costs hangs on how its prefixes lie beside and within each other, not on their lengths alone. So a generated
table is a walk: each prefix follows the one before it in the order of addresses as prefixes do in a real full table
(IPV4 and IPV6 below): inside it, right behind it, or after a gap, and as long as one is there. How close that comes is in
docs/bench.md; "tables.py compare DIR" measures it.
"""
import bisect
import collections
import gzip
import itertools
import os
import random
import sys
import tempfile
import zlib

REAL = "prefixes-2024.txt.gz"
FIRST = {32: 1 << 24, 128: 0x2001 << 112}
END = {32: 224 << 24, 128: 0x4000 << 112}
TRIALS, TRIAL_LEN = 4, 100_000
RESERVED4 = (0, 10, 127)

Family = collections.namedtuple("Family", "bits prefixes steps gaps")

# Counted on the default-free zone of January 2024, what is rare left out. steps: after a prefix of this length, how often comes
# "(20" a /20 that begins with it, "<20" one that begins further inside it, "+20" right behind it, ">20" after a gap.
# gaps: how wide that is, in bits: 1 is one prefix of the new length, 2 two or three, 3 up to seven.
IPV4 = Family(
    bits=32,
    prefixes=901899,
    steps={
        15: "(16:369 +15:318 <24:232 +16:222",
        16: "+16:4559 <24:1596 (17:1217 (18:690 (20:478 +17:475 >16:429 (19:314 +15:300 >24:292 +18:234 <23:230 "
            "(24:212 +19:206 <22:188 (22:183",
        17: "+17:2034 (18:974 <24:943 +16:872 +18:522 (19:260 +19:233",
        18: "+18:4371 <24:1438 (19:1302 +19:1024 +17:685 +16:634 (20:489 +20:395 (24:350 (21:295 <23:240 (22:213 "
            "<22:208 >24:202 +21:183 +24:181",
        19: "+19:7425 <24:2747 (20:2143 +20:1932 (21:1415 +18:1235 (24:1162 +21:675 (22:675 +24:541 +22:455 "
            "+16:444 >24:432 +17:417 <23:409 (23:385 <22:300 >19:289 >20:242 +23:218",
        20: "+20:17912 <24:3285 +19:2676 (21:2532 +21:2459 (24:2059 +22:1529 (22:1273 +24:1231 >24:964 >20:798 "
            "+18:739 +16:555 (23:536 <23:503 +23:492 >19:394 <22:384 >22:382 >21:337 +17:304 >23:246 >16:230 "
            "<21:215",
        21: "+21:19583 +22:4790 +20:3221 (22:3113 <24:3058 (24:2956 +24:2568 +19:1812 >24:1754 +23:1664 >21:983 "
            "(23:783 >22:770 >20:508 >23:481 +18:471 <23:373 >19:357 +16:273 <22:264 +17:219 >16:215 >18:190",
        22: "+22:45779 +24:10578 (24:9197 (23:8231 +23:6995 +21:5669 >24:4994 <24:4425 >22:3374 +20:2529 >23:1359 "
            "+19:985 >21:974 >20:709 <23:550 >19:460 +18:386 >16:307 +16:271 >18:260 +17:199",
        23: "+23:32103 +24:16177 (24:15524 +22:9650 >24:7223 >23:3754 <24:2392 +21:2357 >22:2018 +20:1012 >21:940 "
            ">20:819 +19:588 >19:500 >16:349 >18:277 +18:193",
        24: "+24:356450 >24:81478 +23:24928 +22:20490 >22:11587 >23:11081 +21:5463 >21:5152 >20:4643 +20:3436 "
            ">19:3393 >16:2233 +19:2023 >18:1653 >17:1057 +18:719 +16:507 +17:348 >15:305",
        32: ">32:301 +32:225 >24:179",
    },
    gaps={
        '<19': "1:125",
        '<20': "1:280 2:116",
        '<21': "1:379 2:198 3:131",
        '<22': "1:608 2:378 3:255 4:156 5:100",
        '<23': "1:994 2:550 3:397 4:259 5:139 6:100",
        '<24': "1:6405 2:4925 3:3214 4:2461 5:1421 6:816 7:552 8:452 9:105",
        '>13': "0:181",
        '>14': "0:340",
        '>15': "0:513",
        '>16': "0:3019 1:795 2:265",
        '>17': "0:1503 1:232 2:108",
        '>18': "0:2232 1:364 2:181 3:107",
        '>19': "0:4105 1:809 2:374 3:177 4:98",
        '>20': "0:5011 1:1462 2:746 3:350 4:210",
        '>21': "0:4694 1:1877 2:1075 3:539 4:273 5:155",
        '>22': "0:8003 1:5450 2:2352 3:1209 4:751 5:349 6:173 7:100",
        '>23': "1:5057 0:4278 2:3323 3:1988 4:1115 5:695 6:384 7:213 8:116",
        '>24': "1:34912 2:23372 3:16386 4:9975 5:5686 6:3473 7:1909 8:1031 9:492 10:216 0:128",
    },
)

IPV6 = Family(
    bits=128,
    prefixes=160147,
    steps={
        28: ">28:72 >32:20 +28:19",
        29: ">29:2147 >32:750 >48:461 (32:203 <48:151 +32:102 >30:100 <32:57 +29:57 >40:43 (48:35 (30:34 >44:33 "
            ">36:33 >34:16 <36:14",
        30: "+30:244 >29:127 >32:57 (32:34 >30:30 +32:29 >48:17 (31:16",
        31: "+31:120 >32:30 (32:25 >29:22 +32:14",
        32: ">32:8446 +32:6714 (33:1166 <48:1139 >29:1055 >48:989 (48:279 <40:261 >36:241 (36:235 >33:196 >40:194 "
            "(34:163 <36:161 (40:129 >34:116 <44:101 >30:79 >44:63 >35:53 <34:52 <33:51 (35:39 >38:38 (44:35 "
            ">31:33 +30:32 >28:31 <35:31 +48:27 <38:25 >47:21 <64:19 <41:19 <46:18 +31:18 <42:17 <43:16 (37:16 "
            ">42:15 <45:15 <39:15 <47:14 (39:14 (38:14 >37:13",
        33: ">32:931 +33:896 (34:577 <48:80 >33:46 <40:43 >48:33 >34:30 >36:24 +32:23 +34:20 (48:20 (36:16 <36:15 "
            ">29:13",
        34: "+34:1241 >32:560 +33:233 (35:150 (36:71 >34:57 <48:42 >33:36 >48:29 >36:22 <40:22 >29:17 (48:17 "
            ">35:13",
        35: "+35:382 (36:199 >32:146 >35:75 +34:40 <48:21 +33:18 >48:17 >40:13 +36:13",
        36: "+36:3147 >36:766 >32:616 >48:221 <48:174 +35:100 (40:94 >29:81 +34:81 >40:73 (48:66 <40:62 (37:53 "
            "(38:51 +33:36 >44:30 >34:30 +37:30 >35:29 >33:28 <44:27 (46:21 +38:16 +48:14",
        37: "+37:385 >37:83 +38:80 >32:43 +36:41 +39:36 >48:27 >36:21 <48:20 >38:17 >33:13",
        38: "+38:842 >38:158 +39:118 >32:95 <48:43 +37:40 >36:38 >48:32 (41:31 <44:28 >39:19 +40:18 (44:18 <47:15 "
            "+36:15",
        39: "+39:771 (40:129 >39:97 +38:80 (44:49 >32:37 >37:34 +40:31 +37:29 >36:20 >48:14",
        40: "+40:8413 >40:2178 >32:665 <48:417 >48:371 (48:180 +39:144 >36:140 (44:130 >44:87 >29:69 <46:58 "
            "+36:53 +48:52 (41:50 >33:40 >34:36 >39:30 <44:29 >35:25 >41:24 (42:18 >38:16 +38:14 >42:13",
        41: "+41:499 >41:97 >40:46 >32:35 (42:33 >48:32 >38:27 +40:27 +38:17",
        42: "+42:1294 >42:464 +44:134 >32:49 >48:40 (43:38 (48:37 (44:32 >40:25 <48:25 +41:25 (46:22 >44:18",
        43: "+43:297 (48:201 >43:121 (47:99 +44:62 +42:42 >32:26 >45:25 <48:22 >48:18 >47:14 >44:14",
        44: "+44:7888 >44:3940 >48:468 (48:371 >40:246 >32:210 >42:159 <48:154 >45:130 +48:105 >47:97 >36:81 "
            "+43:58 (45:47 +45:44 >29:42 >39:40 >46:35 +47:30 >38:29 >43:25 +42:25 (46:21 >34:17 >41:14 >33:14",
        45: "+45:910 >45:122 >44:109 +44:94 >48:47 (48:40 (46:39 +43:28 +48:26 >40:24 >32:20 +46:17",
        46: "+46:1756 >46:559 (47:232 >48:132 >40:67 (48:44 >32:34 >44:32 <48:24 +48:22 +45:19 >42:17 >36:17 "
            "+47:16 +44:15",
        47: "+47:1367 (48:788 >47:340 +48:177 >44:125 >48:112 +46:56 >43:35 >32:25 <48:19 >46:15 >40:15 >38:15",
        48: "+48:43170 >48:24205 >32:2463 >40:1025 >44:1003 >29:662 >36:478 >47:428 +47:376 >43:303 +46:174 "
            ">46:167 >42:118 +44:115 >45:104 >33:87 >38:83 >34:71 >37:57 +45:53 >35:51 >41:50 >30:49 >31:27 "
            ">39:23 >28:21 +40:19",
        58: "+58:13",
        64: ">64:64 +64:45 >48:26",
        127: ">127:26",
    },
    gaps={
        '<32': "1:27 3:21 2:19",
        '<33': "1:51",
        '<34': "1:36 2:26",
        '<35': "1:23 3:10 2:10",
        '<36': "1:91 2:53 4:40 3:23 5:11",
        '<37': "1:11 4:10",
        '<38': "1:13 3:10",
        '<40': "1:106 8:59 4:53 2:53 5:43 7:40 6:39 3:35",
        '<41': "1:15 2:13",
        '<44': "1:64 2:39 12:28 9:17 5:15 4:15 10:14 11:12 3:11 8:9",
        '<45': "1:13",
        '<46': "5:41 4:20",
        '<47': "5:16 1:16",
        '<48': "1:450 2:274 16:200 8:188 3:182 4:149 5:131 9:127 13:126 6:84 15:81 14:79 12:76 7:73 10:70 11:55 "
            "17:23 19:17",
        '>28': "2:35 3:34 6:24 4:21 1:17 0:16",
        '>29': "3:1545 4:992 5:828 6:411 0:226 2:143 7:69 1:60",
        '>30': "4:83 5:59 0:59 6:54 1:23 2:15 7:14 3:10",
        '>31': "0:34 7:18 5:17 2:11",
        '>32': "2:4008 3:2606 6:2201 7:1502 8:1245 5:1182 4:1098 9:539 0:432 1:317 10:125 11:10",
        '>33': "3:151 0:150 4:65 5:28 7:24 8:22 9:20 6:15 2:12 10:10 1:10",
        '>34': "0:98 4:89 1:60 5:42 8:26 9:18 10:17 6:13 2:13 7:10",
        '>35': "1:70 0:70 5:35 3:26 2:21 10:14 6:13 8:12 7:11",
        '>36': "1:314 4:310 0:286 2:185 6:152 5:140 3:120 7:99 10:82 11:68 12:63 9:39 13:36 8:30",
        '>37': "1:60 0:59 5:36 2:32 3:26 4:12",
        '>38': "0:118 2:68 1:48 5:38 3:34 4:28 6:23 8:15 9:12 13:11",
        '>39': "0:66 3:45 2:35 4:26 1:22 5:19 7:13",
        '>40': "1:1118 3:525 0:506 4:460 2:346 5:211 8:173 6:151 7:78 10:70 14:69 15:64 9:57 11:56 16:49 17:35 13:31 "
            "12:13",
        '>41': "1:61 5:39 0:29 2:22 7:12 4:11 3:10",
        '>42': "2:256 0:217 1:116 3:88 4:30 6:24 7:19 5:16 10:11",
        '>43': "0:278 4:64 3:49 1:32 6:28 2:17 7:14 8:9",
        '>44': "2:1369 5:856 1:738 4:664 0:452 3:385 8:274 9:133 6:117 12:94 10:74 7:61 11:51 18:42 19:36 13:34 "
            "15:26 14:26 20:23 21:14 17:12",
        '>45': "3:67 5:65 1:65 4:47 0:47 2:38 6:22 9:15",
        '>46': "4:194 2:114 3:113 1:93 6:61 0:58 5:42 10:24 7:20 11:17 8:13 12:12 20:11",
        '>47': "1:171 5:162 3:97 2:90 4:89 0:86 7:37 6:29 8:22 10:21 9:19 11:19 13:15 12:15 23:13 21:10 18:9",
        '>48': "1:4751 2:4450 4:2879 3:2441 8:1433 6:1364 5:1264 9:947 12:896 10:788 7:747 16:693 22:682 11:600 "
            "13:571 14:493 23:460 15:421 24:384 19:214 25:194 17:194 18:169 21:146 20:76 26:47 0:11",
        '>64': "2:11 1:10 0:9",
        '>127': "63:28",
    },
)

class TablesError(Exception):
    """What is wrong with the user's folder."""


class Chooser:
    """Draws words as often as "word:count word:count" says."""

    def __init__(self, text):
        pairs = [item.split(":") for item in text.split()]
        self.words = [word for word, _ in pairs]
        self.counts = [float(count) for _, count in pairs]
        self.tried = [1] * len(pairs)
        self.fitted = [1] * len(pairs)
        self.weigh()

    def weigh(self):
        """What finds a place more seldom is proposed more often, so that it is taken as often as it should be."""
        weights = [count * min(tried / fitted, 50) for count, tried, fitted in zip(self.counts, self.tried, self.fitted)]
        self.sums = list(itertools.accumulate(weights))

    def draw(self, rng):
        """The number of a word."""
        return min(bisect.bisect(self.sums, rng.random() * self.sums[-1]), len(self.words) - 1)


class Walk:
    """The prefixes of a table in the order of their addresses."""

    def __init__(self, family, seed):
        self.bits, self.rng = family.bits, random.Random(seed)
        self.steps = {length: Chooser(text) for length, text in family.steps.items()}
        self.gaps = {step: Chooser(text) for step, text in family.gaps.items()}
        self.usual = max(family.steps, key=lambda length: sum(self.steps[length].counts))

    def next(self, address, length):
        """What follows this prefix."""
        end = address + (1 << self.bits - length)
        steps = self.steps.get(length, self.steps[self.usual])
        for _ in range(20):
            drawn = steps.draw(self.rng)
            step = steps.words[drawn]
            steps.tried[drawn] += 1
            found = self.place(step[0], int(step[1:]), address, end)
            if found is not None:
                steps.fitted[drawn] += 1
                return found, int(step[1:])
        return end, length

    def run(self, n):
        """At most n prefixes, fewer where the address space ends before: (address, length)."""
        address, length, prefixes = FIRST[self.bits], self.usual, []
        while len(prefixes) < n and address < END[self.bits]:
            if self.bits == 32 and address >> 24 in RESERVED4:
                address = (address >> 24) + 1 << 24
            prefixes.append((address, length))
            address, length = self.next(address, length)
        return prefixes

    def place(self, kind, length, address, end):
        """The address of a prefix of this length, or None: there is no such place."""
        unit = 1 << self.bits - length
        if kind == "(":
            return address
        if kind == "+":
            return None if end % unit else end
        start = address if kind == "<" else end
        gap = self.gaps.get(kind + str(length))
        width = int(gap.words[gap.draw(self.rng)]) if gap else 1
        units = self.rng.randrange(1 << width - 1, 1 << width) if width else 0
        found = -(-start // unit) * unit + units * unit
        return None if kind == "<" and found + unit > end else found


def generate_family(family, seed):
    walk = Walk(family, seed)
    for _ in range(TRIALS):
        walk.run(TRIAL_LEN)
        for steps in walk.steps.values():
            steps.weigh()
    return walk.run(family.prefixes)


def generate4():
    return generate_family(IPV4, 1)


def generate6():
    return generate_family(IPV6, 1)


def format4(prefix):
    a, length = prefix
    return f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}/{length}\n"


def format6(prefix):
    a, length = prefix
    return ":".join(f"{a >> s & 0xffff:x}" for s in range(112, -1, -16)) + f"/{length}\n"


def generate():
    for p in generate4():
        yield format4(p)
    for p in generate6():
        yield format6(p)


def read_real(source):
    path = os.path.join(source, REAL)
    if not os.path.exists(path):
        raise TablesError(f"there is no {REAL}")
    with gzip.open(path, "rt", encoding="ascii") as f:
        yield from f


def write(source, folder, cache):
    """The paths of the tables, IPv4 and IPv6. source: folder of the real ones, which are unpacked into folder; None: generated
    ones, which stay in the folder cache until this file changes."""
    if source:
        return write_lines(read_real(source), folder)
    with open(__file__, "rb") as f:
        kept = os.path.join(cache, f"generated-tables-{zlib.crc32(f.read()):08x}")
    if not os.path.isdir(kept):
        made = tempfile.mkdtemp(dir=cache)
        write_lines(generate(), made)
        os.rename(made, kept)
    return os.path.join(kept, "routes4"), os.path.join(kept, "routes6")


def write_lines(lines, folder):
    paths = os.path.join(folder, "routes4"), os.path.join(folder, "routes6")
    with open(paths[0], "w", encoding="ascii") as f4, open(paths[1], "w", encoding="ascii") as f6:
        for line in lines:
            (f6 if ":" in line else f4).write(line)
    return paths


def parse(line):
    """(address, length, bits)"""
    text, length = line.split("/")
    if ":" not in text:
        value = 0
        for part in text.split("."):
            value = value << 8 | int(part)
        return value, int(length), 32
    head, _, tail = text.partition("::")
    head, tail = ([int(x, 16) for x in part.split(":") if x] for part in (head, tail))
    words = head + [0] * (8 - len(head) - len(tail)) + tail
    return sum(w << 112 - 16 * i for i, w in enumerate(words)), int(length), 128


def describe(prefixes, bits):
    """What a table's cost hangs on, as name -> figure."""
    prefixes = sorted(set(prefixes))
    step = {32: (16, 24), 128: (32, 40, 48)}[bits]
    rows = {"prefixes": len(prefixes)}
    for s in step:
        rows[f"distinct /{s} with a route at or under it"] = len({a >> bits - s for a, n in prefixes if n >= s})
    stack, nested, deepest = [], 0, 0
    beside = 0
    for i, (a, n) in enumerate(prefixes):
        while stack and not (stack[-1][1] <= n and stack[-1][0] >> bits - stack[-1][1] == a >> bits - stack[-1][1]):
            stack.pop()
        nested += bool(stack)
        stack.append((a, n))
        deepest = max(deepest, len(stack))
        if i and prefixes[i - 1][0] + (1 << bits - prefixes[i - 1][1]) == a:
            beside += 1
    rows["inside another prefix"] = nested
    rows["begin where their predecessor ends"] = beside
    rows["deepest nesting"] = deepest
    return rows


def compare(source):
    """Prints generated beside real."""
    real = collections.defaultdict(list)
    for line in read_real(source):
        a, n, bits = parse(line)
        real[bits].append((a, n))
    for bits, made in ((32, generate4()), (128, generate6())):
        lengths = [collections.Counter(n for _, n in set(p)) for p in (real[bits], made)]
        apart = sum(abs(lengths[0][n] - lengths[1][n]) for n in lengths[0]) / len(real[bits])
        print(f"| IPv{4 if bits == 32 else 6} | real | generated | ratio |\n|---|---|---|---|")
        theirs = describe(made, bits)
        for name, value in describe(real[bits], bits).items():
            print(f"| {name} | {value:,} | {theirs[name]:,} | {theirs[name] / value:.2f} |")
        print(f"| prefixes of another length than in the real table | | {apart * 100:.1f} % | |\n")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "compare":
        sys.exit("usage: tables.py compare DIR")
    compare(sys.argv[2])
