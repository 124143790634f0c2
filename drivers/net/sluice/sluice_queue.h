/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A virtqueue as the driver sees it, and the receive or transmit queue around it.
 *
 * One rule makes split and packed rings, ordered and unordered devices alike: descriptor slots are
 * given in ring order, the buffer id is the slot, and slots become free in ring order. A device
 * that completes out of order gets its buffers accepted at once (the mbuf leaves sw_ring, a hole
 * stays), and the slot waits until the older ones are done. So the available ring of a split queue
 * never changes (ring[i] = i), ids are compared with an expected sequence, and there is no free
 * list that anybody could corrupt.
 *
 * Ownership: a slot between tail and head belongs to the device, unless it is a hole; sw_ring[slot]
 * is the mbuf that the device has. Nothing that decides anything is read from device-visible memory
 * (dv_) except used entries, and those are checked.
 *
 * Threads: the polling core of a queue runs its burst function; the control side (start, stop,
 * failure) may touch the queue only while it is not RUNNING and sluice_queue_quiesce() has
 * returned.
 */

#ifndef SLUICE_QUEUE_H
#define SLUICE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_spinlock.h>

#include "dmap.h"
#include "dmap_stream.h"
#include "sluice_spec.h"

enum sluice_layout { SLUICE_SPLIT, SLUICE_PACKED };

/*
 * What distinguishes one burst function from another. Always a literal, passed by value into the
 * templates of sluice_rx.h and sluice_tx.h, which the compiler folds.
 */
struct sluice_path_cfg {
	enum sluice_layout layout;
	bool has_mrg;     /* receive: a packet may take several buffers */
	bool has_csum;    /* receive: headers are read, they say something of checksums */
	bool is_in_order; /* transmit: the device promised order, completions come in batches */
	bool is_few;      /* transmit: batches of one packet */
};

/* Why a queue, and so its port, failed. Names in sluice_fail_name(). */
enum sluice_fail {
	SLUICE_FAIL_NONE,
	SLUICE_FAIL_USED_IDX, /* more completions than buffers given */
	SLUICE_FAIL_BAD_ID,   /* an id out of range, or of a buffer that the device does not have */
	SLUICE_FAIL_BAD_LEN,  /* shorter than the header or longer than the buffer */
	SLUICE_FAIL_NUM_BUFFERS, /* more than the ring holds, or a packet beyond 64 KiB */
	/* of the device as a whole */
	SLUICE_FAIL_NEEDS_RESET, /* it says so (2.1.1) */
	SLUICE_FAIL_GONE,        /* its registers do not answer */
	SLUICE_FAIL_MAX
};

/*
 * Where the net header of a received packet goes in a buffer. Data start at the headroom's end, and
 * so at a cache line, with the header in the line before. A header that is read starts there
 * itself: then it brings the packet's first bytes along.
 */
static __rte_always_inline uint16_t
sluice_rx_hdr_off(bool is_read)
{
	return is_read ? RTE_PKTMBUF_HEADROOM : RTE_PKTMBUF_HEADROOM - SLUICE_NET_HDR_LEN;
}

/* Shortest used length that is a packet: an Ethernet header behind the net header. */
#define SLUICE_RX_MIN_LEN (SLUICE_NET_HDR_LEN + RTE_ETHER_HDR_LEN)

/* Reference count 1 and one segment, as they lie in the eight bytes at rearm_data. */
#define SLUICE_TX_REARM_MASK 0x0000ffffffff0000ULL
#define SLUICE_TX_REARM_PLAIN 0x0000000100010000ULL

/*
 * The state of a queue. One that runs says for which burst functions its ring was made: a core that
 * still has the function of an earlier run, with another device, does nothing with it
 * (sluice_path_run()).
 */
enum sluice_queue_state {
	SLUICE_QUEUE_STOPPED,
	SLUICE_QUEUE_FAILED,
	SLUICE_QUEUE_RUNNING, /* and all values above */
};

