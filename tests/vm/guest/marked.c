/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * For what counts between marks (../plugin/count.c): 100 times a few instructions, and three times
 * so many that the kernel's clock interrupts them. Where there is another program, it runs then.
 */
#include <time.h>

#include "../../../app/sluice-bench/marks.h"

#define FEW 0
#define MANY 1
#define MANY_S 0.1 /* several turns of the scheduler */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int
main(void)
{
	unsigned int i;
	double end;

	for (i = 0; i < 100; i++) {
		MARKS_PUT(MARK_BEGIN);
		__asm__ volatile(".rept 1000\nnop\n.endr");
		MARKS_PUT(MARK_END);
		MARKS_PUT(MARK_KEEP + FEW);
	}
	for (i = 0; i < 3; i++) {
		end = now() + MANY_S;
		MARKS_PUT(MARK_BEGIN);
		while (now() < end)
			;
		MARKS_PUT(MARK_END);
		MARKS_PUT(MARK_KEEP + MANY);
	}
	MARKS_PUT(MARK_REPORT);
	return 0;
}
