/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Back end for devices behind an IOMMU: all calls to VFIO that are not EAL's.
 *
 * EAL maps all its memory for every device of its default container. It does not for a container
 * made with rte_vfio_container_create() to which the group was bound before the device is opened.
 * This container gets its IOMMU type (TYPE1v2, which unmaps exactly what was mapped) and its
 * entries from here, not through EAL: so EAL's list of maps for it stays empty, and neither EAL nor
 * anybody else adds to or replays it.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memzone.h>
#include <rte_string_fns.h>
#include <rte_vfio.h>

#include "dmap_vfio.h"

/* Larger than what a kernel returns; a container has a handful of capabilities. */
#define INFO_MAX 65536

struct dmap_vfio {
	char name[32];
	int container; /* EAL's name for it, and the descriptor */
	int group;     /* descriptor, owned by EAL's list */
	int group_nb;
	struct vfio_iova_range *ranges; /* device addresses that the IOMMU takes */
	unsigned int nb_ranges;
	uint32_t avail; /* entries that the kernel would take when there were none; 0: not told */
	struct dmap_iotlb maps;
};

/* All that the kernel says of the container; to be freed. */
static struct vfio_iommu_type1_info *
get_info(const struct dmap_vfio *v)
{
	struct vfio_iommu_type1_info *info = calloc(1, INFO_MAX);

	if (info == NULL)
		return NULL;
	info->argsz = INFO_MAX;
	if (ioctl(v->container, VFIO_IOMMU_GET_INFO, info) == 0 && info->argsz <= INFO_MAX)
		return info;
	DMAP_LOG(ERR, "%s: VFIO_IOMMU_GET_INFO: %s", v->name, strerror(errno));
	free(info);
	return NULL;
}

static const void *
find_cap(const struct vfio_iommu_type1_info *info, uint16_t id)
{
	const struct vfio_info_cap_header *cap;
	uint32_t at;

	if (!(info->flags & VFIO_IOMMU_INFO_CAPS))
		return NULL;
	for (at = info->cap_offset; at != 0 && at < info->argsz; at = cap->next) {
		cap = (const void *)((const char *)info + at);
		if (cap->id == id)
			return cap;
	}
	return NULL;
}

/* Entries that the kernel still takes; 0 if it does not tell. */
static uint32_t
count_avail(const struct vfio_iommu_type1_info *info)
{
	const struct vfio_iommu_type1_info_dma_avail *cap = find_cap(
			info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);

	return cap == NULL ? 0 : cap->avail;
}

static int
learn_limits(struct dmap_vfio *v)
{
	struct vfio_iommu_type1_info *info = get_info(v);
	const struct vfio_iommu_type1_info_cap_iova_range *cap;
	int ret = 0;

	if (info == NULL)
		return -EIO;
	if ((info->flags & VFIO_IOMMU_INFO_PGSIZES) && !(info->iova_pgsizes & DMAP_IOTLB_PAGE)) {
		DMAP_LOG(ERR, "%s: the IOMMU has no pages of 4 KiB (sizes 0x%" PRIx64 ")", v->name,
				(uint64_t)info->iova_pgsizes);
		ret = -ENOTSUP;
	}
	v->avail = count_avail(info);
	cap = find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	if (ret == 0 && cap != NULL && cap->nr_iovas != 0) {
		v->ranges = calloc(cap->nr_iovas, sizeof(v->ranges[0]));
		if (v->ranges == NULL)
			ret = -ENOMEM;
		else
			memcpy(v->ranges, cap->iova_ranges, cap->nr_iovas * sizeof(v->ranges[0]));
		v->nb_ranges = v->ranges == NULL ? 0 : cap->nr_iovas;
	}
	free(info);
	return ret;
}

