/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What the options say together: which exclude each other, and what follows from the mode. */
#include "bench_opts.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_config.h>

#include <rte_common.h>

#include "bench_metric.h"
#include "bench_packets.h"
#include "bench_port.h"

#define SLUICE "net_sluice"
#define IN_TREE "net_virtio_user"
#define PACKED_KEY "packed_vq="

/* Before EAL starts: afterwards this thread may use one core only. */
static int
choose_cores(struct bench_opts *opts)
{
	int *const core[2] = { &opts->core, &opts->device_core };
	const bool need_two = bench_mode_info(opts->mode)->has_device_thread && !opts->use_marks;
	cpu_set_t cpus;
	int i;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return -errno;
	for (i = 0; i < 2; i++)
		if (*core[i] >= 0 && !CPU_ISSET(*core[i], &cpus)) {
			fprintf(stderr, "sluice-bench: --%score: core %d is none of those we may use\n",
					i == 0 ? "" : "device-", *core[i]);
			return -EINVAL;
		}
	if (need_two && opts->core >= 0 && opts->core == opts->device_core) {
		fprintf(stderr,
				"sluice-bench: --core %d and --device-core %d are the same: "
				"--mode %s needs two\n",
				opts->core, opts->device_core, bench_mode_info(opts->mode)->name);
		return -EINVAL;
	}
	for (i = CPU_SETSIZE - 1; i >= 0 && opts->core < 0; i--)
		if (CPU_ISSET(i, &cpus) && i != opts->device_core)
			opts->core = i;
	for (i = 0; i < CPU_SETSIZE && opts->device_core < 0; i++)
		if (CPU_ISSET(i, &cpus) && i != opts->core)
			opts->device_core = i;
	if (need_two && (opts->core < 0 || opts->device_core < 0)) {
		fprintf(stderr, "sluice-bench: --mode %s needs two cores\n",
				bench_mode_info(opts->mode)->name);
		return -EINVAL;
	}
	return 0;
}

/* The first option given that is not for this mode, NULL if there is none. */
static const char *
misplaced(const struct bench_opts *opts)
{
	const bool is_step = opts->mode == MODE_STEP, is_latency = opts->mode == MODE_LATENCY;
	const struct {
		const char *name;
		bool is_given;
		bool is_for;
	} rules[] = {
		{ "--instructions", opts->count_instructions && !opts->use_marks, is_step },
		{ "--marks", opts->use_marks, !is_latency },
		{ "--cold", opts->is_cold, is_step },
		{ "--pairs", opts->pairs.nb > 1 || opts->pairs.v[0] > 1, is_step },
		{ "--segs", opts->nb_segs > 1, !is_latency },
		{ "--packets", opts->packets != PACKETS_PLAIN, !is_latency },
		{ "--rx-mbufs", opts->rx_mbufs != 0, is_step },
		{ "--size above 1518", opts->frame_len > BENCH_ONE_BUFFER, is_step },
		{ "--rx-vlan", opts->rx_vlan, is_step },
		{ "--rx-ipv4", opts->rx_ipv4, is_step },
		{ "--load", opts->loads.nb != 0 && opts->loads.v[0] != 0, is_latency },
		{ "--window", opts->window_ms != 0, !is_step },
		{ "--segments", opts->nb_segments != 0, is_step },
		{ "--device-core", opts->device_core >= 0, !is_step },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(rules); i++)
		if (rules[i].is_given && !rules[i].is_for)
			return rules[i].name;
	return NULL;
}

/* Before defaults fill in what was not given. */
static int
check_mode(const struct bench_opts *opts)
{
	const char *bad = misplaced(opts);

#ifndef RTE_ARCH_X86
	if ((opts->count_instructions && !opts->use_marks) || opts->is_cold) {
		fprintf(stderr, "sluice-bench: --instructions and --cold need an x86 CPU\n");
		return -ENOTSUP;
	}
#endif
	if (bad == NULL)
		return 0;
	fprintf(stderr, "sluice-bench: %s is not for --mode %s\n", bad,
			bench_mode_info(opts->mode)->name);
	return -EINVAL;
}

/*
 * What stands behind the last `key` ("path=") of the devargs: that one wins. NULL if there is none.
 */
static const char *
last_value(const char *given, const char *key)
{
	const char *at, *value = NULL;

	/* without a comma before it, it is the end of another key */
	for (at = strstr(given, key); at != NULL; at = strstr(at + 1, key))
		if (at == given || at[-1] == ',')
			value = at + strlen(key);
	return value;
}

