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

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include "dmap_stream.h"
#include "sluice_ring.h"

/*
 * What distinguishes one burst function from another. Always a literal, passed by value into the
 * templates of sluice_rx.h and sluice_tx.h, which the compiler folds.
 */
struct sluice_path_cfg {
	enum sluice_ring_type ring_type;
	/* receive: headers are read, they say something of checksums; of copies the queue knows */
	bool has_csum;
	bool is_few;       /* transmit: batches of one packet */
	bool has_offloads; /* transmit: packets ask for checksums and the like */
	bool is_copy;      /* packets are copied into and out of bounce buffers (sluice_copy.h) */
	/*
	 * Batches of mbufs with pinned external buffers: receive, batches read where these lie. In
	 * no row of the tables: the pool decides.
	 */
	bool is_pinned;
	bool has_hash; /* transmit: headers have room for a hash. In no row: sluice_tx_slow.h */
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
	return SLUICE_QUEUE_RUNNING + (cfg.ring_type == SLUICE_PACKED ? 1 : 0) + cfg.has_csum * 2 +
			cfg.has_offloads * 4 + cfg.is_copy * 8;
}

/*
 * Counters of a queue, or of a port, that can be read and reset: at least as many as sluice_stats.c
 * lists.
 */
#define SLUICE_COUNTERS_MAX 24

/* Only the polling core writes them, and nothing sets them back: others read at any time. */
struct sluice_queue_stats {
	uint64_t packets;
	uint64_t bytes;
	uint64_t errors;
};

struct sluice_port;

/* Mbufs that a device had, on their way back to their pools (sluice_park.h). */
struct sluice_mbuf_list;

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
	uint16_t id;       /* of the ethdev queue */
	uint16_t vq;       /* of the virtqueue */
	uint16_t port_id;  /* of ethdev */
	uint8_t ring_type; /* enum sluice_ring_type */
	uint32_t run;      /* the state while it runs: sluice_path_run() of its path */
	int kick_fd;       /* of this connection; -1: there is none */
	int wake_fd;       /* the port's control thread, told of failures; -1: nobody is */
	uint32_t fail;     /* enum sluice_fail; set once by the failing burst */
	/*
	 * Held, for a few instructions, by who looks at the ring outside of a burst: interrupts,
	 * questions about descriptors. The control side takes it once when the queue is not RUNNING
	 * any more.
	 */
	rte_spinlock_t look_lock;
	bool is_deferred; /* the port's start does not start it */
	/* The control side: while the port runs the queue does not, the application wants it so. */
	bool is_held;
	/* The control side: the device has forgotten the ring, and shall get a fresh one. */
	bool is_forgotten;
	/*
	 * The control side: a secondary process died inside. The queue does not run again before it
	 * has a fresh ring; what it holds stays with it, and is lost.
	 */
	bool is_stranded;
	uint16_t nb_slots; /* that sw_ring, and the like, has room for */
	/*
	 * The secondary process whose core is inside, by the number that it has with the port; 0:
	 * none. Atomic; see sluice_visit.h.
	 */
	uint16_t visitor;
	/* As in_burst, from before a burst is looked at until after it (sluice_check.h). */
	uint32_t in_look;
	/*
	 * Buffers of pools into which only one core may put: the polling core takes them at its
	 * next burst. Atomic; pushed by the control side, taken as a whole.
	 */
	struct sluice_mbuf_list *returns;
};

static inline bool
sluice_queue_is_tx(const struct sluice_queue *q)
{
	return SLUICE_VQ_IS_TX(q->vq);
}

/*
 * Latch the failure of a queue: bursts return 0 from now on, the port's control thread does the
 * rest. Called by the polling core; the first reason counts.
 */
void sluice_queue_break(struct sluice_queue *q, enum sluice_fail why);

const char *sluice_fail_name(enum sluice_fail why);

