/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The PCI transport of modern virtio devices (virtio 1.3, 4.1). The device is open from create to
 * destroy; "connected" means that it was reset and that its features are known. It is not trusted
 * to keep to what it said before, so what matters is read again and compared.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pci_common.h"
#include "pci_describe.h"
#include "pci_irq.h"
#include "sluice_log.h"

/* What is accepted to have a look at the queues; each start of the port negotiates anew. */
#define QUEUE_FEATURES \
	(SLUICE_BIT(SLUICE_F_VERSION_1) | SLUICE_BIT(SLUICE_F_ACCESS_PLATFORM) | \
			SLUICE_ORDER_FEATURES | SLUICE_BIT(SLUICE_NET_F_MQ) | \
			SLUICE_BIT(SLUICE_NET_F_CTRL_VQ))

/* For the reset of a device that nobody has talked to yet. */
#define RESET_MS 3000

struct pci {
	struct sluice_transport base;
	struct pci_device dev;
	char *name;
	uint16_t nb_pairs_max; /* looked at */
	bool is_connected;
	struct pci_irq irq;
	sluice_features offered;
	sluice_features features; /* negotiated */
	uint32_t ctrl_vq;
	uint32_t nb_vqs; /* entries of the arrays below: data queues, and the control queue last */
	struct pci_vq *vqs; /* after reset */
	uint64_t *notify_at;
};

static struct pci *
pci_of(const struct sluice_transport *t)
{
	return (struct pci *)(uintptr_t)t;
}

/* Entry of a virtqueue in the arrays; nb_vqs: none. */
static uint32_t
index_of(const struct pci *p, uint32_t vq)
{
	if (vq == p->ctrl_vq)
		return p->nb_vqs - 1;
	return vq < p->nb_vqs - 1 ? vq : p->nb_vqs;
}

static int
check_features(const struct pci *p)
{
	if (!sluice_has(p->offered, SLUICE_F_VERSION_1)) {
		SLUICE_LOG(ERR,
				"%s: the device does not offer VIRTIO_F_VERSION_1 "
				"(features %s): legacy devices are not supported (QEMU: disable-modern=off)",
				p->name, sluice_features_text(p->offered).text);
		return -ENOTSUP;
	}
	if (!sluice_has(p->offered, SLUICE_F_ACCESS_PLATFORM)) {
		SLUICE_LOG(ERR,
				"%s: the device does not offer VIRTIO_F_ACCESS_PLATFORM: it bypasses the IOMMU "
				"and could reach all memory of the machine (QEMU: give the device "
				"iommu_platform=on,disable-legacy=on)",
				p->name);
		return -EPERM;
	}
	return 0;
}

/* Sizes and notification places of the queues that the port may use. */
static int
read_queues(struct pci *p, uint16_t nb_pairs)
{
	uint32_t nb = 2 * (uint32_t)RTE_MIN(nb_pairs, p->nb_pairs_max), i;

	free(p->vqs);
	free(p->notify_at);
	p->nb_vqs = nb + 1;
	p->vqs = calloc(p->nb_vqs, sizeof(p->vqs[0]));
	p->notify_at = calloc(p->nb_vqs, sizeof(p->notify_at[0]));
	if (p->vqs == NULL || p->notify_at == NULL)
		return -ENOMEM;
	for (i = 0; i < nb; i++) {
		p->vqs[i] = sluice_pci_read_vq(&p->dev, i);
		if (p->vqs[i].size == 0 || p->vqs[i].size > SLUICE_QUEUE_SIZE_MAX) {
			SLUICE_LOG(ERR, "%s: virtqueue %u has a size of %u", p->name, i,
					p->vqs[i].size);
			return -EPROTO;
		}
	}
	p->ctrl_vq = UINT32_MAX;
	if (sluice_has(p->offered, SLUICE_NET_F_CTRL_VQ)) {
		p->ctrl_vq = SLUICE_VQ_CTRL(nb_pairs);
		p->vqs[nb] = sluice_pci_read_vq(&p->dev, p->ctrl_vq);
	}
	return 0;
}