/* What the bench adds to the devargs of a port in front of its null device. */
static int
check_devargs(const char *option, const char *given)
{
	static const struct {
		const char *key;
		const char *why;
	} own[] = {
		{ "path=", "the bench has its own device" },
		{ "queue_size=", "--queue says it" },
		{ "queues=", "--pairs says it" },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(own); i++)
		if (last_value(given, own[i].key) != NULL) {
			fprintf(stderr, "sluice-bench: --%s: leave %s out: %s\n", option,
					own[i].key, own[i].why);
			return -EINVAL;
		}
	return 0;
}

/* Does the device not offer packed rings? */
static bool
hides_packed(const struct bench_opts *opts)
{
	return opts->hide >> VIRTIO_F_RING_PACKED & 1;
}

/* Will the rings of a side be packed ones? */
static bool
is_packed(const struct bench_opts *opts, enum bench_side side, bool by_default)
{
	const char *value = last_value(opts->args[side], PACKED_KEY);

	if (hides_packed(opts))
		return false;
	if (value == NULL)
		value = last_value(opts->vdev[side], PACKED_KEY);
	return value != NULL ? strtoul(value, NULL, 0) != 0 : by_default;
}

/*
 * Sizes that the two drivers refuse when they start, without the name of our option. What others
 * take they say then.
 */
static int
check_ring(const struct bench_opts *opts, enum bench_side side, unsigned int size)
{
	const char *driver = opts->vdev[side];
	const size_t len = bench_driver_len(driver);
	const bool is_sluice = len == strlen(SLUICE) && strncmp(driver, SLUICE, len) == 0;
	const bool is_in_tree = len == strlen(IN_TREE) && strncmp(driver, IN_TREE, len) == 0;
	const bool has_packed = is_packed(opts, side, is_sluice);
	char why[128] = "";

	if (is_in_tree && size < 32)
		snprintf(why, sizeof(why), "takes 32 at least");
	else if ((is_sluice || is_in_tree) && !has_packed && !rte_is_power_of_2(size))
		/* virtio 1.2, 2.7 */
		snprintf(why, sizeof(why), "with split rings takes powers of two, as %u or %u%s",
				rte_align32prevpow2(size), rte_align32pow2(size),
				hides_packed(opts) ? "" : "; others with " PACKED_KEY "1");
	else if (is_in_tree && has_packed && RTE_MIN(size / 4, 32U) % 4 != 0)
		/* it refills a quarter at once, 32 at most, and wants fours */
		snprintf(why, sizeof(why), "takes multiples of 16 below 128, as %u or %u",
				RTE_ALIGN_FLOOR(size, 16U), RTE_ALIGN_CEIL(size, 16U));
	if (why[0] == '\0')
		return 0;
	fprintf(stderr, "sluice-bench: --queue %u: %.*s %s\n", size, (int)len, driver, why);
	return -EINVAL;
}

static int
check_side(const struct bench_opts *opts, enum bench_side side)
{
	static const char *const names[2] = { "a", "b" };
	static const char *const more[2] = { "a-args", "b-args" };
	const char *given = opts->vdev[side];
	const bool is_pci = bench_is_pci(given);
	unsigned int i;
	int ret;

	if (bench_driver_len(given) == 0) {
		fprintf(stderr, "sluice-bench: --%s: '%s' names no vdev driver\n", names[side],
				given);
		return -EINVAL;
	}
	if (is_pci && !opts->count_instructions) {
		fprintf(stderr,
				"sluice-bench: a PCI device is for --instructions and --marks: "
				"times would be those of an emulator\n");
		return -EINVAL;
	}
	if (opts->mode != MODE_STEP && !bench_has_null_device(given)) {
		fprintf(stderr, "sluice-bench: --%s %s has no null device: it is not for --mode %s\n",
				names[side], given, bench_mode_info(opts->mode)->name);
		return -EINVAL;
	}
	if (!bench_has_null_device(given))
		return 0;
	ret = check_devargs(names[side], given);
	if (ret == 0)
		ret = check_devargs(more[side], opts->args[side]);
	for (i = 0; i < opts->queues.nb && ret == 0; i++)
		ret = check_ring(opts, side, opts->queues.v[i]);
	return ret;
}

