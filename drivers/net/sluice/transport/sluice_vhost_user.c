/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The vhost-user front end: transport of the vdev net_sluice. Client and server mode.
 * Sections in brackets are those of QEMU docs/interop/vhost-user.rst.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_common.h>

#include "sluice_log.h"
#include "vhost_user.h"

static void
set_sock(struct vhost_user *vu, int sock)
{
	rte_spinlock_lock(&vu->sock_lock);
	vu->sock = sock;
	rte_spinlock_unlock(&vu->sock_lock);
}

/*
 * End of file for the back end, while its own is still to come. The descriptor wakes who waits, and
 * does so until the next connection.
 */
static void
vhost_user_cut(struct sluice_transport *t)
{
	struct vhost_user *vu = sluice_vu_of(t);
	uint64_t one = 1;

	rte_atomic_store_explicit(&t->is_cut, 1, rte_memory_order_release);
	if (write(vu->cut_fd, &one, sizeof(one)) < 0)
		return; /* full: it is readable */
	rte_spinlock_lock(&vu->sock_lock);
	if (vu->sock >= 0)
		shutdown(vu->sock, SHUT_WR);
	rte_spinlock_unlock(&vu->sock_lock);
}

static int
vhost_user_disconnect(struct sluice_transport *t)
{
	struct vhost_user *vu = sluice_vu_of(t);
	int sock = vu->sock;

	set_sock(vu, -1);
	vu->protocol = 0;
	vu->regions_max = SLUICE_VU_TABLE_MAX;
	free(vu->shown);
	vu->shown = NULL;
	vu->nb_shown = 0;
	sluice_vu_backend_close(&vu->backend);
	rte_atomic_store_explicit(&vu->is_link_down, 0, rte_memory_order_relaxed);
	rte_atomic_store_explicit(&vu->mtu, 0, rte_memory_order_relaxed);
	if (sock >= 0)
		shutdown(sock, SHUT_WR);
	return sock;
}

static bool
vhost_user_is_connected(const struct sluice_transport *t)
{
	return sluice_vu_of(t)->sock >= 0;
}

/*
 * The back end says something by itself, about the link or the MTU. An error is one of the
 * connection.
 */
static int
hear_backend(struct vhost_user *vu)
{
	int ret = sluice_vu_backend_read(&vu->backend, sluice_clock_ms());

	if (ret < 0) {
		SLUICE_LOG(NOTICE,
				"path=%s: the back end's channel for changes of its configuration ended: %s",
				vu->path, ret == -ECONNRESET ? "closed" : "not the protocol");
		/* Of a link that is down nobody would say that it comes up. */
		rte_atomic_store_explicit(&vu->is_link_down, 0, rte_memory_order_relaxed);
	}
	if (ret <= 0)
		return 0;
	ret = sluice_vu_read_config(vu, &vu->info);
	if (ret == 0)
		rte_atomic_store_explicit(&vu->mtu, vu->info.mtu, rte_memory_order_relaxed);
	return ret;
}

static int
vhost_user_check(struct sluice_transport *t)
{
	struct vhost_user *vu = sluice_vu_of(t);
	int ret;

	if (vu->sock < 0)
		return 0;
	ret = vu->is_broken ? -EPROTO : sluice_vu_check_quiet(vu->sock);
	return ret == 0 && vu->backend.sock >= 0 ? hear_backend(vu) : ret;
}

/* Nobody there is what a port that tries again has to bear. */
static int
reach(struct vhost_user *vu)
{
	int sock;

	if (!vu->is_server)
		sluice_vu_find_arm(vu); /* before the look, so that nothing appears in between */
	sock = vu->is_server ? sluice_vu_accept(vu->listen_fd) : sluice_vu_connect(vu->path);
	if (sock >= 0 || (vu->is_server && sock == -EAGAIN))
		return sock;
	if (vu->base.is_retry && (sock == -ENOENT || sock == -ECONNREFUSED || sock == -EAGAIN))
		return -EAGAIN;
	return sluice_vu_fail(vu, vu->is_server ? "accept" : "connect", sock);
}

