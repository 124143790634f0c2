/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Accesses of which everybody can count the lines that travel: the control of lines.c. Two ranges of four lines, and
 * one line in none.
 */
#include "../../../app/sluice-bench/marks.h"

#define MARK(code) \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x80\n	.long %c0" \
			 : \
			 : "i"(MARKS_MAGIC + (code)) \
			 : "memory")
#define LOAD(p) __asm__ volatile("movb %0, %%al" : : "m"(*(p)) : "rax")
#define STORE(p) __asm__ volatile("movb $1, %0" : "=m"(*(p)))
#define LINE 64

static char first[4 * LINE] __attribute__((aligned(LINE)));
static char second[4 * LINE] __attribute__((aligned(LINE)));
static char apart[LINE] __attribute__((aligned(LINE)));

int
main(void)
{
	MARK(MARK_FORGET);
	MARK(MARK_RANGE);
	LOAD(&first[0]);
	LOAD(&first[sizeof(first) - 1]);
	MARK(MARK_RANGE);
	LOAD(&second[0]);
	LOAD(&second[sizeof(second) - 1]);

	MARK(MARK_DRIVER); /* nobody else has the lines: nothing travels */
	STORE(&first[0]);
	STORE(&first[LINE]);
	STORE(&second[0]);
	MARK(MARK_DEVICE);
	LOAD(&first[0]); /* fetched */
	LOAD(&first[1]);
	STORE(&first[1]);    /* upgraded */
	STORE(&first[LINE]); /* taken */
	STORE(&first[LINE]);
	STORE(&apart[0]);
	MARK(MARK_DRIVER);
	LOAD(&first[0]);     /* fetched */
	LOAD(&first[LINE]);  /* fetched */
	STORE(&first[LINE]); /* upgraded */
	LOAD(&second[0]);
	STORE(&apart[0]); /* taken */
	/* two bytes in two lines, which it has */
	__asm__ volatile("movw %0, %%ax" : : "m"(first[LINE - 1]) : "rax");
	MARK(MARK_DEVICE);
	__asm__ volatile("movw $1, %0" : "=m"(second[LINE - 1])); /* taken, and one of nobody */
	MARK(MARK_REPORT);

	MARK(MARK_DRIVER);
	LOAD(&second[0]); /* fetched: counts begin anew, caches do not */
	MARK(MARK_REPORT);
	return 0;
}
