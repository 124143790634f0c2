/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A queue off the hot path: layout, reset, retraction, failure, quiescence, doorbell.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_io.h>
#include <rte_pause.h>

#include "sluice_clock.h"
#include "sluice_park.h"
#include "sluice_queue_ctl.h"
#include "sluice_ring_packed.h"
#include "sluice_ring_split.h"

/* A core that is inside for longer may hang in a kick. */
#define KICK_MS 5
#define USED_SHIFT (sizeof(struct sluice_split_used_elem) - sizeof(struct sluice_split_used))

static bool has_membarrier;

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
place_extra(struct sluice_ring_layout *l, uint16_t size, bool is_tx)
{
	if (is_tx)
		l->extra = place(&l->len, size * sizeof(struct sluice_tx_extra));
}

struct sluice_ring_layout
sluice_ring_layout(enum sluice_layout layout, uint16_t size, bool is_tx)
{
	struct sluice_ring_layout l = { 0 };

	if (layout == SLUICE_SPLIT) {
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
		l.device = place(&l.len,
					   USED_SHIFT + sizeof(struct sluice_split_used) +
							   size * sizeof(struct sluice_split_used_elem) +
							   sizeof(uint16_t)) +
				USED_SHIFT;
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
sluice_ring_init(struct sluice_ring *r, enum sluice_layout layout, uint16_t size,
		const struct sluice_ring_layout *l, void *va, uint16_t *avail_shadow)
{
	char *base = va;
	uint16_t i;

	memset(r, 0, sizeof(*r));
	r->size = size;
	r->mask = size - 1;
	r->nb_free = size;
	r->doorbell.fd = -1;
	if (layout == SLUICE_SPLIT) {
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

void
sluice_queue_break(struct sluice_queue *q, enum sluice_fail why)
{
	uint32_t state = __atomic_load_n(&q->state, __ATOMIC_RELAXED);
	uint64_t one = 1;

	if (q->fail == SLUICE_FAIL_NONE)
		__atomic_store_n(&q->fail, why, __ATOMIC_RELAXED);
	/* A queue that the control side is stopping stays STOPPED. */
	if (state >= SLUICE_QUEUE_RUNNING)
		__atomic_compare_exchange_n(&q->state, &state, SLUICE_QUEUE_FAILED, false,
				__ATOMIC_RELEASE, __ATOMIC_RELAXED);
	if (q->wake_fd >= 0 && write(q->wake_fd, &one, sizeof(one)) < 0)
		return; /* full: the control thread is awake */
}

const char *
sluice_fail_name(enum sluice_fail why)
{
	static const char *const names[] = {
		[SLUICE_FAIL_NONE] = "none",
		[SLUICE_FAIL_USED_IDX] = "used index ahead of what was given",
		[SLUICE_FAIL_BAD_ID] = "buffer id that the device does not have",
		[SLUICE_FAIL_BAD_LEN] = "used length outside of the buffer",
		[SLUICE_FAIL_NUM_BUFFERS] = "num_buffers that cannot be",
		[SLUICE_FAIL_NEEDS_RESET] = "the device met an error and needs a reset",
		[SLUICE_FAIL_GONE] = "the device is gone",
	};

	static_assert(RTE_DIM(names) == SLUICE_FAIL_MAX, "a name for each reason");
	return (unsigned int)why < RTE_DIM(names) ? names[why] : "unknown";
}

void
sluice_queue_quiesce_init(void)
{
	has_membarrier = syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
					 0) == 0;
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

void
sluice_queue_unblock_kick(struct sluice_queue *q)
{
	if (q->kick_fd >= 0 && __atomic_load_n(&q->ring.in_kick, __ATOMIC_ACQUIRE))
		sluice_eventfd_unblock(q->kick_fd);
}

int
sluice_queue_quiesce(struct sluice_queue *q, int64_t deadline)
{
	int64_t begin = sluice_clock_ms();

	/*
	 * Pairs with the order of in_burst and state in sluice_queue_enter(). Where seccomp forbids
	 * the call, a millisecond is more than any store buffer needs.
	 */
	if (SLUICE_HAS_TSAN)
		__atomic_fetch_or(&q->state, 0, __ATOMIC_SEQ_CST); /* as an exchange with itself */
	else if (!has_membarrier ||
			syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
		usleep(1000);
	while (__atomic_load_n(&q->in_burst, __ATOMIC_ACQUIRE) != 0) {
		int64_t now = sluice_clock_ms();

		if (now - begin >= KICK_MS)
			sluice_queue_unblock_kick(q);
		if (now > deadline)
			return -ETIMEDOUT;
		if (now == begin)
			rte_pause();
		else
			usleep(100); /* the core may need this CPU to leave */
	}
	return 0;
}

static struct sluice_ring_layout
reset_queue(struct sluice_queue *q, const struct sluice_queue_conf *conf, bool is_tx,
		uint16_t *avail_shadow)
{
	struct sluice_ring_layout l = sluice_ring_layout(conf->layout, conf->size, is_tx);
	uint64_t nb_kicks = q->ring.nb_kicks, nb_suppressed = q->ring.nb_suppressed;
	uint64_t nb_misses = q->stream.nb_misses;

	memset(conf->va, 0, l.len);
	q->layout = conf->layout;
	q->run = conf->run;
	sluice_ring_init(&q->ring, conf->layout, conf->size, &l, conf->va, avail_shadow);
	q->ring.has_event_idx = conf->has_event_idx;
	q->ring.is_in_order = conf->is_in_order;
	q->ring.nb_kicks = nb_kicks;
	q->ring.nb_suppressed = nb_suppressed;
	q->fail = SLUICE_FAIL_NONE;
	dmap_stream_init(&q->stream, conf->domain);
	q->stream.nb_misses = nb_misses;
	if (conf->layout == SLUICE_PACKED)
		sluice_packed_disable_interrupts(&q->ring);
	else
		sluice_split_disable_interrupts(&q->ring);
	return l;
}

void
sluice_rxq_reset(struct sluice_rxq *rxq, const struct sluice_queue_conf *conf)
{
	reset_queue(&rxq->q, conf, false, rxq->avail_shadow);
	sluice_rxq_place(rxq, conf->reads_headers);
	rxq->sample = 1;
	rxq->must_read_header = false;
	rxq->nb_unannounced = 0;
	rxq->free_thresh = RTE_MIN(rxq->free_thresh_asked, RTE_MAX(conf->size / 2, 1));
}

void
sluice_txq_reset(struct sluice_txq *txq, const struct sluice_queue_conf *conf)
{
	struct sluice_ring_layout l = reset_queue(&txq->q, conf, true, txq->avail_shadow);

	txq->dv_extra = (struct sluice_tx_extra *)((char *)conf->va + l.extra);
	txq->extra_da.v = conf->da.v + l.extra;
	txq->has_indirect = conf->has_indirect;
	txq->reclaim_at = RTE_MIN(txq->reclaim_asked, RTE_MAX(conf->size / 2, 1));
	txq->pool = NULL;
	txq->is_short = false;
	txq->is_mostly_unfit = false;
	txq->nb_extra = 0;
	txq->nb_given = 0;
	txq->chain_end = 0;
	txq->nb_odd = 0;
}

void
sluice_queue_retract(struct sluice_queue *q)
{
	bool is_tx = sluice_queue_is_tx(q);
	const struct sluice_ring *r = &q->ring;
	struct sluice_ring_layout l = sluice_ring_layout(q->layout, r->size, is_tx);
	char *base;

	if (q->layout == SLUICE_SPLIT) {
		sluice_split_retract(r);
		base = (char *)r->split.dv_desc - l.desc;
	} else {
		sluice_packed_retract(r);
		base = (char *)r->packed.dv_desc - l.desc;
	}
	/* Tables that indirect descriptors lead to. */
	if (is_tx)
		memset(base + l.extra, 0, r->size * sizeof(struct sluice_tx_extra));
}

uint32_t
sluice_queue_drain(struct sluice_queue *q, struct sluice_batch *out)
{
	return sluice_queue_is_tx(q) ? sluice_txq_drain((struct sluice_txq *)q, out) :
				       sluice_rxq_drain((struct sluice_rxq *)q, out);
}

void
sluice_queue_take_returns(struct sluice_queue *q)
{
	sluice_batch_free_all(__atomic_exchange_n(&q->returns, NULL, __ATOMIC_ACQUIRE));
}

void
sluice_queue_take_news(struct sluice_queue *q)
{
	dmap_stream_flush(&q->stream);
	sluice_queue_take_returns(q);
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
	__atomic_store_n(&r->in_kick, 1, __ATOMIC_RELEASE);
	ret = write(r->doorbell.fd, &one, sizeof(one));
	RTE_SET_USED(ret);
	__atomic_store_n(&r->in_kick, 0, __ATOMIC_RELEASE);
}
