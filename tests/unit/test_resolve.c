/* SPDX-License-Identifier: BSD-3-Clause */
/* control/resolve against a DNS server of a few lines: both families, changes, errors, addresses that turn.
 */
#include "tests/unit/unit.h"

#include "control/resolve.h"
#include "tests/unit/dns_model.h"

static struct {
	struct event_base *base;
	struct resolver *resolver;
	unsigned changes;
	bool forget; /* all names, once something changed */
} t;

static void on_changed(void *arg)
{
	t.changes++;
	if (t.forget)
		resolver_set_names(t.resolver, NULL, 0);
}

static void start(const struct resolver_source *source)
{
	static const struct resolver_env env = {on_changed, NULL};

	resolver_free(t.resolver);
	t.resolver = resolver_new(t.base, source, &env);
}

static int set_up(void **state)
{
	memset(&t, 0, sizeof(t));
	t.base = event_base_new();
	dns_model_start(t.base);
	start(&(struct resolver_source){.server = dns_model.address});
	return 0;
}

static int tear_down(void **state)
{
	resolver_free(t.resolver);
	dns_model_stop();
	event_base_free(t.base);
	return 0;
}

/* Until this many questions are answered and said. */
static void run_until(unsigned changes)
{
	for (unsigned i = 0; i < 500 && t.changes < changes; i++) {
		event_base_loop(t.base, EVLOOP_NONBLOCK);
		usleep(10000);
	}
	assert_int_equal(t.changes, changes);
}

static void run_some(void)
{
	for (unsigned i = 0; i < 20; i++) {
		event_base_loop(t.base, EVLOOP_NONBLOCK);
		usleep(2000);
	}
}

static void want(const char *name)
{
	resolver_set_names(t.resolver, &name, name ? 1 : 0);
}

static void expect(bool better6, const char *text)
{
	char buf[IP_ADDR_STRLEN];
	struct ip_addr a;

	if (!text) {
		assert_false(resolver_find(t.resolver, DNS_MODEL_NAME, better6, &a));
		return;
	}
	assert_true(resolver_find(t.resolver, DNS_MODEL_NAME, better6, &a));
	assert_string_equal(ip_addr_format(&a, buf), text);
}

/* Names are set anew: the question is asked at once. */
static void ask_anew(unsigned changes)
{
	want(NULL);
	want(DNS_MODEL_NAME);
	run_until(changes);
}

static void test_both_families(void **state)
{
	dns_model.v4[0] = "192.0.2.7";
	dns_model.v6[0] = "2001:db8::7";
	want(DNS_MODEL_NAME);
	expect(true, NULL);
	assert_null(resolver_error(t.resolver, DNS_MODEL_NAME));
	run_until(1);
	expect(false, "192.0.2.7");
	expect(true, "2001:db8::7");
	assert_null(resolver_error(t.resolver, DNS_MODEL_NAME));
	assert_int_equal(dns_model.questions, 2);
	/* Wanted still: nothing is asked. */
	want(DNS_MODEL_NAME);
	for (unsigned i = 0; i < 5; i++)
		event_base_loop(t.base, EVLOOP_NONBLOCK);
	assert_int_equal(dns_model.questions, 2);
	resolver_refresh(t.resolver, DNS_MODEL_NAME); /* too soon */
	assert_int_equal(dns_model.questions, 2);
}

static void test_one_family(void **state)
{
	dns_model.v4[0] = "192.0.2.7";
	want(DNS_MODEL_NAME);
	run_until(1);
	expect(true, "192.0.2.7");
	assert_null(resolver_error(t.resolver, DNS_MODEL_NAME));
	dns_model.v4[0] = NULL;
	dns_model.v6[0] = "2001:db8::7";
	ask_anew(2);
	expect(false, "2001:db8::7");
}

