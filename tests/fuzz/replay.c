/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a fuzz target over each file of its corpus, and over every truncation of
 * it, without libFuzzer: replay FOLDER. An empty corpus is a failure.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define FILE_MAX 65536

static void run_every_length(const uint8_t *data, size_t len)
{
	for (size_t n = len + 1; n-- > 0;) {
		uint8_t *exact = malloc(n ? n : 1);

		if (!exact)
			abort();
		memcpy(exact, data, n);
		LLVMFuzzerTestOneInput(exact, n);
		free(exact);
		if (n > 4096) /* long ones: whole, then only what is left of 4 KiB */
			n = 4096;
	}
}

int main(int argc, char **argv)
{
	static uint8_t data[FILE_MAX];
	struct dirent *entry;
	unsigned files = 0;
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;

	if (!folder) {
		fprintf(stderr, "usage: %s FOLDER of inputs\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(folder))) {
		char path[4096];
		FILE *file;
		size_t len;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
		file = fopen(path, "rb");
		if (!file) {
			perror(path);
			return 1;
		}
		len = fread(data, 1, sizeof(data), file);
		fclose(file);
		printf("%s\n", path); /* the last line names the input that crashed */
		fflush(stdout);
		run_every_length(data, len);
		files++;
	}
	closedir(folder);
	printf("%u inputs\n", files);
	return files ? 0 : 1;
}
