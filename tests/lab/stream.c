/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One end of a two-way UDP stream that measures what a path loses. Both ends run this program: each sends
 * numbered, timed packets at a fixed rate to the other and counts what it hears. Standalone, one thread;
 * tests/lab/stream.py runs it in pairs. Both ends share one machine's clock.
 *
 * SIGUSR1 prints the phase that ends now as one line of JSON and begins the next one; SIGINT or SIGTERM
 * stops sending, listens for LINGER_NS more, prints the last phase and exits.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S     1000000000LL
#define LINGER_NS    (NS_PER_S / 2)
#define WINDOW	     65536u /* sequence numbers remembered for telling late from repeated */
#define PAYLOAD_MAX  9000
#define GAPS_KEPT    16
#define STREAM_MAGIC 0x42797761u

struct stream_packet {
	uint32_t magic;
	uint32_t reserved;
	uint64_t seq;
	int64_t sent_ns; /* CLOCK_REALTIME */
};

struct gap {
	int64_t at_ns; /* CLOCK_REALTIME of its end */
	int64_t length_ns;
};

/* What one phase saw. Sequence numbers go on across phases. */
struct phase {
	int64_t start_ns;
	uint64_t sent, refused;
	uint64_t received, late, repeated;
	uint64_t first_expected;
	int64_t latency_sum_ns, latency_max_ns;
	struct gap gaps[GAPS_KEPT]; /* the longest ones, unordered */
};

struct stream {
	int fd;
	uint64_t rate;
	size_t size;
	uint64_t next_seq;
	uint64_t expected; /* one more than the highest number heard */
	int64_t last_heard_ns;
	uint64_t seen[WINDOW]; /* seq + 1 in its slot */
	struct phase phase;
};

static volatile sig_atomic_t stop_wanted, report_wanted;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		report_wanted = 1;
	else
		stop_wanted = 1;
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void phase_begin(struct stream *s)
{
	s->phase = (struct phase){.start_ns = now_ns(CLOCK_REALTIME), .first_expected = s->expected};
}

static void gap_note(struct phase *p, int64_t at_ns, int64_t length_ns)
{
	struct gap *least = &p->gaps[0];
	for (size_t i = 1; i < GAPS_KEPT; i++)
		if (p->gaps[i].length_ns < least->length_ns)
			least = &p->gaps[i];
	if (length_ns > least->length_ns)
		*least = (struct gap){.at_ns = at_ns, .length_ns = length_ns};
}

/* The silence since the later of the last packet and the phase's begin, as if it ended at at_ns. */
static void silence_note(struct stream *s, int64_t at_ns)
{
	int64_t since = s->last_heard_ns > s->phase.start_ns ? s->last_heard_ns : s->phase.start_ns;
	gap_note(&s->phase, at_ns, at_ns - since);
}

/* end_ns: until when the other end is known to have been sending (CLOCK_REALTIME). */
static void phase_print(struct stream *s, int64_t end_ns)
{
	const struct phase *p = &s->phase;
	int64_t longest = 0, at = 0;
	silence_note(s, end_ns);
	for (size_t i = 0; i < GAPS_KEPT; i++)
		if (p->gaps[i].length_ns > longest) {
			longest = p->gaps[i].length_ns;
			at = p->gaps[i].at_ns;
		}
	uint64_t fresh = p->received - p->repeated;
	uint64_t span = s->expected - p->first_expected;
	printf("{\"next-seq\":%" PRIu64 ",\"expected-seq\":%" PRIu64 ",\"duration-ms\":%.3f,\"sent\":%" PRIu64
	       ",\"send-refused\":%" PRIu64 ",\"received\":%" PRIu64 ",\"missing\":%" PRIu64
	       ",\"reordered\":%" PRIu64 ",\"duplicated\":%" PRIu64 ",\"longest-gap-ms\":%.3f"
	       ",\"longest-gap-end-ns\":%" PRId64
	       ",\"latency-mean-ms\":%.3f,\"latency-max-ms\":%.3f,\"gaps\":[",
	    s->next_seq, s->expected, (double)(end_ns - p->start_ns) / 1e6, p->sent, p->refused, fresh,
	    span > fresh ? span - fresh : 0, p->late, p->repeated, (double)longest / 1e6, at,
	    p->received ? (double)p->latency_sum_ns / (double)p->received / 1e6 : 0.0,
	    (double)p->latency_max_ns / 1e6);
	const char *comma = "";
	for (size_t i = 0; i < GAPS_KEPT; i++) {
		if (!p->gaps[i].length_ns)
			continue;
		printf("%s{\"end-ns\":%" PRId64 ",\"ms\":%.3f}", comma, p->gaps[i].at_ns,
		    (double)p->gaps[i].length_ns / 1e6);
		comma = ",";
	}
	puts("]}");
	fflush(stdout);
}

