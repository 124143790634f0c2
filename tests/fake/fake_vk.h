/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Stands in for Linux under the vhost-kernel transport: vhost-net, the tap driver and one
 * interface. It answers as Linux 6.1 does, keeps what it is told, and notes with fake_error() what
 * no caller should do; and any of its calls fails when a test wants it so.
 */

#ifndef FAKE_VK_H
#define FAKE_VK_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vhost.h>
#include <net/if.h>

#include "vhost_kernel_sys.h"

#define FAKE_VK_PAIRS 4
#define FAKE_VK_REGIONS 512
/* What vhost-net of Linux 6.1 offers. */
#define FAKE_VK_FEATURES 0x33d008000ULL
#define FAKE_VK_GET_FEATURES_ARRAY 0x8008af83UL
#define FAKE_VK_SET_FEATURES_ARRAY 0x4008af83UL

struct fake_vk_ring {
	uint32_t num, base;
	uint32_t busy_poll_us; /* UINT32_MAX: nobody said */
	struct vhost_vring_addr addr;
	int kick_fd, call_fd, err_fd;
	int backend; /* descriptor of the interface's queue; -1: it has none */
	unsigned int nb_starts;
};

struct fake_vk_dev {
	int fd; /* -1: closed */
	bool has_owner;
	uint64_t features, features_high;
	struct fake_vk_ring rings[2];
	unsigned int nb_regions;
	struct vhost_memory_region regions[FAKE_VK_REGIONS];
	unsigned int nb_tables;
};

struct fake_vk_tap {
	int fd; /* -1: closed */
	bool is_bound;
	bool is_detached;
};

struct fake_vk {
	/* What the machine is. */
	int node_error; /* of opening vhost-net's node; 0: it opens */
	int tun_error;
	uint64_t features;
	uint64_t features_high; /* from 64 on; 0: a kernel before 6.17, which knows none */
	bool is_vdpa, is_other; /* what the node is instead */
	const char *regions_max;
	bool is_capable;
	bool has_uso;
	/* The interface before we came; "": there is none. */
	char name[IFNAMSIZ];
	bool is_tun;
	unsigned int tun_flags;
	bool is_in_use, is_foreign;
	bool is_elsewhere; /* it went to another namespace */
	bool has_namesake; /* and another interface has its name here */
	int namesake_mtu;
	bool is_up, is_gone;
	uint8_t mac[6];
	int mtu;
	unsigned int offloads;
	int hdr_len;
	/* Call number fail_at, from 0, fails. */
	uint32_t fail_at;
	int fail_with;
	/* What happened. */
	uint32_t nb_calls;
	const char *failed; /* name of the call that failed by fail_at */
	struct fake_vk_dev devs[FAKE_VK_PAIRS];
	struct fake_vk_tap taps[FAKE_VK_PAIRS];
	unsigned int nb_open; /* descriptors of all kinds */
	unsigned int nb_drained;
	int last_fd;
};

extern const struct sluice_vk_sys fake_vk_sys;
extern struct fake_vk fake_vk;

/* A machine where all works. */
void fake_vk_reset(void);
/* No ring has the kernel inside. */
bool fake_vk_is_quiet(void);

#endif /* FAKE_VK_H */