static int
vhost_user_connect(struct sluice_transport *t, struct sluice_device_info *info)
{
	struct vhost_user *vu = sluice_vu_of(t);
	uint64_t count;
	int sock = reach(vu);

	if (sock < 0)
		return sock;
	vu->is_broken = false;
	rte_atomic_store_explicit(&t->is_cut, 0, rte_memory_order_release);
	if (read(vu->cut_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		SLUICE_LOG(DEBUG, "path=%s: eventfd: %s", vu->path, strerror(errno));
	set_sock(vu, sock);
	return sluice_vu_handshake(vu, info);
}

static int
set_status(struct vhost_user *vu, uint8_t status)
{
	if (!sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_STATUS))
		return 0;
	return sluice_vu_set_u64(vu, SLUICE_VU_SET_STATUS, status);
}

/* The device's word on the features that it was told (3.1.1, step 6). */
static int
check_features_ok(struct vhost_user *vu, uint64_t features)
{
	uint64_t status;
	int ret;

	if (!sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_STATUS))
		return 0;
	ret = sluice_vu_get_u64(vu, SLUICE_VU_GET_STATUS, &status);
	if (ret != 0 || (status & SLUICE_STATUS_FEATURES_OK))
		return ret;
	if (!sluice_vu_is_told(vu, "FEATURES_OK", -EREMOTEIO))
		SLUICE_LOG(ERR,
				"path=%s: the back end does not accept features 0x%" PRIx64
				" together, though it offers them: give packed_vq=0, mrg_rxbuf=0 or "
				"in_order=0",
				vu->path, features);
	return -EREMOTEIO;
}

/* Requests that go out together. */
#define BATCH_MAX 16
struct batch {
	struct sluice_vu_msg msgs[BATCH_MAX];
	int fds[BATCH_MAX];
	unsigned int nb;
};

static struct sluice_vu_msg *
add(struct batch *b, enum sluice_vu_request what, uint32_t size, int fd)
{
	struct sluice_vu_msg *msg = &b->msgs[b->nb];

	*msg = (struct sluice_vu_msg){ .request = what, .size = size };
	b->fds[b->nb++] = fd;
	return msg;
}

static void
add_u64(struct batch *b, enum sluice_vu_request what, uint64_t value, int fd)
{
	add(b, what, sizeof(value), fd)->u64 = value;
}

static void
add_vring(struct batch *b, enum sluice_vu_request what, uint32_t index, uint32_t num)
{
	struct sluice_vu_msg *msg = add(b, what, sizeof(msg->vring), -1);

	msg->vring.index = index;
	msg->vring.num = num;
}

static int
flush(struct vhost_user *vu, struct batch *b)
{
	unsigned int nb = b->nb;

	b->nb = 0;
	return nb == 0 ? 0 : sluice_vu_request_all(vu, b->msgs, b->fds, nb);
}

static int
vhost_user_begin(struct sluice_transport *t, sluice_features features, uint16_t mtu)
{
	struct vhost_user *vu = sluice_vu_of(t);
	uint64_t protocol_bit = vu->protocol != 0 ? SLUICE_BIT(SLUICE_VU_F_PROTOCOL_FEATURES) : 0;
	bool has_status = sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_STATUS);
	uint8_t status = SLUICE_STATUS_ACKNOWLEDGE;
	struct batch b = { .nb = 0 };
	int ret;

	vu->is_running = false;
	if (has_status) {
		add_u64(&b, SLUICE_VU_SET_STATUS, status, -1);
		add_u64(&b, SLUICE_VU_SET_STATUS, status |= SLUICE_STATUS_DRIVER, -1);
	}
	add_u64(&b, SLUICE_VU_SET_FEATURES, features | protocol_bit, -1);
	if (has_status)
		add_u64(&b, SLUICE_VU_SET_STATUS, status | SLUICE_STATUS_FEATURES_OK, -1);
	ret = flush(vu, &b);
	if (ret == 0)
		ret = check_features_ok(vu, features);
	if (ret == 0 && mtu != 0 && sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_NET_MTU))
		ret = sluice_vu_set_u64(vu, SLUICE_VU_NET_SET_MTU, mtu);
	return ret;
}

static void
add_vring_addr(struct batch *b, const struct sluice_vq_setup *vq)
{
	struct sluice_vu_msg *msg = add(b, SLUICE_VU_SET_VRING_ADDR, sizeof(msg->addr), -1);

	msg->addr.index = vq->vq;
	/* User addresses as those of the regions, which are device addresses (vhost_user_mem.c). */
	msg->addr.desc = vq->desc_da.v;
	msg->addr.avail = vq->driver_da.v;
	msg->addr.used = vq->device_da.v;
}

