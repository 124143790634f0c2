/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The half of a port that all processes see: ethdev's dev_private, in EAL's memory, which every
 * process maps at the same address, as the queues. It holds values only; what leads to something is
 * of one process (struct sluice_port of the primary one, process_private of each).
 *
 * Threads: written by the primary process. Fields are read one by one, at any time; what belongs to
 * the rings counts only if epoch is the same before and after.
 */

#ifndef SLUICE_SHARED_H
#define SLUICE_SHARED_H

#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_seqlock.h>

#include "dmap.h"
#include "sluice_queue.h"
#include "sluice_rss.h"
#include "sluice_rx_stage.h"

#define SLUICE_DEVICE_COUNTERS 5

/* First bytes of what the driver shares. */
#define SLUICE_BUILD_MAGIC 0x4543554c53554c53ULL

/* Which build of the driver this is (sluice_build.h). */
struct sluice_build {
	uint64_t magic;
	char dpdk[32];   /* the release that runs */
	uint32_t layout; /* sizes and places of what is shared */
	uint32_t id_len;
	/*
	 * The linker's build ID of the plug-in. All zeros in a program that the driver is linked
	 * into: two programs have two IDs with the same driver, so that is left to layout and dpdk.
	 */
	uint8_t id[20];
};

struct sluice_shared {
	/* constant after probe */
	struct sluice_build build; /* of the process that made this */
	uint16_t port_id;
	/*
	 * Atomic. Counts the rings of the port: it is another one as soon as these end, before
	 * anything of them is taken away. Never 0 while there is a port.
	 */
	uint32_t epoch;
	sluice_features features;       /* with which the rings of this epoch run */
	struct sluice_rx_stage stage;   /* and what is done with what they receive */
	bool is_vectorized;             /* device argument */
	bool is_sealed;                 /* isolation=sealed */
	bool is_copy;                   /* isolation=copy */
	struct sluice_rss_settings rss; /* as asked for */
	struct rte_eth_dev_info info;   /* as the primary process answers, without what points */
	rte_seqlock_t info_lock;
	/* counters, and what they said when they were reset (sluice_stats.c) */
	uint64_t nb_failures;
	uint64_t nb_connects;
	uint64_t nb_path_changes; /* burst functions were replaced by others */
	uint64_t nb_announced;    /* RARP requests that a device asked for */
	uint64_t nb_tx_lost;      /* packets that a device had when it went away */
	/* buffers that it had filled, and that no core had taken, when the rings ended */
	uint64_t nb_rx_lost;
	uint64_t nb_unacked; /* buffers that went back although the device had not let go */
	/* buffers of queues in which a process died: they are nobody's any more */
	uint64_t nb_stranded;
	uint64_t reset_at[SLUICE_COUNTERS_MAX];
	/*
	 * What the device has counted (sluice_device_stats.c): notifications, packets, bytes,
	 * drops, and those of them for lack of buffers or since packets were malformed.
	 */
	uint64_t device_rx[SLUICE_DEVICE_COUNTERS], device_tx[SLUICE_DEVICE_COUNTERS];
	uint64_t device_reset_at[2 * SLUICE_DEVICE_COUNTERS];
	uint32_t has_device_stats;   /* a device of the port had them; for good */
	uint32_t wants_device_stats; /* somebody has read them since they were asked for */
	/* sizes */
	uint64_t dma_maps;
	uint64_t dma_bytes;
	uint64_t nb_dma_reports; /* dma_debug=1; since the port was made */
	struct dmap_shared dma;
};

#endif /* SLUICE_SHARED_H */