static __rte_always_inline uint32_t
sluice_path_run(const struct sluice_path_cfg cfg)
{
	return SLUICE_QUEUE_RUNNING + (cfg.layout == SLUICE_PACKED ? 1 : 0) + cfg.has_mrg * 2 +
			cfg.has_csum * 4 + cfg.is_in_order * 8;
}

/* How a kick reaches the device: a register, or an eventfd. */
struct sluice_doorbell {
	volatile void *dv_reg; /* NULL: there is none */
	uint16_t vq;
	bool has_data;  /* NOTIFICATION_DATA: tell what is new (2.9) */
	bool is_packed; /* in which terms */
	int fd;         /* -1: there is none */
};

struct sluice_ring {
	/* constant after setup */
	union {
		struct {
			struct sluice_split_desc *dv_desc;
			struct sluice_split_avail *dv_avail;
			struct sluice_split_used *dv_used;
			uint16_t *avail_shadow; /* what dv_avail->ring holds */
		} split;
		struct {
			struct sluice_packed_desc *dv_desc;
			struct sluice_packed_event *dv_driver_event;
			struct sluice_packed_event *dv_device_event;
		} packed;
	};
	uint16_t size;
	uint16_t mask; /* size - 1; split only */
	bool has_event_idx;
	bool is_in_order;
	struct sluice_doorbell doorbell;

	/* owned by the polling core: slots */
	uint16_t head;     /* next slot to give */
	uint16_t tail;     /* oldest slot that is not free */
	uint16_t nb_free;  /* slots that may be given */
	uint16_t nb_holes; /* slots behind tail that the device gave back early */
	/* split: free-running counters; packed: slots with wrap counters */
	uint16_t avail_idx;
	uint16_t used_idx;
	uint16_t used_seen;   /* split: the used index read last */
	uint16_t avail_flags; /* packed: AVAIL and USED bits of a descriptor given now */
	bool used_wrap;       /* packed */
	uint16_t kicked_idx;  /* split: avail_idx at the last notification decision */
	uint64_t nb_kicks;
	uint64_t nb_suppressed; /* notifications that the device did not want */
	uint32_t in_kick; /* atomic: a kick is being written, which a back end may make block */
};

/*
 * Counters of a queue, or of a port, that can be read and reset: at least as many as sluice_stats.c
 * lists.
 */
#define SLUICE_COUNTERS_MAX 16

/* Only the polling core writes them, and nothing sets them back: others read at any time. */
struct sluice_queue_stats {
	uint64_t packets;
	uint64_t bytes;
	uint64_t errors;
};

struct sluice_port;

/* Mbufs that a device had, on their way back to their pools (sluice_park.h). */
struct sluice_batch;

/* What both directions have, first member of sluice_rxq and sluice_txq. */
struct sluice_queue {
	/* enum sluice_queue_state; written by the control side, and by a failing burst */
	uint32_t state;
	uint32_t in_burst; /* a burst function is inside; written by the polling core */
	struct sluice_ring ring;
	struct rte_mbuf **sw_ring;
	struct dmap_stream stream;
	struct sluice_queue_stats stats;
	/* constant after setup */
	struct sluice_port *port;
	uint16_t id; /* of the ethdev queue */
	uint16_t vq; /* of the virtqueue */
	enum sluice_layout layout;
	uint32_t run;  /* the state while it runs: sluice_path_run() of its path */
	int kick_fd;   /* of this connection; -1: there is none */
	int wake_fd;   /* the port's control thread, told of failures; -1: nobody is */
	uint32_t fail; /* enum sluice_fail; set once by the failing burst */
	/*
	 * Held, for a few instructions, by who looks at the ring outside of a burst: interrupts,
	 * questions about descriptors. The control side takes it once when the queue is not RUNNING
	 * any more.
	 */
	rte_spinlock_t look_lock;
	/*
	 * Buffers of pools into which only one core may put: the polling core takes them at its
	 * next burst. Atomic; pushed by the control side, taken as a whole.
	 */
	struct sluice_batch *returns;
};

