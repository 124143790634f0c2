// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * A hostile DMA engine in the place of a port's device.
 *
 *   edu_attack PID N BDF
 *
 * What a device can reach is decided by the IOMMU domain that it is in, that is by its VFIO
 * container, and not by the device. So this takes a copy of the N-th container in use of a running
 * program (which root may), puts QEMU's edu device (BDF, in a group of its own, bound to vfio-pci)
 * into that container too, and lets edu read and write 256 bytes at addresses. A shot that succeeds
 * proves that the port's device can reach the page; a shot that faults in the IOMMU, that it
 * cannot. edu's buffer is filled by reads and emptied by writes, and holds zeros at first. The copy
 * lasts when the program closes its own, so what is left of it then can be tried, too.
 *
 * Reads lines "read ADDRESS", "write ADDRESS" and "entries 0", and answers each with a line: for a
 * shot the same; whether it hit is for others to say: the IOMMU's faults and the memory itself. For
 * "entries", how many entries the container has by the kernel's own count.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "edu_regs.h"

#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY 2
#define PCI_COMMAND_MASTER 4

#define SHOT 256       /* bytes; edu takes less than its buffer of 4 KiB */
#define DEADLINE 10000 /* ms; edu takes 100 ms of emulated time */

static void
fail(const char *what)
{
	fprintf(stderr, "edu_attack: %s: %s\n", what, strerror(errno));
	exit(1);
}

/*
 * What the container takes before its first entry: the parameter of the kernel's module, read at
 * its opening.
 */
static unsigned long
entry_limit(void)
{
	unsigned long limit = 0;
	FILE *f = fopen("/sys/module/vfio_iommu_type1/parameters/dma_entry_limit", "r");

	if (f == NULL || fscanf(f, "%lu", &limit) != 1)
		fail("dma_entry_limit");
	fclose(f);
	return limit;
}

static unsigned long
count_entries(int container)
{
	static uint64_t room[512];
	struct vfio_iommu_type1_info *info = (void *)room;
	struct vfio_info_cap_header *cap;
	uint32_t at;

	info->argsz = sizeof(room);
	if (ioctl(container, VFIO_IOMMU_GET_INFO, info) < 0)
		fail("VFIO_IOMMU_GET_INFO");
	for (at = info->cap_offset; at != 0; at = cap->next) {
		cap = (void *)((char *)room + at);
		if (cap->id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)
			return entry_limit() -
					((struct vfio_iommu_type1_info_dma_avail *)cap)->avail;
	}
	errno = ENOTSUP;
	fail("VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL");
	return 0;
}

/*
 * Copy of the n-th container of a process that has an IOMMU (EAL opens one that it may never use).
 */
static int
steal_container(pid_t pid, unsigned int n)
{
	char path[64], link[PATH_MAX];
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	int pidfd = syscall(SYS_pidfd_open, pid, 0), fd, theirs;
	ssize_t len;

	if (pidfd < 0)
		fail("pidfd_open");
	for (theirs = 0; theirs < 1024; theirs++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, theirs);
		len = readlink(path, link, sizeof(link) - 1);
		if (len < 0)
			continue;
		link[len] = '\0';
		if (strcmp(link, "/dev/vfio/vfio") != 0)
			continue;
		fd = syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
		if (fd < 0)
			fail("pidfd_getfd");
		if (ioctl(fd, VFIO_IOMMU_GET_INFO, &info) == 0 && n-- == 0)
			return fd;
		close(fd);
	}
	errno = ENOENT;
	fail("no such container in that process");
	return -1;
}

static int
open_group(const char *bdf)
{
	char path[PATH_MAX], link[PATH_MAX];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		fail(path);
	link[len] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

static volatile uint8_t *
open_edu(int group, const char *bdf)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX };
	struct vfio_region_info config = { .argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX };
	volatile uint8_t *regs;
	uint16_t command;
	int device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);

	if (device < 0)
		fail("VFIO_GROUP_GET_DEVICE_FD");
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar) < 0 ||
			ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config) < 0)
		fail("VFIO_DEVICE_GET_REGION_INFO");
	if (pread(device, &command, sizeof(command), config.offset + PCI_COMMAND) !=
			sizeof(command))
		fail("PCI command register");
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(device, &command, sizeof(command), config.offset + PCI_COMMAND) !=
			sizeof(command))
		fail("PCI command register");
	regs = mmap(NULL, EDU_BAR_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, device, bar.offset);
	if (regs == MAP_FAILED)
		fail("mmap of the BAR");
	errno = ENODEV;
	if ((*(volatile uint32_t *)(regs + EDU_ID) & EDU_ID_MASK) != EDU_ID_VALUE)
		fail("this is no edu device");
	return regs;
}

static void
shoot(volatile uint8_t *regs, int is_write, uint64_t address)
{
	unsigned int ms;

	*(volatile uint64_t *)(regs + EDU_DMA_SRC) = is_write ? EDU_BUFFER : address;
	*(volatile uint64_t *)(regs + EDU_DMA_DST) = is_write ? address : EDU_BUFFER;
	*(volatile uint64_t *)(regs + EDU_DMA_LEN) = SHOT;
	*(volatile uint64_t *)(regs + EDU_DMA_CMD) = EDU_CMD_START |
			(is_write ? EDU_CMD_TO_MEMORY : 0);
	for (ms = 0; *(volatile uint64_t *)(regs + EDU_DMA_CMD) & EDU_CMD_START; ms++) {
		errno = ETIMEDOUT;
		if (ms == DEADLINE)
			fail("the transfer does not end");
		usleep(1000);
	}
	printf("%s 0x%llx\n", is_write ? "write" : "read", (unsigned long long)address);
}

int
main(int argc, char **argv)
{
	char line[64], what[16];
	volatile uint8_t *regs;
	int container, group;
	uint64_t address;

	if (argc != 4) {
		fprintf(stderr, "usage: edu_attack PID N BDF\n");
		return 2;
	}
	container = steal_container(atoi(argv[1]), atoi(argv[2]));
	group = open_group(argv[3]);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0)
		fail("VFIO_GROUP_SET_CONTAINER");
	regs = open_edu(group, argv[3]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		errno = EINVAL;
		if (sscanf(line, "%15s %" SCNx64, what, &address) != 2)
			fail(line);
		if (strcmp(what, "entries") == 0)
			printf("%lu\n", count_entries(container));
		else
			shoot(regs, strcmp(what, "write") == 0, address);
	}
	return 0;
}
