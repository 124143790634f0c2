/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_string_fns.h>

#include "sluice_log.h"
#include "sluice_spec.h"
#include "vhost_kernel_tap.h"

#define TUN_NODE "/dev/net/tun"

/* Linux 6.2 and later; headers may be older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* Of a new interface: the net header of legacy devices. */
#define FRESH_HDR_LEN 10

/* An interface that may be there already. */
struct found {
	bool is_there;
	bool is_tun;        /* made by the same driver of the kernel */
	unsigned int flags; /* then: IFF_TAP or IFF_TUN, and more */
};

static int
set_flags(struct vk_tap *tap, uint16_t queue, unsigned long request, unsigned int flags,
		const char *name, char *is)
{
	struct ifreq ifr = { .ifr_flags = flags };
	int ret;

	strlcpy(ifr.ifr_name, name, sizeof(ifr.ifr_name));
	ret = tap->sys->ioctl(tap->queues[queue].fd, request, &ifr);
	if (ret >= 0 && is != NULL)
		strlcpy(is, ifr.ifr_name, IFNAMSIZ);
	return ret < 0 ? ret : 0;
}

/* What the kernel says of an interface, where this process sees it. */
static struct found
find(const struct vk_tap *tap)
{
	struct found f = { false };
	char path[64], text[32];

	snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", tap->wanted);
	f.is_there = tap->sys->read_file(path, text, sizeof(text)) > 0;
	snprintf(path, sizeof(path), "/sys/class/net/%s/tun_flags", tap->wanted);
	f.is_tun = tap->sys->read_file(path, text, sizeof(text)) > 0;
	if (f.is_tun)
		f.flags = strtoul(text, NULL, 0);
	return f;
}

bool
sluice_vk_tap_exists(const struct vk_tap *tap)
{
	return find(tap).is_there;
}

/* The kernel has one error for all of these. */
static int
check_found(const struct vk_tap *tap, const struct found *f)
{
	const char *name = tap->wanted;

	if (f->is_there && !f->is_tun) {
		SLUICE_LOG(ERR,
				"iface=%s: an interface of another kind has this name: give another "
				"one, or none for the next free tap",
				name);
		return -EINVAL;
	}
	if (f->is_tun && !(f->flags & IFF_TAP)) {
		SLUICE_LOG(ERR,
				"iface=%s: the interface has packets, no frames (tun): give another name, "
				"or make it anew: ip tuntap add dev %s mode tap",
				name, name);
		return -EINVAL;
	}
	if (f->is_tun && !(f->flags & IFF_MULTI_QUEUE) && tap->nb_queues > 1) {
		SLUICE_LOG(ERR,
				"iface=%s: queues=%u, and the interface has one: give queues=1, or make it "
				"anew: ip tuntap add dev %s mode tap multi_queue",
				name, tap->nb_queues, name);
		return -EINVAL;
	}
	return 0;
}

static int
explain(const struct vk_tap *tap, const struct found *f, int err)
{
	const char *name = tap->wanted;

	if (err == -EPERM && f->is_there)
		SLUICE_LOG(ERR,
				"iface=%s: the interface is another user's, and taking it needs "
				"CAP_NET_ADMIN: run as its owner, or make it anew: ip tuntap add dev %s "
				"mode tap user %u",
				name, name, geteuid());
	else if (err == -EPERM)
		SLUICE_LOG(ERR,
				"iface=%s: there is no such interface, and making it needs CAP_NET_ADMIN: "
				"have it made: ip tuntap add dev %s mode tap user %u%s",
				name, name, geteuid(), tap->nb_queues > 1 ? " multi_queue" : "");
	else if (err == -EBUSY)
		SLUICE_LOG(ERR, "iface=%s: the interface is in use: end who has it, or give another name",
				name);
	else if (err == -E2BIG)
		SLUICE_LOG(ERR,
				"iface=%s: queues=%u are more than the kernel has for an interface: "
				"give fewer",
				name, tap->nb_queues);
	else
		SLUICE_LOG(ERR, "iface=%s: the kernel does not take it (TUNSETIFF): %s", name,
				strerror(-err));
	return err;
}

static int
explain_node(const struct vk_tap *tap, int err)
{
	const char *cure = "";

	if (err == -ENOENT || err == -ENODEV || err == -ENXIO)
		cure = ": load the module: modprobe tun";
	else if (err == -EACCES || err == -EPERM)
		cure = ": this user needs the right to read and write it";
	SLUICE_LOG(ERR, "iface=%s: /dev/net/tun: %s%s", tap->wanted, strerror(-err), cure);
	return err;
}

static int
fail(const struct vk_tap *tap, const char *step, int err)
{
	SLUICE_LOG(ERR, "iface=%s: %s failed: %s", tap->name, step, strerror(-err));
	return err;
}