static int
check_packets(const struct bench_opts *opts)
{
	const bool is_tso = opts->packets == PACKETS_TSO;
	/* what is sent alone may fill its buffers */
	const unsigned int room = is_tso ? RTE_MBUF_DEFAULT_DATAROOM : BENCH_ONE_BUFFER;

	if (opts->frame_len > BENCH_MAX_FRAME && !is_tso) {
		fprintf(stderr, "sluice-bench: --size %u is for --packets tso, others have %u\n",
				opts->frame_len, BENCH_MAX_FRAME);
		return -EINVAL;
	}
	if (opts->frame_len > opts->nb_segs * room) {
		fprintf(stderr, "sluice-bench: --size %u needs --segs %u at least\n",
				opts->frame_len, (opts->frame_len + room - 1) / room);
		return -EINVAL;
	}
	if (bench_packets_offloads(opts->packets) != 0 && opts->mode != MODE_STEP) {
		fprintf(stderr, "sluice-bench: --packets %s is for --mode step\n",
				bench_packets_name(opts->packets));
		return -EINVAL;
	}
	if (opts->packets == PACKETS_PLAIN || is_tso || opts->nb_segs == 1)
		return 0;
	fprintf(stderr, "sluice-bench: --packets %s is for packets of one segment, not --segs %u\n",
			bench_packets_name(opts->packets), opts->nb_segs);
	return -EINVAL;
}

/* A pool that cannot fill the rings once would measure nothing. */
static int
check_rx_mbufs(const struct bench_opts *opts)
{
	unsigned int q, p;

	for (q = 0; q < opts->queues.nb && opts->rx_mbufs != 0; q++)
		for (p = 0; p < opts->pairs.nb; p++)
			if (opts->rx_mbufs < opts->queues.v[q] * opts->pairs.v[p]) {
				fprintf(stderr,
						"sluice-bench: --rx-mbufs %u does not fill "
						"--pairs %u of --queue %u\n",
						opts->rx_mbufs, opts->pairs.v[p],
						opts->queues.v[q]);
				return -EINVAL;
			}
	return 0;
}

static int
check(const struct bench_opts *opts)
{
	unsigned int q, b;
	int ret;

	if (opts->data_valid &&
			(!opts->rx_csum || opts->models.nb != 1 || opts->models.v[0] != NULL_N2)) {
		fprintf(stderr,
				"sluice-bench: --data-valid needs --rx-csum and --model n2: without "
				"its data a packet has no checksum\n");
		return -EINVAL;
	}
	if (opts->rx_vlan && (opts->models.nb != 1 || opts->models.v[0] != NULL_N2)) {
		fprintf(stderr,
				"sluice-bench: --rx-vlan needs --model n2: without its data a "
				"packet has no tag\n");
		return -EINVAL;
	}
	if (opts->rx_ipv4 && (opts->models.nb != 1 || opts->models.v[0] != NULL_N2)) {
		fprintf(stderr,
				"sluice-bench: --rx-ipv4 needs --model n2: without its data a "
				"packet has no header\n");
		return -EINVAL;
	}
	for (q = 0; q < opts->queues.nb; q++)
		for (b = 0; b < opts->bursts.nb; b++)
			if (opts->bursts.v[b] > opts->queues.v[q]) {
				fprintf(stderr,
						"sluice-bench: --burst %u does not fit in "
						"--queue %u\n",
						opts->bursts.v[b], opts->queues.v[q]);
				return -EINVAL;
			}
	ret = check_side(opts, SIDE_A);
	if (ret == 0)
		ret = check_side(opts, SIDE_B);
	if (ret == 0)
		ret = check_packets(opts);
	return ret != 0 ? ret : check_rx_mbufs(opts);
}

/* What depends on the mode and was not given. */
static void
set_defaults(struct bench_opts *opts)
{
	if (opts->is_shuffled)
		opts->hide |= UINT64_C(1)
				<< 35; /* VIRTIO_F_IN_ORDER, which the device would break */
	/* instructions are exact: one process tells all */
	if (opts->nb_restarts == 0)
		opts->nb_restarts = opts->count_instructions ? 1 : 3;
	if (opts->nb_blocks == 0)
		opts->nb_blocks = opts->mode == MODE_STEP ? 40 : 20;
	if (opts->nb_segments == 0)
		opts->nb_segments = 24;
	if (opts->window_ms == 0)
		opts->window_ms = opts->mode == MODE_LATENCY ? 20 : 50;
	if (opts->loads.nb == 0)
		opts->loads = opts->mode == MODE_LATENCY ?
				(struct bench_list){ 3, { 10, 50, 90 } } :
				(struct bench_list){ 1, { 0 } };
}

int
bench_opts_complete(struct bench_opts *opts)
{
	int ret = check_mode(opts);

	if (ret != 0)
		return ret;
	set_defaults(opts);
	ret = check(opts);
	return ret != 0 ? ret : choose_cores(opts);
}
