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

#include <rte_common.h>

#include "fake_error.h"
#include "fake_vk.h"

#define FIRST_FD 1000
#define USO (0x20 | 0x40)
#define CONTROL_FD 900
#define NEWS_FD 901
#define ERR_FD 902

struct fake_vk fake_vk;

void
fake_vk_reset(void)
{
	unsigned int i;

	memset(&fake_vk, 0, sizeof(fake_vk));
	fake_vk.features = FAKE_VK_FEATURES;
	fake_vk.regions_max = "64";
	fake_vk.is_capable = fake_vk.is_up = true;
	fake_vk.mtu = 1500;
	fake_vk.hdr_len = 10;
	memcpy(fake_vk.mac, "\x02\x11\x22\x33\x44\x55", 6);
	fake_vk.fail_at = UINT32_MAX;
	fake_vk.last_fd = FIRST_FD;
	for (i = 0; i < FAKE_VK_PAIRS; i++) {
		fake_vk.devs[i].fd = -1;
		fake_vk.taps[i].fd = -1;
	}
}

bool
fake_vk_is_quiet(void)
{
	unsigned int i;

	for (i = 0; i < FAKE_VK_PAIRS; i++)
		if (fake_vk.devs[i].fd >= 0 &&
				(fake_vk.devs[i].rings[0].backend >= 0 ||
						fake_vk.devs[i].rings[1].backend >= 0))
			return false;
	return true;
}

static bool
fails(const char *what)
{
	if (fake_vk.nb_calls++ != fake_vk.fail_at)
		return false;
	fake_vk.failed = what;
	return true;
}

static struct fake_vk_dev *
find_dev(int fd)
{
	unsigned int i;

	for (i = 0; i < FAKE_VK_PAIRS; i++)
		if (fd >= 0 && fake_vk.devs[i].fd == fd)
			return &fake_vk.devs[i];
	return NULL;
}

static struct fake_vk_tap *
find_tap(int fd)
{
	unsigned int i;

	for (i = 0; i < FAKE_VK_PAIRS; i++)
		if (fd >= 0 && fake_vk.taps[i].fd == fd)
			return &fake_vk.taps[i];
	return NULL;
}

static int
open_dev(void)
{
	unsigned int i;

	for (i = 0; i < FAKE_VK_PAIRS; i++) {
		struct fake_vk_dev *dev = &fake_vk.devs[i];

		if (dev->fd >= 0)
			continue;
		*dev = (struct fake_vk_dev){ .fd = fake_vk.last_fd++ };
		dev->rings[0].backend = dev->rings[1].backend = -1;
		dev->rings[0].busy_poll_us = dev->rings[1].busy_poll_us = UINT32_MAX;
		fake_vk.nb_open++;
		return dev->fd;
	}
	return -EMFILE;
}

static int
open_tap(void)
{
	unsigned int i;

	for (i = 0; i < FAKE_VK_PAIRS; i++) {
		if (fake_vk.taps[i].fd >= 0)
			continue;
		fake_vk.taps[i] = (struct fake_vk_tap){ .fd = fake_vk.last_fd++ };
		fake_vk.nb_open++;
		return fake_vk.taps[i].fd;
	}
	return -EMFILE;
}

static int
fake_open(const char *path)
{
	bool is_tun = strcmp(path, "/dev/net/tun") == 0;
	int err = is_tun ? fake_vk.tun_error : fake_vk.node_error;

	if (fails(is_tun ? "open tun" : "open"))
		return fake_vk.fail_with;
	if (err != 0)
		return err;
	return is_tun ? open_tap() : open_dev();
}

static void
fake_close(int fd)
{
	struct fake_vk_dev *dev = find_dev(fd);
	struct fake_vk_tap *tap = find_tap(fd);

	if (dev == NULL && tap == NULL && fd != CONTROL_FD && fd != NEWS_FD && fd != ERR_FD)
		fake_error("close of %d, which is not open", fd);
	else
		fake_vk.nb_open--;
	if (dev != NULL && !fake_vk_is_quiet())
		fake_error("vhost-net is closed with a ring under way");
	if (dev != NULL)
		dev->fd = -1;
	if (tap != NULL)
		tap->fd = -1;
}

