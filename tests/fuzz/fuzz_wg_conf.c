/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/wg_conf: any file is read or refused with a finding; what is read is printed as YAML that the
 * configuration's reader takes for well-formed. */
#include "lib/wg_conf.h"

#include <stdlib.h>

#include "control/config.h"
#include "lib/err.h"
#include "tests/fuzz/fuzz.h"

static unsigned errors;

static void say(void *arg, unsigned line, bool error, const char *text)
{
	FUZZ_REQUIRE(text[0]);
	errors += error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config;
	static struct diag diag;
	struct wg_conf c;
	char *text = NULL;
	size_t len;
	FILE *out;

	errors = 0;
	if (wg_conf_parse((const char *)data, size, &c, say, NULL)) {
		FUZZ_REQUIRE(errors > 0);
		return 0;
	}
	FUZZ_REQUIRE(errors == 0);
	out = open_memstream(&text, &len);
	wg_conf_print(&c, "wg0", "/etc/byway", out, say, NULL);
	fclose(out);
	diag_init(&diag, "wg0.yaml");
	if (config_parse(text, len, &diag, &config) == 0)
		config_free(config);
	free(text);
	wg_conf_free(&c);
	return 0;
}