struct sluice_rxq {
	struct sluice_queue q;
	/* owned by the polling core: a mergeable packet of which buffers are still to come */
	struct rte_mbuf *seg_first;
	struct rte_mbuf *seg_last;
	uint16_t nb_segs_left;
	uint16_t sample; /* counts down to the next header that is read although it need not be */
	bool must_read_header; /* the device does not fill buffers as the specification demands */
	uint16_t nb_batch; /* in-order: buffers that one used entry completed, still to be taken */
	uint16_t nb_unannounced; /* buffers given since the device was asked if it wants a kick */
	uint32_t batch_len;      /* in-order: length of the last of them */
	uint64_t nb_alloc_failed;
	uint64_t nb_runts;
	uint64_t nb_bad_hdr;           /* dropped: headers that cannot be */
	uint64_t nb_scattered;         /* dropped: several buffers, and nobody asked for them */
	uint64_t nb_multi;             /* packets of more than one buffer */
	uint64_t nb_zero_num_buffers;  /* headers that say 0 buffers, and mean one */
	struct sluice_net_hdr seg_hdr; /* of seg_first, a copy; if headers are read */
	/* constant after setup */
	uint64_t rearm;    /* the eight bytes at rearm_data of a fresh mbuf */
	uint64_t ol_flags; /* of a fresh mbuf: says whether the pool has pinned external buffers */
	uint32_t room;     /* of a buffer, behind the headroom */
	uint32_t buf_off;  /* from an mbuf of the pool to its buffer; 0: each has to be asked */
	uint32_t post_len; /* bytes that the device may write: net header and data room */
	uint16_t free_thresh; /* refill when this many slots are free */
	uint16_t free_thresh_asked;
	uint16_t nb_desc; /* asked for by the application */
	bool may_scatter; /* the application takes packets of several buffers; set at start */
	uint16_t *avail_shadow;
	struct rte_mempool *pool;
	/* control side: what the counters said when they were reset (sluice_stats.c) */
	uint64_t reset_at[SLUICE_COUNTERS_MAX];
};

/* Mbufs on their way back to one pool. */
#define SLUICE_TX_FREED_MAX 32
struct sluice_tx_freed {
	struct rte_mempool *pool;
	uint32_t nb;
	struct rte_mbuf *m[SLUICE_TX_FREED_MAX];
};

/*
 * What starts at a transmit slot that the device has. n: a plain packet of n + 1 slots, sw_ring has
 * one segment for each. SLUICE_TX_ODD | n: any other packet of n + 1 slots, sw_ring has its first
 * segment. SLUICE_TX_FOREIGN: one that is odd for nothing but its pool, so nobody else can hold it.
 */
#define SLUICE_TX_MORE 0x3fff /* n of these */
#define SLUICE_TX_ODD 0x8000
#define SLUICE_TX_FOREIGN (SLUICE_TX_ODD | 0x4000)
#define SLUICE_TX_MIDDLE UINT16_MAX /* nothing: the slot belongs to the packet before it */

struct sluice_txq {
	struct sluice_queue q;
	/* owned by the polling core */
	struct sluice_tx_freed freed[2]; /* empty outside of a reclaim; two pools may alternate */
	struct rte_mempool *pool;        /* where plain packets came from, and go back to */
	uint16_t nb_odd;                 /* slots given to packets that are not plain */
	bool is_short; /* the last burst did not find enough slots: look for completions first */
	/*
	 * Most slots of the last burst could not go through a vector batch: the next burst tries
	 * none.
	 */
	bool is_mostly_unfit;
	/* slots minus packets, of the last burst with packets of several slots */
	uint16_t nb_extra;
	uint32_t nb_given;    /* slots given, free-running */
	uint32_t chain_end;   /* the same at the end of the last plain packet of several slots */
	uint16_t *extent;     /* per slot: what starts there, see below */
	uint64_t nb_unmapped; /* dropped: memory that the device cannot reach */
	uint64_t nb_oversize; /* dropped: more segments than the ring has slots */
	uint64_t nb_indirect;
	uint64_t nb_chained;
	uint64_t nb_ring_full; /* packets left to the caller for lack of slots */
	/* packets left to the caller until the device sees their memory, or those before them */
	uint64_t nb_waiting;
	uint64_t *left; /* which of the two counts what this burst leaves */
	/* constant after setup */
	uint16_t nb_desc; /* asked for by the application */
	uint16_t *avail_shadow;
	uint16_t reclaim_asked;
	uint16_t reclaim_at; /* look for completions when this many slots are not free */
	bool has_indirect;
	struct sluice_tx_extra *dv_extra; /* one per slot */
	struct dmap_addr extra_da;
	/* control side: what the counters said when they were reset (sluice_stats.c) */
	uint64_t reset_at[SLUICE_COUNTERS_MAX];
};

