/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The steps of a port whose other side is the kernel, over a kernel that is a fake.
 */

#ifndef VK_STEPS_H
#define VK_STEPS_H

#include <errno.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "env.h"
#include "fake_log.h"
#include "fake_vk.h"
#include "node_steps.h"

#define ALL (~(sluice_features)0)

static struct sluice_device_info info;
static uint16_t busy_poll_us; /* of transports that are created */

static inline struct sluice_transport *
create(uint16_t nb_pairs, const uint8_t *mac)
{
	struct sluice_vhost_kernel_conf conf = { .path = "/dev/vhost-net",
		.iface = "tap0",
		.nb_pairs = nb_pairs,
		.busy_poll_us = busy_poll_us,
		.has_mac = mac != NULL,
		.sys = &fake_vk_sys };
	struct sluice_transport *t = NULL;

	if (mac != NULL)
		memcpy(conf.mac, mac, sizeof(conf.mac));
	return sluice_vhost_kernel_create(&conf, &t) == 0 ? t : NULL;
}

static inline struct sluice_transport *
create_one(void)
{
	struct sluice_transport *t;

	fake_vk_reset();
	t = create(1, NULL);
	assert_non_null(t);
	sluice_transport_begin(t, 5000);
	return t;
}

static inline void
destroy(struct sluice_transport *t)
{
	t->ops->destroy(t);
	fake_assert(fake_vk.nb_open == 0, "%u descriptors are left", fake_vk.nb_open);
	fake_check();
}

static inline struct dmap_region
region(unsigned int i)
{
	return (struct dmap_region){ .va = 0x10000 * (i + 1),
		.len = 0x1000 * (i % 8 + 1), /* no two follow each other */
		.da.v = 0x7000000 + 0x10000 * i,
		.fd = -1 };
}

static inline int
show(struct sluice_transport *t, unsigned int nb)
{
	static struct dmap_region regions[FAKE_VK_REGIONS];
	unsigned int i;

	for (i = 0; i < nb; i++)
		regions[i] = region(i);
	return t->ops->show(t, regions, nb);
}

static inline struct sluice_vq_setup
setup_of(uint16_t vq)
{
	uintptr_t at = 0x100000 * (vq + 1);

	return (struct sluice_vq_setup){ .vq = vq,
		.size = 256,
		.dv_desc = (void *)at,
		.dv_driver = (void *)(at + 0x1000),
		.dv_device = (void *)(at + 0x2000),
		.kick_fd = 50 + vq,
		.call_fd = vq % 2 == 0 ? 60 + vq : -1 };
}

/* From a transport that is connected to one that runs. */
static inline int
run(struct sluice_transport *t, uint16_t nb_vqs, sluice_features features)
{
	int ret = t->ops->begin(t, features & info.features, 1500);

	if (ret == 0)
		ret = show(t, 3);
	return ret == 0 ? run_queues(t, nb_vqs, setup_of) : ret;
}

/* An interface is there before us: a tap or tun with these flags; 0: of another kind. */
static inline void
there(unsigned int flags)
{
	snprintf(fake_vk.name, sizeof(fake_vk.name), "tap0");
	fake_vk.is_tun = flags != 0;
	fake_vk.tun_flags = flags;
}

#endif /* VK_STEPS_H */
