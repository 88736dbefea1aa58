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
} t;

static void on_changed(void *arg)
{
	t.changes++;
}

static int set_up(void **state)
{
	static const struct resolver_env env = {on_changed, NULL};

	memset(&t, 0, sizeof(t));
	t.base = event_base_new();
	dns_model_start(t.base);
	t.resolver = resolver_new(t.base, dns_model.address, &env);
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
	for (unsigned i = 0; i < 20; i++) {
		event_base_loop(t.base, EVLOOP_NONBLOCK);
		usleep(2000);
	}
	assert_int_equal(dns_model.questions, 2);
	want("other.example.org");
	for (unsigned i = 0; i < 20; i++) {
		event_base_loop(t.base, EVLOOP_NONBLOCK);
		usleep(2000);
	}
	assert_int_equal(t.changes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_both_families, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_one_family, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_several, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_cancel, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
