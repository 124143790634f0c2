/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a vDPA device reaches (VHOST_IOTLB_UPDATE, VHOST_IOTLB_INVALIDATE), in its address space 0.
 * What comes in a batch, a device may be told as one table, and the kernel keeps to itself what it
 * said (vhost_vdpa_process_iotlb_msg()). The last map comes by itself: then it is told the table
 * again, and the answer is ours. It is one page, since what comes by itself the kernel may tell in
 * as many tables as it finds pieces of memory that is contiguous (vhost_vdpa_pa_map()). A program
 * behind VDUSE maps nothing then, and is not asked twice. It maps each entry for itself, so one
 * buffer must not lie in two.
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

static int
begin_batch(struct vhost_vdpa *v)
{
	int ret;

	if (v->is_in_batch || !sluice_vdpa_can(v, VHOST_BACKEND_F_IOTLB_BATCH))
		return 0;
	ret = send_message(v, VHOST_IOTLB_BATCH_BEGIN, NULL);
	v->is_in_batch = ret == 0;
	return ret == 0 ? 0 : sluice_vdpa_fail(v, "VHOST_IOTLB_BATCH_BEGIN", ret);
}

static int
end_batch(struct vhost_vdpa *v)
{
	int ret = v->is_in_batch ? send_message(v, VHOST_IOTLB_BATCH_END, NULL) : 0;

	v->is_in_batch &= ret != 0;
	return ret == 0 ? 0 : sluice_vdpa_fail(v, "VHOST_IOTLB_BATCH_END", ret);
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
				"path=%s: the device does not map %" PRIu64 " bytes more (%" PRIu64
				" are): %s: have fewer mempools, or isolation=copy, which needs "
				"none",
				v->path, m->len, dmap_iotlb_bytes(&v->maps) - m->len,
				strerror(-err));
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
map(void *ctx, const struct dmap_iotlb_entry *m, bool is_last)
{
	struct vhost_vdpa *v = ctx;
	int ret = check_range(v, m);

	if (ret != 0)
		return ret;
	ret = is_last && !v->is_vduse ? end_batch(v) : begin_batch(v);
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
	int ret = begin_batch(v);

	if (ret != 0)
		return ret;
	ret = send_message(v, VHOST_IOTLB_INVALIDATE, m);
	return ret == 0 ? 0 : sluice_vdpa_fail(v, "VHOST_IOTLB_INVALIDATE", ret);
}

int
sluice_vdpa_iotlb_show(struct vhost_vdpa *v, const struct dmap_region *regions, unsigned int nb)
{
	const struct dmap_iotlb_ops ops = {
		.map = map, .unmap = unmap, .ends_with_page = !v->is_vduse
	};
	int ret = dmap_iotlb_apply(&v->maps, regions, nb, &ops, v), err;

	if (ret == 0)
		v->map_error = 0;
	/* A device that refused a table may have dropped the one before: it is told that again. */
	err = ret == 0 ? 0 : begin_batch(v);
	if (err == 0)
		err = end_batch(v);
	if (err != 0)
		return err;
	SLUICE_LOG(DEBUG, "path=%s: %u maps, %" PRIu64 " bytes", v->path, v->maps.nb,
			dmap_iotlb_bytes(&v->maps));
	return ret;
}
