/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A memory table that grows under traffic. Port 0 is a net_vhost, port 1 its front end. One lcore
 * keeps WINDOW packets on their way in queue pair 0. The main thread sends in queue pair 1, for as
 * many rounds as its argument says, of two kinds in turn:
 *
 *     grow     from a new pool of 128 MiB, until its packets come back: the back end has to see it
 *     still    for the same time from the pool that all others come from, beside such a new pool;
 *              of these the lcore counts no more bursts than of the others
 *
 * Prints counts of packets, and for each kind of rounds
 *
 *     bursts       calls of the lcore on the front end
 *     syscalls     that these made: the kernel catches those of a burst, and no others (prctl(2),
 *                  PR_SET_SYSCALL_USER_DISPATCH)
 *     waits        how often the lcore gave up its CPU in a burst
 *     preempted    bursts in which the lcore lost it; they have no part in the times
 *     pNN_ns       percentiles of the bursts' times, and max_ns the longest
 *     stalled      bursts that took 100 us or more
 *     misses       lookups of its queues in the table of mapped memory, where alone are locks
 *     messages     to the back end that changed what it sees
 *     grown        rounds that ended with at least 128 MiB more of that than at the start
 */

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_vhost.h>

#include "echo.h"
#include "now.h"
#include "sequence.h"

enum { BACK, FRONT };
enum round { NO_ROUND, STILL, GROW, NB_ROUNDS };

#define NB_QUEUES 2
#define NB_MBUFS 4095
#define NB_DESC 256
#define BURST 16
#define WINDOW 64
#define DEADLINE_US 5000000
#define BIG_BYTES (128u << 20)
#define NB_BIG (BIG_BYTES / (RTE_MBUF_DEFAULT_BUF_SIZE + sizeof(struct rte_mbuf)) + 1)

/* Messages of the vhost-user protocol. */
#define SET_MEM_TABLE 5
#define ADD_MEM_REG 37
#define REM_MEM_REG 38
/* Of the times: classes of this many cycles, and the last one has all that is longer. */
#define CLASS_CYCLES 32
#define NB_CLASSES 65536
/* No work of a burst takes that long; to wait for the back end or for its pages does. */
#define STALL_NS 100000

/* A queue pair of the front end, and who has its packets there; of one thread. */
static struct pair {
	uint64_t sent;
	struct sequence came;
	struct echo echo; /* of the back end */
} pairs[NB_QUEUES];

/* What the lcore saw in each kind of rounds, and, in the second half, the main thread. */
static struct {
	uint64_t nb, nb_syscalls, nb_waits, nb_preempted, slowest;
	uint32_t classes[NB_CLASSES];
	uint64_t nb_misses, nb_messages, nb_grown;
} seen[NB_ROUNDS];

/* What the back end sees, and how often that changed, since messages are looked at; atomic. */
static uint64_t nb_bytes_shown, nb_messages;

static struct rte_mempool *pools[2]; /* of the two ports */
static enum round now_is;            /* atomic; the main thread says so */
static uint32_t is_quiet, is_over;   /* atomic */
/* Of the lcore: SYSCALL_DISPATCH_FILTER_BLOCK in a burst. */
static volatile char filter = SYSCALL_DISPATCH_FILTER_ALLOW;
static volatile sig_atomic_t nb_caught, last_caught;

static void
check(bool is_right, const char *what)
{
	if (is_right)
		return;
	/* rte_exit() waits for the lcore. */
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	rte_exit(EXIT_FAILURE, "grow_table: %s\n", what);
}

/* The call is not made. */
static void
on_syscall(int sig, siginfo_t *info, void *context)
{
	RTE_SET_USED(sig);
	RTE_SET_USED(context);
	filter = SYSCALL_DISPATCH_FILTER_ALLOW; /* for the return from here */
	nb_caught++;
	last_caught = info->si_syscall;
}

/* Of the calling thread. Ends with a call that must be caught. */
static void
catch_syscalls(void)
{
	const struct sigaction action = { .sa_sigaction = on_syscall, .sa_flags = SA_SIGINFO };

	check(sigaction(SIGSYS, &action, NULL) == 0 &&
					prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0,
							0, &filter) == 0,
			"this kernel does not catch system calls");
	filter = SYSCALL_DISPATCH_FILTER_BLOCK;
	syscall(SYS_getppid);
	check(nb_caught == 1 && last_caught == SYS_getppid, "a system call was not caught");
	nb_caught = 0;
}

