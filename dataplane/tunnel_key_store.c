/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys that came by `wg set` and not by a file of the owner's: <state-dir>/keys, 0700, one file of mode 0600
 * a key, named after its digest, so that another key is another name and an object that names it has changed.
 * A file that no object names any more is removed once the state on disk does not name it, either.
 * Slow thread only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/apply.h"
#include "dataplane/state.h"
#include "dataplane/tunnel_peer.h"
#include "lib/log.h"

#define DIGEST_LEN 16
#define NAME_LEN   (2 * DIGEST_LEN)

static char directory[FIBMSG_PATH - NAME_LEN - 1]; /* empty: there is none */
static bool sweep_wanted;

int tunnel_key_store_open(const char *state_dir, struct err_msg *msg)
{
	directory[0] = '\0';
	sweep_wanted = state_dir != NULL; /* of a process that was killed between key and state */
	if (state_dir &&
	    snprintf(directory, sizeof(directory), "%s/keys", state_dir) >= (int)sizeof(directory))
		return err_set(msg, ERR_TOOLONG, "state directory %s: longer than %zu bytes", state_dir,
		    sizeof(directory) - sizeof("/keys"));
	return 0;
}

/* A path of at most FIBMSG_PATH bytes. */
static void path_of(const uint8_t key[CRYPTO_KEY_LEN], char path[FIBMSG_PATH])
{
	static const char label[] = "byway key file";
	uint8_t digest[DIGEST_LEN];
	int used;

	crypto_digest_bytes(digest, sizeof(digest), label, sizeof(label) - 1, key, CRYPTO_KEY_LEN);
	memset(path, 0, FIBMSG_PATH);
	used = snprintf(path, FIBMSG_PATH, "%s/", directory);
	for (unsigned i = 0; i < DIGEST_LEN; i++)
		used += snprintf(path + used, FIBMSG_PATH - (size_t)used, "%02x", digest[i]);
}

static bool write_file(const char *path, const uint8_t key[CRYPTO_KEY_LEN])
{
	char text[CRYPTO_KEY_STRLEN], fresh[FIBMSG_PATH + 4];
	bool good;
	int fd;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	crypto_format_base64(text, key);
	text[CRYPTO_KEY_STRLEN - 1] = '\n';
	good = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text);
	crypto_wipe(text, sizeof(text));
	good = close(fd) == 0 && good;
	return good && rename(fresh, path) == 0;
}

int tunnel_key_store_put(const uint8_t key[CRYPTO_KEY_LEN], char path[FIBMSG_PATH], struct err_msg *msg)
{
	uint8_t there[CRYPTO_KEY_LEN];
	bool same;

	if (!directory[0])
		return err_set(msg, ERR_UNSUPPORTED, "there is no state directory to keep a key in");
	if (mkdir(directory, 0700) && errno != EEXIST)
		return err_set(msg, ERR_IO, "%s: %s", directory, strerror(errno));
	path_of(key, path);
	tunnel_key_store_want_sweep(); /* also of what a failure leaves */
	same = tunnel_key_file_read(path, "key", there, NULL) == 0 && crypto_equal(there, key, sizeof(there));
	crypto_wipe(there, sizeof(there));
	if (!same && !write_file(path, key))
		return err_set(msg, ERR_IO, "%s: %s", path, strerror(errno));
	if (!same)
		state_note_files();
	return 0;
}

void tunnel_key_store_want_sweep(void)
{
	sweep_wanted = directory[0] != '\0';
}

/* --- the sweep --- */

struct names {
	char (*v)[NAME_LEN];
	size_t n;
};

static int compare_names(const void *a, const void *b)
{
	return memcmp(a, b, NAME_LEN);
}

static void note_path(struct names *names, const char *path)
{
	size_t len = strlen(directory);

	if (strncmp(path, directory, len) == 0 && strlen(path) == len + 1 + NAME_LEN)
		memcpy(names->v[names->n++], path + len + 1, NAME_LEN);
}

/* The names that objects have, sorted. False: memory is short. */
static bool collect_names(struct names *names)
{
	const struct store *s = apply_store();
	struct fibmsg m;

	names->n = 0;
	names->v = calloc(store_count(s, STORE_TUNNEL) + store_count(s, STORE_PEER) + 1u, NAME_LEN);
	if (!names->v)
		return false;
	for (struct store_object *o = store_first(s, STORE_TUNNEL); o; o = store_after(o)) {
		store_decode(o, &m);
		note_path(names, m.u.tunnel.key_path);
	}
	for (struct store_object *o = store_first(s, STORE_PEER); o; o = store_after(o)) {
		store_decode(o, &m);
		note_path(names, m.u.peer.psk_path);
	}
	qsort(names->v, names->n, NAME_LEN, compare_names);
	return true;
}

/* What write_file makes; anything else in the directory is not ours to remove. */
static bool is_ours(const char *name)
{
	return strspn(name, "0123456789abcdef") == NAME_LEN &&
	       (!name[NAME_LEN] || strcmp(name + NAME_LEN, ".new") == 0);
}

static void sweep(void)
{
	struct names names;
	struct dirent *entry;
	DIR *dir;

	if (!collect_names(&names))
		return;
	dir = opendir(directory);
	while (dir && (entry = readdir(dir))) {
		if (!is_ours(entry->d_name) ||
		    (strlen(entry->d_name) == NAME_LEN &&
			bsearch(entry->d_name, names.v, names.n, NAME_LEN, compare_names)))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0))
			log_warn("%s/%s: a key that is not used any more cannot be removed: %s", directory,
			    entry->d_name, strerror(errno));
	}
	if (dir)
		closedir(dir);
	free(names.v);
	sweep_wanted = false;
}

/* Runs after state_tick in the same loop, which wakes the loop when the state is written. */
uint64_t tunnel_key_store_tick(uint64_t now_ns)
{
	if (sweep_wanted && state_is_written())
		sweep();
	return UINT64_MAX;
}
