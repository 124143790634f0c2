/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A plug-in of QEMU's emulation: instructions that a program in the guest executes between two
 * marks (app/sluice-bench/marks.h), and its loads and stores there that reach a device.
 *
 *   -plugin count.so,out=FILE
 *
 * For each report that the guest asks for, one line is added to FILE: a JSON list of the buckets,
 * each [calls, instructions, MMIO stores, MMIO loads, most MMIO stores of a call].
 *
 * Only code at addresses of user space counts: an interrupt between the marks changes nothing.
 * The instruction counter is one, and QEMU's inline additions are not atomic: one virtual CPU only.
 */
#include <stdio.h>
#include <string.h>

#include <qemu-plugin.h>

#include "../../../app/sluice-bench/marks.h"

#define USER_END (UINT64_C(1) << 47)

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
static struct counts now;   /* since the start */
static struct counts begin; /* at the begin mark */
static struct counts last;  /* between the last two marks */
static struct bucket buckets[MARKS_NB_BUCKETS];

static void
keep(struct bucket *b)
{
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

	for (i = 0; i < MARKS_NB_BUCKETS; i++) {
		const struct bucket *b = &buckets[i];

		fprintf(out, "%s[%" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 "]",
				i == 0 ? "[" : ", ", b->calls, b->sum.insns, b->sum.stores,
				b->sum.loads, b->most_stores);
	}
	fputs("]\n", out);
	fflush(out);
	memset(buckets, 0, sizeof(buckets));
}

static void
on_mark(unsigned int cpu, void *arg)
{
	const uintptr_t code = (uintptr_t)arg;

	(void)cpu;
	if (code == MARK_BEGIN)
		begin = now;
	else if (code == MARK_END)
		last = (struct counts){ now.insns - begin.insns, now.stores - begin.stores,
			now.loads - begin.loads };
	else if (code == MARK_REPORT)
		report();
	else if (code >= MARK_KEEP && code < MARK_KEEP + MARKS_NB_BUCKETS)
		keep(&buckets[code - MARK_KEEP]);
}

static void
on_access(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *arg)
{
	const struct qemu_plugin_hwaddr *hwaddr = qemu_plugin_get_hwaddr(info, vaddr);

	(void)cpu;
	(void)arg;
	if (hwaddr == NULL || !qemu_plugin_hwaddr_is_io(hwaddr))
		return;
	if (qemu_plugin_mem_is_store(info))
		now.stores++;
	else
		now.loads++;
}

/* The code of a mark, or -1. */
static int
mark_of(const struct qemu_plugin_insn *insn)
{
	const uint8_t *data = qemu_plugin_insn_data(insn);
	uint32_t value;

	if (qemu_plugin_insn_size(insn) != MARKS_LEN ||
			memcmp(data, MARKS_OPCODE, MARKS_OPCODE_LEN) != 0)
		return -1;
	memcpy(&value, data + MARKS_OPCODE_LEN, sizeof(value));
	return (value & ~UINT32_C(0xff)) == MARKS_MAGIC ? (int)(value & 0xff) : -1;
}

static void
on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	const size_t nb = qemu_plugin_tb_n_insns(tb);
	size_t i;

	(void)id;
	if (qemu_plugin_tb_vaddr(tb) >= USER_END)
		return;
	for (i = 0; i < nb; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const int mark = mark_of(insn);

		if (mark >= 0) {
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
					QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)mark);
			continue;
		}
		qemu_plugin_register_vcpu_insn_exec_inline(
				insn, QEMU_PLUGIN_INLINE_ADD_U64, &now.insns, 1);
		qemu_plugin_register_vcpu_mem_cb(
				insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
	}
}

QEMU_PLUGIN_EXPORT int
qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	if (!info->system_emulation || info->system.max_vcpus != 1) {
		fprintf(stderr, "count: a machine of one CPU is wanted (-smp 1)\n");
		return -1;
	}
	if (argc != 1 || strncmp(argv[0], "out=", 4) != 0) {
		fprintf(stderr, "count: its only argument is out=FILE\n");
		return -1;
	}
	out = fopen(argv[0] + 4, "w");
	if (out == NULL) {
		perror(argv[0] + 4);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
