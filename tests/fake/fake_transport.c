/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_common.h>

#include "fake_clock.h"
#include "fake_error.h"
#include "fake_transport.h"
#include "sluice_park.h"

static struct fake_transport *
ft_of(const struct sluice_transport *t)
{
	return (struct fake_transport *)(uintptr_t)t;
}

static struct fake_link *
last_link(struct fake_transport *ft)
{
	return &ft->links[ft->nb_links - 1];
}

static uint32_t
nb_owed(const struct fake_transport *ft)
{
	int64_t now = sluice_clock_ms();
	uint32_t nb = 0, i;

	for (i = 0; i < ft->nb_links; i++)
		if (now < ft->links[i].until)
			nb += ft->links[i].nb_held;
	return nb;
}

/* Buffers came back to the pool: was it time? */
static void
check_put(void *ctx)
{
	const struct fake_transport *ft = ctx;
	uint32_t nb_missing = ft->pool->conf.nb - ft->pool->nb_free, nb = nb_owed(ft);

	if (nb_missing < nb && !ft->is_given_up)
		fake_error("%u buffers are out of the pool, devices may reach %u", nb_missing, nb);
}

/* The device may reach what is in the rings. */
static void
hold_all(struct fake_transport *ft)
{
	last_link(ft)->nb_held = ft->nb_posted == NULL ? 0 : ft->nb_posted(ft);
}

static void
release_all(struct fake_transport *ft)
{
	if (ft->nb_links != 0)
		last_link(ft)->nb_held = 0;
}

static int
note(struct fake_transport *ft, enum fake_op op, uint16_t arg, int ret)
{
	pthread_mutex_lock(&ft->calls_lock);
	if (ft->nb_calls < FAKE_CALLS_MAX)
		ft->calls[ft->nb_calls++] = (struct fake_call){
			.op = op, .arg = arg, .ret = ret, .at = sluice_clock_ms()
		};
	ft->nb_by_op[op]++;
	pthread_mutex_unlock(&ft->calls_lock);
	return ret;
}

/* How an exchange ends. */
static int
answer(struct fake_transport *ft, enum fake_op op)
{
	/* The kernel changes an IOMMU's tables, whatever the device does. */
	bool is_told = op != FAKE_PUBLISH || !ft->is_pci;

	if (is_told && op != FAKE_CONNECT && (!ft->is_connected || ft->is_broken))
		return -ENOTCONN;
	if (ft->on_talk != NULL)
		ft->on_talk(ft, op);
	if (is_told && op != FAKE_CONNECT && sluice_transport_is_cut(&ft->base))
		return -ECANCELED;
	if (ft->delay_ms != 0) {
		fake_clock_add(RTE_MIN(ft->delay_ms, (int64_t)sluice_transport_left(&ft->base)));
		if (sluice_transport_left(&ft->base) == 0)
			return -ETIMEDOUT;
	}
	if (ft->fail_at == FAKE_NEVER || ft->fail_at-- != 0)
		return 0;
	ft->fail_at = FAKE_NEVER;
	/* All of the time that there was has passed. */
	if (ft->fail_ret == -ETIMEDOUT)
		fake_clock_add(sluice_transport_left(&ft->base));
	return ft->fail_ret;
}

static int
talk(struct fake_transport *ft, enum fake_op op, uint16_t arg)
{
	int ret = answer(ft, op);

	if (ret != 0 && ret != -EREMOTEIO && (op != FAKE_PUBLISH || !ft->is_pci))
		ft->is_broken = true;
	return note(ft, op, arg, ret);
}