static int
vhost_user_vq_start(struct sluice_transport *t, const struct sluice_vq_setup *vq)
{
	/*
	 * A fresh packed ring: both positions 0, both wrap counters 1 [Vring descriptor indices].
	 */
	uint32_t base = vq->is_packed ? 0x80008000 : 0;
	/* A ring that is only polled has no descriptor to call us. */
	uint64_t no_call = vq->call_fd >= 0 ? 0 : SLUICE_VU_NO_FD;
	struct batch b = { .nb = 0 };

	add_vring(&b, SLUICE_VU_SET_VRING_NUM, vq->vq, vq->size);
	add_vring(&b, SLUICE_VU_SET_VRING_BASE, vq->vq, base);
	add_vring_addr(&b, vq);
	add_u64(&b, SLUICE_VU_SET_VRING_CALL, vq->vq | no_call, vq->call_fd);
	add_u64(&b, SLUICE_VU_SET_VRING_KICK, vq->vq, vq->kick_fd);
	return flush(sluice_vu_of(t), &b);
}

static int
vhost_user_commit(struct sluice_transport *t, uint16_t nb_vqs)
{
	struct vhost_user *vu = sluice_vu_of(t);
	struct batch b = { .nb = 0 };
	uint16_t vq;
	int ret = 0;

	vu->is_running = true;
	/*
	 * Without the protocol bit SET_FEATURES has enabled the rings, and the message is not
	 * legal.
	 */
	for (vq = 0; vq < nb_vqs && ret == 0 && vu->protocol != 0; vq++) {
		add_vring(&b, SLUICE_VU_SET_VRING_ENABLE, vq, 1);
		if (b.nb == BATCH_MAX)
			ret = flush(vu, &b);
	}
	if (ret == 0)
		ret = flush(vu, &b);
	if (ret == 0)
		ret = set_status(vu,
				SLUICE_STATUS_ACKNOWLEDGE | SLUICE_STATUS_DRIVER |
						SLUICE_STATUS_FEATURES_OK |
						SLUICE_STATUS_DRIVER_OK);
	if (ret == 0)
		vu->told.step = NULL;
	return ret;
}

static int
set_enabled(struct vhost_user *vu, uint16_t vq, bool is_enabled)
{
	struct batch b = { .nb = 0 };

	if (vu->protocol != 0)
		add_vring(&b, SLUICE_VU_SET_VRING_ENABLE, vq, is_enabled);
	return flush(vu, &b);
}

static int
vhost_user_vq_enable(struct sluice_transport *t, uint16_t vq, bool is_enabled)
{
	struct vhost_user *vu = sluice_vu_of(t);
	int ret = set_enabled(vu, vq, is_enabled);
	uint64_t ignored;

	/* Requests are served in their order, so any answer says that this one was. */
	if (ret == 0 && !is_enabled && !sluice_vu_has(vu, SLUICE_VU_PROTOCOL_F_REPLY_ACK))
		ret = sluice_vu_get_u64(vu, SLUICE_VU_GET_FEATURES, &ignored);
	return ret;
}

static int
vhost_user_vq_stop(struct sluice_transport *t, uint16_t vq)
{
	struct vhost_user *vu = sluice_vu_of(t);
	struct sluice_vu_msg msg = { .request = SLUICE_VU_GET_VRING_BASE,
		.size = sizeof(msg.vring) };
	int ret = set_enabled(vu, vq, false);

	if (ret != 0)
		return ret;
	/*
	 * The reply says that the ring is stopped; the index in it is of no use to us [Ring
	 * states].
	 */
	msg.vring.index = vq;
	return sluice_vu_query(vu, &msg, sizeof(msg.vring), sizeof(msg.vring));
}

static int
vhost_user_reset(struct sluice_transport *t)
{
	return set_status(sluice_vu_of(t), 0);
}

/*
 * While connected, anything to read is news: no exchange is under way when the control thread
 * looks.
 */
