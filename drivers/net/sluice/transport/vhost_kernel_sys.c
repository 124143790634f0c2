/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vhost.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_thread.h>

#include "vhost_kernel_sys.h"

/* Messages that are read at one look; what is left wakes again. */
#define DRAIN_MAX 64

static int
or_errno(int ret)
{
	return ret < 0 ? -errno : ret;
}

static int
linux_open(const char *path)
{
	return or_errno(open(path, O_RDWR | O_CLOEXEC));
}

static void
linux_close(int fd)
{
	close(fd);
}

static int
linux_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && errno == EINTR);
	return or_errno(ret);
}

static int
linux_write(int fd, const void *msg, size_t len)
{
	ssize_t n;

	do {
		n = write(fd, msg, len);
	} while (n < 0 && errno == EINTR);
	return or_errno(n);
}

#define CHAR_NODES "/sys/dev/char"

/* No sysfs says nothing, so that is another error. */
static int
linux_node_path(int fd, char *buf, size_t len)
{
	char link[64];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || access(CHAR_NODES, F_OK) < 0)
		return -ENOTSUP;
	snprintf(link, sizeof(link), CHAR_NODES "/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	n = readlink(link, buf, len - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

struct owning {
	int fd;
	int ret;
};

static sluice_compat_thread_ret
own(void *arg)
{
	struct owning *o = arg;

	o->ret = linux_ioctl(o->fd, VHOST_SET_OWNER, NULL);
	return 0;
}

/* EAL's control threads run where no lcore does. */
static int
linux_set_owner(int fd)
{
	struct owning o = { .fd = fd };
	rte_thread_t thread;

	if (rte_thread_create_internal_control(&thread, "sluice-own", own, &o) != 0)
		return linux_ioctl(fd, VHOST_SET_OWNER, NULL);
	rte_thread_join(thread, NULL);
	return o.ret;
}

static int
linux_read_file(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	err = errno;
	close(fd);
	if (n < 0)
		return -err;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

static int
linux_ready(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
	int ret;

	/* Also without a wait a signal comes first, unless something is ready. */
	do {
		ret = poll(&pfd, 1, 0);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : pfd.revents;
}

static int
linux_control_socket(void)
{
	return or_errno(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int
linux_link_news(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	err = errno;
	close(fd);
	return -err;
}

static int
linux_eventfd(void)
{
	return or_errno(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/* The descriptors do not block. ENOBUFS: messages were lost, of which none is missed here. */
static void
linux_drain(int fd)
{
	char buf[4096];
	unsigned int i;

	for (i = 0; i < DRAIN_MAX; i++)
		if (read(fd, buf, sizeof(buf)) < 0 && errno != ENOBUFS)
			return;
}

const struct sluice_vk_sys sluice_vk_linux = {
	.open = linux_open,
	.close = linux_close,
	.ioctl = linux_ioctl,
	.write = linux_write,
	.node_path = linux_node_path,
	.set_owner = linux_set_owner,
	.read_file = linux_read_file,
	.ready = linux_ready,
	.control_socket = linux_control_socket,
	.link_news = linux_link_news,
	.eventfd = linux_eventfd,
	.drain = linux_drain,
};
