/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_atomic.h>
#include <rte_cycles.h>

#include "tour.h"
#include "tour_trace.h"

#define COHERENT_LEN 1000
#define COHERENT_SEED 3
#define PACKET_LEN 1500
#define PACKET_SEED 77
#define PACKET_OFFSET 2048 /* in the device's buffer, so that it holds both */

void
tour_fill(void *buf, uint32_t len, uint8_t seed)
{
	uint8_t *p = buf;
	uint32_t i;

	for (i = 0; i < len; i++)
		p[i] = seed + 7 * i + (i >> 8);
}

bool
tour_is_filled(const void *buf, uint32_t len, uint8_t seed)
{
	const uint8_t *p = buf;
	uint32_t i;

	for (i = 0; i < len; i++)
		if (p[i] != (uint8_t)(seed + 7 * i + (i >> 8)))
			return false;
	return true;
}

bool
tour_is_all(const void *buf, uint32_t len, uint8_t byte)
{
	const uint8_t *p = buf;
	uint32_t i;

	for (i = 0; i < len; i++)
		if (p[i] != byte)
			return false;
	return true;
}

/* Milliseconds since a time in timer cycles. */
static unsigned int
ms_since(uint64_t begin)
{
	return (rte_get_timer_cycles() - begin) * 1000 / rte_get_timer_hz();
}

static int
wait_polling(struct tour *t, uint64_t begin)
{
	unsigned int nb_reads;
	int ret = edu_wait_clear(t->edu, EDU_DMA_CMD, EDU_CMD_START, &nb_reads);

	if (ret == 0)
		tour_phase(TOUR_COMPLETE, "readl_poll_timeout()",
				"polling: bit 0 of the command register is clear after %u reads, %u ms",
				nb_reads, ms_since(begin));
	return ret;
}

static int
wait_irq(struct tour *t, uint64_t begin)
{
	uint64_t nb_irqs;
	uint32_t status;
	int ret = edu_wait_irq(t->edu, &nb_irqs, &status);

	if (ret != 0)
		return ret;
	t->nb_irqs += nb_irqs;
	tour_phase(TOUR_COMPLETE, "request_irq(): the handler acknowledges and calls complete()",
			"interrupt: %" PRIu64 " MSI woke the thread by its eventfd after %u ms",
			nb_irqs, ms_since(begin));
	tour_check(nb_irqs == 1 && status == EDU_IRQ_DMA,
			"interrupt status 0x%x: a DMA transfer; acknowledged", status);
	return 0;
}

/* Request, response, transfer and completion; the buffer is prepared. */
static int
run(struct tour *t, const struct edu_transfer *x)
{
	uint64_t begin = rte_get_timer_cycles(), inside = EDU_BUFFER + x->offset;
	uint32_t command = edu_request(t->edu, x), answer = edu_read(t->edu, EDU_DMA_CMD);

	t->nb_transfers++;
	tour_phase(TOUR_REQUEST,
			"writeq() each; the last one, the doorbell, is ordered behind them",
			"registers: source 0x%" PRIx64 ", destination 0x%" PRIx64
			", count %u; doorbell:\ncommand 0x%x",
			x->is_to_memory ? inside : x->memory.v,
			x->is_to_memory ? x->memory.v : inside, x->len, command);
	tour_phase(TOUR_RESPONSE, NULL, "the command register reads 0x%x: %s", answer,
			answer & EDU_CMD_START ? "the device took the request" :
						 "taken, and done already");
	tour_phase(TOUR_TRANSFER, NULL, "%u bytes %s; the CPU %s", x->len,
			x->is_to_memory ? "device -> memory" : "memory -> device",
			x->wants_irq ? "sleeps in poll()" : "could do something else");
	return x->wants_irq ? wait_irq(t, begin) : wait_polling(t, begin);
}

static int
coherent_to_device(struct tour *t)
{
	const struct edu_transfer x = { .memory = t->memory.shared.da, .len = COHERENT_LEN };
	int ret;

	tour_part("Memory -> device: coherent memory, completion by polling");
	tour_fill(tour_commands(&t->memory), COHERENT_LEN, COHERENT_SEED);
	tour_phase(TOUR_PREPARE, "nothing: the memory is mapped since dma_alloc_coherent()",
			"%u bytes written at X 0x%" PRIxPTR
			"; the device finds them at Z 0x%" PRIx64,
			COHERENT_LEN, (uintptr_t)tour_commands(&t->memory), x.memory.v);
	ret = run(t, &x);
	if (ret == 0)
		tour_phase(TOUR_POST, "nothing: no sync, no unmap",
				"the memory stays both sides'; whether the bytes came, the way back tells");
	return ret;
}

