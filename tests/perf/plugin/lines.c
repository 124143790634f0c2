/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A plug-in of QEMU's emulation of a program: cache lines that would travel between two cores,
 * while one thread does the work of both in turn and says by marks (app/sluice-bench/marks.h) whose
 * it is.
 *
 *   -plugin lines.so,out=FILE
 *
 * Both cores have coherent caches without a limit, so a line leaves one only because the other
 * writes it. For each report that the program asks for, a line is added to FILE: for the driver's
 * core, then for the device's, a JSON list of the ranges, each [fetched, taken, upgraded], and then
 * the same of what lies in no range.
 *
 *   fetched   a read of a line that only the other core has
 *   taken     a write to a line that only the other core has
 *   upgraded  a write to a line that both have
 *
 * A prefetch is a no-operation to the emulator: a line that is prefetched for writing, read and
 * written counts as one fetched and upgraded, not as one taken.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qemu-plugin.h>

#include "../../../app/sluice-bench/marks.h"
#include "../../vm/plugin/out.h"

#define LINE_SHIFT 6
#define MAX_RANGES 32
#define MAX_MAPS 32
#define RANGE_LOADS 2
#define MAP_LOADS 3
#define HASH_BITS 21

enum core { DRIVER, DEVICE, NB_CORES };
enum event { FETCHED, TAKEN, UPGRADED, NB_EVENTS };

struct line {
	uint64_t nr; /* of the line, never 0 */
	uint8_t range;
	bool has[NB_CORES];
};

/* Addresses that came with a mark: the first byte, the last, and the first of another mapping. */
struct place {
	uint64_t first;
	uint64_t last;
	uint64_t again;
};

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static FILE *out;
static unsigned int marking_cpu; /* the thread that marks; the others are nobody's work */
static bool is_marked;
static enum core core;
static bool is_working; /* it was said whose work it is; before, places are told */
static struct line lines[1 << HASH_BITS];
static unsigned int nb_lines;
static struct place ranges[MAX_RANGES];
static unsigned int nb_ranges;
static struct place maps[MAX_MAPS];
static unsigned int nb_maps;
static uint64_t told[MAP_LOADS]; /* addresses of loads behind a mark */
static unsigned int nb_told;
static unsigned int nb_awaited; /* so many are to come, and the mark is done */
static uint64_t counts[NB_CORES][MAX_RANGES + 1][NB_EVENTS];

static void
die(const char *why)
{
	fprintf(stderr, "lines: %s\n", why);
	exit(1);
}

/* The first range that has a line, nb_ranges if none has it. */
static unsigned int
range_of(uint64_t nr)
{
	unsigned int i;

	for (i = 0; i < nb_ranges; i++)
		if (nr >= ranges[i].first >> LINE_SHIFT && nr <= ranges[i].last >> LINE_SHIFT)
			break;
	return i;
}

/* The address that stands for a byte which is mapped twice. */
static uint64_t
mapped(uint64_t vaddr)
{
	unsigned int i;

	for (i = 0; i < nb_maps; i++)
		if (vaddr >= maps[i].first && vaddr <= maps[i].last)
			return vaddr - maps[i].first + maps[i].again;
	return vaddr;
}

static void
await(unsigned int nb)
{
	nb_told = 0;
	nb_awaited = nb;
}

/* A load behind the mark of a range or mapping. */
static void
on_told(uint64_t vaddr)
{
	told[nb_told++] = vaddr;
	if (nb_told != nb_awaited)
		return;
	if (nb_awaited == RANGE_LOADS)
		ranges[nb_ranges++] = (struct place){ mapped(told[0]), mapped(told[1]), 0 };
	else
		maps[nb_maps++] = (struct place){ told[0], told[1], told[2] };
	nb_awaited = 0;
}

static struct line *
line_of(uint64_t nr)
{
	uint64_t at = (nr * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - HASH_BITS);

	while (lines[at].nr != nr) {
		if (lines[at].nr == 0) {
			if (++nb_lines > 1 << (HASH_BITS - 1))
				die("too many lines");
			lines[at] = (struct line){ .nr = nr, .range = range_of(nr) };
			break;
		}
		at = (at + 1) & ((1 << HASH_BITS) - 1);
	}
	return &lines[at];
}

static void
touch(struct line *line, bool is_store)
{
	const enum core other = core == DRIVER ? DEVICE : DRIVER;
	const bool had = line->has[core];

	if (line->has[other] && (is_store || !had))
		counts[core][line->range][!is_store ? FETCHED : had ? UPGRADED : TAKEN]++;
	line->has[core] = true;
	if (is_store)
		line->has[other] = false;
}

static void
on_access(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *arg)
{
	const uint64_t last = (UINT64_C(1) << qemu_plugin_mem_size_shift(info)) - 1;
	uint64_t nr;

	(void)arg;
	if (!is_marked || cpu != marking_cpu)
		return;
	if (nb_awaited != 0) {
		on_told(vaddr);
		return;
	}
	/* A line gets its range with its first access: not before all ranges are known. */
	if (!is_working)
		return;
	vaddr = mapped(vaddr);
	for (nr = vaddr >> LINE_SHIFT; nr <= (vaddr + last) >> LINE_SHIFT; nr++)
		touch(line_of(nr), qemu_plugin_mem_is_store(info));
}

static void
report(void)
{
	unsigned int c, i;

	for (c = 0; c < NB_CORES; c++) {
		fputs(c == 0 ? "[[" : ", [", out);
		for (i = 0; i <= nb_ranges; i++)
			fprintf(out, "%s[%" PRIu64 ", %" PRIu64 ", %" PRIu64 "]",
					i == 0 ? "" : ", ", counts[c][i][FETCHED],
					counts[c][i][TAKEN], counts[c][i][UPGRADED]);
		fputc(']', out);
	}
	fputs("]\n", out);
	fflush(out);
	memset(counts, 0, sizeof(counts));
}

static void
on_mark(unsigned int cpu, void *arg)
{
	const uintptr_t code = (uintptr_t)arg;

	is_marked = true;
	marking_cpu = cpu;
	switch (code) {
	case MARK_FORGET:
		memset(lines, 0, sizeof(lines));
		nb_lines = nb_ranges = nb_maps = 0;
		is_working = false;
		break;
	case MARK_RANGE:
		if (nb_ranges == MAX_RANGES)
			die("too many ranges");
		await(RANGE_LOADS);
		break;
	case MARK_MAP:
		if (nb_maps == MAX_MAPS)
			die("too many mappings");
		await(MAP_LOADS);
		break;
	case MARK_DRIVER:
	case MARK_DEVICE:
		core = code == MARK_DRIVER ? DRIVER : DEVICE;
		is_working = true;
		break;
	case MARK_REPORT:
		report();
		break;
	}
}

static void
on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	const size_t nb = qemu_plugin_tb_n_insns(tb);
	size_t i;

	(void)id;
	for (i = 0; i < nb; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const int code = marks_code(
				qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));

		if (code >= 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark,
					QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)code);
		qemu_plugin_register_vcpu_mem_cb(
				insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
	}
}

QEMU_PLUGIN_EXPORT int
qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	if (info->system_emulation) {
		fprintf(stderr, "lines: a program is wanted, not a machine\n");
		return -1;
	}
	out = out_open("lines", argc, argv);
	if (out == NULL)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
