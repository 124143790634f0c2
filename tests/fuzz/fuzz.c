/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <stdlib.h>

#include <rte_log.h>

#include "fuzz.h"

/*
 * Pools come and go with each input: memory is used again soon, and is not given back meanwhile.
 * ASAN_OPTIONS are heard on top.
 */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=8:allocator_release_to_os_interval_ms=-1";
}

#define ROWS_MAX 128

static unsigned int rows[2][ROWS_MAX], nb_rows[2];

static void
find_rows(bool is_tx)
{
	struct env_conf c = { .is_tx = is_tx };

	for (; c.row < env_nb_rows(is_tx); c.row++)
		if (env_can_run(&c)) {
			assert_true(nb_rows[is_tx] < ROWS_MAX);
			rows[is_tx][nb_rows[is_tx]++] = c.row;
		}
}

unsigned int
fuzz_row(struct fuzz *f, bool is_tx)
{
	return rows[is_tx][fuzz_below(f, nb_rows[is_tx])];
}

/* What the fakes find, and assertions, end the program, as libFuzzer wants it of a finding. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	RTE_SET_USED(argc);
	RTE_SET_USED(argv);
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	rte_log_set_global_level(RTE_LOG_CRIT);
	find_rows(false);
	find_rows(true);
	return 0;
}

/* Linux takes ten milliseconds to close one; without it the port looks once in a while. */
int __wrap_inotify_init1(int flags);

int
__wrap_inotify_init1(int flags)
{
	RTE_SET_USED(flags);
	errno = EMFILE;
	return -1;
}
