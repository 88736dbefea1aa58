/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/secret: what the kernel says of its pages, wiping, reuse, bounds, and memory that cannot be locked. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/crypto.h"
#include "lib/secret.h"

static bool may_not_lock;

int __wrap_mlock(const void *p, size_t len);

/* The system call itself: under a sanitizer the library's does nothing. */
int __wrap_mlock(const void *p, size_t len)
{
	if (!may_not_lock)
		return (int)syscall(SYS_mlock, p, len);
	errno = ENOMEM;
	return -1;
}

/* Has the mapping in which p lies this flag of /proc/self/smaps? */
static bool has_flag(const void *p, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	unsigned long from, to;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(f);
	return found;
}

static void test_pages(void **state)
{
	static const size_t lens[] = {1, 32, 64, 65, 1400, 4096, 16384, 16385, 65536, 200000};

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint8_t *p = secret_alloc(lens[i]);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % SECRET_ALIGN, 0);
		assert_true(crypto_is_zero(p, lens[i]));
		memset(p, 0xaa, lens[i]);
		assert_true(has_flag(p, " lo") && has_flag(p + lens[i] - 1, " lo"));
		assert_true(has_flag(p, " dd") && has_flag(p, " dc"));
		secret_free(p);
	}
	assert_int_equal(secret_lock_error(), 0);
	assert_null(secret_alloc(0));
	assert_null(secret_alloc(SIZE_MAX));
	secret_free(NULL);
}

/* A freed slot comes back, and empty. */
static void test_wiped(void **state)
{
	uint8_t *a = secret_alloc(100), *b = secret_alloc(100), *c;

	memset(a, 1, 100);
	memset(b, 2, 100);
	secret_free(a);
	c = secret_alloc(100);
	assert_ptr_equal(a, c);
	assert_true(crypto_is_zero(c, 100));
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(b[i], 2);
	secret_free(b);
	secret_free(c);
}

/* Thousands of objects in few pages, none over another, and the pages go back. */
static void test_many(void **state)
{
	static uint8_t *objects[20000];
	size_t before = secret_mapped_len(), n = sizeof(objects) / sizeof(objects[0]);

	for (size_t i = 0; i < n; i++) {
		objects[i] = secret_alloc(100);
		assert_non_null(objects[i]);
		memset(objects[i], (int)i & 0xff, 100);
	}
	assert_in_range(secret_mapped_len() - before, n * 128 - 65536, n * 128 + n * 2 + 65536);
	for (size_t i = 0; i < n; i++)
		assert_true(objects[i][0] == (i & 0xff) && objects[i][99] == (i & 0xff));
	for (size_t i = 0; i < n; i++)
		secret_free(objects[(i * 7919) % n]);
	assert_true(secret_mapped_len() <= before + 65536);
}

/* Without the right to lock it goes on, and says so. */
static void test_unlocked(void **state)
{
	uint8_t *p;

	may_not_lock = true;
	p = secret_alloc(3000);
	may_not_lock = false;
	assert_non_null(p);
	memset(p, 1, 3000);
	assert_true(has_flag(p, " dd"));
	secret_free(p);
	assert_int_equal(secret_lock_error(), ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pages),
	    cmocka_unit_test(test_wiped),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_unlocked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