/* Most segments of a packet: as many as ip fragments of a 64 KiB packet in small buffers make. */
#define SLUICE_TX_SEGS_MAX UINT8_MAX

/* Tables of at most this many descriptors replace chains in the ring. */
#define SLUICE_INDIRECT_MAX 19

/*
 * Per transmit slot, device-visible: an indirect table, and a header for the packet that is
 * described by it. Packets of two slots, which have no room for a header, share the first slot's.
 */
struct sluice_tx_extra {
	struct sluice_net_hdr hdr;
	uint32_t pad;
	union {
		struct sluice_split_desc split[SLUICE_INDIRECT_MAX];
		struct sluice_packed_desc packed[SLUICE_INDIRECT_MAX];
	};
};

/*
 * An odd number of cache lines: with a power of two the first lines of all slots would share a few
 * sets.
 */
static_assert(sizeof(struct sluice_tx_extra) == 320, "five cache lines");

/* Access rights are given page by page. */
#define SLUICE_RING_PAGE 4096UL

/*
 * Where the parts of a ring lie in its piece of coherent memory; offsets in bytes. What the device
 * only reads has pages of its own: of a split ring descriptors and available ring, of a packed one
 * the driver's event suppression, of both the extras of transmit slots.
 */
struct sluice_ring_layout {
	size_t desc;
	size_t driver;              /* split: available ring; packed: driver event suppression */
	size_t device;              /* split: used ring; packed: device event suppression */
	size_t extra;               /* transmit: struct sluice_tx_extra[] */
	struct dmap_span read_only; /* whole pages */
	size_t len;                 /* whole pages */
};

/* Layout for a ring of size slots, parts aligned to cache lines. */
struct sluice_ring_layout sluice_ring_layout(enum sluice_layout layout, uint16_t size, bool is_tx);

/* Place an idle ring of size slots in zeroed memory at va, which is laid out as l says. */
void sluice_ring_init(struct sluice_ring *r, enum sluice_layout layout, uint16_t size,
		const struct sluice_ring_layout *l, void *va, uint16_t *avail_shadow);

/*
 * Latch the failure of a queue: bursts return 0 from now on, the port's control thread does the
 * rest. Called by the polling core; the first reason counts.
 */
void sluice_queue_break(struct sluice_queue *q, enum sluice_fail why);

const char *sluice_fail_name(enum sluice_fail why);

/* Send a notification to the device. */
void sluice_doorbell_ring(struct sluice_ring *r);

/* Bottom half of a burst that finds no RUNNING queue of its path. */
void sluice_queue_take_returns(struct sluice_queue *q);
/* Bottom half of sluice_queue_refresh(). */
void sluice_queue_take_news(struct sluice_queue *q);

/* Whether ThreadSanitizer watches, which does not know membarrier(2). */
#if defined(__SANITIZE_THREAD__)
#define SLUICE_HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLUICE_HAS_TSAN 1
#endif
#endif
#ifndef SLUICE_HAS_TSAN
#define SLUICE_HAS_TSAN 0
#endif

