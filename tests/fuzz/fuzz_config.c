/* SPDX-License-Identifier: BSD-3-Clause */
/* control/config: any bytes as a configuration file give a configuration or findings, and nothing worse. */
#include "control/config.h"
#include "control/config_objects.h"

#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct diag *d = malloc(sizeof(*d));
	struct config *c = NULL;
	struct config_objects objects;

	FUZZ_REQUIRE(d != NULL);
	diag_init(d, "fuzz.yaml");
	if (config_parse((const char *)data, len, d, &c) == 0) {
		FUZZ_REQUIRE(d->n_errors == 0);
		config_objects_build(c, NULL, 0, &objects);
		free(objects.v);
	} else {
		FUZZ_REQUIRE(d->n_errors > 0); /* nothing is refused without a reason */
	}
	config_free(c);
	free(d);
	return 0;
}