static int
coherent_from_device(struct tour *t)
{
	const struct edu_transfer x = { .memory = { t->memory.shared.da.v + TOUR_PAGE },
		.len = COHERENT_LEN,
		.is_to_memory = true };
	char *answers = tour_answers(&t->memory);
	int ret;

	tour_part("Device -> memory: coherent memory, completion by polling");
	memset(answers, TOUR_UNTOUCHED, TOUR_PAGE);
	tour_phase(TOUR_PREPARE, "nothing: the memory is mapped since dma_alloc_coherent()",
			"room for %u bytes at X 0x%" PRIxPTR ", for the device at Z 0x%" PRIx64,
			COHERENT_LEN, (uintptr_t)answers, x.memory.v);
	ret = run(t, &x);
	if (ret != 0)
		return ret;
	rte_io_rmb();
	tour_phase(TOUR_POST, "dma_rmb(), then the memory is read; no sync, no unmap",
			"a read barrier, then the bytes are compared");
	tour_check(tour_is_filled(answers, COHERENT_LEN, COHERENT_SEED),
			"%u bytes are those that went to the device", COHERENT_LEN);
	tour_check(tour_is_all(answers + COHERENT_LEN, TOUR_PAGE - COHERENT_LEN, TOUR_UNTOUCHED),
			"the other %u bytes of the page are untouched", TOUR_PAGE - COHERENT_LEN);
	return 0;
}

/* A packet becomes the device's. */
static int
map(struct tour *t, struct rte_mbuf *m, enum dmap_dir dir, struct edu_transfer *x)
{
	struct dmap_map *map = &t->memory.map;
	char kernel[96];
	int ret;

	*map = dmap_map_mbuf(&t->memory.stream, m, 0, x->len, dir);
	ret = dmap_mapping_error(map);
	if (ret != 0) {
		tour_error("%s: dmap_map_mbuf(): %s", t->memory.device, strerror(-ret));
		return ret;
	}
	x->memory = map->da;
	snprintf(kernel, sizeof(kernel), "z = dma_map_single(dev, x, %u, %s)", x->len,
			dir == DMAP_TO_DEVICE ? "DMA_TO_DEVICE" : "DMA_FROM_DEVICE");
	tour_phase(TOUR_PREPARE, kernel,
			"dmap_map_mbuf(): %u bytes at X 0x%" PRIxPTR
			" are the device's now, at Z 0x%" PRIx64,
			x->len, (uintptr_t)map->va, x->memory.v);
	return 0;
}

static void
unmap(struct tour *t, const char *kernel)
{
	dmap_unmap(&t->memory.stream, &t->memory.map);
	tour_phase(TOUR_POST, kernel, "dmap_unmap(): the buffer is the CPU's again");
	tour_check(t->memory.stream.nb_lent == 0, "the device has no other buffer");
}

static int
packet_to_device(struct tour *t)
{
	struct edu_transfer x = { .offset = PACKET_OFFSET, .len = PACKET_LEN, .wants_irq = true };
	int ret;

	tour_part("Memory -> device: a packet, streaming, completion by interrupt");
	tour_fill(rte_pktmbuf_append(t->memory.out, PACKET_LEN), PACKET_LEN, PACKET_SEED);
	ret = map(t, t->memory.out, DMAP_TO_DEVICE, &x);
	if (ret == 0)
		ret = run(t, &x);
	if (ret == 0)
		unmap(t, "dma_unmap_single(dev, z, 1500, DMA_TO_DEVICE)");
	return ret;
}