static unsigned int
vhost_user_poll_fds(struct sluice_transport *t, bool wants_peer, struct pollfd *pfds)
{
	struct vhost_user *vu = sluice_vu_of(t);
	int fd = vu->is_server ? vu->listen_fd : vu->inotify_fd, pause_ms = -1;

	if (vu->sock >= 0) {
		pfds[0] = (struct pollfd){ .fd = vu->sock, .events = POLLIN | POLLRDHUP };
		pfds[1] = (struct pollfd){ .events = POLLIN };
		/* One that floods us is heard with a later look. */
		pfds[1].fd = sluice_vu_backend_poll(&vu->backend, sluice_clock_ms(), &pause_ms);
		return 2;
	}
	if (!wants_peer || fd < 0)
		return 0;
	pfds[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	return 1;
}

static enum sluice_news
vhost_user_polled(struct sluice_transport *t, const struct pollfd *pfds, unsigned int nb)
{
	struct vhost_user *vu = sluice_vu_of(t);

	if (nb == 2 && (pfds[0].revents | pfds[1].revents) != 0)
		return SLUICE_NEWS_DEVICE;
	if (nb != 1 || pfds[0].revents == 0)
		return SLUICE_NEWS_NONE;
	if (vu->is_server)
		return SLUICE_NEWS_PEER;
	return sluice_vu_find_read(vu) ? SLUICE_NEWS_PEER : SLUICE_NEWS_NONE;
}

static void
vhost_user_state(struct sluice_transport *t, struct sluice_device_state *state)
{
	*state = (struct sluice_device_state){ .speed = UINT32_MAX };
	state->mtu = rte_atomic_load_explicit(&sluice_vu_of(t)->mtu, rte_memory_order_relaxed);
	state->is_link_up = !rte_atomic_load_explicit(
			&sluice_vu_of(t)->is_link_down, rte_memory_order_relaxed);
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void
vhost_user_describe(const struct sluice_transport *t, char *buf, size_t len)
{
	snprintf(buf, len, "vhost-user 0x%" PRIx64, sluice_vu_of(t)->protocol);
}

static void
vhost_user_destroy(struct sluice_transport *t)
{
	struct vhost_user *vu = sluice_vu_of(t);

	close_fd(vhost_user_disconnect(t));
	if (vu->listen_fd >= 0) {
		sluice_vu_unlink(vu->path, &vu->listen_file);
		close(vu->listen_fd);
	}
	close_fd(vu->inotify_fd);
	close_fd(vu->cut_fd);
	free(vu->path);
	free(vu);
}

static const struct sluice_transport_ops vhost_user_ops = {
	.name = "vhost-user",
	.peer = "back end",
	.flags = SLUICE_TRANSPORT_HAS_STATUS | SLUICE_TRANSPORT_CAN_DISABLE,
	.connect = vhost_user_connect,
	.disconnect = vhost_user_disconnect,
	.is_connected = vhost_user_is_connected,
	.check = vhost_user_check,
	.cut = vhost_user_cut,
	.show = sluice_vu_show,
	.begin = vhost_user_begin,
	.vq_start = vhost_user_vq_start,
	.commit = vhost_user_commit,
	.vq_enable = vhost_user_vq_enable,
	.vq_stop = vhost_user_vq_stop,
	.reset = vhost_user_reset,
	.poll_fds = vhost_user_poll_fds,
	.polled = vhost_user_polled,
	.state = vhost_user_state,
	.describe = vhost_user_describe,
	.destroy = vhost_user_destroy,
};

static int
init(struct vhost_user *vu, const struct sluice_socket_access *access)
{
	int ret;

	if (vu->path == NULL)
		return -ENOMEM;
	vu->cut_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vu->cut_fd < 0)
		return sluice_vu_fail(vu, "eventfd", -errno);
	if (!vu->is_server) {
		sluice_vu_find_open(vu);
		return 0;
	}
	ret = sluice_vu_listen(vu->path, access);
	if (ret < 0)
		return sluice_vu_fail(vu, "listen", ret);
	vu->listen_fd = ret;
	if (lstat(vu->path, &vu->listen_file) < 0)
		return sluice_vu_fail(vu, "listen", -errno);
	return 0;
}

int
sluice_vhost_user_create(const struct sluice_vhost_user_conf *conf, struct sluice_transport **out)
{
	struct vhost_user *vu = calloc(1, sizeof(*vu));
	int ret;

	if (vu == NULL)
		return -ENOMEM;
	vu->base.ops = &vhost_user_ops;
	vu->is_server = conf->is_server;
	vu->sock = -1;
	vu->listen_fd = -1;
	vu->inotify_fd = -1;
	vu->cut_fd = -1;
	vu->backend.sock = -1;
	vu->regions_max = SLUICE_VU_TABLE_MAX;
	rte_spinlock_init(&vu->sock_lock);
	vu->path = strdup(conf->path);
	ret = init(vu, &conf->access);
	if (ret != 0) {
		vhost_user_destroy(&vu->base);
		return ret;
	}
	*out = &vu->base;
	return 0;
}
