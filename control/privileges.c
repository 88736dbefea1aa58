/* SPDX-License-Identifier: BSD-3-Clause */
/* From root to an ordinary user with two capabilities. Called once by main. */
#include "control/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/log.h"

static int set_capabilities(uint32_t bits)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = bits, .permitted = bits}};

	return (int)syscall(SYS_capset, &header, data);
}

int privileges_drop(const char *user, const char *run_dir, struct err_msg *msg)
{
	const uint32_t keep = 1u << CAP_NET_BIND_SERVICE | 1u << CAP_NET_RAW;
	const struct passwd *pw;

	if (geteuid() != 0 || (user != NULL && user[0] == '\0'))
		return 0;
	pw = getpwnam(user != NULL ? user : "byway");
	if (pw == NULL && user != NULL)
		return err_set(msg, ERR_NOENT, "there is no user %s", user);
	if (pw == NULL) {
		log_warn("there is no user byway: stays root; `useradd --system byway` mends that");
		return 0;
	}
	/* The overrides and the socket are rewritten later, so the directory must be ours. */
	if (chown(run_dir, pw->pw_uid, (gid_t)-1) < 0)
		log_warn("%s cannot be given to %s: %s", run_dir, pw->pw_name, strerror(errno));
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || initgroups(pw->pw_name, pw->pw_gid) < 0 ||
	    setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0 || set_capabilities(keep) < 0)
		return err_set(msg, ERR_PERM, "cannot become user %s: %s", pw->pw_name, strerror(errno));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	log_info("runs as user %s", pw->pw_name);
	return 0;
}
