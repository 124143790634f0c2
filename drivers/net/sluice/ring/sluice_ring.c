/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* A ring off the hot path: where its parts lie, and notifications. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_io.h>

#include "sluice_fds.h"
#include "sluice_ring.h"

#define USED_SHIFT (sizeof(struct sluice_split_used_elem) - sizeof(struct sluice_split_used))

static size_t
place(size_t *len, size_t bytes)
{
	size_t at = RTE_ALIGN_CEIL(*len, (size_t)RTE_CACHE_LINE_SIZE);

	*len = at + bytes;
	return at;
}

/*
 * What comes next shares no page with what was placed so far. It starts at the same place within
 * its page as it would without: page starts all compete for the same cache sets, and alias in the
 * low bits of addresses.
 */
static void
turn_page(size_t *len)
{
	*len = RTE_ALIGN_CEIL(*len, (size_t)RTE_CACHE_LINE_SIZE);
	if (*len % SLUICE_RING_PAGE != 0)
		*len += SLUICE_RING_PAGE;
}

static void
place_extra(struct sluice_ring_offsets *l, uint16_t size, bool is_tx)
{
	if (!is_tx)
		return;
	l->zero = place(&l->len, sizeof(struct sluice_net_hdr_tunnel));
	l->extra = place(&l->len, sluice_ring_nb_extras(size) * sizeof(union sluice_tx_extra));
}

struct sluice_ring_offsets
sluice_ring_offsets(enum sluice_ring_type ring_type, uint16_t size, bool is_tx)
{
	struct sluice_ring_offsets l = { 0 };
	size_t used;

	if (ring_type == SLUICE_SPLIT) {
		l.desc = place(&l.len, size * sizeof(struct sluice_split_desc));
		/* Both rings end with an event index (2.7.6, 2.7.8). */
		l.driver = place(&l.len,
				sizeof(struct sluice_split_avail) + (size + 1) * sizeof(uint16_t));
		place_extra(&l, size, is_tx);
		l.read_only.len = RTE_ALIGN_CEIL(l.len, SLUICE_RING_PAGE);
		turn_page(&l.len);
		/*
		 * The used ring starts 4 bytes into a cache line (2.7.1 allows it), so that its
		 * elements of 8 bytes lie across neither cache lines nor pages: one store writes
		 * each.
		 */
		used = sizeof(struct sluice_split_used) +
				size * sizeof(struct sluice_split_used_elem) + sizeof(uint16_t);
		l.device = place(&l.len, USED_SHIFT + used) + USED_SHIFT;
	} else {
		/* The device writes into the descriptors (2.8.5). */
		l.desc = place(&l.len, size * sizeof(struct sluice_packed_desc));
		l.device = place(&l.len, sizeof(struct sluice_packed_event));
		turn_page(&l.len);
		l.read_only.offset = RTE_ALIGN_FLOOR(l.len, SLUICE_RING_PAGE);
		l.driver = place(&l.len, sizeof(struct sluice_packed_event));
		place_extra(&l, size, is_tx);
		l.read_only.len = RTE_ALIGN_CEIL(l.len, SLUICE_RING_PAGE) - l.read_only.offset;
	}
	l.len = RTE_ALIGN_CEIL(l.len, SLUICE_RING_PAGE);
	return l;
}

void
sluice_ring_init(struct sluice_ring *r, enum sluice_ring_type ring_type, uint16_t size,
		const struct sluice_ring_offsets *l, void *va, uint16_t *avail_shadow)
{
	char *base = va;
	uint16_t i;

	memset(r, 0, sizeof(*r));
	r->size = size;
	r->mask = size - 1;
	r->nb_free = size;
	r->doorbell.fd = -1;
	if (ring_type == SLUICE_SPLIT) {
		r->split.dv_desc = (void *)(base + l->desc);
		r->split.dv_avail = (void *)(base + l->driver);
		r->split.dv_used = (void *)(base + l->device);
		r->split.avail_shadow = avail_shadow;
		for (i = 0; i < size; i++) {
			avail_shadow[i] = i;
			r->split.dv_avail->ring[i] = i;
		}
	} else {
		r->packed.dv_desc = (void *)(base + l->desc);
		r->packed.dv_driver_event = (void *)(base + l->driver);
		r->packed.dv_device_event = (void *)(base + l->device);
		/* Both wrap counters start at 1 (2.8.1). */
		r->avail_flags = SLUICE_DESC_F_AVAIL;
		r->used_wrap = true;
	}
}

/* What a notification with data says: the queue, and where the next new buffer will be (2.9). */
static uint32_t
notification_data(const struct sluice_ring *r)
{
	uint32_t next = r->avail_idx;

	if (r->doorbell.is_packed)
		next = r->head | (r->avail_flags & SLUICE_DESC_F_AVAIL ? 1U << 15 : 0);
	return r->doorbell.vq | next << 16;
}

int *sluice_fds_here;

void
sluice_doorbell_ring(struct sluice_ring *r)
{
	volatile void *reg = r->doorbell.dv_reg;
	uint64_t one = 1;
	ssize_t ret;

	if (reg != NULL) {
		r->nb_kicks++;
		if (r->doorbell.has_data)
			rte_write32(notification_data(r), reg);
		else
			rte_write16(r->doorbell.vq, reg);
		return;
	}
	if (r->doorbell.fd < 0)
		return;
	r->nb_kicks++;
	/* EAGAIN: the counter is full, so the device has a notification waiting anyway. */
	rte_atomic_store_explicit(&r->in_kick, 1, rte_memory_order_release);
	ret = write(sluice_fd_here(r->doorbell.fd), &one, sizeof(one));
	RTE_SET_USED(ret);
	rte_atomic_store_explicit(&r->in_kick, 0, rte_memory_order_release);
}

void
sluice_eventfd_unblock(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	uint64_t count;
	struct iovec iov = { .iov_base = &count, .iov_len = sizeof(count) };
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	/*
	 * A counter that takes no more is emptied, and the write that hangs goes on, which leaves
	 * the notification. The back end can take the file's flag away again, so this read must not
	 * need it. Where a read cannot say that (Linux before 5.8, QEMU's user mode), the flag is
	 * all there is.
	 */
	if (poll(&pfd, 1, 0) != 0)
		return;
	n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
	if (n < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		n = read(fd, &count, sizeof(count));
	RTE_SET_USED(n); /* less: the back end was faster */
}
