/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "fake_error.h"
#include "fake_vdpa.h"
#include "sluice_spec.h"

#define NODE_FD 1000
#define FIRST_EVENT_FD 900

struct fake_vdpa fake_vdpa;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_on;
} hang = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

void
fake_vdpa_reset(void)
{
	memset(&fake_vdpa, 0, sizeof(fake_vdpa));
	fake_vdpa.id = 1;
	fake_vdpa.offered = FAKE_VDPA_FEATURES;
	fake_vdpa.backend_offered = 0xe;
	fake_vdpa.config_len = 24;
	fake_vdpa.nb_vqs = 2;
	fake_vdpa.size_max = 1024;
	fake_vdpa.range.last = UINT64_MAX;
	fake_vdpa.nb_groups = fake_vdpa.nb_spaces = 1;
	fake_vdpa.where = "../../devices/virtual/vdpasim/vdpa0/vhost-vdpa-0";
	fake_vdpa.has_sysfs = true;
	fake_vdpa.maps_max = fake_vdpa.table_max = FAKE_VDPA_MAPS;
	fake_vdpa.table_error = -ENOSPC;
	fake_vdpa.fail_at = UINT32_MAX;
	fake_vdpa.config_fd = -1;
}

static void
set_hang(bool is_on)
{
	pthread_mutex_lock(&hang.lock);
	hang.is_on = is_on;
	pthread_cond_broadcast(&hang.changed);
	pthread_mutex_unlock(&hang.lock);
}

void
fake_vdpa_hang(void)
{
	set_hang(true);
}

void
fake_vdpa_go_on(void)
{
	set_hang(false);
}

static void
await_backend_locked(void)
{
	while (hang.is_on)
		pthread_cond_wait(&hang.changed, &hang.lock);
}

static void
ask_backend(void)
{
	pthread_mutex_lock(&hang.lock);
	await_backend_locked();
	pthread_mutex_unlock(&hang.lock);
}

/* The calls of a port that is still being closed go on beside those of the next one. */
static bool
fails(const char *what)
{
	if (__atomic_fetch_add(&fake_vdpa.nb_calls, 1, __ATOMIC_RELAXED) != fake_vdpa.fail_at)
		return false;
	fake_vdpa.failed = what;
	return true;
}

static void
forget(void)
{
	fake_vdpa.status = 0;
	fake_vdpa.config_fd = -1;
	fake_vdpa.features = 0;
	fake_vdpa.was_suspended = false;
	memset(fake_vdpa.rings, 0, sizeof(fake_vdpa.rings));
}

static int
fake_open(const char *path)
{
	RTE_SET_USED(path);
	if (fails("open"))
		return fake_vdpa.fail_with;
	if (fake_vdpa.node_error != 0)
		return fake_vdpa.node_error;
	if (fake_vdpa.is_open)
		return -EBUSY;
	forget();
	fake_vdpa.is_open = true;
	fake_vdpa.nb_open++;
	return NODE_FD;
}

static void
fake_close(int fd)
{
	if (fake_vdpa.nb_open == 0 || (fd == NODE_FD && !fake_vdpa.is_open))
		fake_error("close of %d, which is not open", fd);
	fake_vdpa.nb_open--;
	if (fd != NODE_FD)
		return;
	/* Nobody need wait for this, and who looks at it later takes the lock before. */
	pthread_mutex_lock(&hang.lock);
	await_backend_locked();
	forget();
	fake_vdpa.is_open = fake_vdpa.has_owner = fake_vdpa.is_in_batch = false;
	fake_vdpa.backend = 0;
	fake_vdpa.nb_maps = 0;
	fake_vdpa.lacks_maps = false;
	fake_vdpa.config_fd = -1;
	pthread_mutex_unlock(&hang.lock);
}

static int
set_status(uint8_t status)
{
	ask_backend();
	if (status != 0 && (fake_vdpa.status & ~status) != 0)
		return -EINVAL;
	if ((status & SLUICE_STATUS_DRIVER_OK) && !(status & SLUICE_STATUS_FEATURES_OK))
		fake_error("DRIVER_OK without FEATURES_OK");
	if (status == 0)
		forget();
	if (fake_vdpa.insists_on & ~fake_vdpa.features)
		status &= ~SLUICE_STATUS_FEATURES_OK;
	fake_vdpa.status = status & ~fake_vdpa.refused_status;
	return 0;
}

static int
set_features(uint64_t features)
{
	if (fake_vdpa.status & SLUICE_STATUS_FEATURES_OK)
		return -EBUSY;
	if (!(fake_vdpa.status & SLUICE_STATUS_DRIVER))
		fake_error("features without a driver");
	if (features & ~fake_vdpa.offered)
		return -EINVAL;
	fake_vdpa.features = features;
	return 0;
}

static int
get_config(struct vhost_vdpa_config *c)
{
	if (c->off + c->len > fake_vdpa.config_len || c->len == 0)
		return -E2BIG;
	if (fake_vdpa.features == 0)
		fake_error("the configuration is read before there are features");
	if (fake_vdpa.nb_torn != 0) {
		fake_vdpa.nb_torn--;
		fake_vdpa.config[6] ^= 1;
	}
	memcpy(c->buf, fake_vdpa.config + c->off, c->len);
	return 0;
}