static int
fake_connect(struct sluice_transport *t, struct sluice_device_info *info)
{
	struct fake_transport *ft = ft_of(t);
	int pair[2] = { -1, -1 };

	if (ft->is_connected)
		fake_error("connect() while connected");
	if (!ft->is_there)
		return note(ft, FAKE_CONNECT, 0, -EAGAIN);
	if (!ft->is_pci &&
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) <
					0)
		return -errno;
	if (ft->nb_links == FAKE_LINKS_MAX) {
		memmove(&ft->links[0], &ft->links[1], (FAKE_LINKS_MAX - 1) * sizeof(ft->links[0]));
		ft->nb_links--;
	}
	ft->links[ft->nb_links++] = (struct fake_link){ .theirs = pair[1], .until = INT64_MAX };
	ft->sock = pair[0];
	ft->is_connected = true;
	ft->is_broken = false;
	ft->started = 0;
	ft->stopped = 0;
	ft->check_answer = 0;
	__atomic_store_n(&t->is_cut, 0, __ATOMIC_RELEASE);
	*info = ft->info;
	return talk(ft, FAKE_CONNECT, 0);
}

static int
fake_disconnect(struct sluice_transport *t)
{
	struct fake_transport *ft = ft_of(t);
	int sock = ft->sock;

	note(ft, FAKE_DISCONNECT, 0, 0);
	if (!ft->is_connected)
		return -1;
	ft->is_connected = false;
	ft->sock = -1;
	if (ft->is_pci || ft->started == ft->stopped)
		release_all(ft);
	last_link(ft)->until = sluice_clock_ms() +
			(last_link(ft)->theirs < 0 ? SLUICE_PARK_GRACE_MS :
						     SLUICE_PARK_DEADLINE_MS);
	return sock;
}

static bool
fake_is_connected(const struct sluice_transport *t)
{
	return ft_of(t)->is_connected;
}

static int
fake_check_whole(struct sluice_transport *t)
{
	struct fake_transport *ft = ft_of(t);

	return ft->is_broken ? -EPROTO : ft->check_answer;
}

static void
fake_cut(struct sluice_transport *t)
{
	__atomic_store_n(&t->is_cut, 1, __ATOMIC_RELEASE);
	note(ft_of(t), FAKE_CUT, 0, 0);
}

static int
fake_begin(struct sluice_transport *t, sluice_features features, uint16_t mtu)
{
	RTE_SET_USED(mtu);
	ft_of(t)->features = features;
	ft_of(t)->nb_begins++;
	ft_of(t)->started = 0;
	ft_of(t)->stopped = 0;
	ft_of(t)->disabled = 0;
	ft_of(t)->forgotten = 0;
	return talk(ft_of(t), FAKE_BEGIN, 0);
}

/* What the domain shows. A back end is told by a message, an IOMMU by the kernel. */
static int
fake_show(void *ctx, const struct dmap_region *regions, unsigned int nb)
{
	struct fake_transport *ft = (void *)((char *)ctx - offsetof(struct fake_transport, dom));
	int ret;

	if (ft->is_pci && nb == 0) {
		note(ft, FAKE_REVOKE, 0, 0);
		release_all(ft);
		return fake_domain_backend.show(ctx, regions, nb);
	}
	ret = talk(ft, FAKE_PUBLISH, 0);
	return ret != 0 ? ret : fake_domain_backend.show(ctx, regions, nb);
}

static int
fake_vq_start(struct sluice_transport *t, const struct sluice_vq_setup *vq)
{
	struct fake_transport *ft = ft_of(t);

	/* Whatever it answers, it may have heard. */
	ft->started |= 1u << vq->vq;
	ft->forgotten &= ~(1u << vq->vq);
	ft->vqs[vq->vq] = *vq;
	hold_all(ft);
	return talk(ft, FAKE_VQ_START, vq->vq);
}

static int
fake_commit(struct sluice_transport *t, uint16_t nb_vqs)
{
	RTE_SET_USED(nb_vqs);
	hold_all(ft_of(t));
	return talk(ft_of(t), FAKE_COMMIT, 0);
}

static int
fake_vq_enable(struct sluice_transport *t, uint16_t vq, bool is_enabled)
{
	struct fake_transport *ft = ft_of(t);
	int ret = talk(ft, FAKE_VQ_ENABLE, vq);

	if (ret == 0 && is_enabled)
		ft->disabled &= ~(1u << vq);
	else if (ret == 0)
		ft->disabled |= 1u << vq;
	return ret;
}

