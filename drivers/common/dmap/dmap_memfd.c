/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Back end for devices that map files: coherent memory is a memfd of our own, sealed so that the
 * other side can neither truncate it under us (which would be a SIGBUS here) nor grow it. What such
 * a device gets is the whole file behind a region, so a file that holds nothing else is the
 * smallest thing to show.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>

#include "dmap_impl.h"
#include "dmap_iotlb.h"

#define HUGE_PAGE_SIZE DMAP_HUGE_PAGE

/* Linux 5.14 and later; headers may be older. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

struct memfd_piece {
	void *va;
	size_t len;
	int fd;
};

/*
 * All pages now. mmap() of huge pages reserves what the pool has, but not what a cgroup allows, and
 * of small ones nothing at all: the first touch of a page that there is not would be a SIGBUS.
 */
static int
populate(void *va, size_t len, int fd)
{
	if (madvise(va, len, MADV_POPULATE_WRITE) == 0)
		return 0;
	/* Kernels before 5.14 do not know it, but they give files their pages. */
	if (errno == EINVAL && fallocate(fd, 0, 0, len) == 0)
		return 0;
	/* That a page cannot be had is said as a fault. */
	if (errno == EFAULT)
		errno = ENOMEM;
	return -1;
}

/*
 * Where the kernel would not put anything by itself, neither here nor in other processes: a
 * secondary process maps the same file at the same address. Each piece has addresses of its own, as
 * other processes let go of an old one when they find the time.
 */
#ifdef __SANITIZE_THREAD__ /* which lets a program use few parts of the address space */
#define APART_BASE 0x7e8000000000ULL
#define APART_LEN 0x007000000000ULL
#else
#define APART_BASE 0x200000000000ULL
#define APART_LEN 0x100000000000ULL
#endif

static void *
map_apart(size_t len, int fd)
{
	static uint64_t next;
	size_t step = RTE_ALIGN_CEIL(len, HUGE_PAGE_SIZE) + HUGE_PAGE_SIZE;
	uint64_t at = rte_atomic_fetch_add_explicit(&next, step, rte_memory_order_relaxed) %
			APART_LEN;
	void *hint = (void *)(uintptr_t)(APART_BASE + at), *va;

	va = mmap(hint, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	/* Taken, or not in this machine's address space: then anywhere. */
	if (va == MAP_FAILED)
		va = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return va;
}

void *
dmap_memfd_map(const char *what, size_t len, unsigned int memfd_flags, int socket, int *fd)
{
	void *va;
	int err;

	*fd = memfd_create(what, MFD_CLOEXEC | MFD_ALLOW_SEALING | memfd_flags);
	if (*fd < 0)
		return MAP_FAILED;
	if (ftruncate(*fd, len) < 0 ||
			fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto close_fd;
	va = map_apart(len, *fd);
	if (va == MAP_FAILED)
		goto close_fd;
	/* Before they are touched. */
	dmap_numa_place(va, len, socket);
	/* Of ordinary pages the kernel makes huge ones where it may. */
	if ((memfd_flags & MFD_HUGETLB) == 0 && len % HUGE_PAGE_SIZE == 0)
		madvise(va, len, MADV_HUGEPAGE);
	if (populate(va, len, *fd) == 0)
		return va;
	err = errno;
	munmap(va, len);
	errno = err;
close_fd:
	err = errno;
	close(*fd);
	*fd = -1;
	errno = err;
	return MAP_FAILED;
}

static int
alloc_piece(const char *what, size_t len, int socket, bool may_be_huge, struct dmap_region *r,
		void **handle)
{
	struct memfd_piece *piece = calloc(1, sizeof(*piece));
	size_t huge_len = RTE_ALIGN_CEIL(len, HUGE_PAGE_SIZE);
	void *va;
	int ret;

	if (piece == NULL)
		return -ENOMEM;
	len = RTE_ALIGN_CEIL(len, (size_t)getpagesize());
	/* A huge page for small rings would be a waste; above half of one it saves TLB entries. */
	va = MAP_FAILED;
	if (may_be_huge && len > HUGE_PAGE_SIZE / 2) {
		va = dmap_memfd_map(what, huge_len, MFD_HUGETLB | MFD_HUGE_2MB, socket, &piece->fd);
		if (va != MAP_FAILED)
			len = huge_len;
	}
	if (va == MAP_FAILED)
		va = dmap_memfd_map(what, len, 0, socket, &piece->fd);
	if (va == MAP_FAILED) {
		ret = -errno;
		DMAP_LOG(ERR, "no memory file of %zu bytes for %s: %s", len, what, strerror(errno));
		free(piece);
		return ret;
	}
	/* A child after fork() must not share rings with its parent by accident. */
	madvise(va, len, MADV_DONTFORK);
	piece->va = va;
	piece->len = len;
	*r = (struct dmap_region){
		.va = (uintptr_t)va, .len = len, .da.v = (uintptr_t)va, .fd = piece->fd
	};
	*handle = piece;
	return 0;
}

static int
memfd_coherent_alloc(void *ctx, const char *what, size_t len, int socket, struct dmap_region *r,
		void **handle)
{
	RTE_SET_USED(ctx);
	return alloc_piece(what, len, socket, true, r, handle);
}

/* The kernel may make whole huge pages of these, and splits them where one has a hole. */
static int
small_coherent_alloc(void *ctx, const char *what, size_t len, int socket, struct dmap_region *r,
		void **handle)
{
	RTE_SET_USED(ctx);
	if (len > HUGE_PAGE_SIZE / 2)
		len = RTE_ALIGN_CEIL(len, HUGE_PAGE_SIZE);
	return alloc_piece(what, len, socket, false, r, handle);
}

static void
memfd_coherent_free(void *ctx, void *handle)
{
	struct memfd_piece *piece = handle;

	RTE_SET_USED(ctx);
	munmap(piece->va, piece->len);
	close(piece->fd);
	free(piece);
}

RTE_EXPORT_INTERNAL_SYMBOL(dmap_memfd_backend)
const struct dmap_backend dmap_memfd_backend = {
	.name = "memfd",
	.coherent_alloc = memfd_coherent_alloc,
	.coherent_free = memfd_coherent_free,
	.show = dmap_remote_show,
	.is_remote = true,
};

RTE_EXPORT_INTERNAL_SYMBOL(dmap_memfd_small_backend)
const struct dmap_backend dmap_memfd_small_backend = {
	.name = "memfd",
	.coherent_alloc = small_coherent_alloc,
	.coherent_free = memfd_coherent_free,
	.show = dmap_remote_show,
	.is_remote = true,
};

RTE_EXPORT_INTERNAL_SYMBOL(dmap_iotlb_backend)
const struct dmap_backend dmap_iotlb_backend = {
	.name = "iotlb",
	.coherent_alloc = memfd_coherent_alloc,
	.coherent_free = memfd_coherent_free,
	.show = dmap_remote_show,
	.is_remote = true,
	.granule = DMAP_IOTLB_PAGE,
};

RTE_EXPORT_INTERNAL_SYMBOL(dmap_iotlb_small_backend)
const struct dmap_backend dmap_iotlb_small_backend = {
	.name = "iotlb",
	.coherent_alloc = small_coherent_alloc,
	.coherent_free = memfd_coherent_free,
	.show = dmap_remote_show,
	.is_remote = true,
	.granule = DMAP_IOTLB_PAGE,
};