struct burst {
	struct rusage before;
	uint64_t begin;
};

static void
enter_burst(struct burst *b)
{
	getrusage(RUSAGE_THREAD, &b->before);
	filter = SYSCALL_DISPATCH_FILTER_BLOCK;
	b->begin = rte_rdtsc_precise();
}

static void
leave_burst(const struct burst *b)
{
	uint64_t took = rte_rdtsc_precise() - b->begin;
	enum round r = __atomic_load_n(&now_is, __ATOMIC_RELAXED);
	struct rusage after;

	filter = SYSCALL_DISPATCH_FILTER_ALLOW;
	getrusage(RUSAGE_THREAD, &after);
	/* As many of both kinds, so that the start of a round weighs the same in both. */
	if (r == STILL && seen[STILL].nb >= seen[GROW].nb)
		r = NO_ROUND;
	seen[r].nb++;
	seen[r].nb_syscalls += nb_caught;
	nb_caught = 0;
	seen[r].nb_waits += after.ru_nvcsw - b->before.ru_nvcsw;
	if (after.ru_nivcsw != b->before.ru_nivcsw) {
		seen[r].nb_preempted++;
		return;
	}
	seen[r].slowest = RTE_MAX(seen[r].slowest, took);
	seen[r].classes[RTE_MIN(took / CLASS_CYCLES, NB_CLASSES - 1u)]++;
}

/* Of the front end; is_seen: by the lcore that counts. */
static void
receive(uint16_t q, bool is_seen)
{
	struct rte_mbuf *pkts[BURST];
	struct burst b;
	uint16_t nb, i;

	if (is_seen)
		enter_burst(&b);
	nb = rte_eth_rx_burst(FRONT, q, pkts, BURST);
	if (is_seen)
		leave_burst(&b);
	for (i = 0; i < nb; i++)
		sequence_take(&pairs[q].came, pkts[i]);
	rte_pktmbuf_free_bulk(pkts, nb);
}

static void
send_some(uint16_t q, struct rte_mempool *pool, bool is_seen)
{
	struct pair *p = &pairs[q];
	struct rte_mbuf *pkts[BURST];
	struct burst b;
	uint16_t i, nb;

	if (p->sent - p->came.nb > WINDOW - BURST)
		return;
	check(rte_pktmbuf_alloc_bulk(pool, pkts, BURST) == 0, "no mbufs to send");
	for (i = 0; i < BURST; i++)
		sequence_make(pkts[i], p->sent + i);
	if (is_seen)
		enter_burst(&b);
	nb = rte_eth_tx_burst(FRONT, q, pkts, BURST);
	if (is_seen)
		leave_burst(&b);
	rte_pktmbuf_free_bulk(&pkts[nb], BURST - nb);
	sequence_add(&p->sent, nb);
}

static int
work(void *arg)
{
	RTE_SET_USED(arg);
	catch_syscalls();
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		if (!__atomic_load_n(&is_quiet, __ATOMIC_RELAXED))
			send_some(0, pools[FRONT], true);
		echo_send_back(&pairs[0].echo, BACK, 0);
		echo_send_back(&pairs[1].echo, BACK, 1);
		receive(0, true);
	}
	return 0;
}

static void
set_up(uint16_t port)
{
	const struct rte_eth_conf conf = { 0 };
	uint16_t q;

	check(rte_eth_dev_configure(port, NB_QUEUES, NB_QUEUES, &conf) == 0, "configure");
	for (q = 0; q < NB_QUEUES; q++)
		check(rte_eth_rx_queue_setup(port, q, NB_DESC, SOCKET_ID_ANY, NULL, pools[port]) ==
								0 &&
						rte_eth_tx_queue_setup(port, q, NB_DESC,
								SOCKET_ID_ANY, NULL) == 0,
				"queues");
	check(rte_eth_dev_start(port) == 0, "start");
}

/* Packets of a pool in queue pair 1, until nb more have come back. */
static void
exchange(struct rte_mempool *pool, uint64_t nb)
{
	const uint64_t all = pairs[1].sent + nb;
	const int64_t end = now_us() + DEADLINE_US;

	while (pairs[1].sent < all || pairs[1].came.nb < pairs[1].sent) {
		check(now_us() < end, "packets do not come back");
		if (pairs[1].sent < all)
			send_some(1, pool, false);
		receive(1, false);
	}
}