/* Of several addresses the least, whatever their order. */
static void test_several(void **state)
{
	dns_model.v4[0] = "192.0.2.9";
	dns_model.v4[1] = "192.0.2.7";
	dns_model.v4[2] = "192.0.2.8";
	want(DNS_MODEL_NAME);
	run_until(1);
	expect(false, "192.0.2.7");
}

static void test_errors(void **state)
{
	dns_model.error = DNS_ERR_NOTEXIST;
	want(DNS_MODEL_NAME);
	run_until(1);
	expect(false, NULL);
	assert_string_equal(resolver_error(t.resolver, DNS_MODEL_NAME), "no such name");
	dns_model.error = 0;
	ask_anew(2);
	expect(false, NULL);
	assert_string_equal(resolver_error(t.resolver, DNS_MODEL_NAME), "no address");
	assert_null(resolver_error(t.resolver, "other.example.org"));
}

/* A name goes while its questions are under way; so does the resolver. */
static void test_cancel(void **state)
{
	dns_model.silent = true;
	want(DNS_MODEL_NAME);
	run_some();
	assert_int_equal(dns_model.questions, 2);
	want("other.example.org");
	run_some();
	assert_int_equal(t.changes, 0);
}

/* The first answer has the other name forgotten, whose answers lie in the loop's queue already. */
static void test_forget_with_answers_queued(void **state)
{
	static const char *const names[] = {DNS_MODEL_NAME, "other.example.org", "third.example.org"};

	dns_model.v4[0] = "192.0.2.7";
	t.forget = true;
	resolver_set_names(t.resolver, names, 3);
	run_until(1);
	run_some();
	assert_int_equal(dns_model.questions, 6);
	assert_int_equal(t.changes, 1);
	expect(false, NULL);
}

/* What no peer can have is passed over; when nothing else is there, the reason is said. */
static void test_unusable(void **state)
{
	static const char *const bad4[] = {
	    "0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "239.1.2.3", "255.255.255.255"};
	static const char *const bad6[] = {
	    "::", "::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:192.0.2.1", "::192.0.2.1"};

	memcpy(dns_model.v4, bad4, sizeof(bad4));
	memcpy(dns_model.v6, bad6, sizeof(bad6));
	want(DNS_MODEL_NAME);
	run_until(1);
	expect(false, NULL);
	assert_string_equal(resolver_error(t.resolver, DNS_MODEL_NAME), "no usable address");
	dns_model.v4[7] = "192.0.2.7";
	ask_anew(2);
	expect(true, "192.0.2.7");
	assert_null(resolver_error(t.resolver, DNS_MODEL_NAME));
}

/* What was known serves on when the answer is of no use; a seed of no use is none. */
static void test_unusable_after_seed(void **state)
{
	struct ip_addr a;

	dns_model.v4[0] = "127.0.0.1";
	want(DNS_MODEL_NAME);
	assert_int_equal(ip_addr_parse("127.0.0.2", &a, NULL), 0);
	resolver_seed(t.resolver, DNS_MODEL_NAME, &a);
	expect(false, NULL);
	assert_int_equal(ip_addr_parse("192.0.2.9", &a, NULL), 0);
	resolver_seed(t.resolver, DNS_MODEL_NAME, &a);
	run_until(1);
	expect(false, "192.0.2.9");
	assert_string_equal(resolver_error(t.resolver, DNS_MODEL_NAME), "no usable address");
}

/* IPv4 goes and IPv6 comes, in whichever order the answers do. */
static void test_family_moves(void **state)
{
	struct ip_addr a;

	for (unsigned i = 0; i < 2; i++) {
		dns_model.v4[0] = i ? "192.0.2.7" : NULL;
		dns_model.v6[0] = i ? NULL : "2001:db8::7";
		want(DNS_MODEL_NAME);
		assert_int_equal(ip_addr_parse(i ? "2001:db8::9" : "192.0.2.9", &a, NULL), 0);
		resolver_seed(t.resolver, DNS_MODEL_NAME, &a);
		run_until(i + 1);
		expect(i != 0, i ? "192.0.2.7" : "2001:db8::7");
		want(NULL);
	}
}

/* RFC 2181 §8; and more addresses than fit into a datagram of 512 bytes, RFC 1035 §4.2.1. */
static void test_odd_answers(void **state)
{
	char text[25][16];

	for (unsigned i = 0; i < 25; i++) {
		snprintf(text[i], sizeof(text[i]), "192.0.2.%u", 100 - i);
		dns_model.v4[i] = text[i];
	}
	dns_model.ttl_s = INT32_MIN;
	want(DNS_MODEL_NAME);
	run_until(1);
	expect(false, "192.0.2.76");
	for (unsigned i = 0; i < DNS_MODEL_LISTS; i++)
		dns_model.v4[i] = text[0];
	ask_anew(2);
	expect(false, NULL);
	assert_non_null(resolver_error(t.resolver, DNS_MODEL_NAME));
}

static void test_thousand_names(void **state)
{
	static char texts[1000][32];
	static const char *names[1000];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(texts[i], sizeof(texts[i]), "peer%u.example.org", i);
		names[i] = texts[i];
	}
	resolver_set_names(t.resolver, names, 1000);
	for (unsigned i = 0; i < 3000 && t.changes < 1000; i++) {
		event_base_loop(t.base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_int_equal(t.changes, 1000);
	assert_string_equal(resolver_error(t.resolver, names[999]), "no address");
}

static void write_file(const char *path, const char *format, const char *word)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, format, word);
	fclose(file);
}