static int
handshake(struct pci *p, struct sluice_device_info *info)
{
	int ret;

	p->dev.ops->set_running(p->dev.ctx, true);
	ret = sluice_pci_reset(&p->dev, &p->base);
	if (ret != 0)
		return ret;
	sluice_pci_add_status(&p->dev, SLUICE_STATUS_ACKNOWLEDGE);
	sluice_pci_add_status(&p->dev, SLUICE_STATUS_DRIVER);
	p->offered = sluice_pci_read_features(&p->dev);
	ret = check_features(p);
	if (ret != 0)
		return ret;
	if (!sluice_has(p->offered, SLUICE_NET_F_CTRL_VQ))
		p->offered &= ~SLUICE_NET_CTRL_FEATURES;
	if (p->dev.caps.device.len <= SLUICE_NET_CONFIG_DUPLEX)
		p->offered &= ~SLUICE_BIT(SLUICE_NET_F_SPEED_DUPLEX);
	if (p->dev.caps.device.len < SLUICE_NET_CONFIG_RSS_END)
		p->offered &= ~SLUICE_NET_HASH_FEATURES;
	if (p->dev.caps.common.len < PCI_COMMON_RESET_LEN)
		p->offered &= ~SLUICE_BIT(SLUICE_F_RING_RESET);
	/* Some devices have their queues only when they know that there will be many. */
	ret = sluice_pci_accept_features(&p->dev, p->offered & QUEUE_FEATURES);
	if (ret != 0)
		return ret;
	*info = (struct sluice_device_info){ .features = p->offered };
	info->has_ats = sluice_pci_has_ats(&p->dev);
	ret = sluice_pci_read_info(&p->dev, info);
	return ret == 0 ? read_queues(p, info->nb_pairs_max) : ret;
}

static int
pci_connect(struct sluice_transport *t, struct sluice_device_info *info)
{
	struct pci *p = pci_of(t);
	int ret;

	if (t->is_retry && sluice_pci_status(&p->dev) == PCI_STATUS_GONE)
		return -EAGAIN;
	rte_atomic_store_explicit(&t->is_cut, 0, rte_memory_order_release);
	p->is_connected = true;
	ret = handshake(p, info);
	if (ret != 0 && ret != -ENODEV)
		sluice_pci_add_status(&p->dev, SLUICE_STATUS_FAILED);
	return ret;
}

static void
pci_cut(struct sluice_transport *t)
{
	struct pci *p = pci_of(t);

	rte_atomic_store_explicit(&t->is_cut, 1, rte_memory_order_release);
	p->dev.ops->set_running(p->dev.ctx, false);
}

static int
pci_reset(struct sluice_transport *t)
{
	struct pci *p = pci_of(t);
	int ret = sluice_pci_reset(&p->dev, &p->base);

	p->features = 0;
	/* The word of a device is good, the end of its bus mastership is better. */
	if (ret != 0)
		p->dev.ops->set_running(p->dev.ctx, false);
	return ret;
}

static int
pci_disconnect(struct sluice_transport *t)
{
	struct pci *p = pci_of(t);

	if (p->is_connected)
		pci_reset(t);
	p->is_connected = false;
	return -1;
}

/* A device does not hang up; state() says whether it is there. One that was cut does nothing. */
static int
pci_check(struct sluice_transport *t)
{
	return sluice_transport_is_cut(t) ? -ECONNRESET : 0;
}

static bool
pci_is_connected(const struct sluice_transport *t)
{
	return pci_of(t)->is_connected;
}

static int
pci_begin(struct sluice_transport *t, sluice_features features, uint16_t mtu)
{
	struct pci *p = pci_of(t);
	int ret = sluice_pci_reset(&p->dev, &p->base);

	RTE_SET_USED(mtu); /* there is no way to tell it */
	if (ret != 0)
		return ret;
	sluice_pci_add_status(&p->dev, SLUICE_STATUS_ACKNOWLEDGE);
	sluice_pci_add_status(&p->dev, SLUICE_STATUS_DRIVER);
	ret = sluice_pci_accept_features(&p->dev, features);
	if (ret != 0) {
		sluice_pci_add_status(&p->dev, SLUICE_STATUS_FAILED);
		return ret;
	}
	p->features = features;
	/* Without an interrupt changes are seen a little later. */
	if (p->irq.is_on && p->dev.caps.nb_vectors != 0 &&
			!sluice_pci_map_config_vector(&p->dev, 0))
		SLUICE_LOG(WARNING, "%s: the device has no interrupt for configuration changes",
				p->name);
	return 0;
}

