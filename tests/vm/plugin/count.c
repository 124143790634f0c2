/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A plug-in of QEMU's emulation: instructions that a program executes between two marks
 * (app/sluice-bench/marks.h), and its loads and stores there that reach a device.
 *
 *   qemu-system-x86_64 -plugin count.so,out=FILE       a program in a guest of one virtual CPU
 *   qemu-aarch64 -plugin count.so,out=FILE             a program
 *
 * For each report that the program asks for, one line is added to FILE: a JSON list of the buckets,
 * first of calls that nothing interrupted, then as many of those that something did, each [calls,
 * instructions, MMIO stores, MMIO loads, most MMIO stores of a call].
 *
 * Only code at addresses of user space counts. A guest's kernel may have run another thread on its
 * one CPU meanwhile, whose instructions look the same: so a call is interrupted when any code of
 * the kernel ran between its marks. Of a program, whose threads are virtual CPUs here, only the
 * thread counts that is between marks. Two at a time end the run.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qemu-plugin.h>

#include "../../../app/sluice-bench/marks.h"
#include "out.h"

#define USER_END (UINT64_C(1) << 47)
#define NO_CPU UINT_MAX

struct counts {
	uint64_t insns;
	uint64_t stores;
	uint64_t loads;
};

struct bucket {
	uint64_t calls;
	struct counts sum;
	uint64_t most_stores;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static FILE *out;
static unsigned int marked = NO_CPU; /* which is between marks */
static struct counts now;            /* since its begin mark; nobody else writes */
static struct counts last;           /* between the last two marks */
static struct bucket buckets[2 * MARKS_NB_BUCKETS];
static uint64_t kernel_blocks; /* of code that the kernel executed, so far */
static uint64_t blocks_at_begin;
static bool was_interrupted; /* between the last two marks */

static void
keep(unsigned int bucket)
{
	struct bucket *b = &buckets[was_interrupted ? MARKS_NB_BUCKETS + bucket : bucket];

	b->calls++;
	b->sum.insns += last.insns;
	b->sum.stores += last.stores;
	b->sum.loads += last.loads;
	if (last.stores > b->most_stores)
		b->most_stores = last.stores;
	memset(&last, 0, sizeof(last));
}

static void
report(void)
{
	unsigned int i;

	for (i = 0; i < 2 * MARKS_NB_BUCKETS; i++) {
		const struct bucket *b = &buckets[i];

		fprintf(out, "%s[%" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 "]",
				i == 0 ? "[" : ", ", b->calls, b->sum.insns, b->sum.stores,
				b->sum.loads, b->most_stores);
	}
	fputs("]\n", out);
	fflush(out);
	memset(buckets, 0, sizeof(buckets));
}

static bool
is_marked(unsigned int cpu)
{
	return __atomic_load_n(&marked, __ATOMIC_RELAXED) == cpu;
}

static void
begin(unsigned int cpu)
{
	unsigned int nobody = NO_CPU;

	if (!__atomic_compare_exchange_n(
			    &marked, &nobody, cpu, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		fprintf(stderr, "count: a begin mark between the marks of CPU %u\n", nobody);
		_exit(EXIT_FAILURE);
	}
	memset(&now, 0, sizeof(now));
	blocks_at_begin = kernel_blocks;
}

static void
end(unsigned int cpu)
{
	if (!is_marked(cpu)) {
		fprintf(stderr, "count: an end mark without a begin mark\n");
		_exit(EXIT_FAILURE);
	}
	last = now;
	was_interrupted = kernel_blocks != blocks_at_begin;
	__atomic_store_n(&marked, NO_CPU, __ATOMIC_RELEASE);
}

static void
on_mark(unsigned int cpu, void *arg)
{
	const uintptr_t code = (uintptr_t)arg;

	if (code == MARK_BEGIN)
		begin(cpu);
	else if (code == MARK_END)
		end(cpu);
	else if (code == MARK_REPORT)
		report();
	else if (code >= MARK_KEEP && code < MARK_KEEP + MARKS_NB_BUCKETS)
		keep(code - MARK_KEEP);
}

static void
on_insn(unsigned int cpu, void *arg)
{
	(void)arg;
	if (is_marked(cpu))
		now.insns++;
}

static void
on_access(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *arg)
{
	const struct qemu_plugin_hwaddr *hwaddr;

	(void)arg;
	if (!is_marked(cpu))
		return;
	hwaddr = qemu_plugin_get_hwaddr(info, vaddr);
	if (hwaddr == NULL || !qemu_plugin_hwaddr_is_io(hwaddr))
		return;
	if (qemu_plugin_mem_is_store(info))
		now.stores++;
	else
		now.loads++;
}

static void
on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	const size_t nb = qemu_plugin_tb_n_insns(tb);
	size_t i;

	(void)id;
	if (qemu_plugin_tb_vaddr(tb) >= USER_END) {
		qemu_plugin_register_vcpu_tb_exec_inline(
				tb, QEMU_PLUGIN_INLINE_ADD_U64, &kernel_blocks, 1);
		return;
	}
	for (i = 0; i < nb; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const int mark = marks_code(
				qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));

		if (mark >= 0) {
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
					QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)mark);
			continue;
		}
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_insn, QEMU_PLUGIN_CB_NO_REGS, NULL);
		qemu_plugin_register_vcpu_mem_cb(
				insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
	}
}

QEMU_PLUGIN_EXPORT int
qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	if (info->system_emulation && info->system.max_vcpus != 1) {
		fprintf(stderr, "count: a machine of one CPU is wanted (-smp 1)\n");
		return -1;
	}
	out = out_open("count", argc, argv);
	if (out == NULL)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