static int
open_queue(struct vk_tap *tap, uint16_t queue, const struct found *f)
{
	unsigned int flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	/* The first may have got its number from the kernel. */
	const char *name = queue == 0 ? tap->wanted : tap->name;
	int fd = tap->sys->open(TUN_NODE), ret;

	if (fd < 0)
		return explain_node(tap, fd);
	tap->queues[queue] = (struct vk_tap_queue){ .fd = fd };
	if (tap->is_multi)
		flags |= IFF_MULTI_QUEUE;
	ret = set_flags(tap, queue, TUNSETIFF, flags, name, tap->name);
	return ret != 0 ? explain(tap, f, ret) : 0;
}

static int
open_all(struct vk_tap *tap)
{
	struct found f = find(tap);
	int ret = check_found(tap, &f);
	uint16_t i;

	if (ret != 0)
		return ret;
	tap->is_multi = tap->nb_queues > 1 || (f.flags & IFF_MULTI_QUEUE) != 0;
	for (i = 0; i < tap->nb_queues && ret == 0; i++)
		ret = open_queue(tap, i, &f);
	if (ret != 0)
		return ret;
	ret = tap->sys->control_socket();
	if (ret < 0)
		return fail(tap, "socket", ret);
	tap->control_fd = ret;
	/* Without it changes are seen a little later. */
	tap->news_fd = tap->sys->link_news();
	if (tap->news_fd < 0)
		tap->news_fd = -1;
	return 0;
}

/* Both kinds of offloads come and go together. */
static void
look_for_uso(struct vk_tap *tap)
{
	uintptr_t with = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6;

	tap->has_uso = tap->sys->ioctl(tap->queues[0].fd, TUNSETOFFLOAD, (void *)with) >= 0;
}

int
sluice_vk_tap_open(struct vk_tap *tap)
{
	int ret;

	if (tap->is_open)
		return 0;
	strlcpy(tap->name, tap->wanted, sizeof(tap->name));
	ret = open_all(tap);
	if (ret != 0) {
		sluice_vk_tap_close(tap);
		return ret;
	}
	tap->is_open = true;
	/* Should it be lost, the one with the same number is meant. */
	strlcpy(tap->wanted, tap->name, sizeof(tap->wanted));
	look_for_uso(tap);
	return sluice_vk_tap_set_offloads(tap, 0);
}

static void
close_fd(const struct vk_tap *tap, int *fd)
{
	if (*fd >= 0)
		tap->sys->close(*fd);
	*fd = -1;
}

void
sluice_vk_tap_close(struct vk_tap *tap)
{
	uint16_t i;

	for (i = 0; i < tap->nb_queues; i++)
		close_fd(tap, &tap->queues[i].fd);
	close_fd(tap, &tap->control_fd);
	close_fd(tap, &tap->news_fd);
	tap->is_open = false;
}

/* Of the namespace that it was opened in, by the name that it has now. */
static int
control(const struct vk_tap *tap, unsigned long request, struct ifreq *ifr)
{
	int ret;

	strlcpy(ifr->ifr_name, tap->name, sizeof(ifr->ifr_name));
	ret = tap->sys->ioctl(tap->control_fd, request, ifr);
	return ret < 0 ? ret : 0;
}

int
sluice_vk_tap_look(struct vk_tap *tap, bool *is_up)
{
	int ready = tap->sys->ready(tap->queues[0].fd);

	*is_up = false;
	if (ready < 0 || (ready & (POLLERR | POLLNVAL)) != 0 ||
			set_flags(tap, 0, TUNGETIFF, 0, "", tap->name) != 0)
		return -ENODEV;
	/* Frames are taken while it is up, wherever it is. */
	*is_up = (ready & POLLOUT) != 0;
	return 0;
}

int
sluice_vk_tap_get_mac(struct vk_tap *tap, uint8_t *mac)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	int ret = tap->sys->ioctl(tap->queues[0].fd, SIOCGIFHWADDR, &ifr);

	if (ret < 0)
		return fail(tap, "SIOCGIFHWADDR", ret);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return 0;
}

int
sluice_vk_tap_set_mac(struct vk_tap *tap, const uint8_t *mac)
{
	struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };
	int ret;

	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	ret = tap->sys->ioctl(tap->queues[0].fd, SIOCSIFHWADDR, &ifr);
	return ret < 0 ? fail(tap, "SIOCSIFHWADDR", ret) : 0;
}

