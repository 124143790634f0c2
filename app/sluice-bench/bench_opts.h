/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The command line, and the one that a measuring process gets. */
#ifndef BENCH_OPTS_H
#define BENCH_OPTS_H

#include "bench.h"

/** Returns 0, 1 if the help was printed, or -EINVAL with the reason on stderr. */
int bench_opts_parse(struct bench_opts *opts, int argc, char **argv);

/**
 * Fill in what was not given, refuse what does not fit together. 0 or -errno with the reason on
 * stderr.
 */
int bench_opts_complete(struct bench_opts *opts);

/** `argv` of the process that measures one case: ours with the case put in before "--".
 * NULL-terminated, valid until the next call.
 */
char **bench_opts_child_argv(int argc, char **argv, const struct bench_case *c,
		unsigned int restart, int result_fd, const char *dir);

const char *bench_model_name(enum null_model model);

#endif /* BENCH_OPTS_H */