static int
pci_vq_start(struct sluice_transport *t, const struct sluice_vq_setup *vq)
{
	struct pci *p = pci_of(t);
	uint32_t i = index_of(p, vq->vq);
	uint8_t notify_len = sluice_has(p->features, SLUICE_F_NOTIFICATION_DATA) ? 4 : 2;
	int ret;

	if (i == p->nb_vqs || vq->size > p->vqs[i].size) {
		SLUICE_LOG(ERR, "%s: virtqueue %u with %u slots is more than the device has",
				p->name, vq->vq, vq->size);
		return -EINVAL;
	}
	ret = sluice_pci_irq_map(&p->dev, &p->irq, vq);
	if (ret != 0)
		return ret;
	return sluice_pci_enable_vq(&p->dev, vq, &p->vqs[i], notify_len, &p->notify_at[i]);
}

static int
pci_commit(struct sluice_transport *t, uint16_t nb_vqs)
{
	struct pci *p = pci_of(t);
	uint8_t status;

	RTE_SET_USED(nb_vqs);
	sluice_pci_add_status(&p->dev, SLUICE_STATUS_DRIVER_OK);
	status = sluice_pci_status(&p->dev);
	if (status ==
			(SLUICE_STATUS_ACKNOWLEDGE | SLUICE_STATUS_DRIVER |
					SLUICE_STATUS_FEATURES_OK | SLUICE_STATUS_DRIVER_OK))
		return 0;
	SLUICE_LOG(ERR, "%s: the device does not start: status 0x%02x", p->name, status);
	return status == PCI_STATUS_GONE ? -ENODEV : -EPROTO;
}

static int
pci_vq_stop(struct sluice_transport *t, uint16_t vq)
{
	/* All stop together, by the reset that follows. */
	RTE_SET_USED(t);
	RTE_SET_USED(vq);
	return 0;
}

static int
pci_vq_reset(struct sluice_transport *t, uint16_t vq)
{
	struct pci *p = pci_of(t);

	return sluice_pci_reset_vq(&p->dev, t, vq);
}

static unsigned int
pci_poll_fds(struct sluice_transport *t, bool wants_peer, struct pollfd *pfds)
{
	RTE_SET_USED(wants_peer);
	pfds[0] = (struct pollfd){ .fd = pci_of(t)->irq.event_fd, .events = POLLIN };
	return 1;
}

static enum sluice_news
pci_polled(struct sluice_transport *t, const struct pollfd *pfds, unsigned int nb)
{
	struct pci *p = pci_of(t);
	uint64_t count;

	/* One read takes however many interrupts there were. */
	if (nb == 0 || pfds[0].revents == 0 || read(p->irq.event_fd, &count, sizeof(count)) < 0)
		return SLUICE_NEWS_NONE;
	return SLUICE_NEWS_DEVICE;
}

static uint16_t
pci_vq_size_max(const struct sluice_transport *t, uint32_t vq)
{
	const struct pci *p = pci_of(t);
	uint32_t i = p->nb_vqs == 0 ? 0 : index_of(p, vq);

	return i < p->nb_vqs ? p->vqs[i].size : 0;
}

static struct sluice_notify
pci_notify(const struct sluice_transport *t, uint16_t vq)
{
	const struct pci *p = pci_of(t);
	uint32_t i = index_of(p, vq);

	return (struct sluice_notify){
		.addr = p->dev.ops->address(p->dev.ctx, p->dev.caps.notify.bar, p->notify_at[i]),
		.has_data = sluice_has(p->features, SLUICE_F_NOTIFICATION_DATA),
	};
}

/* All that lies between the first and the last one, but whole pages, of which a mapping is made. */
static int
pci_notify_pages(const struct sluice_transport *t, uint16_t nb_vqs, struct sluice_notify_pages *out)
{
	const struct pci *p = pci_of(t);
	uint64_t page = getpagesize(), lo = UINT64_MAX, hi = 0, at, offset;
	uint8_t bar = p->dev.caps.notify.bar;
	uint16_t vq;
	int fd = p->dev.ops->file(p->dev.ctx, bar, &offset);

	if (fd < 0)
		return fd;
	for (vq = 0; vq < nb_vqs; vq++) {
		at = p->notify_at[index_of(p, vq)];
		lo = RTE_MIN(lo, RTE_ALIGN_FLOOR(at, page));
		hi = RTE_MAX(hi, RTE_ALIGN_FLOOR(at, page) + page);
	}
	*out = (struct sluice_notify_pages){
		.va = (void *)(uintptr_t)p->dev.ops->address(p->dev.ctx, bar, lo),
		.len = hi - lo,
		.fd = fd,
		.offset = offset + lo,
	};
	return 0;
}

static int
pci_set_queue_irqs(struct sluice_transport *t, const int *fds, uint16_t nb)
{
	struct pci *p = pci_of(t);

	return sluice_pci_irq_set(&p->dev, &p->irq, fds, nb);
}