static int
set_backend(struct fake_vk_dev *dev, const struct vhost_vring_file *file)
{
	struct fake_vk_ring *r = &dev->rings[file->index];

	if (!dev->has_owner)
		return -EPERM;
	if (r->num == 0 || r->addr.desc_user_addr == 0)
		return -EFAULT;
	if (file->fd >= 0) {
		if (find_tap(file->fd) == NULL || !find_tap(file->fd)->is_bound)
			return -ENOTSOCK;
		if (dev->nb_tables == 0)
			fake_error("a ring starts without memory");
		r->nb_starts++;
	}
	r->backend = file->fd;
	return 0;
}

static int
set_table(struct fake_vk_dev *dev, const struct vhost_memory *table)
{
	if (table->nregions > (unsigned int)atoi(fake_vk.regions_max))
		return -E2BIG;
	dev->nb_tables++;
	dev->nb_regions = table->nregions;
	memcpy(dev->regions, table->regions, table->nregions * sizeof(table->regions[0]));
	return 0;
}

static int
ring_ioctl(struct fake_vk_dev *dev, unsigned long request, void *arg)
{
	const struct vhost_vring_state *state = arg;
	const struct vhost_vring_file *file = arg;
	struct fake_vk_ring *r;

	/* All of these begin with it. */
	if (state->index > 1)
		return -ENOBUFS;
	r = &dev->rings[state->index];
	if ((request == VHOST_SET_VRING_NUM || request == VHOST_SET_VRING_BASE) && r->backend >= 0)
		return -EBUSY;
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
	else if (request == VHOST_SET_VRING_BUSYLOOP_TIMEOUT)
		r->busy_poll_us = state->num;
	else
		return -ENOTTY;
	return 0;
}

static int
features_array(struct fake_vk_dev *dev, unsigned long request, uint64_t *array)
{
	/* The count is taken for the number of a ring. */
	if (fake_vk.features_high == 0)
		return dev->has_owner ? -ENOBUFS : -EPERM;
	if (array[0] != 2)
		fake_error("an array of %u words", (unsigned int)array[0]);
	if (request == FAKE_VK_GET_FEATURES_ARRAY) {
		array[1] = fake_vk.features;
		array[2] = fake_vk.features_high;
		return 0;
	}
	if ((array[1] & ~fake_vk.features) != 0 || (array[2] & ~fake_vk.features_high) != 0)
		return -EOPNOTSUPP;
	dev->features = array[1];
	dev->features_high = array[2];
	return 0;
}

static int
dev_ioctl(struct fake_vk_dev *dev, unsigned long request, void *arg)
{
	if (fake_vk.is_other)
		return -ENOTTY;
	if (request == VHOST_GET_FEATURES) {
		*(uint64_t *)arg = fake_vk.features;
		return 0;
	}
	if (request == VHOST_VDPA_GET_DEVICE_ID)
		return fake_vk.is_vdpa ? 0 : -EPERM;
	if (request == VHOST_SET_FEATURES) {
		if (*(uint64_t *)arg & ~fake_vk.features)
			return -EOPNOTSUPP;
		dev->features = *(uint64_t *)arg;
		dev->features_high = 0;
		return 0;
	}
	if (request == FAKE_VK_GET_FEATURES_ARRAY || request == FAKE_VK_SET_FEATURES_ARRAY)
		return features_array(dev, request, arg);
	if (!dev->has_owner)
		return -EPERM;
	if (request == VHOST_NET_SET_BACKEND)
		return set_backend(dev, arg);
	if (request == VHOST_SET_MEM_TABLE)
		return set_table(dev, arg);
	return ring_ioctl(dev, request, arg);
}