static void packet_send(struct stream *s)
{
	static unsigned char buffer[PAYLOAD_MAX];
	struct stream_packet packet = {
	    .magic = STREAM_MAGIC, .seq = s->next_seq++, .sent_ns = now_ns(CLOCK_REALTIME)};
	memcpy(buffer, &packet, sizeof(packet));
	s->phase.sent++;
	/* An ICMP error of an earlier packet is reported here: it is the path's doing, and counted. */
	if (send(s->fd, buffer, s->size, MSG_DONTWAIT) < 0)
		s->phase.refused++;
}

static int64_t receive_time(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		struct timespec t;
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		return t.tv_sec * NS_PER_S + t.tv_nsec;
	}
	return now_ns(CLOCK_REALTIME);
}

static void packet_count(struct stream *s, const struct stream_packet *packet, int64_t heard_ns)
{
	struct phase *p = &s->phase;
	int64_t latency = heard_ns - packet->sent_ns;
	p->received++;
	p->latency_sum_ns += latency;
	if (latency > p->latency_max_ns)
		p->latency_max_ns = latency;
	silence_note(s, heard_ns);
	s->last_heard_ns = heard_ns;
	uint64_t *slot = &s->seen[packet->seq % WINDOW];
	if (*slot == packet->seq + 1) {
		p->repeated++;
	} else if (packet->seq >= s->expected) {
		s->expected = packet->seq + 1;
	} else {
		p->late++;
	}
	*slot = packet->seq + 1;
}

static void packets_receive(struct stream *s)
{
	for (;;) {
		unsigned char buffer[PAYLOAD_MAX];
		union {
			char space[CMSG_SPACE(sizeof(struct timespec))];
			struct cmsghdr align;
		} control;
		struct iovec iov = {.iov_base = buffer, .iov_len = sizeof(buffer)};
		struct msghdr message = {.msg_iov = &iov,
		    .msg_iovlen = 1,
		    .msg_control = &control,
		    .msg_controllen = sizeof(control)};
		ssize_t len = recvmsg(s->fd, &message, MSG_DONTWAIT);
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		struct stream_packet packet;
		if (len < (ssize_t)sizeof(packet))
			continue; /* an ICMP error, or not ours */
		memcpy(&packet, buffer, sizeof(packet));
		if (packet.magic == STREAM_MAGIC)
			packet_count(s, &packet, receive_time(&message));
	}
}

