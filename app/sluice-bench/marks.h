/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The marks around a burst call that a plug-in of QEMU's emulation (tests/vm/plugin/count.c) knows:
 * a no-operation with a displacement that nothing else has, `nopl MARK | code(%rax)`. Seven bytes,
 * without effect, on every x86-64 CPU. Plain C for both sides: no DPDK, no QEMU.
 */
#ifndef MARKS_H
#define MARKS_H

#define MARKS_OPCODE "\x0f\x1f\x80"
#define MARKS_OPCODE_LEN 3
#define MARKS_LEN 7
#define MARKS_MAGIC 0x534c4300 /* the low byte is the code */

#define MARK_BEGIN 1  /* counting starts behind it */
#define MARK_END 2    /* and ends before it */
#define MARK_REPORT 3 /* write all buckets to the report, and empty them */
#define MARK_KEEP 16  /* + bucket: what was counted last goes there; without it, nowhere */

#define MARKS_NB_BUCKETS 5 /* one per side and direction, and one of calls that do nothing */
#define MARKS_EMPTY 4

#endif /* MARKS_H */