static int
set_iff(struct fake_vk_tap *tap, struct ifreq *ifr)
{
	bool is_there = fake_vk.name[0] != '\0';
	unsigned int bound = 0, i;

	for (i = 0; i < FAKE_VK_PAIRS; i++)
		bound += fake_vk.taps[i].fd >= 0 && fake_vk.taps[i].is_bound;
	if (is_there ? fake_vk.is_foreign && !fake_vk.is_capable : !fake_vk.is_capable)
		return -EPERM;
	if (!is_there) {
		snprintf(fake_vk.name, sizeof(fake_vk.name), "%s",
				strchr(ifr->ifr_name, '%') != NULL ? "tap7" : ifr->ifr_name);
		fake_vk.is_tun = true;
		fake_vk.tun_flags = ifr->ifr_flags;
	}
	if (strchr(ifr->ifr_name, '%') == NULL && strcmp(fake_vk.name, ifr->ifr_name) != 0)
		fake_error("interface %s is asked for, %s is there", ifr->ifr_name, fake_vk.name);
	if (!fake_vk.is_tun || !(fake_vk.tun_flags & IFF_TAP) ||
			((fake_vk.tun_flags ^ ifr->ifr_flags) & IFF_MULTI_QUEUE) != 0)
		return -EINVAL;
	if (fake_vk.is_in_use || (bound != 0 && !(fake_vk.tun_flags & IFF_MULTI_QUEUE)))
		return -EBUSY;
	if (!(ifr->ifr_flags & IFF_VNET_HDR) || !(ifr->ifr_flags & IFF_NO_PI))
		fake_error("frames have another header");
	tap->is_bound = true;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", fake_vk.name);
	return 0;
}

static int
set_offloads(unsigned int flags)
{
	if ((flags & USO) != 0 && !fake_vk.has_uso)
		return -EINVAL;
	fake_vk.offloads = flags;
	return 0;
}

static int
set_queue(struct fake_vk_tap *tap, unsigned int flags)
{
	bool detach = flags & IFF_DETACH_QUEUE;

	if (!(fake_vk.tun_flags & IFF_MULTI_QUEUE) || tap->is_detached == detach)
		return -EINVAL;
	tap->is_detached = detach;
	return 0;
}

static int
tap_ioctl(struct fake_vk_tap *tap, unsigned long request, void *arg)
{
	struct ifreq *ifr = arg;

	if (request == TUNSETIFF)
		return set_iff(tap, ifr);
	if (!tap->is_bound || fake_vk.is_gone)
		return -EBADFD;
	if (request == TUNSETVNETHDRSZ)
		fake_vk.hdr_len = *(int *)arg;
	else if (request == TUNGETVNETHDRSZ)
		*(int *)arg = fake_vk.hdr_len;
	else if (request == TUNSETOFFLOAD)
		return set_offloads((uintptr_t)arg);
	else if (request == TUNSETQUEUE)
		return set_queue(tap, ifr->ifr_flags);
	else if (request == TUNGETIFF)
		snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", fake_vk.name);
	else if (request == SIOCGIFHWADDR)
		memcpy(ifr->ifr_hwaddr.sa_data, fake_vk.mac, 6);
	else if (request == SIOCSIFHWADDR && ifr->ifr_hwaddr.sa_family == ARPHRD_ETHER)
		memcpy(fake_vk.mac, ifr->ifr_hwaddr.sa_data, 6);
	else
		return -ENOTTY;
	return 0;
}

static int
control_ioctl(unsigned long request, struct ifreq *ifr)
{
	bool is_ours = !fake_vk.is_gone && !fake_vk.is_elsewhere;
	int *mtu = is_ours ? &fake_vk.mtu : &fake_vk.namesake_mtu;

	if ((!is_ours && !fake_vk.has_namesake) || strcmp(ifr->ifr_name, fake_vk.name) != 0)
		return -ENODEV;
	if (request == SIOCGIFHWADDR)
		memcpy(ifr->ifr_hwaddr.sa_data, is_ours ? fake_vk.mac : (const uint8_t *)"another",
				6);
	else if (request == SIOCGIFMTU)
		ifr->ifr_mtu = *mtu;
	else if (request != SIOCSIFMTU)
		return -ENOTTY;
	else if (!fake_vk.is_capable)
		return -EPERM;
	else
		*mtu = ifr->ifr_mtu;
	return 0;
}

