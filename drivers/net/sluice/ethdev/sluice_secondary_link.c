/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * How a secondary process has the rings of ports: a thread asks the primary process for them,
 * whenever their epoch is another one than that of the rings that are here, and looks whether it
 * lives. See sluice_share.h for the other side.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "sluice_clock.h"
#include "sluice_fds.h"
#include "sluice_log.h"
#include "sluice_port.h"
#include "sluice_secondary.h"

/* The primary process answers at once, or hangs. */
#define ANSWER_S 1
/* How often what did not work is tried again. */
#define RETRY_MS 100
/* How often it is looked whether a core is out. */
#define INSIDE_MS 1
/* How often it is looked whether memory is there, and for how long. */
#define MEMORY_MS 5
#define MEMORY_END_MS 2000
/* Then it may be asked for again. */
#define MEMORY_AGAIN_MS 5000
/* A port that goes waits this long for a core that is inside. */
#define CLOSE_MS 200

struct sluice_visitor sluice_visitors[RTE_MAX_ETHPORTS];

/* Protects what is the thread's; held while the primary process is asked. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool has_thread;
static int news_fd = -1;

/* What came along is closed by the caller. On error there is nothing. */
static int
request(struct sluice_share_ask *ask, const int *fds, int nb_fds, struct sluice_share_answer *a,
		int *fds_in, int *nb_in)
{
	struct rte_mp_msg msg = { .len_param = sizeof(*ask), .num_fds = nb_fds };
	struct timespec timeout = { .tv_sec = ANSWER_S };
	struct rte_mp_reply reply = { 0 };
	int ret, i;

	*nb_in = 0;
	ask->pid = getpid();
	strlcpy(msg.name, SLUICE_SHARE_NAME, sizeof(msg.name));
	memcpy(msg.param, ask, sizeof(*ask));
	for (i = 0; i < nb_fds; i++)
		msg.fds[i] = fds[i];
	if (rte_mp_request_sync(&msg, &reply, &timeout) != 0)
		return -ETIMEDOUT;
	ret = reply.nb_received == 1 && reply.msgs[0].len_param == sizeof(*a) ? 0 : -EIO;
	if (ret == 0) {
		memcpy(a, reply.msgs[0].param, sizeof(*a));
		ret = a->ret;
		*nb_in = reply.msgs[0].num_fds;
		for (i = 0; i < *nb_in; i++) {
			fds_in[i] = reply.msgs[0].fds[i];
			fcntl(fds_in[i], F_SETFD, FD_CLOEXEC);
		}
	}
	free(reply.msgs);
	return ret;
}

/* The primary process knows this one from here on. */
static int
attach(struct sluice_visitor *v)
{
	struct sluice_share_ask ask = { .what = SLUICE_SHARE_ATTACH, .port_id = v->port_id };
	struct sluice_share_answer a;
	int alive[2], fds[SLUICE_SHARE_FDS], nb = 0, ret;

	if (pipe2(alive, O_CLOEXEC) < 0)
		return -errno;
	ret = request(&ask, (const int[]){ alive[0], news_fd }, 2, &a, fds, &nb);
	close(alive[0]);
	if (ret == 0 && nb == 1) {
		v->who = a.who;
		v->primary_fd = fds[0];
		v->alive_fd = alive[1];
		return 0;
	}
	close(alive[1]);
	if (ret != -ENODEV && !v->is_told)
		SLUICE_LOG(ERR, "port %u: the primary process does not take this one: %s%s",
				v->port_id, strerror(-ret),
				ret == -EUSERS ? " (it has as many as it can)" : "");
	v->is_told = true;
	return ret != 0 ? ret : -EIO;
}

/* Rings of another epoch, or a port that goes. False: a core is still inside, come again. */
static bool
let_go(struct sluice_visitor *v)
{
	unsigned int i;

	rte_atomic_store_explicit(&v->epoch, 0, rte_memory_order_release);
	/* Pairs with the order of inside and epoch in the burst functions. */
	sluice_queue_fence();
	for (i = 0; i < RTE_DIM(v->inside); i++)
		if (rte_atomic_load_explicit(&v->inside[i], rte_memory_order_acquire) != 0)
			return false;
	for (i = 0; i < v->nb_twins; i++) {
		rte_atomic_store_explicit(
				&sluice_fds_here[v->twins[i].theirs], 0, rte_memory_order_release);
		close(v->twins[i].ours);
	}
	v->nb_twins = 0;
	if (v->va != NULL)
		munmap(v->va, v->len);
	v->va = NULL;
	return true;
}