static int
ring_ioctl(unsigned long request, void *arg)
{
	const struct vhost_vring_state *state = arg;
	const struct vhost_vring_file *file = arg;
	struct fake_vdpa_ring *r;

	/* All of these begin with it. */
	if (state->index >= fake_vdpa.nb_vqs)
		return -ENOBUFS;
	r = &fake_vdpa.rings[state->index];
	if (fake_vdpa.status & SLUICE_STATUS_DRIVER_OK)
		fake_error("ring %u changes while the device runs", state->index);
	if (request == VHOST_SET_VRING_NUM)
		r->num = state->num;
	else if (request == VHOST_SET_VRING_BASE)
		r->base = state->num;
	else if (request == VHOST_SET_VRING_ADDR)
		r->addr = *(const struct vhost_vring_addr *)arg;
	else if (request == VHOST_SET_VRING_KICK)
		r->kick_fd = file->fd;
	else if (request == VHOST_SET_VRING_CALL)
		r->call_fd = file->fd;
	else if (request == VHOST_SET_VRING_ERR)
		r->err_fd = file->fd;
	else if (request == VHOST_VDPA_SET_VRING_ENABLE)
		r->is_enabled = state->num != 0;
	else
		return -ENOTTY;
	return 0;
}

static int
set_group(const struct vhost_vring_state *s)
{
	if (s->index >= fake_vdpa.nb_groups || s->num >= fake_vdpa.nb_spaces)
		return -EINVAL;
	if (s->num == 0)
		fake_vdpa.joined |= 1 << s->index;
	return 0;
}

static int
owned_ioctl(unsigned long request, void *arg)
{
	if (!fake_vdpa.has_owner)
		return -EPERM;
	switch (request) {
	case VHOST_SET_BACKEND_FEATURES:
		fake_vdpa.backend = *(uint64_t *)arg;
		return fake_vdpa.backend & ~fake_vdpa.backend_offered ? -EOPNOTSUPP : 0;
	case VHOST_VDPA_SET_GROUP_ASID:
		return set_group(arg);
	case VHOST_VDPA_SUSPEND:
		ask_backend();
		fake_vdpa.was_suspended = true;
		return fake_vdpa.backend_offered & SLUICE_BIT(VHOST_BACKEND_F_SUSPEND) ?
				0 :
				-EOPNOTSUPP;
	case VHOST_VDPA_SET_CONFIG_CALL:
		fake_vdpa.config_fd = *(int *)arg;
		return 0;
	default:
		return ring_ioctl(request, arg);
	}
}

static int
node_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case VHOST_VDPA_GET_DEVICE_ID:
		*(uint32_t *)arg = fake_vdpa.id;
		return 0;
	case VHOST_VDPA_GET_STATUS:
		*(uint8_t *)arg = fake_vdpa.status;
		return 0;
	case VHOST_VDPA_SET_STATUS:
		return set_status(*(uint8_t *)arg);
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = fake_vdpa.offered;
		return 0;
	case VHOST_SET_FEATURES:
		return set_features(*(uint64_t *)arg);
	case VHOST_GET_BACKEND_FEATURES:
		*(uint64_t *)arg = fake_vdpa.backend_offered;
		return 0;
	case VHOST_VDPA_GET_CONFIG:
		return get_config(arg);
	case VHOST_VDPA_GET_CONFIG_SIZE:
		*(uint32_t *)arg = fake_vdpa.config_len;
		return 0;
	case VHOST_VDPA_GET_VQS_COUNT:
		*(uint32_t *)arg = fake_vdpa.nb_vqs;
		return 0;
	case VHOST_VDPA_GET_VRING_NUM:
		*(uint16_t *)arg = fake_vdpa.size_max;
		return 0;
	case VHOST_VDPA_GET_IOVA_RANGE:
		*(struct vhost_vdpa_iova_range *)arg = fake_vdpa.range;
		return 0;
	case VHOST_VDPA_GET_GROUP_NUM:
		*(uint32_t *)arg = fake_vdpa.nb_groups;
		return 0;
	case VHOST_VDPA_GET_AS_NUM:
		*(uint32_t *)arg = fake_vdpa.nb_spaces;
		return 0;
	default:
		return owned_ioctl(request, arg);
	}
}

/* For messages of tests; those of one name are alike. */
static const char *
name_of(unsigned long request)
{
	return request == VHOST_VDPA_SUSPEND ? "suspend" : "ioctl";
}

static int
fake_ioctl(int fd, unsigned long request, void *arg)
{
	if (fails(name_of(request)))
		return fake_vdpa.fail_with;
	if (fd != NODE_FD || !fake_vdpa.is_open) {
		fake_error("a request to descriptor %d, which is not open", fd);
		return -EBADF;
	}
	return fake_vdpa.is_other ? -ENOTTY : node_ioctl(request, arg);
}