/* For messages of tests; those of one name are alike. */
static const char *
name_of(unsigned long request)
{
	switch (request) {
	case TUNSETOFFLOAD:
		return "TUNSETOFFLOAD";
	case TUNGETIFF:
		return "TUNGETIFF";
	case VHOST_VDPA_GET_DEVICE_ID:
		return "VDPA";
	case VHOST_GET_FEATURES:
		return "VHOST_GET_FEATURES";
	case FAKE_VK_GET_FEATURES_ARRAY:
		return "VHOST_GET_FEATURES_ARRAY";
	case SIOCGIFMTU:
		return "SIOCGIFMTU";
	default:
		return "ioctl";
	}
}

static int
fake_ioctl(int fd, unsigned long request, void *arg)
{
	struct fake_vk_dev *dev = find_dev(fd);
	struct fake_vk_tap *tap = find_tap(fd);

	if (fails(name_of(request)))
		return fake_vk.fail_with;
	if (dev != NULL)
		return dev_ioctl(dev, request, arg);
	if (tap != NULL)
		return tap_ioctl(tap, request, arg);
	if (fd == CONTROL_FD)
		return control_ioctl(request, arg);
	fake_error("a request to descriptor %d, which is not open", fd);
	return -EBADF;
}

static int
fake_set_owner(int fd)
{
	struct fake_vk_dev *dev = find_dev(fd);

	if (fails("owner"))
		return fake_vk.fail_with;
	if (dev == NULL || dev->has_owner)
		return -EBUSY;
	dev->has_owner = true;
	return 0;
}

static int
fake_read_file(const char *path, char *buf, size_t len)
{
	const char *iface = "/sys/class/net/";
	const char *name = path + strlen(iface);
	size_t name_len = strlen(fake_vk.name);

	if (fails("read"))
		return fake_vk.fail_with;
	if (strncmp(path, iface, strlen(iface)) != 0)
		return fake_vk.regions_max == NULL ? -ENOENT :
						     snprintf(buf, len, "%s", fake_vk.regions_max);
	if (name_len == 0 || strncmp(name, fake_vk.name, name_len) != 0)
		return -ENOENT;
	if (strcmp(name + name_len, "/ifindex") == 0)
		return snprintf(buf, len, "3");
	if (strcmp(name + name_len, "/tun_flags") == 0 && fake_vk.is_tun)
		return snprintf(buf, len, "0x%x", fake_vk.tun_flags);
	return -ENOENT;
}

static int
fake_ready(int fd)
{
	if (fails("ready"))
		return fake_vk.fail_with;
	if (find_tap(fd) == NULL)
		return -EBADF;
	if (fake_vk.is_gone)
		return POLLERR;
	return fake_vk.is_up ? POLLOUT : 0;
}

static int
give(const char *what, int fd)
{
	if (fails(what))
		return fake_vk.fail_with;
	fake_vk.nb_open++;
	return fd;
}

static int
fake_control_socket(void)
{
	return give("socket", CONTROL_FD);
}

static int
fake_link_news(void)
{
	return give("news", NEWS_FD);
}

static int
fake_err_fd(void)
{
	return give("eventfd", ERR_FD);
}

static void
fake_drain(int fd)
{
	RTE_SET_USED(fd);
	fake_vk.nb_drained++;
}

const struct sluice_vk_sys fake_vk_sys = {
	.open = fake_open,
	.close = fake_close,
	.ioctl = fake_ioctl,
	.set_owner = fake_set_owner,
	.read_file = fake_read_file,
	.ready = fake_ready,
	.control_socket = fake_control_socket,
	.link_news = fake_link_news,
	.eventfd = fake_err_fd,
	.drain = fake_drain,
};
