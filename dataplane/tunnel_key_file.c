/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys in files, as `wg genkey` writes them: read once, nothing of them is left behind on any path. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/tunnel_peer.h"
#include "lib/err.h"

#define TEXT_MAX 64

/* A key file that others may read is no secret any more. */
static int check_mode(int fd, const char *path, const char *what, struct err_msg *msg)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(msg, ERR_IO, "%s %s: %s", what, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(msg, ERR_INVALID, "%s %s: expected a regular file", what, path);
	if (st.st_mode & 077)
		return err_set(msg, ERR_PERM,
		    "%s %s: mode %04o lets others read it, expected 0600 (chmod 600 %s)", what, path,
		    st.st_mode & 07777, path);
	return 0;
}

int tunnel_key_file_read(const char *path, const char *what, uint8_t key[CRYPTO_KEY_LEN], struct err_msg *msg)
{
	char text[TEXT_MAX];
	ssize_t len;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_set(
		    msg, errno == ENOENT ? ERR_NOENT : ERR_IO, "%s %s: %s", what, path, strerror(errno));
	err = check_mode(fd, path, what, msg);
	if (err)
		goto out;
	len = read(fd, text, sizeof(text));
	if (len < 0) {
		err = err_set(msg, ERR_IO, "%s %s: %s", what, path, strerror(errno));
		goto out;
	}
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
		len--;
	if (crypto_parse_base64(key, text, (size_t)len))
		err = err_set(msg, ERR_INVALID,
		    "%s %s: expected one key of 44 characters in base64, as `wg genkey` writes it", what,
		    path);
out:
	crypto_wipe(text, sizeof(text));
	close(fd);
	return err;
}
