/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The marks around a burst call that a plug-in of QEMU's emulation (tests/vm/plugin/count.c) knows:
 * no-operations with a value that nothing else has, without effect on every CPU.
 *   x86-64:  nopl MARKS_MAGIC | code(%rax)                   seven bytes
 *   aarch64: movz xzr, #(MARKS_MAGIC16 | code), lsl #48      four bytes
 * Plain C for both sides: no DPDK, no QEMU.
 */
#ifndef MARKS_H
#define MARKS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MARKS_OPCODE "\x0f\x1f\x80"
#define MARKS_OPCODE_LEN 3
#define MARKS_LEN 7
#define MARKS_MAGIC 0x534c4300 /* the low byte is the code */

#define MARKS_MOVZ 0xd2e0001fu /* and the value from bit 5 on */
#define MARKS_MOVZ_LEN 4
#define MARKS_MAGIC16 0x5300

#define MARK_BEGIN 1  /* counting starts behind it */
#define MARK_END 2    /* and ends before it */
#define MARK_REPORT 3 /* write all buckets to the report, and empty them */
#define MARK_KEEP 16  /* + bucket: what was counted last goes there; without it, nowhere */

#define MARKS_NB_BUCKETS 5 /* one per side and direction, and one of calls that do nothing */
#define MARKS_EMPTY 4

/* For a plug-in that counts cache lines (tests/perf/plugin/lines.c). */
#define MARK_FORGET 32 /* all lines, ranges and mappings */
#define MARK_RANGE 33  /* the next two loads are of the first and the last byte of one */
#define MARK_MAP 34    /* so they are of memory, and a third of where it is mapped again */
#define MARK_DRIVER 35 /* from here on the driver's core works */
#define MARK_DEVICE 36 /* the device's */

/* The mark of a code as assembler text, of the code as assembler text. */
#define MARKS_STR(x) #x
#define MARKS_XSTR(x) MARKS_STR(x)
#if defined(__x86_64__)
#define MARKS_ASM(code) ".byte 0x0f, 0x1f, 0x80; .long " MARKS_XSTR(MARKS_MAGIC) " + " code "\n"
#elif defined(__aarch64__)
#define MARKS_ASM(code) "movz xzr, #(" MARKS_XSTR(MARKS_MAGIC16) " + " code "), lsl #48\n"
#endif

/** A mark where this stands. The code has to be a constant: it is a part of the instruction. */
#define MARKS_PUT(code) __asm__ volatile(MARKS_ASM("%c0") : : "i"(code) : "memory")

/** The code of a mark, or -1: that instruction is none. */
static inline int
marks_code(const void *insn, size_t len)
{
	const char *const bytes = insn;
	uint32_t value;

	if (len == MARKS_LEN && memcmp(bytes, MARKS_OPCODE, MARKS_OPCODE_LEN) == 0) {
		memcpy(&value, bytes + MARKS_OPCODE_LEN, sizeof(value));
		value ^= MARKS_MAGIC;
	} else if (len == MARKS_MOVZ_LEN) {
		memcpy(&value, bytes, sizeof(value));
		value ^= MARKS_MOVZ | MARKS_MAGIC16 << 5;
		/* What is no part of the code has to be 0, also below it. */
		value = value >> 5 | value << 27;
	} else {
		return -1;
	}
	return value <= 0xff ? (int)value : -1;
}

#endif /* MARKS_H */
