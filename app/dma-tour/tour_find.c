/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_string_fns.h>

#include "edu_regs.h"
#include "tour_find.h"

#define QEMU_IOMMU \
	"-machine q35,kernel-irqchip=split -device intel-iommu,intremap=on,aw-bits=48 " \
	"before the other devices, and intel_iommu=on on the command line of the guest's kernel"

/* A number in a file of a device; -1: not there. */
static long
read_id(const char *sysfs, const char *bdf, const char *name)
{
	char path[PATH_MAX], line[32];
	long id = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", sysfs, bdf, name);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	if (fgets(line, sizeof(line), f) != NULL)
		id = strtol(line, NULL, 16);
	fclose(f);
	return id;
}

/* Last part of a link of a device; false if there is none. */
static bool
read_link(const char *sysfs, const char *bdf, const char *name, char *out, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *last;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%s/%s", sysfs, bdf, name);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return false;
	target[len] = '\0';
	last = strrchr(target, '/');
	strlcpy(out, last == NULL ? target : last + 1, size);
	return true;
}

static bool
is_edu(const char *sysfs, const char *bdf)
{
	return read_id(sysfs, bdf, "vendor") == EDU_VENDOR &&
			read_id(sysfs, bdf, "device") == EDU_DEVICE;
}

/* The lowest address among the edu devices. */
static int
find_first(const char *sysfs, char bdf[TOUR_BDF_SIZE], char *why, size_t why_size)
{
	struct dirent *entry;
	DIR *dir = opendir(sysfs);

	bdf[0] = '\0';
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < TOUR_BDF_SIZE &&
				is_edu(sysfs, entry->d_name) &&
				(bdf[0] == '\0' || strcmp(entry->d_name, bdf) < 0))
			strcpy(bdf, entry->d_name);
	if (dir != NULL)
		closedir(dir);
	if (bdf[0] != '\0')
		return 0;
	snprintf(why, why_size,
			"no edu device (PCI %04x:%04x) on this machine. It is QEMU's: give QEMU "
			"'-device edu,addr=0x10', with " QEMU_IOMMU
			"; or run devtools/vm tour, which does all that",
			EDU_VENDOR, EDU_DEVICE);
	return -ENODEV;
}

/* The one that the user named, with the domain that may be missing in front. */
static int
find_named(const char *sysfs, const char *wanted, char bdf[TOUR_BDF_SIZE], char *why,
		size_t why_size)
{
	const char *domain = strchr(wanted, ':') == strrchr(wanted, ':') ? "0000:" : "";
	int len = snprintf(bdf, TOUR_BDF_SIZE, "%s%s", domain, wanted);

	if (len >= TOUR_BDF_SIZE || strchr(wanted, '/') != NULL ||
			read_id(sysfs, bdf, "vendor") < 0) {
		snprintf(why, why_size, "%s: there is no such PCI device (see lspci -D)", wanted);
		return -ENODEV;
	}
	if (is_edu(sysfs, bdf))
		return 0;
	snprintf(why, why_size, "%s is a %04lx:%04lx, not an edu device (%04x:%04x)", bdf,
			read_id(sysfs, bdf, "vendor"), read_id(sysfs, bdf, "device"), EDU_VENDOR,
			EDU_DEVICE);
	return -ENODEV;
}

int
tour_find(const char *sysfs, const char *wanted, char bdf[TOUR_BDF_SIZE], char *why,
		size_t why_size)
{
	char name[64] = "none";
	int ret = wanted == NULL ? find_first(sysfs, bdf, why, why_size) :
				   find_named(sysfs, wanted, bdf, why, why_size);

	if (ret != 0)
		return ret;
	if (!read_link(sysfs, bdf, "iommu_group", name, sizeof(name))) {
		snprintf(why, why_size,
				"%s: the device is in no IOMMU group: this machine has no IOMMU, or "
				"it is off. QEMU: " QEMU_IOMMU,
				bdf);
		return -ENODEV;
	}
	strcpy(name, "none");
	if (!read_link(sysfs, bdf, "driver", name, sizeof(name)) || strcmp(name, "vfio-pci") != 0) {
		snprintf(why, why_size,
				"%s: the kernel's driver is %s, not vfio-pci: bind it (modprobe "
				"vfio-pci; dpdk-devbind.py -b vfio-pci %s)",
				bdf, name, bdf);
		return -ENODEV;
	}
	return 0;
}