/* run: sluice_path_run() of the function's path. */
static __rte_always_inline bool
sluice_queue_enter(struct sluice_queue *q, uint32_t run)
{
	if (SLUICE_HAS_TSAN) {
		/* Pairs with the exchange in sluice_queue_quiesce(). */
		__atomic_exchange_n(&q->in_burst, 1, __ATOMIC_SEQ_CST);
	} else {
		__atomic_store_n(&q->in_burst, 1, __ATOMIC_RELAXED);
		/*
		 * Pairs with membarrier() in sluice_queue_quiesce(): here the compiler's order is
		 * enough.
		 */
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
	if (likely(__atomic_load_n(&q->state, __ATOMIC_ACQUIRE) == run))
		return true;
	if (unlikely(__atomic_load_n(&q->returns, __ATOMIC_RELAXED) != NULL))
		sluice_queue_take_returns(q);
	__atomic_store_n(&q->in_burst, 0, __ATOMIC_RELEASE);
	return false;
}

static __rte_always_inline void
sluice_queue_leave(struct sluice_queue *q)
{
	/*
	 * Pairs with the acquire in sluice_queue_quiesce(): who waited sees what the burst has
	 * done.
	 */
	__atomic_store_n(&q->in_burst, 0, __ATOMIC_RELEASE);
}

static inline bool
sluice_queue_is_running(const struct sluice_queue *q)
{
	return __atomic_load_n(&q->state, __ATOMIC_ACQUIRE) >= SLUICE_QUEUE_RUNNING;
}

/* Once per burst: what the control side has left for the polling core. */
static __rte_always_inline void
sluice_queue_refresh(struct sluice_queue *q)
{
	if (unlikely(!dmap_stream_is_fresh(&q->stream)))
		sluice_queue_take_news(q);
}

/*
 * Eight bytes of something that has another type; in DPDK the fields of an mbuf are written like
 * that.
 */
typedef uint64_t __attribute__((__may_alias__, __aligned__(1))) sluice_word;

static __rte_always_inline sluice_word *
sluice_word_at(void *p, size_t offset)
{
	return (sluice_word *)((char *)p + offset);
}

/* data_off, refcnt, nb_segs and port of an mbuf in one word. */
static __rte_always_inline sluice_word *
sluice_mbuf_rearm(struct rte_mbuf *m)
{
	return sluice_word_at(m, offsetof(struct rte_mbuf, rearm_data));
}

/* How far slot lies behind tail, in ring order. */
static __rte_always_inline uint16_t
sluice_ring_distance(const struct sluice_ring *r, uint16_t slot)
{
	return slot >= r->tail ? slot - r->tail : slot + r->size - r->tail;
}

static __rte_always_inline uint16_t
sluice_ring_next(const struct sluice_ring *r, uint16_t slot, uint16_t by)
{
	uint32_t next = (uint32_t)slot + by;

	return next >= r->size ? next - r->size : next;
}

/* Slots from tail on that are not free. */
static __rte_always_inline uint16_t
sluice_ring_nb_busy(const struct sluice_ring *r)
{
	return r->size - r->nb_free;
}

/* True if the device has a buffer that starts at this slot; id comes from the device. */
static inline bool
sluice_queue_is_lent(const struct sluice_queue *q, uint32_t id)
{
	return id < q->ring.size &&
			sluice_ring_distance(&q->ring, id) < sluice_ring_nb_busy(&q->ring) &&
			q->sw_ring[id] != NULL;
}

/* Slots of the packet that starts at a slot. */
static __rte_always_inline uint16_t
sluice_tx_slots_of(const struct sluice_txq *txq, uint16_t slot)
{
	return (txq->extent[slot] & SLUICE_TX_MORE) + 1;
}

/* The oldest slots are free: move tail by nb slots. */
static __rte_always_inline void
sluice_ring_free_slots(struct sluice_ring *r, uint16_t nb)
{
	r->tail = sluice_ring_next(r, r->tail, nb);
	r->nb_free += nb;
}

#endif /* SLUICE_QUEUE_H */
