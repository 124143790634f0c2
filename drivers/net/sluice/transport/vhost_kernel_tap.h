/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The tap interface at the other end of vhost-net: made, or joined if it is there; one descriptor
 * for each of its queues. What goes wrong is logged, with what to do about it.
 */

#ifndef VHOST_KERNEL_TAP_H
#define VHOST_KERNEL_TAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "vhost_kernel_sys.h"

struct vk_tap_queue {
	int fd;
	bool is_detached; /* the interface does not use it */
};

struct vk_tap {
	const struct sluice_vk_sys *sys;
	char wanted[IFNAMSIZ]; /* as it was asked for; the kernel fills in a number for %d */
	char name[IFNAMSIZ];   /* as the kernel has it: interfaces are renamed */
	struct vk_tap_queue *queues;
	uint16_t nb_queues;
	bool is_open;
	bool is_multi;     /* made for many queues, of which we may have one */
	bool has_uso;      /* can cut UDP into segments, and join them */
	int control_fd;    /* of the namespace that the interface was in when it was opened */
	int news_fd;       /* tells of changes there; -1: nothing does */
	bool was_told_mtu; /* that its MTU cannot be set */
	int hdr_len;       /* as it was set last; 0: not yet */
};

/* nb_queues queues, none of which is open. -ENOMEM. */
int sluice_vk_tap_init(struct vk_tap *tap, const struct sluice_vk_sys *sys, const char *name,
		uint16_t nb_queues);
void sluice_vk_tap_fini(struct vk_tap *tap);

/* Is there an interface of this name, as far as this process sees? */
bool sluice_vk_tap_exists(const struct vk_tap *tap);
/* Make or join it; nothing if it is open. On error nothing is left open. */
int sluice_vk_tap_open(struct vk_tap *tap);
/* Without an owner the kernel removes it, unless it was made to stay. */
void sluice_vk_tap_close(struct vk_tap *tap);
/* -ENODEV: it is gone. Logs nothing. */
int sluice_vk_tap_look(struct vk_tap *tap, bool *is_up);

int sluice_vk_tap_get_mac(struct vk_tap *tap, uint8_t *mac);
int sluice_vk_tap_set_mac(struct vk_tap *tap, const uint8_t *mac);
/* Who may not is told once, and that is no error. */
int sluice_vk_tap_set_mtu(struct vk_tap *tap, uint16_t mtu);
/*
 * What the kernel may leave undone in frames that it sends, as features of the device
 * (VIRTIO_NET_F_GUEST_*); -EINVAL: it does not know them.
 */
int sluice_vk_tap_set_offloads(struct vk_tap *tap, uint64_t features);
/*
 * Bytes of the net header in front of frames, in both directions, for all that joined the
 * interface: there is a warning if somebody else wanted another length.
 */
int sluice_vk_tap_set_hdr_len(struct vk_tap *tap, int len);
/* May frames come in this queue? Nothing for an interface of one. */
int sluice_vk_tap_use_queue(struct vk_tap *tap, uint16_t queue, bool is_used);

#endif /* VHOST_KERNEL_TAP_H */
