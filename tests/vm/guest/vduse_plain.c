// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * A device by VDUSE that does nothing with its rings: vduse_plain block|net NAME. What it is asked
 * it agrees to. At SIGUSR1 the link of a network device changes, with an interrupt. It ends with
 * the process, behind "vdpa dev del".
 */
#include <fcntl.h>
#include <linux/vduse.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

union config {
	struct virtio_blk_config block;
	struct virtio_net_config net;
};

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* A descriptor that is readable when the signal has come. */
static int
signal_fd(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, 0);
}

static struct vduse_dev_config *
config_of(const char *kind, const char *name)
{
	struct vduse_dev_config *config = calloc(1, sizeof(*config) + sizeof(union config));
	union config *now;

	if (config == NULL)
		fail("calloc");
	now = (union config *)config->config;
	strncpy(config->name, name, sizeof(config->name) - 1);
	config->device_id = VIRTIO_ID_BLOCK;
	config->features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_ACCESS_PLATFORM;
	config->vq_num = 1;
	config->vq_align = 4096;
	config->config_size = sizeof(now->block);
	if (strcmp(kind, "net") == 0) {
		config->device_id = VIRTIO_ID_NET;
		config->features |= 1ULL << VIRTIO_NET_F_STATUS;
		config->vq_num = 2;
		config->config_size = sizeof(now->net);
		now->net.status = VIRTIO_NET_S_LINK_UP;
	}
	return config;
}

static int
make(const struct vduse_dev_config *config, const char *path)
{
	int control = open("/dev/vduse/control", O_RDWR), dev = -1, ms;
	struct vduse_vq_config vq = { .max_size = 256 };
	uint64_t version = VDUSE_API_VERSION;

	if (control < 0 || ioctl(control, VDUSE_SET_API_VERSION, &version) < 0 ||
			ioctl(control, VDUSE_CREATE_DEV, config) < 0)
		fail("/dev/vduse/control");
	/* The node comes a little later. */
	for (ms = 0; ms < 10000 && (dev = open(path, O_RDWR)) < 0; ms++)
		usleep(1000);
	for (vq.index = 0; vq.index < config->vq_num; vq.index++) {
		if (ioctl(dev, VDUSE_VQ_SETUP, &vq) < 0)
			fail(path);
	}
	return dev;
}

static void
change_link(int dev, struct virtio_net_config *now, const char *path)
{
	struct vduse_config_data *data = calloc(1, sizeof(*data) + sizeof(now->status));

	if (data == NULL)
		fail("calloc");
	now->status ^= VIRTIO_NET_S_LINK_UP;
	data->offset = offsetof(struct virtio_net_config, status);
	data->length = sizeof(now->status);
	memcpy(data->buffer, &now->status, sizeof(now->status));
	if (ioctl(dev, VDUSE_DEV_SET_CONFIG, data) < 0 ||
			ioctl(dev, VDUSE_DEV_INJECT_CONFIG_IRQ) < 0)
		fail(path);
	free(data);
}

static void
agree(int dev, const char *path)
{
	struct vduse_dev_response response = { .result = VDUSE_REQ_RESULT_OK };
	struct vduse_dev_request request;

	if (read(dev, &request, sizeof(request)) != sizeof(request))
		fail(path);
	response.request_id = request.request_id;
	if (write(dev, &response, sizeof(response)) != sizeof(response))
		fail(path);
}

int
main(int argc, char **argv)
{
	struct signalfd_siginfo signal;
	struct vduse_dev_config *config;
	struct pollfd fds[2];
	char path[64];

	if (argc != 3)
		return 2;
	config = config_of(argv[1], argv[2]);
	snprintf(path, sizeof(path), "/dev/vduse/%s", argv[2]);
	fds[0] = (struct pollfd){ .fd = make(config, path), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = signal_fd(SIGUSR1), .events = POLLIN };
	printf("ready\n");
	fflush(stdout);
	while (poll(fds, 2, -1) >= 0) {
		if (fds[0].revents != 0)
			agree(fds[0].fd, path);
		if (fds[1].revents != 0 && read(fds[1].fd, &signal, sizeof(signal)) > 0)
			change_link(fds[0].fd, (void *)config->config, path);
	}
	fail("poll");
}