static bool
overlaps(const struct vhost_iotlb_msg *a, const struct vhost_iotlb_msg *b)
{
	return a->iova < b->iova + b->size && b->iova < a->iova + a->size;
}

/* The whole of it, as vhost-vdpa's set_map tells it to a device. */
static int
tell_table(void)
{
	ask_backend();
	fake_vdpa.lacks_maps = fake_vdpa.nb_maps > fake_vdpa.table_max;
	return fake_vdpa.lacks_maps ? fake_vdpa.table_error : 0;
}

static int
update(const struct vhost_iotlb_msg *m)
{
	bool may_batch = fake_vdpa.backend & SLUICE_BIT(VHOST_BACKEND_F_IOTLB_BATCH);
	unsigned int i;
	int ret;

	fake_vdpa.nb_updates++;
	if (may_batch && !fake_vdpa.is_in_batch && m->size > 4096)
		fake_error("0x%llx bytes may be a table for each page",
				(unsigned long long)m->size);
	if (m->size == 0 || m->iova < fake_vdpa.range.first ||
			m->iova + m->size - 1 > fake_vdpa.range.last) {
		fake_error("0x%llx is mapped out of range", (unsigned long long)m->iova);
		return -EINVAL;
	}
	for (i = 0; i < fake_vdpa.nb_maps; i++)
		if (overlaps(m, &fake_vdpa.maps[i]))
			return -EEXIST;
	if (fake_vdpa.nb_maps == fake_vdpa.maps_max)
		return -ENOMEM;
	fake_vdpa.maps[fake_vdpa.nb_maps++] = *m;
	ret = fake_vdpa.is_in_batch ? 0 : tell_table();
	fake_vdpa.nb_maps -= ret != 0;
	return ret;
}

static int
invalidate(const struct vhost_iotlb_msg *m)
{
	unsigned int i;

	fake_vdpa.nb_invalidates++;
	for (i = 0; i < fake_vdpa.nb_maps; i++) {
		if (fake_vdpa.maps[i].iova != m->iova || fake_vdpa.maps[i].size != m->size)
			continue;
		fake_vdpa.maps[i] = fake_vdpa.maps[--fake_vdpa.nb_maps];
		if (!fake_vdpa.is_in_batch)
			tell_table();
		return 0;
	}
	fake_error("0x%llx is unmapped and was not mapped", (unsigned long long)m->iova);
	return 0;
}

static int
take_message(const struct vhost_iotlb_msg *m)
{
	bool may_batch = fake_vdpa.backend & SLUICE_BIT(VHOST_BACKEND_F_IOTLB_BATCH);

	switch (m->type) {
	case VHOST_IOTLB_UPDATE:
		return update(m);
	case VHOST_IOTLB_INVALIDATE:
		return invalidate(m);
	case VHOST_IOTLB_BATCH_BEGIN:
	case VHOST_IOTLB_BATCH_END:
		if (!may_batch || fake_vdpa.is_in_batch == (m->type == VHOST_IOTLB_BATCH_BEGIN))
			fake_error("a batch begins or ends that may not");
		fake_vdpa.is_in_batch = m->type == VHOST_IOTLB_BATCH_BEGIN;
		fake_vdpa.nb_batches += fake_vdpa.is_in_batch;
		if (!fake_vdpa.is_in_batch)
			tell_table();
		return 0;
	default:
		return -EINVAL;
	}
}

static int
fake_write(int fd, const void *msg, size_t len)
{
	const struct vhost_msg_v2 *m = msg;
	int ret;

	if (fails("write"))
		return fake_vdpa.fail_with;
	if (fd != NODE_FD || !fake_vdpa.has_owner)
		return -EPERM;
	if (len != sizeof(*m) || m->type != VHOST_IOTLB_MSG_V2 || m->asid != 0)
		return -EINVAL;
	ret = take_message(&m->iotlb);
	return ret < 0 ? ret : (int)len;
}

static int
fake_node_path(int fd, char *buf, size_t len)
{
	RTE_SET_USED(fd);
	if (!fake_vdpa.has_sysfs)
		return -ENOTSUP;
	return fake_vdpa.where == NULL ? -ENOENT : snprintf(buf, len, "%s", fake_vdpa.where);
}

static int
fake_set_owner(int fd)
{
	RTE_SET_USED(fd);
	if (fails("owner"))
		return fake_vdpa.fail_with;
	if (fake_vdpa.has_owner)
		return -EBUSY;
	fake_vdpa.has_owner = true;
	return 0;
}

static int
make_eventfd(void)
{
	if (fails("eventfd"))
		return fake_vdpa.fail_with;
	return FIRST_EVENT_FD + fake_vdpa.nb_open++;
}

static void
fake_drain(int fd)
{
	RTE_SET_USED(fd);
	fake_vdpa.nb_drained++;
}

const struct sluice_vk_sys fake_vdpa_sys = {
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.write = fake_write,
	.node_path = fake_node_path,
	.set_owner = fake_set_owner,
	.eventfd = make_eventfd,
	.drain = fake_drain,
};
