/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_log.h>
#include <rte_memory.h>

#include "tour_memory.h"
#include "tour_trace.h"

#define NB_MBUFS 7 /* a mempool is at its best with a power of two minus one */

uint64_t
tour_physical(const void *va)
{
	phys_addr_t y = rte_mem_virt2phy(va);

	return y == RTE_BAD_IOVA ? 0 : y;
}

void
tour_tell_addresses(const char *name, const void *va, struct dmap_addr da, uint32_t len,
		const char *access)
{
	tour_fact(name, "X 0x%-12" PRIxPTR " Y 0x%-12" PRIx64 " Z 0x%-12" PRIx64 " %5u bytes, %s",
			(uintptr_t)va, tour_physical(va), da.v, len, access);
}

/* What dmap says while it refuses belongs to the tour, so it is caught. */
static int
try_to_map(struct dmap_domain *d, const void *va, struct dmap_addr da, char **said)
{
	size_t size;
	FILE *stream = open_memstream(said, &size);
	int ret;

	if (stream == NULL)
		return -ENOMEM;
	rte_openlog_stream(stream);
	ret = dmap_add_external(d, va, da, TOUR_PAGE);
	rte_openlog_stream(NULL);
	fclose(stream);
	(*said)[strcspn(*said, "\n")] = '\0';
	return ret;
}

/* Take the virtual address for the device address, as most devices can. */
static int
show_limit(struct tour_memory *m)
{
	struct dmap_addr identity = { (uintptr_t)m->canary->addr };
	bool is_beyond = identity.v + TOUR_PAGE - 1 > m->da_max.v;
	char *said = NULL;
	int ret = try_to_map(m->domain, m->canary->addr, identity, &said);

	if (said == NULL)
		return -ENOMEM;
	if (is_beyond) {
		tour_fact("identity", "a page at X 0x%" PRIx64 ", with Z = X, would be beyond:",
				identity.v);
		tour_check(ret == -ERANGE, "dmap_add_external() refuses:\n%s", said);
		tour_say("So dmap chooses the device addresses: the lowest that are free. Without a\n"
			 "limit it takes Z = X.");
		ret = 0;
	} else {
		tour_fact("identity", "a page at X 0x%" PRIx64 " can have Z = X", identity.v);
		tour_check(ret == 0, "dmap_add_external() maps it; unmapped again");
		dmap_del_external(m->domain, m->canary->addr, TOUR_PAGE);
	}
	free(said);
	return ret;
}

int
tour_memory_open(struct tour_memory *m, struct edu *e, unsigned int bits)
{
	struct dmap_limits limits = { .da_max.v = bits == 64 ? UINT64_MAX :
							       (UINT64_C(1) << bits) - 1,
		.seg_max = EDU_BUFFER_LEN };
	int ret;

	m->device = edu_name(e);
	m->da_max = limits.da_max;
	m->canary = rte_memzone_reserve_aligned(
			"dma_tour_canary", TOUR_PAGE, edu_socket(e), 0, TOUR_PAGE);
	ret = m->canary == NULL ? -rte_errno : 0;
	if (ret == 0)
		ret = dmap_domain_create(m->device, &dmap_vfio_backend, edu_memory(e), &m->domain);
	if (ret == 0)
		ret = dmap_set_limits(m->domain, &limits);
	if (ret != 0)
		return ret;
	tour_part("What the device can reach");
	tour_say("An IOMMU stands between the device and memory. The device has an address space\n"
		 "of its own, a VFIO container, and nothing is in it yet.");
	tour_fact("limit", "%u address lines: Z is at most 0x%" PRIx64, bits, m->da_max.v);
	tour_kernel("dma_set_mask_and_coherent(dev, DMA_BIT_MASK(n))");
	return show_limit(m);
}

int
tour_memory_protect(struct tour_memory *m)
{
	const struct dmap_span commands = { 0, TOUR_PAGE };

	return dmap_coherent_read_only(m->domain, &m->shared, &commands, 1);
}

