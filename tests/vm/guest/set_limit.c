// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * Changes a limit of a process that runs: set_limit PID (nofile|memlock) N. Prints what it was.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

int
main(int argc, char **argv)
{
	struct rlimit old, limit;
	int kind;

	if (argc != 4) {
		fprintf(stderr, "usage: set_limit PID (nofile|memlock) N\n");
		return 2;
	}
	kind = strcmp(argv[2], "nofile") == 0 ? RLIMIT_NOFILE : RLIMIT_MEMLOCK;
	if (prlimit(atoi(argv[1]), kind, NULL, &old) < 0) {
		perror("prlimit");
		return 1;
	}
	limit = old;
	limit.rlim_cur = strtoull(argv[3], NULL, 0);
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (prlimit(atoi(argv[1]), kind, &limit, NULL) < 0) {
		perror("prlimit");
		return 1;
	}
	printf("%llu\n", (unsigned long long)old.rlim_cur);
	return 0;
}
