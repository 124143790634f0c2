/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a vDPA device reaches (VHOST_IOTLB_UPDATE, VHOST_IOTLB_INVALIDATE), in its address space 0.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <rte_common.h>

#include "sluice_log.h"
#include "vhost_vdpa.h"

static int
send_message(struct vhost_vdpa *v, uint8_t type, const struct dmap_iotlb_entry *m)
{
	struct vhost_msg_v2 msg = { .type = VHOST_IOTLB_MSG_V2, .iotlb.type = type };

	if (m != NULL) {
		msg.iotlb.iova = m->da;
		msg.iotlb.size = m->len;
	}
	if (type == VHOST_IOTLB_UPDATE) {
		msg.iotlb.uaddr = m->va;
		msg.iotlb.perm = m->is_read_only ? VHOST_ACCESS_RO : VHOST_ACCESS_RW;
	}
	return sluice_vdpa_write(v->calls, &v->base, &msg, sizeof(msg));
}

/* Each reason is said once in a row: a domain tries its pools one by one. */
static int
explain(struct vhost_vdpa *v, const struct dmap_iotlb_entry *m, int err)
{
	if (v->map_error == err)
		return err;
	v->map_error = err;
	if (err == -ENOMEM)
		SLUICE_LOG(ERR,
				"path=%s: the kernel does not lock %" PRIu64 " bytes more (%" PRIu64
				" are): raise the limit of locked memory (ulimit -l unlimited)",
				v->path, m->len, dmap_iotlb_bytes(&v->maps) - m->len);
	else
		SLUICE_LOG(ERR,
				"path=%s: VHOST_IOTLB_UPDATE of %" PRIu64 " bytes at 0x%" PRIx64
				": %s",
				v->path, m->len, m->da, strerror(-err));
	return err;
}

static int
check_range(struct vhost_vdpa *v, const struct dmap_iotlb_entry *m)
{
	if (m->da >= v->range.first && m->da + (m->len - 1) <= v->range.last)
		return 0;
	if (v->map_error != -ERANGE)
		SLUICE_LOG(ERR,
				"path=%s: memory at 0x%" PRIx64
				" is out of the device's reach, which is 0x%" PRIx64
				" to 0x%" PRIx64 ": have memory there (EAL: --base-virtaddr)",
				v->path, m->da, (uint64_t)v->range.first, (uint64_t)v->range.last);
	v->map_error = -ERANGE;
	return -EREMOTEIO;
}

static int
map(void *ctx, const struct dmap_iotlb_entry *m)
{
	struct vhost_vdpa *v = ctx;
	int ret = check_range(v, m);

	if (ret != 0)
		return ret;
	ret = send_message(v, VHOST_IOTLB_UPDATE, m);
	if (ret == 0 || ret == -ETIMEDOUT)
		return ret;
	explain(v, m, ret);
	/* The kernel answered, so it listens on. */
	return ret == -ENOMEM ? ret : -EREMOTEIO;
}

static int
unmap(void *ctx, const struct dmap_iotlb_entry *m)
{
	struct vhost_vdpa *v = ctx;
	int ret = send_message(v, VHOST_IOTLB_INVALIDATE, m);

	return ret == 0 ? 0 : sluice_vdpa_fail(v, "VHOST_IOTLB_INVALIDATE", ret);
}

static const struct dmap_iotlb_ops map_ops = { .map = map, .unmap = unmap };

int
sluice_vdpa_iotlb_show(struct vhost_vdpa *v, const struct dmap_region *regions, unsigned int nb)
{
	bool is_batch = sluice_vdpa_can(v, VHOST_BACKEND_F_IOTLB_BATCH);
	int ret = 0, err;

	if (is_batch)
		ret = send_message(v, VHOST_IOTLB_BATCH_BEGIN, NULL);
	if (ret == 0)
		ret = dmap_iotlb_apply(&v->maps, regions, nb, &map_ops, v);
	else
		return sluice_vdpa_fail(v, "VHOST_IOTLB_BATCH_BEGIN", ret);
	if (ret == 0)
		v->map_error = 0;
	/* Also of what was refused: a batch that is open would take what follows. */
	err = is_batch ? send_message(v, VHOST_IOTLB_BATCH_END, NULL) : 0;
	if (err != 0)
		return sluice_vdpa_fail(v, "VHOST_IOTLB_BATCH_END", err);
	SLUICE_LOG(DEBUG, "path=%s: %u maps, %" PRIu64 " bytes", v->path, v->maps.nb,
			dmap_iotlb_bytes(&v->maps));
	return ret;
}
