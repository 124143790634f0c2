/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "bench_marks.h"

#include "marks.h"

/*
 * CALL is the one instruction between the marks beside the function's; the others keep the stack
 * aligned.
 */
#if defined(RTE_ARCH_X86_64)
#define ENTER "	pushq	%rbp\n	movq	%rsp, %rbp\n"
#define CALL "	call	*%rcx\n"
#define LEAVE "	popq	%rbp\n"
#define LOAD(at) "	testb	$0, (" at ")\n"
#elif defined(RTE_ARCH_ARM64)
#define ENTER "	stp	x29, x30, [sp, #-16]!\n	mov	x29, sp\n"
#define CALL "	blr	x3\n"
#define LEAVE "	ldp	x29, x30, [sp], #16\n"
#define LOAD(at) "	ldrb	wzr, [" at "]\n"
#endif

#define EMPTY_CALLS 8

uint16_t bench_marks_call(void *queue, struct rte_mbuf **pkts, uint16_t nb, bench_burst_fn fn);
uint16_t bench_marks_empty(void *queue, struct rte_mbuf **pkts, uint16_t nb);

/* clang-format off */
__asm__(".text\n"
	".globl bench_marks_call, bench_marks_empty\n"
	".type bench_marks_call, %function\n"
	"bench_marks_call:\n"
	ENTER
	MARKS_ASM(MARKS_XSTR(MARK_BEGIN))
	CALL
	MARKS_ASM(MARKS_XSTR(MARK_END))
	LEAVE
	"	ret\n"
	".size bench_marks_call, . - bench_marks_call\n"
	".type bench_marks_empty, %function\n"
	"bench_marks_empty:\n"
	"	ret\n"
	".size bench_marks_empty, . - bench_marks_empty\n");
/* clang-format on */

static bench_burst_fn rx_fn;
static enum bench_side marked_side;

/* A mark's code is a part of the instruction, so that each needs one of its own. */
static void
keep(unsigned int bucket)
{
	switch (bucket) {
	case 0:
		MARKS_PUT(MARK_KEEP + 0);
		break;
	case 1:
		MARKS_PUT(MARK_KEEP + 1);
		break;
	case 2:
		MARKS_PUT(MARK_KEEP + 2);
		break;
	case 3:
		MARKS_PUT(MARK_KEEP + 3);
		break;
	case MARKS_EMPTY:
		MARKS_PUT(MARK_KEEP + MARKS_EMPTY);
		break;
	}
}

void
bench_marks_init(void)
{
	unsigned int i;

	for (i = 0; i < EMPTY_CALLS; i++) {
		bench_marks_call(NULL, NULL, 0, bench_marks_empty);
		keep(MARKS_EMPTY);
	}
}

void
bench_marks_port(const struct bench_port *port, enum bench_side side)
{
	rx_fn = port->fn[DIR_RX];
	marked_side = side;
}

uint16_t
bench_meter_marks(
		bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb, uint64_t *cost)
{
	const uint16_t done = bench_marks_call(queue, pkts, nb, fn);

	if (done == nb) {
		keep(marked_side * NB_DIRS + (fn == rx_fn ? DIR_RX : DIR_TX));
		(*cost)++;
	}
	return done;
}

void
bench_marks_report(void)
{
	MARKS_PUT(MARK_REPORT);
}

void
bench_marks_forget(void)
{
	MARKS_PUT(MARK_FORGET);
}

void
bench_marks_range(const void *start, size_t len)
{
	const char *last = (const char *)start + len - 1;

	/* one statement: nothing else loads between the mark and these */
	__asm__ volatile(MARKS_ASM(MARKS_XSTR(MARK_RANGE)) LOAD("%0") LOAD("%1")
			 :
			 : "r"(start), "r"(last)
			 : "memory");
}

void
bench_marks_map(const void *start, size_t len, const void *again)
{
	const char *last = (const char *)start + len - 1;

	__asm__ volatile(MARKS_ASM(MARKS_XSTR(MARK_MAP)) LOAD("%0") LOAD("%1") LOAD("%2")
			 :
			 : "r"(start), "r"(last), "r"(again)
			 : "memory");
}

void
bench_marks_core(enum bench_core core)
{
	if (core == CORE_DRIVER)
		MARKS_PUT(MARK_DRIVER);
	else
		MARKS_PUT(MARK_DEVICE);
}