static void
pci_state(struct sluice_transport *t, struct sluice_device_state *state)
{
	struct pci *p = pci_of(t);

	sluice_pci_read_state(&p->dev, p->offered, state);
}

static void
pci_describe(const struct sluice_transport *t, char *buf, size_t len)
{
	sluice_pci_describe(&pci_of(t)->dev, buf, len);
}

static unsigned int
pci_regs(struct sluice_transport *t, uint32_t *out, unsigned int nb)
{
	struct pci *p = pci_of(t);

	return sluice_pci_read_regs(&p->dev, out, nb);
}

static void
pci_destroy(struct sluice_transport *t)
{
	struct pci *p = pci_of(t);

	pci_disconnect(t);
	if (p->irq.is_on)
		p->dev.ops->irq_stop(p->dev.ctx);
	p->dev.ops->close(p->dev.ctx);
	if (p->irq.event_fd >= 0)
		close(p->irq.event_fd);
	free(p->vqs);
	free(p->notify_at);
	free(p->name);
	free(p);
}

static const struct sluice_transport_ops pci_ops = {
	.name = "pci",
	.peer = "device",
	.flags = SLUICE_TRANSPORT_HAS_REGISTERS | SLUICE_TRANSPORT_CAN_REVOKE |
			SLUICE_TRANSPORT_HAS_STATUS | SLUICE_TRANSPORT_HAS_CTRL_VQ |
			SLUICE_TRANSPORT_HAS_READ_ONLY,
	.features = SLUICE_BIT(SLUICE_F_ACCESS_PLATFORM) | SLUICE_BIT(SLUICE_F_NOTIFICATION_DATA) |
			SLUICE_BIT(SLUICE_F_RING_RESET) | SLUICE_ORDER_FEATURES |
			SLUICE_BIT(SLUICE_NET_F_MAC) | SLUICE_BIT(SLUICE_NET_F_SPEED_DUPLEX),
	.connect = pci_connect,
	.disconnect = pci_disconnect,
	.is_connected = pci_is_connected,
	.check = pci_check,
	.cut = pci_cut,
	.begin = pci_begin,
	.vq_start = pci_vq_start,
	.commit = pci_commit,
	.vq_stop = pci_vq_stop,
	.vq_reset = pci_vq_reset,
	.reset = pci_reset,
	.poll_fds = pci_poll_fds,
	.polled = pci_polled,
	.vq_size_max = pci_vq_size_max,
	.notify = pci_notify,
	.notify_pages = pci_notify_pages,
	.set_queue_irqs = pci_set_queue_irqs,
	.state = pci_state,
	.describe = pci_describe,
	.regs = pci_regs,
	.destroy = pci_destroy,
};

/* The device without a transport around it, or what there is of one. */
static int
init(struct pci *p)
{
	int ret = p->name == NULL ? -ENOMEM : 0;

	if (ret == 0)
		ret = sluice_pci_find_caps(&p->dev);
	if (ret != 0)
		return ret;
	p->irq.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->irq.event_fd < 0) {
		ret = -errno;
		SLUICE_LOG(ERR, "%s: no eventfd for interrupts: %s (ulimit -n)", p->name,
				strerror(-ret));
		return ret;
	}
	/* Quiet before anybody listens: firmware or an earlier driver may have left it running. */
	sluice_transport_begin(&p->base, RESET_MS);
	ret = sluice_pci_reset(&p->dev, &p->base);
	if (ret != 0)
		return ret;
	if (sluice_pci_irq_start(&p->dev, &p->irq, NULL, 0) != 0)
		SLUICE_LOG(NOTICE, "%s: no interrupt: link changes are seen by polling", p->name);
	return 0;
}

int
sluice_pci_create(const struct sluice_pci_conf *conf, struct sluice_transport **out)
{
	struct pci *p = calloc(1, sizeof(*p));
	int ret;

	if (p == NULL)
		return -ENOMEM;
	p->base.ops = &pci_ops;
	p->name = strdup(conf->name);
	p->dev = (struct pci_device){ .name = p->name, .ops = conf->ops, .ctx = conf->ctx };
	p->nb_pairs_max = conf->nb_pairs_max;
	p->irq.event_fd = -1;
	p->ctrl_vq = UINT32_MAX;
	ret = init(p);
	if (ret == 0) {
		*out = &p->base;
		return 0;
	}
	if (p->irq.event_fd >= 0)
		close(p->irq.event_fd);
	free(p->name);
	free(p);
	return ret;
}
