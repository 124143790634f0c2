/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* A queue off the hot path: failure, quiescence, what comes back to it. */

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_pause.h>

#include "sluice_mbuf_list.h"
#include "sluice_clock.h"
#include "sluice_fds.h"
#include "sluice_queue.h"

/* A core that is inside for longer may hang in a kick. */
#define KICK_MS 5

static bool has_membarrier;

void
sluice_queue_break(struct sluice_queue *q, enum sluice_fail why)
{
	uint32_t state = rte_atomic_load_explicit(&q->state, rte_memory_order_relaxed);
	uint64_t one = 1;
	int fd;

	if (q->fail == SLUICE_FAIL_NONE)
		rte_atomic_store_explicit(&q->fail, why, rte_memory_order_relaxed);
	/* A queue that the control side is stopping stays STOPPED. */
	if (state >= SLUICE_QUEUE_RUNNING)
		rte_atomic_compare_exchange_strong_explicit(&q->state, &state, SLUICE_QUEUE_FAILED,
				rte_memory_order_release, rte_memory_order_relaxed);
	fd = sluice_fd_here(q->wake_fd);
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return; /* full: the control thread is awake */
}

void
sluice_queue_pause(struct sluice_queue *q)
{
	uint32_t run = q->run;

	rte_atomic_compare_exchange_strong_explicit(&q->state, &run, SLUICE_QUEUE_STOPPED,
			rte_memory_order_release, rte_memory_order_relaxed);
}

void
sluice_queue_resume(struct sluice_queue *q)
{
	uint32_t stopped = SLUICE_QUEUE_STOPPED;

	/* Pairs with the acquire in sluice_queue_enter(). */
	if (!q->is_stranded &&
			rte_atomic_load_explicit(&q->fail, rte_memory_order_relaxed) ==
					SLUICE_FAIL_NONE)
		rte_atomic_compare_exchange_strong_explicit(&q->state, &stopped, q->run,
				rte_memory_order_release, rte_memory_order_relaxed);
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
sluice_queue_unblock_kick(struct sluice_queue *q)
{
	if (q->kick_fd >= 0 && rte_atomic_load_explicit(&q->ring.in_kick, rte_memory_order_acquire))
		sluice_eventfd_unblock(q->kick_fd);
}

void
sluice_queue_fence(void)
{
	/* Where seccomp forbids the call, a millisecond is more than any store buffer needs. */
	if (!has_membarrier ||
			syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0)
		usleep(1000);
}

static int
await_burst(struct sluice_queue *q, int64_t deadline)
{
	int64_t begin = sluice_clock_ms();

	/* Pairs with the order of in_burst and state in sluice_queue_enter(). */
	if (SLUICE_HAS_TSAN) /* as an exchange with itself */
		rte_atomic_fetch_add_explicit(&q->state, 0, rte_memory_order_seq_cst);
	else
		sluice_queue_fence();
	/*
	 * That fence is for this process. Cores of others come through sluice_visit_begin(), with
	 * which this pairs; an exchange with itself.
	 */
	rte_atomic_fetch_add_explicit(&q->visitor, 0, rte_memory_order_seq_cst);
	while (sluice_queue_is_in_burst(q)) {
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

int
sluice_queue_quiesce(struct sluice_queue *q, int64_t deadline)
{
	int ret = await_burst(q, deadline);

	/* Who looks at the ring outside of a burst leaves soon. */
	rte_spinlock_lock(&q->look_lock);
	rte_spinlock_unlock(&q->look_lock);
	return ret;
}

void
sluice_queue_take_returns(struct sluice_queue *q)
{
	/* They lie in memory of the primary process, which takes them when the port stops. */
	if (sluice_fds_here != NULL)
		return;
	sluice_mbuf_list_free_all(
			rte_atomic_exchange_explicit(&q->returns, NULL, rte_memory_order_acquire));
}

void
sluice_queue_leave_returns(struct sluice_queue *q)
{
	sluice_queue_take_returns(q);
	sluice_queue_leave(q);
}

void
sluice_queue_take_news(struct sluice_queue *q)
{
	dmap_stream_flush(&q->stream);
	sluice_queue_take_returns(q);
}
