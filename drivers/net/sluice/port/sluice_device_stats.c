/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the device has counted (DEVICE_STATS, 5.1.6.5.9), packets among it that it dropped and of
 * which nobody else knows. The control thread asks, and only where somebody has read the extended
 * statistics since it last did; these have what it found then.
 */

#include <errno.h>

#include "sluice_log.h"
#include "sluice_port.h"

/* All questions of one look. */
#define LOOK_MS 100

/* A question, and how the answer begins. */
struct query {
	uint16_t vq;
	uint16_t reserved[3];
	uint64_t types;
};

struct answer {
	uint8_t type;
	uint8_t reserved;
	uint16_t vq;
	uint16_t reserved1;
	uint16_t size;
	uint64_t counters[SLUICE_DEVICE_COUNTERS]; /* five of packets in one direction */
};

static_assert(sizeof(struct query) == 16, "5.1.6.5.9");
static_assert(sizeof(struct answer) == 48 && sizeof(struct answer) <= SLUICE_CTRL_RESULT_MAX,
		"5.1.6.5.9");

static unsigned int
type_of(uint16_t vq)
{
	return SLUICE_VQ_IS_TX(vq) ? SLUICE_STATS_TX_BASIC : SLUICE_STATS_RX_BASIC;
}

/* Adds what it says of one virtqueue. */
static int
ask(struct sluice_port *port, uint16_t vq, uint64_t *sums)
{
	const struct query q = { .vq = vq, .types = SLUICE_BIT(type_of(vq)) };
	struct answer a = { 0 };
	unsigned int i;
	int ret = sluice_ctrl_query(port, SLUICE_CTRL_STATS, SLUICE_CTRL_STATS_GET, &q, sizeof(q),
			&a, sizeof(a));

	if (ret < 0)
		return ret;
	if (ret != sizeof(a) || a.type != type_of(vq) || a.vq != vq || a.size < sizeof(a))
		return -EPROTO;
	for (i = 0; i < SLUICE_DEVICE_COUNTERS; i++)
		sums[i] += a.counters[i];
	return 0;
}

static int
ask_all(struct sluice_port *port, uint64_t sums[2][SLUICE_DEVICE_COUNTERS])
{
	uint64_t known = 0;
	int ret = sluice_ctrl_query(port, SLUICE_CTRL_STATS, SLUICE_CTRL_STATS_QUERY, NULL, 0,
			&known, sizeof(known));
	uint16_t vq;

	if (ret >= 0)
		ret = ret == sizeof(known) ? 0 : -EPROTO;
	for (vq = 0; ret == 0 && vq < sluice_dev_nb_vqs(port); vq++)
		if (known & SLUICE_BIT(type_of(vq)))
			ret = ask(port, vq, sums[SLUICE_VQ_IS_TX(vq)]);
	return ret;
}

void
sluice_device_stats_look(struct sluice_port *port)
{
	struct sluice_shared *shared = port->shared;
	uint64_t sums[2][SLUICE_DEVICE_COUNTERS] = { 0 };
	unsigned int i;
	int ret;

	if ((port->features & SLUICE_BIT(SLUICE_NET_F_DEVICE_STATS)) == 0 || port->is_stats_mute ||
			rte_atomic_exchange_explicit(&shared->wants_device_stats, 0,
					rte_memory_order_relaxed) == 0)
		return;
	sluice_transport_begin(port->transport, LOOK_MS);
	ret = ask_all(port, sums);
	if (ret != 0) {
		/* Not again before the next start. */
		port->is_stats_mute = true;
		SLUICE_LOG(WARNING, "%s: the device does not tell what it has counted: %s",
				port->label, sluice_ctrl_error(ret));
		return;
	}
	for (i = 0; i < SLUICE_DEVICE_COUNTERS; i++) {
		rte_atomic_store_explicit(
				&shared->device_rx[i], sums[0][i], rte_memory_order_relaxed);
		rte_atomic_store_explicit(
				&shared->device_tx[i], sums[1][i], rte_memory_order_relaxed);
	}
}