static int
fill_coherent(struct tour_memory *m, int socket)
{
	int ret = dmap_alloc_coherent(
			m->domain, "dma_tour_shared", 2 * TOUR_PAGE, socket, &m->shared);

	if (ret == 0)
		ret = tour_memory_protect(m);
	if (ret != 0)
		return ret;
	tour_say("Coherent: allocated and mapped at once, by dmap_alloc_coherent(); both sides may\n"
		 "touch it at any time, and barriers keep the order. The first page is then made\n"
		 "read-only for the device, by dmap_coherent_read_only().");
	tour_tell_addresses("commands", tour_commands(m), m->shared.da, TOUR_PAGE, "device reads");
	tour_tell_addresses("answers", tour_answers(m),
			(struct dmap_addr){ m->shared.da.v + TOUR_PAGE }, TOUR_PAGE,
			"device reads, writes");
	tour_kernel("dma_alloc_coherent(dev, size, &z, GFP_KERNEL)");
	return 0;
}

static int
fill_pool(struct tour_memory *m, int socket)
{
	struct dmap_window w;
	int ret;

	m->pool = rte_pktmbuf_pool_create(
			"dma_tour_pool", NB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, socket);
	if (m->pool == NULL)
		return -rte_errno;
	m->out = rte_pktmbuf_alloc(m->pool);
	m->in = rte_pktmbuf_alloc(m->pool);
	ret = m->out == NULL || m->in == NULL ? -ENOMEM : dmap_add_pool(m->domain, m->pool);
	if (ret == 0)
		ret = dmap_lookup(m->domain, m->out->buf_addr, m->out->buf_len, &w);
	if (ret != 0)
		return ret;
	dmap_stream_init(&m->stream, m->domain);
	tour_say("Streaming: memory that is there already, lent to the device for one transfer, one\n"
		 "owner at a time. A pool's pages are mapped once, by dmap_add_pool(); to lend a\n"
		 "buffer is then only a look-up.");
	tour_tell_addresses("packet out", rte_pktmbuf_mtod(m->out, void *),
			(struct dmap_addr){ rte_pktmbuf_mtod(m->out, uintptr_t) + w.delta },
			rte_pktmbuf_tailroom(m->out), "to the device");
	tour_tell_addresses("packet in", rte_pktmbuf_mtod(m->in, void *),
			(struct dmap_addr){ rte_pktmbuf_mtod(m->in, uintptr_t) + w.delta },
			rte_pktmbuf_tailroom(m->in), "from the device");
	tour_kernel("dma_map_single() for each transfer, or a page_pool that keeps its pages mapped");
	return 0;
}

int
tour_memory_fill(struct tour_memory *m, int socket)
{
	int ret;

	tour_part("Three addresses of a buffer");
	tour_say("X: virtual, what the CPU uses. Y: physical, from /proc/self/pagemap, of which a\n"
		 "program in user space has no use. Z: bus address (IOVA), what the device uses.\n"
		 "Mapping makes Z for X; the IOMMU translates Z to Y.");
	ret = fill_coherent(m, socket);
	if (ret == 0)
		ret = fill_pool(m, socket);
	if (ret == 0 && tour_physical(tour_commands(m)) == 0)
		tour_say("Y is 0 where this user may not know it (CAP_SYS_ADMIN is needed).");
	return ret;
}

int
tour_memory_revoke(struct tour_memory *m, struct edu *e)
{
	tour_part("The end");
	tour_say("The device is idle; then nothing is mapped any more; only then memory is freed.");
	dmap_revoke(m->domain);
	tour_kernel("dma_unmap_*(), dma_free_coherent(), pci_clear_master()");
	tour_check(dmap_nb_maps(m->domain) == 0 && dmap_vfio_verify(edu_memory(e)) == 0,
			"dmap_revoke(): %u entries of the IOMMU are left, and the kernel counts as many",
			dmap_nb_maps(m->domain));
	return 0;
}

void
tour_memory_close(struct tour_memory *m)
{
	/* What was unmapped before the pool is freed cannot be written any more. */
	if (m->domain != NULL) {
		dmap_free_coherent(m->domain, &m->shared);
		if (m->pool != NULL)
			dmap_del_pool(m->domain, m->pool);
		dmap_domain_destroy(m->domain);
	}
	rte_pktmbuf_free(m->out);
	rte_pktmbuf_free(m->in);
	rte_mempool_free(m->pool);
	rte_memzone_free(m->canary);
	memset(m, 0, sizeof(*m));
}