static uint64_t
xstat(const char *name)
{
	uint64_t id, value = 0;

	check(rte_eth_xstats_get_id_by_name(FRONT, name, &id) == 0 &&
					rte_eth_xstats_get_by_id(FRONT, &id, &value, 1) == 1,
			name);
	return value;
}

static uint64_t
misses(void)
{
	return xstat("rx_q0_dma_map_misses") + xstat("tx_q0_dma_map_misses");
}

/* The library's thread, before it looks at a message. Sections: QEMU docs/interop/vhost-user.rst */
static enum rte_vhost_msg_result
on_message(int vid, void *arg)
{
	/* [Header; Multiple memory regions description; Single memory region description] */
	const struct {
		uint32_t request, flags, size, nb, padding;
		struct {
			uint64_t guest_addr, size, user_addr, mmap_offset;
		} __attribute__((packed)) regions[8];
	} __attribute__((packed)) *msg = arg;
	uint64_t shown = nb_bytes_shown;
	uint32_t i;

	RTE_SET_USED(vid);
	if (msg->request == ADD_MEM_REG)
		shown += msg->regions[0].size;
	else if (msg->request == REM_MEM_REG)
		shown -= msg->regions[0].size;
	else if (msg->request == SET_MEM_TABLE)
		for (shown = 0, i = 0; i < RTE_MIN(msg->nb, RTE_DIM(msg->regions)); i++)
			shown += msg->regions[i].size;
	else
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	__atomic_store_n(&nb_bytes_shown, shown, __ATOMIC_RELAXED);
	__atomic_fetch_add(&nb_messages, 1, __ATOMIC_RELEASE);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static uint64_t
bytes_shown(void)
{
	return __atomic_load_n(&nb_bytes_shown, __ATOMIC_RELAXED);
}

/* The lcore's queues have used all of their rings, and looked up where they lie. */
static void
wait_traffic(void)
{
	const int64_t end = now_us() + DEADLINE_US;
	const uint64_t nb = sequence_read(&pairs[0].came.nb);

	while (sequence_read(&pairs[0].came.nb) < nb + 4 * NB_DESC)
		check(now_us() < end, "no traffic");
}

/* The back end does not see the pool that ended. */
static void
wait_forgotten(uint64_t shown)
{
	const int64_t end = now_us() + DEADLINE_US;

	while (bytes_shown() > shown - BIG_BYTES)
		check(now_us() < end, "the back end sees a pool that ended");
}

/*
 * At least as long as the round before took, in microseconds; how long that was. In between its
 * begin and its end the lcore counts.
 */
static int64_t
round_of(enum round r, int64_t before)
{
	/*
	 * With a cache what was not sent is tried again, and not others, which may lie in a page
	 * that the back end sees because of another pool.
	 */
	struct rte_mempool *big = rte_pktmbuf_pool_create(
			"big", NB_BIG, WINDOW, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	const uint64_t nb_misses = misses();
	const uint64_t nb = __atomic_load_n(&nb_messages, __ATOMIC_ACQUIRE);
	uint64_t shown = bytes_shown();
	int64_t begin = now_us(), took;

	check(big != NULL, "no pool of 128 MiB");
	__atomic_store_n(&now_is, r, __ATOMIC_RELAXED);
	do
		exchange(r == GROW ? big : pools[FRONT], WINDOW);
	while (now_us() - begin < before);
	__atomic_store_n(&now_is, NO_ROUND, __ATOMIC_RELAXED);
	took = now_us() - begin;
	seen[r].nb_misses += misses() - nb_misses;
	seen[r].nb_messages += __atomic_load_n(&nb_messages, __ATOMIC_ACQUIRE) - nb;
	seen[r].nb_grown += bytes_shown() >= shown + BIG_BYTES;
	shown = bytes_shown();
	/* Completed buffers stay until the ring wants their slots. */
	exchange(pools[FRONT], NB_DESC);
	check(rte_mempool_full(big), "buffers of the new pool are not back");
	rte_mempool_free(big);
	if (r == GROW)
		wait_forgotten(shown);
	/* With the end of any pool the lcore's queues look up once more what they know. */
	wait_traffic();
	return took;
}

static uint64_t
ns(uint64_t cycles)
{
	return cycles * 1000000000 / rte_get_tsc_hz();
}

static uint64_t
percentile(enum round r, double share)
{
	uint64_t left = (seen[r].nb - seen[r].nb_preempted) * share;
	unsigned int i;

	for (i = 0; i < NB_CLASSES - 1 && seen[r].classes[i] <= left; i++)
		left -= seen[r].classes[i];
	return ns((i + 1) * CLASS_CYCLES);
}

static uint64_t
nb_stalled(enum round r)
{
	uint64_t nb = 0;
	unsigned int i;

	for (i = 0; i < NB_CLASSES; i++)
		nb += ns((uint64_t)i * CLASS_CYCLES) >= STALL_NS ? seen[r].classes[i] : 0;
	return nb;
}

static void
print_seen(const char *name, enum round r)
{
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{ "bursts", seen[r].nb },
		{ "syscalls", seen[r].nb_syscalls },
		{ "waits", seen[r].nb_waits },
		{ "preempted", seen[r].nb_preempted },
		{ "p50_ns", percentile(r, 0.5) },
		{ "p99_ns", percentile(r, 0.99) },
		{ "p999_ns", percentile(r, 0.999) },
		{ "max_ns", ns(seen[r].slowest) },
		{ "stalled", nb_stalled(r) },
		{ "misses", seen[r].nb_misses },
		{ "messages", seen[r].nb_messages },
		{ "grown", seen[r].nb_grown },
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(all); i++)
		printf("%s_%s=%" PRIu64 " ", name, all[i].name, all[i].value);
	printf("\n");
}

/* What is on its way in queue pair 0 arrives, or the deadline comes. */
static void
settle(void)
{
	const int64_t end = now_us() + DEADLINE_US;

	__atomic_store_n(&is_quiet, 1, __ATOMIC_RELAXED);
	do
		usleep(1000);
	while (sequence_read(&pairs[0].came.nb) != sequence_read(&pairs[0].sent) && now_us() < end);
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
}

int
main(int argc, char **argv)
{
	static const struct rte_vhost_user_extern_ops ops = { .pre_msg_handle = on_message };
	int n = rte_eal_init(argc, argv), nb, i;
	struct rte_eth_link link = { 0 };

	check(n >= 0 && n + 1 < argc, "EAL-OPTIONS -- ROUNDS");
	nb = atoi(argv[n + 1]);
	for (i = 0; i < NB_QUEUES; i++) {
		pools[i] = rte_pktmbuf_pool_create(i == BACK ? "back" : "front", NB_MBUFS, 0, 0,
				RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
		check(pools[i] != NULL, "no pools");
		set_up(i);
	}
	/* net_vhost says up when it has asked for no notifications. */
	for (i = 0; i < NB_QUEUES; i++)
		while (rte_eth_link_get_nowait(i, &link) != 0 || !link.link_status)
			usleep(1000);
	/* 0: the first device of this process. */
	check(rte_vhost_extern_callback_register(0, &ops, NULL) == 0, "cannot see messages");
	rte_eal_mp_remote_launch(work, NULL, SKIP_MAIN);
	exchange(pools[FRONT], NB_DESC);
	wait_traffic();
	for (i = 0; i < nb; i++)
		round_of(STILL, round_of(GROW, 0));
	settle();
	print_seen("still", STILL);
	print_seen("grow", GROW);
	printf("other_syscalls=%" PRIu64 " last_syscall=%d\n", seen[NO_ROUND].nb_syscalls,
			(int)last_caught);
	for (i = 0; i < NB_QUEUES; i++)
		printf("sent%d=%" PRIu64 " received%d=%" PRIu64 " missing%d=%" PRIu64
		       " bad%d=%" PRIu64 "\n",
				i, pairs[i].sent, i, pairs[i].came.nb, i, pairs[i].came.nb_missing,
				i, pairs[i].came.nb_bad);
	check(rte_eth_dev_stop(FRONT) == 0 && rte_eth_dev_stop(BACK) == 0, "stop");
	printf("unreturned=%u\n", rte_mempool_in_use_count(pools[FRONT]));
	return rte_eal_cleanup();
}
