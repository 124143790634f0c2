/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Back end for devices that map files: coherent memory is a memfd of our own, sealed so that the other side
 * can neither truncate it under us (which would be a SIGBUS here) nor grow it. What such a device gets is
 * the whole file behind a region, so a file that holds nothing else is the smallest thing to show.
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

#define HUGE_PAGE_SIZE (2UL << 20)

struct memfd_piece {
	int fd;
};

/* A sealed file of len bytes, mapped. Huge pages only if the kernel has them free right now. */
static void *
map_sealed(const char *what, size_t len, unsigned int memfd_flags, int *fd)
{
	void *va;

	*fd = memfd_create(what, MFD_CLOEXEC | MFD_ALLOW_SEALING | memfd_flags);
	if (*fd < 0)
		return MAP_FAILED;
	if (ftruncate(*fd, len) < 0 ||
			fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto close_fd;
	va = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (va != MAP_FAILED)
		return va;
close_fd:
	close(*fd);
	*fd = -1;
	return MAP_FAILED;
}

static int
memfd_coherent_alloc(void *ctx, const char *what, size_t len, int socket, struct dmap_region *r,
		void **handle)
{
	struct memfd_piece *piece = calloc(1, sizeof(*piece));
	size_t huge_len = RTE_ALIGN_CEIL(len, HUGE_PAGE_SIZE);
	void *va;
	int ret;

	RTE_SET_USED(ctx);
	if (piece == NULL)
		return -ENOMEM;
	len = RTE_ALIGN_CEIL(len, (size_t)getpagesize());
	/* A huge page for small rings would be a waste; above half of one it saves TLB entries. */
	va = MAP_FAILED;
	if (len > HUGE_PAGE_SIZE / 2) {
		va = map_sealed(what, huge_len, MFD_HUGETLB | MFD_HUGE_2MB, &piece->fd);
		if (va != MAP_FAILED)
			len = huge_len;
	}
	if (va == MAP_FAILED)
		va = map_sealed(what, len, 0, &piece->fd);
	if (va == MAP_FAILED) {
		ret = -errno;
		DMAP_LOG(ERR, "no memory file of %zu bytes for %s: %s\n", len, what,
				strerror(errno));
		free(piece);
		return ret;
	}
	/* Before they are touched. */
	dmap_numa_place(va, len, socket);
	/* A child after fork() must not share rings with its parent by accident. */
	madvise(va, len, MADV_DONTFORK);
	*r = (struct dmap_region){
		.va = (uintptr_t)va, .len = len, .da.v = (uintptr_t)va, .fd = piece->fd
	};
	*handle = piece;
	return 0;
}

static void
memfd_coherent_free(void *ctx, const struct dmap_region *r, void *handle)
{
	struct memfd_piece *piece = handle;

	RTE_SET_USED(ctx);
	munmap((void *)r->va, r->len);
	close(piece->fd);
	free(piece);
}

const struct dmap_backend dmap_memfd_backend = {
	.name = "memfd",
	.coherent_alloc = memfd_coherent_alloc,
	.coherent_free = memfd_coherent_free,
	.publish = dmap_publisher_publish,
};
