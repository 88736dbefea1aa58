/* SPDX-License-Identifier: BSD-3-Clause */
/* byway import: reads the file, writes the keys, prints the tunnel. Everything is read and judged before the
 * first key is written. */
#include "control/byway_import.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/byway_ask.h"
#include "lib/wg_conf.h"
#include "lib/err.h"

#define KEY_DIR	     "/etc/byway"
#define NAME_MAX_LEN 15

struct import {
	const char *path;
	char name[NAME_MAX_LEN + 1];
};

static void say(void *arg, unsigned line, bool error, const char *text)
{
	const struct import *i = arg;

	if (line)
		fprintf(stderr, "%s:%u: %s%s\n", i->path, line, error ? "" : "note: ", text);
	else
		fprintf(stderr, "%s: %s%s\n", i->path, error ? "" : "note: ", text);
}

/* "…/wg0.conf" is wg0, as for wg-quick. */
static bool find_name(struct import *i)
{
	const char *base = strrchr(i->path, '/') ? strrchr(i->path, '/') + 1 : i->path;
	size_t len = strlen(base);

	if (len > 5 && strcmp(base + len - 5, ".conf") == 0)
		len -= 5;
	if (len == 0 || len > NAME_MAX_LEN || base[0] == '.' ||
	    strspn(base, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") < len) {
		say(i, 0, true,
		    "the file is named after the tunnel; expected at most 15 letters, digits, '_', '-' or "
		    "'.' and .conf");
		return false;
	}
	memcpy(i->name, base, len);
	return true;
}

static char *read_file(const struct import *i, size_t *len)
{
	FILE *file = fopen(i->path, "re");
	char *text = malloc(WG_CONF_MAX + 1);

	*len = file && text ? fread(text, 1, WG_CONF_MAX + 1, file) : 0;
	if (!file || !text || ferror(file)) {
		fprintf(stderr, "byway: %s: %s\n", i->path, strerror(errno));
	} else if (*len > WG_CONF_MAX) {
		fprintf(stderr, "byway: %s: expected at most 16 MiB\n", i->path);
	} else {
		fclose(file);
		return text;
	}
	if (file)
		fclose(file);
	free(text);
	return NULL;
}

/* A key file that is there may be in use: it is not overwritten. */
static bool write_key(const char *path, const uint8_t key[CRYPTO_KEY_LEN])
{
	char text[CRYPTO_KEY_STRLEN], there[CRYPTO_KEY_STRLEN] = "";
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool good, made = fd >= 0;

	crypto_format_base64(text, key);
	text[CRYPTO_KEY_STRLEN - 1] = '\n';
	if (made) {
		good = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) && fsync(fd) == 0;
	} else {
		fd = errno == EEXIST ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
		good = fd >= 0 && read(fd, there, sizeof(there)) == (ssize_t)sizeof(there) &&
		       crypto_equal(text, there, sizeof(text));
	}
	if (!good)
		fprintf(stderr, "byway: %s: %s\n", path,
		    !made && fd >= 0 ? "there is another key already; move it away" : strerror(errno));
	if (fd >= 0)
		close(fd);
	if (made && !good)
		unlink(path); /* a part of a key, which the next try would take for another */
	crypto_wipe(text, sizeof(text));
	crypto_wipe(there, sizeof(there));
	return good;
}

static bool write_keys(const struct wg_conf *c, const char *name, const char *key_dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s.key", key_dir, name);
	if (!write_key(path, c->private_key))
		return false;
	for (size_t i = 0; i < c->n_peers; i++)
		if (c->peers[i].allowed_ips.n > 0 &&
		    wg_conf_psk_path(c, i, name, key_dir, path, sizeof(path)) &&
		    !write_key(path, c->peers[i].preshared_key))
			return false;
	return true;
}

static int import_text(struct import *i, const char *text, size_t len, const char *key_dir)
{
	char absolute[PATH_MAX] = KEY_DIR;
	struct wg_conf c;
	int rc = wg_conf_parse(text, len, &c, say, i);

	if (rc == ERR_NOMEM)
		fprintf(stderr, "byway: out of memory\n");
	if (rc)
		return BYWAY_EXIT_ERROR;
	if (key_dir && !realpath(key_dir, absolute)) {
		fprintf(stderr, "byway: %s: %s\n", key_dir, strerror(errno));
		rc = ERR_IO;
	} else if (key_dir && !write_keys(&c, i->name, absolute)) {
		rc = ERR_IO;
	}
	if (!rc) {
		wg_conf_print(&c, i->name, absolute, stdout, say, i);
		if (!key_dir)
			fprintf(stderr,
			    "byway: no key was written; byway import %s DIRECTORY writes them there\n",
			    i->path);
	}
	wg_conf_free(&c);
	return rc ? BYWAY_EXIT_ERROR : BYWAY_EXIT_OK;
}

int byway_import(const char *path, const char *key_dir)
{
	struct import i = {.path = path};
	char *text;
	size_t len;
	int status;

	if (!find_name(&i))
		return BYWAY_EXIT_ERROR;
	text = read_file(&i, &len);
	if (!text)
		return BYWAY_EXIT_ERROR;
	status = import_text(&i, text, len, key_dir);
	crypto_wipe(text, len);
	free(text);
	return status;
}