static int
packet_from_device(struct tour *t)
{
	struct edu_transfer x = {
		.offset = PACKET_OFFSET, .len = PACKET_LEN, .is_to_memory = true, .wants_irq = true
	};
	struct rte_mbuf *m = t->memory.in;
	uint16_t room = rte_pktmbuf_tailroom(m);
	char *data = rte_pktmbuf_mtod(m, char *);
	int ret;

	tour_part("Device -> memory: a packet, streaming, completion by interrupt");
	memset(m->buf_addr, TOUR_UNTOUCHED, m->buf_len);
	ret = map(t, m, DMAP_FROM_DEVICE, &x);
	if (ret == 0)
		ret = run(t, &x);
	if (ret != 0)
		return ret;
	unmap(t, "dma_unmap_single(), or dma_sync_single_for_cpu() to use it again");
	tour_check(tour_is_filled(data, PACKET_LEN, PACKET_SEED),
			"%u bytes are those of the packet that went out", PACKET_LEN);
	tour_check(tour_is_all(m->buf_addr, m->data_off, TOUR_UNTOUCHED) &&
					tour_is_all(data + PACKET_LEN, room - PACKET_LEN,
							TOUR_UNTOUCHED),
			"%u bytes before and %u behind are untouched", m->data_off,
			room - PACKET_LEN);
	return 0;
}

/* The bytes go to the device and come back; between, the CPU has the buffer for a moment. */
static int
there_and_back(struct tour *t, char *buf, struct dmap_map *map)
{
	struct edu_transfer x = { .memory = map->da, .offset = PACKET_OFFSET, .len = PACKET_LEN };
	struct dmap_stream *s = &t->memory.stream;
	int ret = run(t, &x);

	if (ret != 0)
		return ret;
	dmap_sync_for_cpu(s, map, 0, PACKET_LEN);
	memset(buf, TOUR_UNTOUCHED, PACKET_LEN);
	dmap_sync_for_device(s, map, 0, PACKET_LEN);
	tour_phase(TOUR_POST,
			"dma_sync_single_for_cpu(), the CPU writes, dma_sync_single_for_device()",
			"dmap_sync_for_cpu(): the buffer is the CPU's; it overwrites all bytes.\n"
			"dmap_sync_for_device(): they are copied, and the buffer is the device's");
	x.is_to_memory = true;
	ret = run(t, &x);
	if (ret != 0)
		return ret;
	tour_check(tour_is_all(buf, PACKET_LEN, TOUR_UNTOUCHED),
			"the device is done, and the CPU sees nothing of it yet");
	dmap_sync_for_cpu(s, map, 0, PACKET_LEN);
	tour_phase(TOUR_POST, "dma_sync_single_for_cpu()", "dmap_sync_for_cpu(): copied back");
	tour_check(tour_is_filled(buf, PACKET_LEN, PACKET_SEED),
			"%u bytes are those that went to the device", PACKET_LEN);
	return 0;
}

/* Memory of the heap, which nobody has mapped. */
static int
bounced(struct tour *t)
{
	struct dmap_domain *d = t->memory.domain;
	char *buf = malloc(PACKET_LEN);
	struct dmap_map map;
	int ret = buf == NULL ? -ENOMEM : dmap_set_bounce(d, 1, PACKET_LEN, false);

	if (ret == 0) {
		tour_part("Memory out of the device's reach: a bounce buffer, and sync");
		tour_fill(buf, PACKET_LEN, PACKET_SEED);
		map = dmap_map_single(&t->memory.stream, buf, PACKET_LEN, DMAP_BIDIRECTIONAL);
		ret = dmap_mapping_error(&map);
	}
	if (ret == 0) {
		tour_phase(TOUR_PREPARE, "dma_map_single() where swiotlb helps out",
				"dmap_map_single(): %u bytes at X 0x%" PRIxPTR
				" are not mapped; copied to a\nbounce buffer, which the device has at Z "
				"0x%" PRIx64,
				PACKET_LEN, (uintptr_t)buf, map.da.v);
		ret = there_and_back(t, buf, &map);
		dmap_unmap(&t->memory.stream, &map);
		dmap_set_bounce(d, 0, 0, false);
	}
	free(buf);
	return ret;
}

int
tour_transfers(struct tour *t)
{
	int ret = coherent_to_device(t);

	if (ret == 0)
		ret = coherent_from_device(t);
	if (ret == 0)
		ret = packet_to_device(t);
	if (ret == 0)
		ret = packet_from_device(t);
	return ret == 0 ? bounced(t) : ret;
}