/* The rings, or the registers that notify of them, where all pointers to them expect them. */
static int
map(struct sluice_visitor *v, const struct sluice_share_answer *a, int fd)
{
	void *va = (void *)(uintptr_t)a->va;
	void *at = mmap(va, a->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
			a->offset);
	int ret = at == MAP_FAILED ? -errno : 0;

	close(fd);
	if (ret == 0 && at != va) {
		/* Kernels before 4.17 take the address as a wish. */
		munmap(at, a->len);
		ret = -EEXIST;
	}
	if (ret == 0) {
		/* As in the primary process; and a child would hold the device. */
		madvise(va, a->len, MADV_DONTFORK);
		v->va = va;
		v->len = a->len;
		return 0;
	}
	if (!v->is_told)
		SLUICE_LOG(ERR,
				"port %u: its rings, or their registers, cannot be at %p in this process: "
				"%s: it sends and receives nothing; start it again",
				v->port_id, va, strerror(-ret));
	v->is_told = true;
	return ret;
}

static int
keep(struct sluice_visitor *v, int theirs, int ours)
{
	if (theirs < 0 || theirs > SLUICE_FD_MAX || v->nb_twins == RTE_DIM(v->twins)) {
		SLUICE_LOG(ERR, "port %u: descriptor %d of the primary process is above %d",
				v->port_id, theirs, SLUICE_FD_MAX);
		v->is_told = true;
		close(ours);
		return -EMFILE;
	}
	v->twins[v->nb_twins++] = (struct sluice_twin){ theirs, ours };
	rte_atomic_store_explicit(&sluice_fds_here[theirs], ours + 1, rte_memory_order_release);
	return 0;
}

/* All descriptors of the rings that run. -EAGAIN: none do, or no more. */
static int
fetch(struct sluice_visitor *v, uint32_t epoch)
{
	struct sluice_share_ask ask = {
		.what = SLUICE_SHARE_RINGS, .port_id = v->port_id, .who = v->who
	};
	struct sluice_share_answer a;
	int fds[SLUICE_SHARE_FDS], nb = 0, ret, i;

	do {
		ret = request(&ask, NULL, 0, &a, fds, &nb);
		if (ret == 0 && a.epoch != epoch)
			ret = -EAGAIN;
		for (i = 0; i < nb; i++) {
			if (ret != 0)
				close(fds[i]);
			else if (ask.first + i == 0 && a.has_memory)
				ret = map(v, &a, fds[i]);
			else
				ret = keep(v, a.fds[i], fds[i]);
		}
		ask.first += nb;
		if (ret == 0 && nb == 0)
			ret = -EIO;
	} while (ret == 0 && ask.first < a.nb_all);
	if (ret != 0 && ret != -EAGAIN && !v->is_told) {
		SLUICE_LOG(ERR,
				"port %u: the primary process does not give its rings: %s: nothing is sent "
				"or received without them",
				v->port_id, strerror(-ret));
		v->is_told = true;
	}
	return ret;
}

/* When to try again, in milliseconds; -1: when there are news. */
static int
have_rings(struct sluice_visitor *v)
{
	uint32_t epoch = rte_atomic_load_explicit(&v->shared->epoch, rte_memory_order_seq_cst);
	const struct sluice_shared *shared = v->shared;
	uint16_t simd_bits = shared->is_vectorized ? sluice_path_simd_bits() : 0;
	int ret;

	if (rte_atomic_load_explicit(&v->epoch, rte_memory_order_relaxed) == epoch)
		return -1;
	if (!let_go(v))
		return INSIDE_MS;
	ret = fetch(v, epoch);
	if (ret != 0) {
		/* Without rings there is nothing to do but to wait for news. */
		let_go(v);
		return ret == -EAGAIN || ret == -EEXIST ? -1 : RETRY_MS;
	}
	v->rx.stage = shared->stage;
	v->rx.path = sluice_rx_path_select(shared->features,
			sluice_path_reads_headers(shared->features, sluice_rx_checks_ipv4(v->dev)),
			shared->is_copy, simd_bits);
	v->rx.kit = sluice_rss_kit_at(0, simd_bits);
	v->tx_path = sluice_tx_path_select(shared->features, sluice_tx_offloads_of(v->dev) != 0,
			shared->is_copy, simd_bits);
	sluice_secondary_take_seats(v);
	rte_atomic_store_explicit(&v->epoch, epoch, rte_memory_order_release);
	return -1;
}

