/* SPDX-License-Identifier: BSD-3-Clause */
/* byway import: a file of wg-quick's becomes a tunnel of a configuration. */
#ifndef BYWAY_CONTROL_BYWAY_IMPORT_H
#define BYWAY_CONTROL_BYWAY_IMPORT_H

/*
 * Prints the YAML of the tunnel in the file at path (wg0.conf: tunnel wg0) on standard output, findings on
 * standard error. key_dir: where its keys are written, 0600, files that are there are kept if they say the
 * same and refused otherwise; NULL: no key is written, /etc/byway is named. Returns an exit status of
 * byway_ask.h.
 */
int byway_import(const char *path, const char *key_dir);

#endif
