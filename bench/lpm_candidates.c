/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/lpm.h"
const struct lpm_engine *const lpm_candidates[] = {NULL};
