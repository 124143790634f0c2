/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The call with the trap flag set is written in assembly, because a compiler may keep data below
 * the stack pointer where pushf would write.
 */
#include "bench_trap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#ifdef RTE_ARCH_X86_64

uint16_t bench_trap_call(void *queue, struct rte_mbuf **pkts, uint16_t nb, bench_burst_fn fn);
uint16_t bench_trap_empty(void *queue, struct rte_mbuf **pkts, uint16_t nb);

__asm__(".text\n"
	".type bench_trap_call, @function\n"
	"bench_trap_call:\n"
	"	pushq	%rbp\n" /* keeps the stack aligned for the call */
	"	movq	%rsp, %rbp\n"
	"	pushfq\n"
	"	orq	$0x100, (%rsp)\n" /* TF */
	"	popfq\n"
	"	call	*%rcx\n"
	"	pushfq\n"
	"	andq	$~0x100, (%rsp)\n"
	"	popfq\n"
	"	popq	%rbp\n"
	"	ret\n"
	".size bench_trap_call, . - bench_trap_call\n"
	".type bench_trap_empty, @function\n"
	"bench_trap_empty:\n"
	"	ret\n"
	".size bench_trap_empty, . - bench_trap_empty\n");

static volatile uint64_t nb_traps;
static uint64_t overhead; /* traps of the call that are not the function's */

static void
on_trap(int sig)
{
	(void)sig;
	nb_traps++;
}

uint16_t
bench_meter_trap(
		bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb, uint64_t *cost)
{
	const uint64_t before = nb_traps;
	const uint16_t done = bench_trap_call(queue, pkts, nb, fn);

	*cost += nb_traps - before - overhead;
	return done;
}

int
bench_trap_init(void)
{
	struct sigaction sa = { .sa_handler = on_trap };
	uint64_t before;

	if (sigaction(SIGTRAP, &sa, NULL) != 0)
		return -errno;
	before = nb_traps;
	bench_trap_call(NULL, NULL, 0, bench_trap_empty);
	overhead = nb_traps - before - 1; /* the empty function's ret is an instruction */
	/* the call, and the three that switch the flag off */
	if (overhead != 4) {
		fprintf(stderr, "sluice-bench: the trap flag counts %llu instead of 4 here\n",
				(unsigned long long)overhead);
		return -ENOTSUP;
	}
	return 0;
}

#else

int
bench_trap_init(void)
{
	return -ENOTSUP;
}

uint16_t
bench_meter_trap(
		bench_burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t nb, uint64_t *cost)
{
	(void)cost;
	return fn(queue, pkts, nb);
}

#endif
