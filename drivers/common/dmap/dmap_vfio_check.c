/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Is the machine set up so that an IOMMU stands between the device and memory, and nobody else is
 * in? Most trouble with VFIO is a machine, often a virtual one, that lacks something; so everything
 * that can be told beforehand is told here, with the cure.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dmap_vfio.h"

#define GROUPS_DIR "/sys/kernel/iommu_groups"
#define TYPE1_PARAMETERS "/sys/module/vfio_iommu_type1/parameters"
#define BRIDGE_CLASS 0x06 /* base class of PCI bridges, which take part in no DMA of their own */

/* First line of a small file; false if it cannot be read. */
static bool
read_line(const char *path, char *line, size_t len)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (f == NULL)
		return false;
	ok = fgets(line, len, f) != NULL;
	fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

bool
dmap_vfio_has_unsafe_interrupts(void)
{
	char line[8];

	return read_line(TYPE1_PARAMETERS "/allow_unsafe_interrupts", line, sizeof(line)) &&
			line[0] == 'Y';
}

/* The number at the end of the link to the device's group. */
static int
find_group(const char *sysfs, const char *pci_addr, int *group_nb)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%s/iommu_group", sysfs, pci_addr);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0) {
		DMAP_LOG(ERR,
				"%s: the device is in no IOMMU group: this machine has no IOMMU, or it is "
				"off. In QEMU: -machine q35,kernel-irqchip=split -device "
				"intel-iommu,intremap=on,aw-bits=48 before the other devices, and "
				"intel_iommu=on on the command line of the guest's kernel",
				pci_addr);
		return -ENODEV;
	}
	target[len] = '\0';
	name = strrchr(target, '/');
	*group_nb = atoi(name == NULL ? target : name + 1);
	return 0;
}

static bool
is_bridge(const char *sysfs, const char *pci_addr)
{
	char path[PATH_MAX], line[32];

	snprintf(path, sizeof(path), "%s/%s/class", sysfs, pci_addr);
	return read_line(path, line, sizeof(line)) && strtoul(line, NULL, 16) >> 16 == BRIDGE_CLASS;
}

/* Devices of one group reach each other's memory, so the group must be the device's alone. */
static int
check_alone(const char *sysfs, const char *pci_addr, int group_nb)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), GROUPS_DIR "/%d/devices", group_nb);
	dir = opendir(path);
	if (dir == NULL)
		return 0; /* an old kernel: VFIO itself will say whether the group is viable */
	while (ret == 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, pci_addr) == 0 ||
				is_bridge(sysfs, entry->d_name))
			continue;
		DMAP_LOG(ERR,
				"%s: shares IOMMU group %d with %s, which could reach this port's memory: put "
				"the device behind a PCIe port of its own (QEMU: -device pcie-root-port), "
				"or use a slot with ACS",
				pci_addr, group_nb, entry->d_name);
		ret = -EPERM;
	}
	closedir(dir);
	return ret;
}

/* No IOMMU at all, and VFIO was told not to mind. */
static int
check_noiommu(const char *pci_addr, int group_nb)
{
	char path[PATH_MAX], line[64];

	snprintf(path, sizeof(path), GROUPS_DIR "/%d/name", group_nb);
	if (!read_line(path, line, sizeof(line)) || strcmp(line, "vfio-noiommu") != 0)
		return 0;
	DMAP_LOG(ERR,
			"%s: VFIO runs in no-IOMMU mode: the device could reach all memory of the machine. "
			"Use a machine with an IOMMU (QEMU: -device intel-iommu,intremap=on)",
			pci_addr);
	return -EPERM;
}

/* Open the group for a moment: EAL, which will open it for us, does not tell why it could not. */
static int
check_access(const char *pci_addr, int group_nb)
{
	char path[PATH_MAX];
	int fd, err;

	snprintf(path, sizeof(path), "/dev/vfio/%d", group_nb);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	err = errno;
	DMAP_LOG(ERR, "%s: cannot open %s: %s: %s", pci_addr, path, strerror(err),
			err == EBUSY ? "another program, or another driver of this one, "
				       "has the device" :
					err == ENOENT ?
				       "bind the device to vfio-pci (modprobe vfio-pci; "
				       "dpdk-devbind.py -b vfio-pci)" :
					err == EACCES || err == EPERM ?
				       "give this user access to the file" :
				       "see the kernel's log");
	return -err;
}

int
dmap_vfio_check_group(const char *sysfs, const char *pci_addr, int *group_nb)
{
	int ret = find_group(sysfs, pci_addr, group_nb);

	if (ret == 0)
		ret = check_noiommu(pci_addr, *group_nb);
	if (ret == 0)
		ret = check_alone(sysfs, pci_addr, *group_nb);
	if (ret == 0 && dmap_vfio_has_unsafe_interrupts()) {
		DMAP_LOG(ERR,
				"%s: vfio_iommu_type1.allow_unsafe_interrupts is set: the device could send any "
				"interrupt to this machine. Unset it (echo N > " TYPE1_PARAMETERS
				"/allow_unsafe_interrupts) and use an IOMMU with interrupt remapping "
				"(QEMU: intel-iommu,intremap=on)",
				pci_addr);
		ret = -EPERM;
	}
	return ret == 0 ? check_access(pci_addr, *group_nb) : ret;
}

void
dmap_vfio_explain(const char *name, const struct dmap_iotlb_entry *m, int err, unsigned int nb_maps,
		uint64_t bytes)
{
	struct rlimit lock = { 0 };
	char limit[32] = "?";

	DMAP_LOG(ERR, "%s: cannot map %" PRIu64 " bytes at 0x%" PRIx64 ": %s", name, m->len, m->da,
			strerror(err));
	if (err == ENOSPC) {
		if (!read_line(TYPE1_PARAMETERS "/dma_entry_limit", limit, sizeof(limit)))
			strcpy(limit, "?");
		DMAP_LOG(ERR,
				"%s: the kernel takes vfio_iommu_type1.dma_entry_limit=%s entries, this port "
				"has %u: raise it, or use smaller mempools",
				name, limit, nb_maps);
	} else if (err == ENOMEM && getrlimit(RLIMIT_MEMLOCK, &lock) == 0) {
		DMAP_LOG(ERR,
				"%s: this user may lock %" PRIu64
				" bytes (RLIMIT_MEMLOCK), this port alone "
				"needs more than the %" PRIu64
				" that it has, and each port counts its own: "
				"raise it (ulimit -l, LimitMEMLOCK=)",
				name, (uint64_t)lock.rlim_cur, bytes);
	} else if (err == EEXIST) {
		DMAP_LOG(ERR, "%s: other memory is mapped at this address already", name);
	}
}
