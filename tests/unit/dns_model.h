/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A DNS server of a few lines in the test's own event loop, which knows one name, for tests of what resolves.
 * Included by test programs; one server at a time.
 */
#ifndef BYWAY_TESTS_UNIT_DNS_MODEL_H
#define BYWAY_TESTS_UNIT_DNS_MODEL_H

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define DNS_MODEL_NAME	"friend.example.org"
#define DNS_MODEL_LISTS 200

static struct {
	struct evdns_server_port *port;
	int fd;
	int error;		/* answer all questions with this */
	bool silent;		/* answer none */
	const char *silent_for; /* answer none for this name */
	const char *v4[DNS_MODEL_LISTS], *v6[DNS_MODEL_LISTS];
	int ttl_s;
	unsigned questions, unanswered;
	char address[32]; /* of the server: "127.0.0.1:40000" */
} dns_model;

static void dns_model_answer(struct evdns_server_request *request, const char *name, bool six)
{
	const char *const *list = six ? dns_model.v6 : dns_model.v4;
	uint8_t bytes[16];

	for (unsigned i = 0; i < DNS_MODEL_LISTS && list[i]; i++) {
		assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, list[i], bytes), 1);
		if (six)
			evdns_server_request_add_aaaa_reply(request, name, 1, bytes, dns_model.ttl_s);
		else
			evdns_server_request_add_a_reply(request, name, 1, bytes, dns_model.ttl_s);
	}
}

static void dns_model_on_request(struct evdns_server_request *request, void *arg)
{
	const struct evdns_server_question *q = request->questions[0];

	dns_model.questions++;
	if (dns_model.silent || (dns_model.silent_for && strcasecmp(q->name, dns_model.silent_for) == 0)) {
		dns_model.unanswered++;
		evdns_server_request_drop(request);
		return;
	}
	if (!dns_model.error && strcasecmp(q->name, DNS_MODEL_NAME) == 0)
		dns_model_answer(request, q->name, q->type == EVDNS_TYPE_AAAA);
	evdns_server_request_respond(request, dns_model.error);
}

static void dns_model_start(struct event_base *base)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	memset(&dns_model, 0, sizeof(dns_model));
	dns_model.ttl_s = 60;
	dns_model.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(dns_model.fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(dns_model.fd, (struct sockaddr *)&at, &len), 0);
	dns_model.port = evdns_add_server_port_with_base(base, dns_model.fd, 0, dns_model_on_request, NULL);
	snprintf(dns_model.address, sizeof(dns_model.address), "127.0.0.1:%u", ntohs(at.sin_port));
}

static void dns_model_stop(void)
{
	evdns_close_server_port(dns_model.port);
	close(dns_model.fd);
}

#endif