static void
look_for_primary(struct sluice_visitor *v)
{
	struct pollfd pfd = { .fd = v->primary_fd };

	if (poll(&pfd, 1, 0) <= 0)
		return;
	rte_atomic_store_explicit(&v->epoch, 0, rte_memory_order_release);
	/*
	 * ethdev reads the link from memory of the primary process, which writes it no more if it
	 * has ended. If it is alive, it has closed the port, and may have another in that memory.
	 */
	if (!rte_eal_primary_proc_alive(NULL))
		rte_eth_linkstatus_set(v->dev, &(const struct rte_eth_link){ 0 });
	rte_atomic_store_explicit(&v->is_orphan, true, rte_memory_order_release);
	SLUICE_LOG(ERR,
			"port %u: the primary process ended, or closed it: nothing is sent or received "
			"any more",
			v->port_id);
}

/*
 * Nothing stays of a port that has no primary process any more, or a PCI device could not be opened
 * again. When to come again, in milliseconds; -1: it is done.
 */
static int
part(struct sluice_visitor *v)
{
	if (v->alive_fd < 0)
		return -1;
	if (!let_go(v))
		return INSIDE_MS;
	/* Which the primary process, if it is there, waits for. */
	close(v->alive_fd);
	v->alive_fd = -1;
	return -1;
}

/* Ask the primary process for what a core has met. True: come again soon. */
static bool
ask_memory(struct sluice_visitor *v)
{
	struct sluice_share_ask ask = {
		.what = SLUICE_SHARE_MEMORY, .port_id = v->port_id, .who = v->who
	};
	struct sluice_share_answer a;
	struct sluice_asked asked;
	int fds[SLUICE_SHARE_FDS], nb = 0, ret;
	struct dmap_window w;

	rte_spinlock_lock(&v->ask_lock);
	asked = v->asked;
	rte_spinlock_unlock(&v->ask_lock);
	if (asked.memory == NULL || asked.answer != -EAGAIN)
		return false;
	ask.memory = asked.memory;
	ask.buf = asked.buf;
	ret = dmap_shared_lookup(&v->shared->dma, asked.buf.va, asked.buf.va_len, &w);
	/* It may lie in pages of another one, which may end. */
	if (ret == 0 && asked.buf.pool != NULL)
		ret = dmap_shared_pool(&v->shared->dma, asked.buf.pool);
	if (ret != 0)
		ret = request(&ask, NULL, 0, &a, fds, &nb) == -EACCES ? -EACCES : -EAGAIN;
	if (ret == -EAGAIN && sluice_clock_ms() - asked.since > MEMORY_END_MS)
		ret = -EACCES;
	rte_spinlock_lock(&v->ask_lock);
	if (ret == 0)
		v->asked.memory = NULL;
	else
		v->asked.answer = ret;
	rte_spinlock_unlock(&v->ask_lock);
	return ret == -EAGAIN;
}

/* A polling core that meets memory which the device does not see; as dmap_request_post(). */
static int
on_unknown_memory(const struct dmap_shared *dma, const void *memory, const struct dmap_buffer *buf)
{
	const struct sluice_shared *shared =
			(const void *)((const char *)dma - offsetof(struct sluice_shared, dma));
	struct sluice_visitor *v = &sluice_visitors[shared->port_id];
	int64_t now = sluice_clock_ms();
	uint64_t one = 1;
	int ret = -EAGAIN;

	if (!rte_spinlock_trylock(&v->ask_lock))
		return -EAGAIN;
	if (v->asked.memory == memory && now - v->asked.since < MEMORY_AGAIN_MS) {
		ret = v->asked.answer;
	} else if (v->asked.memory == NULL || v->asked.answer != -EAGAIN) {
		v->asked = (struct sluice_asked){
			.memory = memory, .buf = *buf, .since = now, .answer = -EAGAIN
		};
		if (write(news_fd, &one, sizeof(one)) < 0)
			ret = -EAGAIN; /* it is awake */
	}
	rte_spinlock_unlock(&v->ask_lock);
	return ret;
}

/* When to look again, in milliseconds; -1: when there are news. */
static int
serve(struct sluice_visitor *v)
{
	int ms;

	if (v->dev == NULL)
		return -1;
	if (v->who == 0 && attach(v) != 0)
		return RETRY_MS;
	if (!v->is_orphan)
		look_for_primary(v);
	if (v->is_orphan)
		return part(v);
	ms = have_rings(v);
	if (ms >= 0)
		return ms;
	return ask_memory(v) ? MEMORY_MS : -1;
}

