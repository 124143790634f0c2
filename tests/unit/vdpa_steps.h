/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The steps of a port whose other side is a vDPA device, over a kernel that is a fake.
 */

#ifndef VDPA_STEPS_H
#define VDPA_STEPS_H

#include <errno.h>
#include <string.h>

#include <rte_common.h>

#include "env.h"
#include "fake_log.h"
#include "fake_vdpa.h"
#include "node_steps.h"

#define ALL UINT64_MAX
#define NB_REGIONS 3

static struct sluice_device_info info;

static inline struct sluice_transport *
create(void)
{
	struct sluice_vhost_vdpa_conf conf = { .path = "/dev/vhost-vdpa-0", .sys = &fake_vdpa_sys };
	struct sluice_transport *t = NULL;

	if (sluice_vhost_vdpa_create(&conf, &t) != 0)
		return NULL;
	sluice_transport_begin(t, 5000);
	return t;
}

/* A device of two pairs and a control queue. */
static inline void
many_queues(void)
{
	fake_vdpa.offered |= SLUICE_BIT(SLUICE_NET_F_MQ) | SLUICE_BIT(SLUICE_NET_F_CTRL_VQ) |
			SLUICE_BIT(SLUICE_NET_F_STATUS) | SLUICE_BIT(SLUICE_F_RING_PACKED) |
			SLUICE_BIT(SLUICE_NET_F_GUEST_ANNOUNCE) | SLUICE_BIT(SLUICE_NET_F_MAC);
	fake_vdpa.nb_vqs = 5;
	memcpy(fake_vdpa.config, "\x02\x11\x22\x33\x44\x55\x01\x00\x02\x00", 10);
}

static inline void
destroy(struct sluice_transport *t)
{
	t->ops->destroy(t);
	fake_assert(fake_vdpa.nb_open == 0, "%u descriptors are left", fake_vdpa.nb_open);
	fake_check();
}

static inline struct dmap_region
region(unsigned int i)
{
	return (struct dmap_region){ .va = 0x10000 * (i + 1),
		.len = 0x1000 * (i + 1),
		.da.v = 0x7000000 + 0x10000 * i,
		.fd = -1,
		.flags = i % 2 == 1 ? DMAP_REGION_READ_ONLY : 0 };
}

/* Regions first to first + nb. */
static inline int
show(struct sluice_transport *t, unsigned int first, unsigned int nb)
{
	struct dmap_region regions[FAKE_VDPA_MAPS];
	unsigned int i;

	for (i = 0; i < nb; i++)
		regions[i] = region(first + i);
	return t->ops->show(t, regions, nb);
}

static inline struct sluice_vq_setup
setup_of(uint16_t vq)
{
	uint64_t at = 0x7000000 + 0x4000 * vq;

	return (struct sluice_vq_setup){ .vq = vq,
		.size = 256,
		.desc_da.v = at,
		.driver_da.v = at + 0x1000,
		.device_da.v = at + 0x2000,
		.kick_fd = 50 + vq,
		.call_fd = vq % 2 == 0 ? 60 + vq : -1 };
}

/* From a transport that is connected to one that runs. */
static inline int
run(struct sluice_transport *t, uint16_t nb_vqs, uint64_t features)
{
	int ret = t->ops->begin(t, features & info.features, 1500);

	if (ret == 0)
		ret = show(t, 0, NB_REGIONS);
	return ret == 0 ? run_queues(t, nb_vqs, setup_of) : ret;
}

#endif /* VDPA_STEPS_H */