/*
 * A queue that runs stops for a while, and goes on where it was; its ring stays with the device.
 * The control side. After a pause bursts may still be inside: sluice_queue_quiesce().
 */
void sluice_queue_pause(struct sluice_queue *q);
void sluice_queue_resume(struct sluice_queue *q);

/* What came back while the queue stood still goes to its pools. */
void sluice_queue_take_returns(struct sluice_queue *q);
/* The same, and sluice_queue_leave(), by a burst that finds no RUNNING queue of its path. */
void sluice_queue_leave_returns(struct sluice_queue *q);
/* Bottom half of sluice_queue_refresh(). */
void sluice_queue_take_news(struct sluice_queue *q);

/*
 * Wait until no burst function is inside the queue, which must not be RUNNING, and nobody else
 * looks at its ring. Needs no fence on the polling core: membarrier(2) puts one there. -ETIMEDOUT
 * if the core does not leave before the deadline (sluice_clock_ms()). A core that hangs in a kick
 * is helped out.
 */
int sluice_queue_quiesce(struct sluice_queue *q, int64_t deadline);
/*
 * What each polling core does from now on comes after what this thread wrote before, and what it
 * wrote before is seen here. No fence on the polling core is needed: membarrier(2) puts one there.
 */
void sluice_queue_fence(void);
/* Once per process, before the first of both. */
void sluice_queue_quiesce_init(void);
/* Is a burst function inside? For queues that are not RUNNING and were quiesced in vain. */
static inline bool
sluice_queue_is_in_burst(const struct sluice_queue *q)
{
	return rte_atomic_load_explicit(&q->visitor, rte_memory_order_acquire) != 0 ||
			rte_atomic_load_explicit(&q->in_look, rte_memory_order_acquire) != 0 ||
			rte_atomic_load_explicit(&q->in_burst, rte_memory_order_acquire) != 0;
}

/* The same, if the polling core hangs in a kick. */
void sluice_queue_unblock_kick(struct sluice_queue *q);

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

static __rte_always_inline void
sluice_queue_leave(struct sluice_queue *q)
{
	/*
	 * Pairs with the acquire in sluice_queue_quiesce(): who waited sees what the burst has
	 * done.
	 */
	rte_atomic_store_explicit(&q->in_burst, 0, rte_memory_order_release);
}

/* run: sluice_path_run() of the function's path. */
static __rte_always_inline bool
sluice_queue_enter(struct sluice_queue *q, uint32_t run)
{
	if (SLUICE_HAS_TSAN) {
		/* Pairs with the exchange in sluice_queue_quiesce(). */
		rte_atomic_exchange_explicit(&q->in_burst, 1, rte_memory_order_seq_cst);
	} else {
		rte_atomic_store_explicit(&q->in_burst, 1, rte_memory_order_relaxed);
		/*
		 * Pairs with membarrier() in sluice_queue_quiesce(): here the compiler's order is
		 * enough.
		 */
		rte_compiler_barrier();
	}
	if (likely(rte_atomic_load_explicit(&q->state, rte_memory_order_acquire) == run))
		return true;
	/* Nothing is needed behind this call, or each burst would save registers for it. */
	if (unlikely(rte_atomic_load_explicit(&q->returns, rte_memory_order_relaxed) != NULL))
		sluice_queue_leave_returns(q);
	else
		sluice_queue_leave(q);
	return false;
}

static inline bool
sluice_queue_is_running(const struct sluice_queue *q)
{
	return rte_atomic_load_explicit(&q->state, rte_memory_order_acquire) >=
			SLUICE_QUEUE_RUNNING;
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

/* True if the device has a buffer that starts at this slot; id comes from the device. */
static inline bool
sluice_queue_is_lent(const struct sluice_queue *q, uint32_t id)
{
	return id < q->ring.size &&
			sluice_ring_distance(&q->ring, id) < sluice_ring_nb_in_flight(&q->ring) &&
			q->sw_ring[id] != NULL;
}

#endif /* SLUICE_QUEUE_H */
