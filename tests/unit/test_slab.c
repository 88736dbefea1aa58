/* SPDX-License-Identifier: BSD-3-Clause */
/* control/slab: objects are zeroed, apart, used again, and all gone with a clear. */
#include "control/slab.h"

#include "tests/unit/unit.h"

#define OBJECTS 20000

struct object {
	uint64_t value[6];
};

static void objects_are_zeroed_and_apart(void **state)
{
	static struct object *v[OBJECTS];
	static const struct object zero;
	struct slab s = {0};
	uint64_t seed = 5;

	for (unsigned round = 0; round < 4; round++) {
		for (size_t i = 0; i < OBJECTS; i++) {
			if (v[i] != NULL)
				continue;
			v[i] = slab_alloc(&s, sizeof(*v[i]));
			assert_non_null(v[i]);
			assert_int_equal((uintptr_t)v[i] % sizeof(uint64_t), 0);
			assert_memory_equal(v[i], &zero, sizeof(zero));
			for (unsigned k = 0; k < UNIT_COUNT(v[i]->value); k++)
				v[i]->value[k] = ~(uint64_t)i;
		}
		for (size_t i = 0; i < OBJECTS; i++) {
			for (unsigned k = 0; k < UNIT_COUNT(v[i]->value); k++)
				assert_true(v[i]->value[k] == ~(uint64_t)i);
			if (unit_random(&seed) % 2) {
				slab_free(&s, v[i]);
				v[i] = NULL;
			}
		}
	}
	slab_clear(&s);
	assert_null(s.blocks);
}

static void freed_objects_are_used_again(void **state)
{
	struct slab s = {0};
	void *first = slab_alloc(&s, 48), *second = slab_alloc(&s, 48);

	slab_free(&s, NULL);
	slab_free(&s, first);
	slab_free(&s, second);
	assert_ptr_equal(slab_alloc(&s, 48), second);
	assert_ptr_equal(slab_alloc(&s, 48), first);
	slab_clear(&s);
	slab_clear(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(objects_are_zeroed_and_apart),
	    cmocka_unit_test(freed_objects_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