/* Our container for the group, before EAL could put it into its own. */
static int
bind_group(struct dmap_vfio *v)
{
	v->container = rte_vfio_container_create();
	if (v->container < 0) {
		DMAP_LOG(ERR,
				"%s: no VFIO container: is the module vfio_iommu_type1 loaded, may this user "
				"open /dev/vfio/vfio, are there fewer than 63 ports?",
				v->name);
		return -ENODEV;
	}
	/*
	 * The only way in: a look-up of the group's descriptor would open it for the default
	 * container.
	 */
	v->group = rte_vfio_container_group_bind(v->container, v->group_nb);
	if (v->group < 0) {
		DMAP_LOG(ERR, "%s: cannot bind IOMMU group %d to a container of its own", v->name,
				v->group_nb);
		return -EBUSY;
	}
	/* A program that this one starts must not inherit the device. */
	if (fcntl(v->container, F_SETFD, FD_CLOEXEC) < 0 ||
			fcntl(v->group, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static int
set_iommu(struct dmap_vfio *v)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int err;

	if (ioctl(v->group, VFIO_GROUP_GET_STATUS, &status) < 0)
		return -errno;
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		DMAP_LOG(ERR,
				"%s: IOMMU group %d is not viable: a device in it is bound to another driver "
				"than vfio-pci (ls /sys/kernel/iommu_groups/%d/devices)",
				v->name, v->group_nb, v->group_nb);
		return -EPERM;
	}
	if (status.flags & VFIO_GROUP_FLAGS_CONTAINER_SET) {
		DMAP_LOG(ERR, "%s: IOMMU group %d is in a container already", v->name, v->group_nb);
		return -EBUSY;
	}
	if (ioctl(v->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) <= 0) {
		DMAP_LOG(ERR, "%s: the kernel has no VFIO_TYPE1v2_IOMMU", v->name);
		return -ENOTSUP;
	}
	if (ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container) == 0 &&
			ioctl(v->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0)
		return 0;
	err = errno;
	DMAP_LOG(ERR, "%s: cannot attach IOMMU group %d: %s%s", v->name, v->group_nb, strerror(err),
			err == EPERM ? ": the IOMMU has no interrupt remapping (QEMU: -machine "
				       "q35,kernel-irqchip=split -device intel-iommu,intremap=on)" :
				       "");
	return -err;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_vfio_open)
int
dmap_vfio_open(const char *sysfs, const char *pci_addr, struct dmap_vfio **out)
{
	struct dmap_vfio *v;
	int ret;

	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	v->container = -1;
	v->group = -1;
	strlcpy(v->name, pci_addr, sizeof(v->name));
	ret = dmap_vfio_check_group(sysfs, pci_addr, &v->group_nb);
	if (ret == 0 && rte_eal_iova_mode() != RTE_IOVA_VA) {
		DMAP_LOG(ERR,
				"%s: EAL runs with IOVA mode PA, in which device addresses are not ours to "
				"choose: give it --iova-mode=va",
				pci_addr);
		ret = -EINVAL;
	}
	if (ret == 0)
		ret = bind_group(v);
	if (ret == 0)
		ret = set_iommu(v);
	if (ret == 0)
		ret = learn_limits(v);
	if (ret != 0) {
		dmap_vfio_close(v);
		return ret;
	}
	*out = v;
	return 0;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_vfio_verify)
int
dmap_vfio_verify(const struct dmap_vfio *v)
{
	struct vfio_iommu_type1_info *info;
	uint32_t avail;

	/*
	 * After an error EAL forgets the binding, and its next try would use the default container.
	 */
	if (rte_vfio_container_group_bind(v->container, v->group_nb) != v->group) {
		DMAP_LOG(ERR, "%s: IOMMU group %d left its container", v->name, v->group_nb);
		return -EPERM;
	}
	info = get_info(v);
	if (info == NULL)
		return -EIO;
	avail = count_avail(info);
	free(info);
	if (v->avail != 0 && v->avail - avail != v->maps.nb) {
		DMAP_LOG(ERR, "%s: the kernel counts %u entries for the device, %u are ours",
				v->name, v->avail - avail, v->maps.nb);
		return -EPERM;
	}
	return 0;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_vfio_reset_device)
int
dmap_vfio_reset_device(int device_fd)
{
	return ioctl(device_fd, VFIO_DEVICE_RESET) < 0 ? -errno : 0;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_vfio_is_device)
bool
dmap_vfio_is_device(int device_fd)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	return device_fd >= 0 && ioctl(device_fd, VFIO_DEVICE_GET_INFO, &info) == 0;
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_vfio_find_bar)
int
dmap_vfio_find_bar(int device_fd, unsigned int bar, uint64_t *offset)
{
	struct vfio_region_info info = { .argsz = sizeof(info),
		.index = VFIO_PCI_BAR0_REGION_INDEX + bar };

	if (ioctl(device_fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		return -errno;
	*offset = info.offset;
	return info.flags & VFIO_REGION_INFO_FLAG_MMAP ? 0 : -ENOTSUP;
}

static int
vfio_map(void *ctx, const struct dmap_iotlb_entry *m, bool is_last)
{
	const struct dmap_vfio *v = ctx;
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | (m->is_read_only ? 0 : VFIO_DMA_MAP_FLAG_WRITE),
		.vaddr = m->va,
		.iova = m->da,
		.size = m->len,
	};
	unsigned int i;
	int err;

	RTE_SET_USED(is_last);
	for (i = 0; i < v->nb_ranges; i++)
		if (m->da >= v->ranges[i].start && m->da + m->len - 1 <= v->ranges[i].end)
			break;
	if (v->nb_ranges != 0 && i == v->nb_ranges) {
		DMAP_LOG(ERR,
				"%s: memory at 0x%" PRIx64
				" is out of the IOMMU's reach, which ends at "
				"0x%" PRIx64
				": a wider IOMMU (QEMU: intel-iommu,aw-bits=48), or memory at "
				"lower addresses (EAL: --base-virtaddr=0x100000000)",
				v->name, m->da, (uint64_t)v->ranges[v->nb_ranges - 1].end);
		return -ERANGE;
	}
	if (ioctl(v->container, VFIO_IOMMU_MAP_DMA, &map) == 0)
		return 0;
	err = errno;
	/* The entry that failed is listed. */
	dmap_vfio_explain(v->name, m, err, v->maps.nb - 1, dmap_iotlb_bytes(&v->maps) - m->len);
	return -err;
}

static int
vfio_unmap(void *ctx, const struct dmap_iotlb_entry *m)
{
	const struct dmap_vfio *v = ctx;
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = m->da,
		.size = m->len,
	};
	int err;

	if (ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &unmap) == 0 && unmap.size == m->len)
		return 0;
	err = unmap.size != m->len ? EIO : errno;
	DMAP_LOG(ERR, "%s: cannot unmap %" PRIu64 " bytes at 0x%" PRIx64 " (%" PRIu64 " were): %s",
			v->name, m->len, m->da, (uint64_t)unmap.size, strerror(err));
	return -err;
}