/* A failing name disturbs no other's questions; servers that changed are asked at once. */
static void test_system(void **state)
{
	static const char *const names[] = {"silent.example.org", DNS_MODEL_NAME, "other.example.org"};
	char path[] = "/tmp/test_resolve.XXXXXX";
	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	write_file(path, "nameserver %s\n", dns_model.address);
	start(&(struct resolver_source){.resolv_conf = path});
	dns_model.silent_for = names[0];
	want(names[0]);
	run_some();
	assert_int_equal(dns_model.unanswered, 2);
	dns_model.error = DNS_ERR_NOTEXIST;
	resolver_set_names(t.resolver, names, 2);
	run_until(1);
	run_some();
	assert_int_equal(dns_model.unanswered, 2);
	write_file(path, "# others\nnameserver %s\n", dns_model.address);
	resolver_set_names(t.resolver, names, 3);
	run_until(2);
	run_some();
	assert_int_equal(dns_model.unanswered, 4);
	unlink(path);
}

/* hosts(5) before servers. */
static void test_hosts(void **state)
{
	char path[] = "/tmp/test_resolve.XXXXXX";
	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	write_file(path,
	    "127.0.0.1 localhost\n\n192.0.2.1 %s.example # comment friend.example.org\nfe80::1%%lo "
	    "friend.example.org\n"
	    "nonsense friend.example.org\n192.0.2.9\tother Friend.Example.ORG more\r\n2001:db8::9 "
	    "friend.example.org",
	    DNS_MODEL_NAME);
	start(&(struct resolver_source){.server = dns_model.address, .hosts = path});
	want(DNS_MODEL_NAME);
	run_until(1);
	expect(false, "192.0.2.9");
	expect(true, "2001:db8::9");
	assert_null(resolver_error(t.resolver, DNS_MODEL_NAME));
	assert_int_equal(dns_model.questions, 0);
	want("localhost");
	run_until(2);
	assert_string_equal(resolver_error(t.resolver, "localhost"), "no usable address");
	want("other.example.org");
	run_until(3);
	assert_int_equal(dns_model.questions, 2);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_both_families, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_one_family, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_several, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_forget_with_answers_queued, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_unusable, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_unusable_after_seed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_family_moves, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_odd_answers, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_thousand_names, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_system, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_hosts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