static sluice_compat_thread_ret
run(void *arg)
{
	struct pollfd pfds[1 + RTE_MAX_ETHPORTS];
	int timeout, ms;
	uint64_t count;
	unsigned int nb;
	uint16_t i;

	RTE_SET_USED(arg);
	for (;;) {
		timeout = -1;
		nb = 0;
		pfds[nb++] = (struct pollfd){ .fd = news_fd, .events = POLLIN };
		pthread_mutex_lock(&lock);
		for (i = 0; i < RTE_MAX_ETHPORTS; i++) {
			struct sluice_visitor *v = &sluice_visitors[i];

			ms = serve(v);
			if (ms >= 0 && (timeout < 0 || ms < timeout))
				timeout = ms;
			if (v->dev != NULL && v->who != 0 && !v->is_orphan)
				pfds[nb++] = (struct pollfd){ .fd = v->primary_fd };
		}
		pthread_mutex_unlock(&lock);
		if (poll(pfds, nb, timeout) > 0 && pfds[0].revents != 0 &&
				read(news_fd, &count, sizeof(count)) < 0)
			SLUICE_LOG(DEBUG, "woken twice at once");
	}
	return 0;
}

/* Once per process; lock is held. */
static int
start_thread(void)
{
	rte_thread_t thread;
	int ret;

	if (has_thread)
		return 0;
	sluice_fds_here = calloc(SLUICE_FD_MAX + 1, sizeof(*sluice_fds_here));
	if (sluice_fds_here == NULL)
		return -ENOMEM;
	if (news_fd < 0)
		news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (news_fd < 0)
		return -errno;
	dmap_set_remote(on_unknown_memory);
	ret = rte_thread_create_internal_control(&thread, "sluice-sec", run, NULL);
	if (ret != 0)
		return ret < 0 ? ret : -ret;
	has_thread = true;
	return 0;
}

int
sluice_secondary_open(struct rte_eth_dev *dev)
{
	struct sluice_visitor *v = &sluice_visitors[dev->data->port_id];
	uint64_t one = 1;
	int ret;

	/* A port that the primary process closed may still be here. */
	if (v->dev != NULL)
		sluice_secondary_close(v);
	pthread_mutex_lock(&lock);
	ret = start_thread();
	if (ret == 0) {
		memset(v, 0, sizeof(*v));
		v->port_id = dev->data->port_id;
		v->shared = dev->data->dev_private;
		v->primary_fd = -1;
		v->alive_fd = -1;
		rte_spinlock_init(&v->ask_lock);
		ret = sluice_secondary_make_seats(v);
	}
	if (ret == 0) {
		v->dev = dev;
		sluice_secondary_take_seats(v);
	}
	pthread_mutex_unlock(&lock);
	if (ret != 0)
		SLUICE_LOG(ERR, "port %u: no thread that fetches its rings: %s", dev->data->port_id,
				strerror(-ret));
	else if (write(news_fd, &one, sizeof(one)) < 0)
		SLUICE_LOG(DEBUG, "woken twice at once");
	return ret;
}

bool
sluice_secondary_has_pool(struct sluice_visitor *v, const struct rte_mempool *mp)
{
	int64_t end = sluice_clock_ms() + MEMORY_MS; /* other processes wait while EAL asks */
	bool has;

	while (pthread_mutex_trylock(&lock) != 0) {
		if (sluice_clock_ms() > end)
			return false;
		usleep(100);
	}
	has = rte_atomic_load_explicit(&v->epoch, rte_memory_order_relaxed) != 0 &&
			v->shared->dma.nb_pools <= DMAP_SHARED_POOLS &&
			dmap_shared_pool(&v->shared->dma, mp) == 0;
	pthread_mutex_unlock(&lock);
	return has;
}

void
sluice_secondary_close(struct sluice_visitor *v)
{
	int64_t end = sluice_clock_ms() + CLOSE_MS;

	pthread_mutex_lock(&lock);
	/* A core that stays inside keeps what it uses. */
	while (!let_go(v) && sluice_clock_ms() < end)
		usleep(1000);
	v->dev = NULL;
	v->shared = NULL;
	if (v->primary_fd >= 0)
		close(v->primary_fd);
	if (v->alive_fd >= 0)
		close(v->alive_fd);
	v->who = 0;
	pthread_mutex_unlock(&lock);
}