static int
fake_vq_stop(struct sluice_transport *t, uint16_t vq)
{
	struct fake_transport *ft = ft_of(t);
	int ret = talk(ft, FAKE_VQ_STOP, vq);

	if (ret == 0)
		ft->stopped |= 1u << vq;
	if (ft->started == ft->stopped)
		release_all(ft);
	return ret;
}

/* A device that has it as a feature. */
static int
fake_vq_reset(struct sluice_transport *t, uint16_t vq)
{
	struct fake_transport *ft = ft_of(t);
	int ret;

	if (!(ft->features & SLUICE_BIT(SLUICE_F_RING_RESET)))
		fake_error("virtqueue %u is reset without RING_RESET", vq);
	if (!(ft->started & 1u << vq) || (ft->forgotten & 1u << vq))
		fake_error("virtqueue %u is reset, and was not started", vq);
	ret = talk(ft, FAKE_VQ_RESET, vq);
	if (ret == 0) {
		ft->forgotten |= 1u << vq;
		hold_all(ft);
	}
	return ret;
}

static int
fake_reset(struct sluice_transport *t)
{
	struct fake_transport *ft = ft_of(t);
	int ret = talk(ft, FAKE_RESET, 0);

	/* With registers it ends by stopping. */
	if (ft->is_pci)
		release_all(ft);
	return ret;
}

static unsigned int
fake_poll_fds(struct sluice_transport *t, bool wants_peer, struct pollfd *pfds)
{
	RTE_SET_USED(wants_peer);
	pfds[0] = (struct pollfd){ .fd = ft_of(t)->sock, .events = POLLIN };
	return ft_of(t)->sock >= 0 ? 1 : 0;
}

static enum sluice_news
fake_polled(struct sluice_transport *t, const struct pollfd *pfds, unsigned int nb)
{
	RTE_SET_USED(t);
	return nb != 0 && pfds[0].revents != 0 ? SLUICE_NEWS_DEVICE : SLUICE_NEWS_NONE;
}

static uint16_t
fake_vq_size_max(const struct sluice_transport *t, uint32_t vq)
{
	uint32_t ctrl = SLUICE_VQ_CTRL(ft_of(t)->info.nb_pairs_max);

	return vq < ctrl ? 256 : vq == ctrl ? ft_of(t)->ctrl_size : 0;
}

static struct sluice_notify
fake_notify(const struct sluice_transport *t, uint16_t vq)
{
	RTE_SET_USED(vq);
	return (struct sluice_notify){ .addr = &ft_of(t)->reg };
}

static int
fake_notify_pages(
		const struct sluice_transport *t, uint16_t nb_vqs, struct sluice_notify_pages *out)
{
	struct fake_transport *ft = ft_of(t);

	if (nb_vqs == 0 || (uint32_t)ft->started + 1 < 1u << nb_vqs)
		fake_error("the registers of %u virtqueues, which were not all started", nb_vqs);
	*out = ft->pages;
	return ft->pages_error;
}

static int
fake_set_queue_irqs(struct sluice_transport *t, const int *fds, uint16_t nb)
{
	ft_of(t)->irq_fds = fds;
	ft_of(t)->nb_irq_fds = nb;
	return 0;
}

static void
fake_state(struct sluice_transport *t, struct sluice_device_state *state)
{
	*state = ft_of(t)->state;
}

