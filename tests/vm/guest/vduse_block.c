// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * A block device by VDUSE, as far as a driver's first steps need one: vduse_block NAME. What it is
 * asked it agrees to. It ends with the process, behind "vdpa dev del".
 */
#include <fcntl.h>
#include <linux/vduse.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CONFIG_SIZE sizeof(struct virtio_blk_config)

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

int
main(int argc, char **argv)
{
	struct vduse_dev_config *config = calloc(1, sizeof(*config) + CONFIG_SIZE);
	struct vduse_vq_config vq = { .index = 0, .max_size = 256 };
	struct vduse_dev_request request;
	struct vduse_dev_response response = { .result = VDUSE_REQ_RESULT_OK };
	uint64_t version = VDUSE_API_VERSION;
	int control = open("/dev/vduse/control", O_RDWR), dev = -1, ms;
	char path[64];

	if (argc != 2 || config == NULL)
		return 2;
	strncpy(config->name, argv[1], sizeof(config->name) - 1);
	config->device_id = VIRTIO_ID_BLOCK;
	config->features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_ACCESS_PLATFORM;
	config->vq_num = 1;
	config->vq_align = 4096;
	config->config_size = CONFIG_SIZE;
	if (control < 0 || ioctl(control, VDUSE_SET_API_VERSION, &version) < 0 ||
			ioctl(control, VDUSE_CREATE_DEV, config) < 0)
		fail("/dev/vduse/control");
	snprintf(path, sizeof(path), "/dev/vduse/%s", argv[1]);
	/* The node comes a little later. */
	for (ms = 0; ms < 10000 && (dev = open(path, O_RDWR)) < 0; ms++)
		usleep(1000);
	if (ioctl(dev, VDUSE_VQ_SETUP, &vq) < 0)
		fail(path);
	printf("ready\n");
	fflush(stdout);
	while (read(dev, &request, sizeof(request)) == sizeof(request)) {
		response.request_id = request.request_id;
		if (write(dev, &response, sizeof(response)) != sizeof(response))
			fail(path);
	}
	fail(path);
}
