/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A region begins with its head and goes on with slots of one length. Regions are aligned to their length, so
 * that an object's address names its region; what is longer than a quarter of one has a mapping of its own.
 */
#include "lib/secret.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/crypto.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, len)   ((void)(p), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(p, len) ((void)(p), (void)(len))
#define __lsan_register_root_region(p, len)
#define __lsan_unregister_root_region(p, len)
#endif

#define REGION_LEN ((size_t)64 * 1024)
#define SLOT_MAX   (REGION_LEN / 4)
#define WORD_BITS  64u
#define USED_WORDS (REGION_LEN / SECRET_ALIGN / WORD_BITS)

struct region {
	struct region *next;
	size_t len;	 /* of the mapping */
	size_t slot_len; /* 0: one object alone */
	unsigned n_slots, n_used;
	uint64_t used[USED_WORDS];
};

#define HEAD_LEN ((sizeof(struct region) + SECRET_ALIGN - 1) / SECRET_ALIGN * SECRET_ALIGN)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static struct region *regions;
static size_t mapped_len;
static int lock_error;

/* len bytes at a multiple of REGION_LEN. */
static void *map_aligned(size_t len)
{
	size_t room = len + REGION_LEN, before;
	uint8_t *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	before = (REGION_LEN - (uintptr_t)p % REGION_LEN) % REGION_LEN;
	if (before)
		munmap(p, before);
	munmap(p + before + len, room - before - len);
	return p + before;
}

static struct region *add_region(size_t len, size_t slot_len)
{
	struct region *r = map_aligned(len);

	if (!r)
		return NULL;
	if (mlock(r, len) && !lock_error)
		lock_error = errno;
	(void)madvise(r, len, MADV_DONTDUMP);
	(void)madvise(r, len, MADV_DONTFORK);
	__lsan_register_root_region(r, len);
	r->len = len;
	r->slot_len = slot_len;
	r->n_slots = slot_len ? (unsigned)((len - HEAD_LEN) / slot_len) : 1;
	r->next = regions;
	regions = r;
	mapped_len += len;
	if (slot_len)
		ASAN_POISON_MEMORY_REGION((uint8_t *)r + HEAD_LEN, len - HEAD_LEN);
	return r;
}

static void remove_region(struct region *r)
{
	struct region **at = &regions;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	mapped_len -= r->len;
	__lsan_unregister_root_region(r, r->len);
	ASAN_UNPOISON_MEMORY_REGION(r, r->len);
	munmap(r, r->len);
}

static void *take_slot(struct region *r)
{
	void *p;

	for (unsigned i = 0; i < r->n_slots; i++) {
		if (r->used[i / WORD_BITS] >> i % WORD_BITS & 1)
			continue;
		r->used[i / WORD_BITS] |= UINT64_C(1) << i % WORD_BITS;
		r->n_used++;
		p = (uint8_t *)r + HEAD_LEN + i * r->slot_len;
		ASAN_UNPOISON_MEMORY_REGION(p, r->slot_len);
		return p;
	}
	return NULL;
}

static void *alloc_locked(size_t len)
{
	size_t slot_len = (len + SECRET_ALIGN - 1) / SECRET_ALIGN * SECRET_ALIGN;
	struct region *r;

	if (slot_len > SLOT_MAX) {
		r = add_region((HEAD_LEN + len + REGION_LEN - 1) / REGION_LEN * REGION_LEN, 0);
		if (!r)
			return NULL;
		r->n_used = 1;
		return (uint8_t *)r + HEAD_LEN;
	}
	for (r = regions; r; r = r->next)
		if (r->slot_len == slot_len && r->n_used < r->n_slots)
			return take_slot(r);
	r = add_region(REGION_LEN, slot_len);
	return r ? take_slot(r) : NULL;
}

void *secret_alloc(size_t len)
{
	void *p;

	if (len == 0 || len > SIZE_MAX / 2)
		return NULL;
	pthread_mutex_lock(&lock);
	p = alloc_locked(len);
	pthread_mutex_unlock(&lock);
	return p;
}

/* Is there another region with room for this length? One is kept, so that a lone peer's rekeys map nothing.
 */
static bool has_other(const struct region *r)
{
	for (const struct region *at = regions; at; at = at->next)
		if (at != r && at->slot_len == r->slot_len && at->n_used < at->n_slots)
			return true;
	return false;
}

static void free_slot(struct region *r, uint8_t *p)
{
	size_t i = ((size_t)(p - (uint8_t *)r) - HEAD_LEN) / r->slot_len;

	assert(r->used[i / WORD_BITS] >> i % WORD_BITS & 1);
	crypto_wipe(p, r->slot_len);
	ASAN_POISON_MEMORY_REGION(p, r->slot_len);
	r->used[i / WORD_BITS] &= ~(UINT64_C(1) << i % WORD_BITS);
	if (--r->n_used == 0 && has_other(r))
		remove_region(r);
}

void secret_free(void *p)
{
	struct region *r;

	if (!p)
		return;
	/* An object of a long mapping begins in its first region's length, too. */
	r = (struct region *)(void *)((uint8_t *)p - (uintptr_t)p % REGION_LEN);
	pthread_mutex_lock(&lock);
	if (r->slot_len) {
		free_slot(r, p);
	} else {
		crypto_wipe(p, r->len - HEAD_LEN);
		remove_region(r);
	}
	pthread_mutex_unlock(&lock);
}

int secret_lock_error(void)
{
	int err;

	pthread_mutex_lock(&lock);
	err = lock_error;
	pthread_mutex_unlock(&lock);
	return err;
}

size_t secret_mapped_len(void)
{
	size_t len;

	pthread_mutex_lock(&lock);
	len = mapped_len;
	pthread_mutex_unlock(&lock);
	return len;
}