void
fake_transport_init(struct fake_transport *ft, bool is_pci)
{
	memset(ft, 0, sizeof(*ft));
	pthread_mutex_init(&ft->calls_lock, NULL);
	ft->is_pci = is_pci;
	ft->ops = (struct sluice_transport_ops){
		.name = "fake",
		.peer = is_pci ? "device" : "back end",
		.connect = fake_connect,
		.disconnect = fake_disconnect,
		.is_connected = fake_is_connected,
		.check = fake_check_whole,
		.cut = fake_cut,
		.begin = fake_begin,
		.vq_start = fake_vq_start,
		.commit = fake_commit,
		.vq_stop = fake_vq_stop,
		.reset = fake_reset,
		.poll_fds = fake_poll_fds,
		.polled = fake_polled,
	};
	ft->backend = is_pci ? fake_domain_backend : fake_domain_remote_backend;
	ft->backend.show = fake_show;
	if (is_pci) {
		ft->ops.flags = SLUICE_TRANSPORT_HAS_REGISTERS | SLUICE_TRANSPORT_CAN_REVOKE |
				SLUICE_TRANSPORT_HAS_STATUS | SLUICE_TRANSPORT_HAS_CTRL_VQ |
				SLUICE_TRANSPORT_HAS_READ_ONLY;
		ft->ops.vq_size_max = fake_vq_size_max;
		ft->ops.vq_reset = fake_vq_reset;
		ft->ops.notify = fake_notify;
		ft->ops.notify_pages = fake_notify_pages;
		ft->ops.set_queue_irqs = fake_set_queue_irqs;
		ft->ops.state = fake_state;
	} else {
		ft->ops.flags = SLUICE_TRANSPORT_CAN_DISABLE;
		ft->ops.vq_enable = fake_vq_enable;
	}
	ft->base.ops = &ft->ops;
	ft->info = (struct sluice_device_info){ .features = UINT64_MAX, .nb_pairs_max = 1 };
	ft->state = (struct sluice_device_state){ .is_link_up = true, .speed = UINT32_MAX };
	ft->is_there = true;
	ft->ctrl_size = 64;
	ft->pages.fd = -1;
	ft->fail_at = FAKE_NEVER;
	ft->sock = -1;
	fake_domain_init(&ft->dom, is_pci);
	ft->dom.keeps_coherent = true;
}

void
fake_transport_fini(struct fake_transport *ft)
{
	if (ft->is_connected)
		fake_error("the device is still connected");
	while (ft->nb_links != 0)
		fake_transport_hang_up(ft, --ft->nb_links);
	if (ft->pool != NULL)
		ft->pool->on_put = NULL;
	pthread_mutex_destroy(&ft->calls_lock);
	fake_domain_fini(&ft->dom);
}

void
fake_transport_watch(struct fake_transport *ft, struct fake_pool *pool)
{
	ft->pool = pool;
	pool->on_put = check_put;
	pool->on_put_ctx = ft;
}

void
fake_transport_fail(struct fake_transport *ft, uint32_t nth, int ret)
{
	ft->fail_at = nth;
	ft->fail_ret = ret;
}

void
fake_transport_hang_up(struct fake_transport *ft, uint32_t nth)
{
	struct fake_link *l = &ft->links[nth];

	if (l->theirs >= 0)
		close(l->theirs);
	l->theirs = -1;
	/* What runs is let go in the end, too. */
	l->until = RTE_MIN(l->until, sluice_clock_ms() + SLUICE_PARK_GRACE_MS);
}

void
fake_transport_hang_up_all(struct fake_transport *ft)
{
	uint32_t i;

	for (i = 0; i < ft->nb_links; i++)
		if (i + 1 != ft->nb_links || !ft->is_connected)
			fake_transport_hang_up(ft, i);
}

void
fake_transport_forget(struct fake_transport *ft)
{
	ft->nb_calls = 0;
	memset(ft->nb_by_op, 0, sizeof(ft->nb_by_op));
}

const char *
fake_transport_calls(struct fake_transport *ft)
{
	static const char *const names[FAKE_NB_OPS] = { "CONNECT", "BEGIN", "PUBLISH", "VQ_START",
		"COMMIT", "VQ_ENABLE", "VQ_STOP", "VQ_RESET", "RESET", "REVOKE", "DISCONNECT",
		"CUT" };
	static char text[2048];
	size_t len = 0;
	uint32_t i;

	text[0] = '\0';
	for (i = 0; i < ft->nb_calls && len < sizeof(text) - 32; i++) {
		const struct fake_call *c = &ft->calls[i];
		bool has_arg = c->op == FAKE_VQ_START || c->op == FAKE_VQ_ENABLE ||
				c->op == FAKE_VQ_STOP || c->op == FAKE_VQ_RESET;

		len += snprintf(text + len, sizeof(text) - len, "%s%s", i == 0 ? "" : " ",
				names[c->op]);
		if (has_arg)
			len += snprintf(text + len, sizeof(text) - len, " %u", c->arg);
	}
	return text;
}