/* Sends and receives until end_ns (CLOCK_MONOTONIC) or a stop signal; sends nothing when rate is 0. */
static void stream_run(struct stream *s, uint64_t rate, int64_t end_ns, bool stoppable)
{
	sigset_t none;
	sigemptyset(&none);
	int64_t start = now_ns(CLOCK_MONOTONIC);
	uint64_t sent = 0;
	for (;;) {
		if (report_wanted) {
			report_wanted = 0;
			phase_print(s, now_ns(CLOCK_REALTIME));
			phase_begin(s);
		}
		int64_t now = now_ns(CLOCK_MONOTONIC);
		if (now >= end_ns || (stoppable && stop_wanted))
			return;
		while (rate && start + (int64_t)sent * NS_PER_S / (int64_t)rate <= now) {
			packet_send(s);
			sent++;
		}
		int64_t next = rate ? start + (int64_t)sent * NS_PER_S / (int64_t)rate : end_ns;
		int64_t wait = (next < end_ns ? next : end_ns) - now_ns(CLOCK_MONOTONIC);
		if (wait < 0)
			wait = 0;
		struct pollfd poll_fd = {.fd = s->fd, .events = POLLIN};
		struct timespec timeout = {.tv_sec = wait / NS_PER_S, .tv_nsec = wait % NS_PER_S};
		ppoll(&poll_fd, 1, &timeout, &none);
		packets_receive(s);
	}
}

static int socket_open(const char *local, const char *remote, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *from = NULL, *to = NULL;
	int fd = -1, on = 1, size = 4 << 20;
	if (getaddrinfo(local, port, &hints, &from) || getaddrinfo(remote, port, &hints, &to)) {
		fprintf(stderr, "stream: '%s' or '%s' is not an address, or '%s' not a port\n", local, remote,
		    port);
		goto out;
	}
	fd = socket(from->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, from->ai_addr, from->ai_addrlen) || connect(fd, to->ai_addr, to->ai_addrlen) ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on))) {
		perror("stream: socket");
		if (fd >= 0)
			close(fd);
		fd = -1;
		goto out;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); /* best effort */
out:
	if (to)
		freeaddrinfo(to);
	if (from)
		freeaddrinfo(from);
	return fd;
}

static int usage(void)
{
	fputs("usage: stream --local ADDRESS --remote ADDRESS [--port N] [--rate PACKETS_PER_S] [--size "
	      "BYTES]\n"
	      "              [--duration SECONDS]\n"
	      "SIGUSR1 reports a phase, SIGINT or SIGTERM ends; reports are lines of JSON.\n",
	    stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"local", required_argument, NULL, 'l'},
	    {"remote", required_argument, NULL, 'r'}, {"port", required_argument, NULL, 'p'},
	    {"rate", required_argument, NULL, 'n'}, {"size", required_argument, NULL, 's'},
	    {"duration", required_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
	static struct stream s = {.rate = 1000, .size = 128};
	const char *local = NULL, *remote = NULL, *port = "5202";
	double duration = 1e6;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'l')
			local = optarg;
		else if (c == 'r')
			remote = optarg;
		else if (c == 'p')
			port = optarg;
		else if (c == 'n')
			s.rate = strtoull(optarg, NULL, 10);
		else if (c == 's')
			s.size = strtoull(optarg, NULL, 10);
		else if (c == 'd')
			duration = strtod(optarg, NULL);
		else
			return usage();
	}
	if (!local || !remote || optind != argc || s.size < sizeof(struct stream_packet) ||
	    s.size > PAYLOAD_MAX)
		return usage();
	sigset_t handled;
	sigemptyset(&handled);
	for (size_t i = 0; i < 3; i++) {
		const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
		sigaddset(&handled, numbers[i]);
		sigaction(numbers[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
	}
	sigprocmask(SIG_BLOCK, &handled, NULL); /* delivered in ppoll alone */
	s.fd = socket_open(local, remote, port);
	if (s.fd < 0)
		return 1;
	puts("{\"ready\":true}");
	fflush(stdout);
	phase_begin(&s);
	stream_run(&s, s.rate, now_ns(CLOCK_MONOTONIC) + (int64_t)(duration * 1e9), true);
	int64_t end_ns = now_ns(CLOCK_REALTIME);
	stream_run(&s, 0, now_ns(CLOCK_MONOTONIC) + LINGER_NS, false);
	phase_print(&s, end_ns);
	close(s.fd);
	return 0;
}