static const struct dmap_iotlb_ops map_ops = {
	.map = vfio_map,
	.unmap = vfio_unmap,
};

static int
vfio_show(void *ctx, const struct dmap_region *regions, unsigned int nb)
{
	struct dmap_vfio *v = ctx;

	return dmap_iotlb_apply(&v->maps, regions, nb, &map_ops, v);
}

static unsigned int
vfio_nb_maps(const void *ctx)
{
	const struct dmap_vfio *v = ctx;

	return v->maps.nb;
}

/* A memzone of whole pages shares none of them with anybody. */
static int
vfio_coherent_alloc(void *ctx, const char *what, size_t len, int socket, struct dmap_region *r,
		void **handle)
{
	const struct rte_memzone *mz;

	RTE_SET_USED(ctx);
	len = RTE_ALIGN_CEIL(len, DMAP_IOTLB_PAGE);
	mz = dmap_eal_memzone(what, len, socket, 0, DMAP_IOTLB_PAGE);
	if (mz == NULL)
		return rte_errno != 0 ? -rte_errno : -ENOMEM;
	memset(mz->addr, 0, len);
	*r = (struct dmap_region){
		.va = (uintptr_t)mz->addr, .len = len, .da.v = (uintptr_t)mz->addr, .fd = -1
	};
	*handle = (void *)(uintptr_t)mz;
	return 0;
}

static void
vfio_coherent_free(void *ctx, void *handle)
{
	RTE_SET_USED(ctx);
	rte_memzone_free(handle);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_vfio_backend)
const struct dmap_backend dmap_vfio_backend = {
	.name = "vfio",
	.coherent_alloc = vfio_coherent_alloc,
	.coherent_free = vfio_coherent_free,
	.show = vfio_show,
	.nb_maps = vfio_nb_maps,
	.granule = DMAP_IOTLB_PAGE,
};

RTE_EXPORT_INTERNAL_SYMBOL(dmap_vfio_close)
void
dmap_vfio_close(struct dmap_vfio *v)
{
	if (v == NULL)
		return;
	if (v->maps.nb != 0)
		dmap_iotlb_apply(&v->maps, NULL, 0, &map_ops, v);
	/* Closes the group, if EAL did not, and forgets both. */
	if (v->container >= 0 && rte_vfio_container_destroy(v->container) != 0)
		DMAP_LOG(ERR, "%s: cannot destroy the VFIO container", v->name);
	dmap_iotlb_free(&v->maps);
	free(v->ranges);
	free(v);
}
