/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Stands in for Linux under the vhost-vdpa transport: the node of one vDPA device. It answers as
 * Linux 6.12 does, keeps what it is told, notes with fake_error() what no caller should do; any of
 * its calls fails when a test wants it so, and those that wait for a back end can hang.
 */

#ifndef FAKE_VDPA_H
#define FAKE_VDPA_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost.h>

#include "vhost_kernel_sys.h"

#define FAKE_VDPA_VQS 8
#define FAKE_VDPA_MAPS 64
/* What net_vhost offers by VDUSE. */
#define FAKE_VDPA_FEATURES 0xb3800e7c3ULL

struct fake_vdpa_ring {
	uint32_t num, base;
	struct vhost_vring_addr addr;
	int kick_fd, call_fd, err_fd;
	bool is_enabled;
};

struct fake_vdpa {
	/* What the device is. */
	int node_error; /* of opening the node; 0: it opens */
	bool is_other;  /* the node is of something else */
	uint32_t id;
	uint64_t offered, backend_offered;
	uint8_t config[64];
	uint32_t config_len;
	unsigned int nb_torn; /* so many more reads of the configuration find it changed */
	uint32_t nb_vqs;
	uint16_t size_max;
	struct vhost_vdpa_iova_range range;
	uint32_t nb_groups, nb_spaces;
	const char *where; /* in sysfs; NULL: it is there no more */
	bool has_sysfs;
	uint8_t refused_status; /* bits that it does not take */
	uint64_t insists_on;    /* features without which it does not take FEATURES_OK */
	uint32_t maps_max;      /* more are -ENOMEM */
	/*
	 * A device that is told its whole table: how many maps it takes, and what it says of more.
	 * In a batch nobody hears that.
	 */
	uint32_t table_max;
	int table_error;
	/* Call number fail_at, from 0, fails. */
	uint32_t fail_at;
	int fail_with;
	/* What happened. */
	uint32_t nb_calls;
	const char *failed; /* name of the call that failed by fail_at */
	bool is_open, has_owner, was_suspended;
	uint8_t status;
	uint64_t features, backend;
	int config_fd;
	struct fake_vdpa_ring rings[FAKE_VDPA_VQS];
	struct vhost_iotlb_msg maps[FAKE_VDPA_MAPS];
	unsigned int nb_maps;
	bool lacks_maps; /* the device did not take the last table, and reaches none of it */
	bool is_in_batch;
	unsigned int nb_batches, nb_updates, nb_invalidates;
	unsigned int joined;  /* groups that were put into space 0, a bit each */
	unsigned int nb_open; /* descriptors of all kinds */
	unsigned int nb_drained;
};

extern const struct sluice_vk_sys fake_vdpa_sys;
extern struct fake_vdpa fake_vdpa;

/* A machine where all works. */
void fake_vdpa_reset(void);
/* From here on status, batches and the last close wait for a back end that says nothing. */
void fake_vdpa_hang(void);
/* It answers. What a thread did that was left alone can be looked at after a further call. */
void fake_vdpa_go_on(void);

#endif /* FAKE_VDPA_H */
