/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The parts of the vhost-vdpa transport: sluice_vhost_vdpa.c is what the port sees,
 * vhost_vdpa_dev.c what the device is asked and told (linux/vhost.h), vhost_vdpa_iotlb.c what it
 * reaches, vhost_vdpa_call.c how requests are made that a back end may delay.
 */

#ifndef VHOST_VDPA_H
#define VHOST_VDPA_H

#include <linux/vhost.h>

#include "dmap_iotlb.h"
#include "vhost_ring.h"
#include "vhost_vdpa_call.h"

/* What headers before Linux 5.17, 5.19 and 6.1 lack. */
#ifndef VHOST_VDPA_GET_VQS_COUNT
#define VHOST_VDPA_GET_CONFIG_SIZE _IOR(VHOST_VIRTIO, 0x79, __u32)
#define VHOST_VDPA_GET_VQS_COUNT _IOR(VHOST_VIRTIO, 0x80, __u32)
#endif
#ifndef VHOST_VDPA_GET_GROUP_NUM
#define VHOST_VDPA_GET_AS_NUM _IOR(VHOST_VIRTIO, 0x7A, unsigned int)
#define VHOST_VDPA_SET_GROUP_ASID _IOW(VHOST_VIRTIO, 0x7C, struct vhost_vring_state)
#define VHOST_VDPA_GET_GROUP_NUM _IOR(VHOST_VIRTIO, 0x81, __u32)
#define VHOST_BACKEND_F_IOTLB_ASID 3
#endif
#ifndef VHOST_VDPA_SUSPEND
#define VHOST_VDPA_SUSPEND _IO(VHOST_VIRTIO, 0x7D)
#define VHOST_BACKEND_F_SUSPEND 4
#endif

#define VDPA_BACKEND_FEATURES \
	(SLUICE_BIT(VHOST_BACKEND_F_IOTLB_MSG_V2) | SLUICE_BIT(VHOST_BACKEND_F_IOTLB_BATCH) | \
			SLUICE_BIT(VHOST_BACKEND_F_IOTLB_ASID) | \
			SLUICE_BIT(VHOST_BACKEND_F_SUSPEND))

/* Bytes of the configuration that are of interest. */
#define VDPA_CONFIG_LEN SLUICE_NET_CONFIG_RSS_END

struct vhost_vdpa {
	struct sluice_transport base;
	const struct sluice_vk_sys *sys;
	char *path;
	int err_fd;    /* written when the device cannot make sense of a ring */
	int config_fd; /* written when its configuration changed */
	int left_fd;   /* end of file: a close that nobody waited for is done; -1: there is none */
	struct vhost_told told;
	/* of the device that is connected */
	bool is_connected;
	int fd; /* calls has it; -1: none */
	struct vdpa_calls *calls;
	bool is_watched; /* sysfs says whether it is there */
	bool is_vduse;   /* a program is behind it */
	uint64_t offered;
	uint64_t backend; /* what the kernel can do for it */
	struct vhost_vdpa_iova_range range;
	uint16_t size_max; /* of a ring */
	uint32_t nb_vqs;
	uint32_t config_len;
	struct dmap_iotlb maps;
	bool is_in_batch; /* of what is mapped and unmapped */
	int map_error;    /* that was said */
	/* Atomic: what it said last. */
	uint32_t is_gone;
	uint32_t needs_reset;
	uint32_t has_ring_error;
	uint32_t net_status; /* 5.1.4 */
	uint32_t speed;
	uint32_t is_half_duplex;
};

static inline bool
sluice_vdpa_can(const struct vhost_vdpa *v, unsigned int backend_feature)
{
	return (v->backend & SLUICE_BIT(backend_feature)) != 0;
}

bool sluice_vdpa_is_told(struct vhost_vdpa *v, const char *step, int err);
/* Logs that a step failed, and why, unless that was the last that was said; returns err. */
int sluice_vdpa_fail(struct vhost_vdpa *v, const char *step, int err);

/*
 * What returns an error logged it. open: a network device of vhost-vdpa that is nobody else's, and
 * what it can do; it is reset, and its driver has not chosen any features yet.
 */
int sluice_vdpa_dev_open(struct vhost_vdpa *v);
/* As the transport's disconnect. */
int sluice_vdpa_dev_close(struct vhost_vdpa *v);
/* The rest of the handshake's first half: what the device is, by its configuration. */
int sluice_vdpa_dev_learn(struct vhost_vdpa *v, struct sluice_device_info *info);
/* Status from 0 up to FEATURES_OK, with these features. */
int sluice_vdpa_dev_begin(struct vhost_vdpa *v, uint64_t features);
/* More bits of the status. -EPROTO: it does not take them. */
int sluice_vdpa_dev_add_status(struct vhost_vdpa *v, uint8_t bits);
/* It touches nothing any more when this returned 0. */
int sluice_vdpa_dev_reset(struct vhost_vdpa *v);
int sluice_vdpa_dev_set_ring(struct vhost_vdpa *v, const struct sluice_vq_setup *vq);
/* Read again what changes while it runs. Logs nothing. */
void sluice_vdpa_dev_look(struct vhost_vdpa *v);

/*
 * Let the device reach exactly these regions. -EREMOTEIO or -ENOMEM: some of them are refused, and
 * it reaches what it reached before.
 */
int sluice_vdpa_iotlb_show(
		struct vhost_vdpa *v, const struct dmap_region *regions, unsigned int nb);

#endif /* VHOST_VDPA_H */