int
sluice_vk_tap_set_mtu(struct vk_tap *tap, uint16_t mtu)
{
	struct ifreq ifr = { .ifr_mtu = 0 };
	uint8_t mac[6];
	int ret = sluice_vk_tap_get_mac(tap, mac);

	if (ret != 0)
		return ret;
	/* It may have been renamed a moment ago. */
	set_flags(tap, 0, TUNGETIFF, 0, "", tap->name);
	ret = control(tap, SIOCGIFHWADDR, &ifr);
	/* In another namespace it is that one's to set; here another one may have the name. */
	if (ret == -ENODEV || (ret == 0 && memcmp(ifr.ifr_hwaddr.sa_data, mac, sizeof(mac)) != 0))
		return 0;
	if (ret == 0)
		ret = control(tap, SIOCGIFMTU, &ifr);
	if (ret != 0)
		return fail(tap, "SIOCGIFMTU", ret);
	if (ifr.ifr_mtu == mtu)
		return 0;
	ifr.ifr_mtu = mtu;
	ret = control(tap, SIOCSIFMTU, &ifr);
	if (ret != -EPERM)
		return ret < 0 ? fail(tap, "SIOCSIFMTU", ret) : 0;
	if (!tap->was_told_mtu)
		SLUICE_LOG(NOTICE,
				"iface=%s: its MTU is not the port's, %u, and changing it needs "
				"CAP_NET_ADMIN: ip link set dev %s mtu %u",
				tap->name, mtu, tap->name, mtu);
	tap->was_told_mtu = true;
	return 0;
}

int
sluice_vk_tap_set_offloads(struct vk_tap *tap, uint64_t features)
{
	static const struct {
		unsigned int feature;
		unsigned int flag;
	} table[] = {
		{ SLUICE_NET_F_GUEST_CSUM, TUN_F_CSUM },
		{ SLUICE_NET_F_GUEST_TSO4, TUN_F_TSO4 },
		{ SLUICE_NET_F_GUEST_TSO6, TUN_F_TSO6 },
		{ SLUICE_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
	};
	uintptr_t flags = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < RTE_DIM(table); i++)
		if (features & SLUICE_BIT(table[i].feature))
			flags |= table[i].flag;
	ret = tap->sys->ioctl(tap->queues[0].fd, TUNSETOFFLOAD, (void *)flags);
	return ret < 0 ? fail(tap, "TUNSETOFFLOAD", ret) : 0;
}

int
sluice_vk_tap_set_hdr_len(struct vk_tap *tap, int len)
{
	int was = FRESH_HDR_LEN, ret = 0;

	if (tap->is_multi)
		ret = tap->sys->ioctl(tap->queues[0].fd, TUNGETVNETHDRSZ, &was);
	if (ret < 0)
		return fail(tap, "TUNGETVNETHDRSZ", ret);
	if (was != FRESH_HDR_LEN && was != len && was != tap->hdr_len)
		SLUICE_LOG(WARNING,
				"iface=%s: its net header was of %d bytes, as another port wanted it, and is "
				"of %d now: if that port still runs, its frames are garbled; have all "
				"ports of an interface ask for segmentation in tunnels, or none",
				tap->name, was, len);
	ret = tap->sys->ioctl(tap->queues[0].fd, TUNSETVNETHDRSZ, &len);
	if (ret < 0)
		return fail(tap, "TUNSETVNETHDRSZ", ret);
	tap->hdr_len = len;
	return 0;
}

int
sluice_vk_tap_use_queue(struct vk_tap *tap, uint16_t queue, bool is_used)
{
	struct vk_tap_queue *q = &tap->queues[queue];
	int ret;

	if (!tap->is_multi || q->is_detached != is_used)
		return 0;
	ret = set_flags(tap, queue, TUNSETQUEUE, is_used ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE, "",
			NULL);
	if (ret != 0)
		return fail(tap, "TUNSETQUEUE", ret);
	q->is_detached = !is_used;
	return 0;
}

int
sluice_vk_tap_init(struct vk_tap *tap, const struct sluice_vk_sys *sys, const char *name,
		uint16_t nb_queues)
{
	uint16_t i;

	*tap = (struct vk_tap){ .sys = sys, .control_fd = -1, .news_fd = -1 };
	strlcpy(tap->wanted, name, sizeof(tap->wanted));
	strlcpy(tap->name, name, sizeof(tap->name));
	tap->queues = calloc(nb_queues, sizeof(tap->queues[0]));
	if (tap->queues == NULL)
		return -ENOMEM;
	tap->nb_queues = nb_queues;
	for (i = 0; i < nb_queues; i++)
		tap->queues[i].fd = -1;
	return 0;
}

void
sluice_vk_tap_fini(struct vk_tap *tap)
{
	sluice_vk_tap_close(tap);
	free(tap->queues);
	tap->queues = NULL;
	tap->nb_queues = 0;
}
