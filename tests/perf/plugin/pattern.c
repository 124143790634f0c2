/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Accesses of which everybody can count the lines that travel: the control of lines.c. Two ranges
 * of four lines, and one line in none.
 */
#include "../../../app/sluice-bench/marks.h"

#define LOAD(p) __asm__ volatile("movb %0, %%al" : : "m"(*(p)) : "rax")
#define STORE(p) __asm__ volatile("movb $1, %0" : "=m"(*(p)))
#define LINE 64

static char first[4 * LINE] __attribute__((aligned(LINE)));
static char second[4 * LINE] __attribute__((aligned(LINE)));
static char apart[LINE] __attribute__((aligned(LINE)));

int
main(void)
{
	MARKS_PUT(MARK_FORGET);
	MARKS_PUT(MARK_RANGE);
	LOAD(&first[0]);
	LOAD(&first[sizeof(first) - 1]);
	MARKS_PUT(MARK_RANGE);
	LOAD(&second[0]);
	LOAD(&second[sizeof(second) - 1]);

	MARKS_PUT(MARK_DRIVER); /* nobody else has the lines: nothing travels */
	STORE(&first[0]);
	STORE(&first[LINE]);
	STORE(&second[0]);
	MARKS_PUT(MARK_DEVICE);
	LOAD(&first[0]); /* fetched */
	LOAD(&first[1]);
	STORE(&first[1]);    /* upgraded */
	STORE(&first[LINE]); /* taken */
	STORE(&first[LINE]);
	STORE(&apart[0]);
	MARKS_PUT(MARK_DRIVER);
	LOAD(&first[0]);     /* fetched */
	LOAD(&first[LINE]);  /* fetched */
	STORE(&first[LINE]); /* upgraded */
	LOAD(&second[0]);
	STORE(&apart[0]); /* taken */
	/* two bytes in two lines, which it has */
	__asm__ volatile("movw %0, %%ax" : : "m"(first[LINE - 1]) : "rax");
	MARKS_PUT(MARK_DEVICE);
	__asm__ volatile("movw $1, %0" : "=m"(second[LINE - 1])); /* taken, and one of nobody */
	MARKS_PUT(MARK_REPORT);

	MARKS_PUT(MARK_DRIVER);
	LOAD(&second[0]); /* fetched: counts begin anew, caches do not */
	MARKS_PUT(MARK_REPORT);
	return 0;
}
