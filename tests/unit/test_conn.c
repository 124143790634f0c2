/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The control thread of a port, in real time: it notices what happens, and ends when it is told to.
 */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_fault.h"
#include "fake_port.h"

#define WAIT_MS 10000

static struct fake_port *
open_running(const struct fake_port_conf *conf, bool is_there)
{
	struct fake_port *f = fake_port_open(conf);

	fake_clock_run(1);
	f->ft.is_there = is_there;
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_int_equal(sluice_conn_start(f->port), 0);
	return f;
}

static void
await(struct fake_port *f, enum sluice_life life)
{
	int64_t end = sluice_clock_ms() + WAIT_MS;

	while (__atomic_load_n(&f->port->life, __ATOMIC_ACQUIRE) != life && sluice_clock_ms() < end)
		usleep(1000);
	fake_assert(__atomic_load_n(&f->port->life, __ATOMIC_ACQUIRE) == life, "the port is not %s",
			sluice_life_name(life));
}

static void
set_there(struct fake_port *f, bool is_there)
{
	pthread_mutex_lock(&f->port->lock);
	f->ft.is_there = is_there;
	pthread_mutex_unlock(&f->port->lock);
}

static void
hang_up(struct fake_port *f)
{
	pthread_mutex_lock(&f->port->lock);
	f->ft.check_answer = -ECONNRESET;
	fake_transport_hang_up(&f->ft, f->ft.nb_links - 1);
	pthread_mutex_unlock(&f->port->lock);
}

/* Back ends come and go; buffers go back without anybody's call. */
static void
test_news(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_running(&conf, false);
	unsigned int i, nb_out;

	(void)state;
	assert_int_equal(sluice_life_start(f->port), 0);
	for (i = 0; i < 3; i++) {
		set_there(f, true);
		sluice_conn_wake(f->port);
		await(f, SLUICE_LIVE);
		set_there(f, false);
		hang_up(f);
		await(f, SLUICE_WAITING);
	}
	for (i = 0, nb_out = 1; i < WAIT_MS && nb_out != 0; i++) {
		usleep(1000);
		pthread_mutex_lock(&f->port->lock);
		pthread_mutex_lock(&f->port->park.lock);
		nb_out = f->pool->conf.nb - f->pool->nb_free;
		pthread_mutex_unlock(&f->port->park.lock);
		pthread_mutex_unlock(&f->port->lock);
	}
	assert_int_equal(nb_out, 0);
	sluice_conn_stop(f->port);
	assert_int_equal(f->nb_link_changed, 6);
	assert_int_equal(f->port->shared->nb_connects, 3);
	fake_port_close(f);
}

static void
hold_until_cut(struct fake_transport *ft, enum fake_op op)
{
	if (op != FAKE_BEGIN)
		return;
	while (!sluice_transport_is_cut(&ft->base))
		sched_yield();
}

/* The end of a port does not wait for a device that says nothing. */
static void
test_stop(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_running(&conf, false);
	int64_t begin;

	(void)state;
	f->ft.on_talk = hold_until_cut;
	assert_int_equal(sluice_life_start(f->port), 0);
	set_there(f, true);
	sluice_conn_wake(f->port);
	usleep(20000);
	begin = sluice_clock_ms();
	sluice_conn_stop(f->port);
	fake_assert(sluice_clock_ms() - begin < SLUICE_LOCK_MS + 1000, "it takes %d ms",
			(int)(sluice_clock_ms() - begin));
	assert_int_equal(f->port->wake_fd, -1);
	assert_false(f->ft.is_connected);
	/* Again is fine. */
	sluice_conn_stop(f->port);
	fake_port_close(f);
}

static bool is_set_back;

/* In place of the C library's: who has looked at the time of day sees it set back by an hour. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = syscall(SYS_clock_gettime, id, ts);

	if (id == CLOCK_REALTIME && __atomic_load_n(&is_set_back, __ATOMIC_RELAXED))
		ts->tv_sec += 3600;
	return ret;
}

static void
hold_until_cut_again(struct fake_transport *ft, enum fake_op op)
{
	uint32_t nb_cuts = 0;

	while (op == FAKE_BEGIN && nb_cuts < 3) {
		sched_yield();
		pthread_mutex_lock(&ft->calls_lock);
		nb_cuts = ft->nb_by_op[FAKE_CUT];
		pthread_mutex_unlock(&ft->calls_lock);
	}
}

/* Who waits for the lock helps its owner out until that works, whatever the time of day is. */
static void
test_time_of_day(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_running(&conf, false);
	int64_t begin;

	(void)state;
	f->ft.on_talk = hold_until_cut_again;
	assert_int_equal(sluice_life_start(f->port), 0);
	set_there(f, true);
	sluice_conn_wake(f->port);
	usleep(20000);
	__atomic_store_n(&is_set_back, true, __ATOMIC_RELAXED);
	begin = sluice_clock_ms();
	sluice_life_lock(f->port, 0);
	__atomic_store_n(&is_set_back, false, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&f->port->lock);
	assert_in_range(sluice_clock_ms() - begin, 0, 1000);
	sluice_conn_stop(f->port);
	fake_port_close(f);
}

static uint32_t is_held;

/* A device that neither answers nor times out, until it is cut off. */
static void
hold_connect(struct fake_transport *ft, enum fake_op op)
{
	if (op != FAKE_COMMIT && op != FAKE_CONNECT)
		return;
	__atomic_store_n(&is_held, 1, __ATOMIC_RELEASE);
	while (!sluice_transport_is_cut(&ft->base))
		sched_yield();
}

static struct fake_port *turning;
static pthread_t caller;

static void *
turn_thread(void *arg)
{
	fake_port_turn(arg, SLUICE_NEWS_NONE);
	__atomic_store_n(&turning, NULL, __ATOMIC_RELEASE);
	return NULL;
}

/* The clock stands: a call that has cut the device off sleeps until the other thread had a CPU. */
static void
let_turn_end(void)
{
	struct fake_port *f;

	while (pthread_equal(pthread_self(), caller) &&
			(f = __atomic_load_n(&turning, __ATOMIC_ACQUIRE)) != NULL &&
			sluice_transport_is_cut(&f->ft.base))
		sched_yield();
}

/* A call of the application does not wait for the control thread's device. */
static void
test_lock(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	int64_t begin, ms[] = { SLUICE_LOCK_MS, SLUICE_LOCK_MS, SLUICE_LOCK_MS + SLUICE_CLOSE_MS };
	void (*const calls[])(struct sluice_port * port) = { sluice_life_stop, sluice_life_reset,
		sluice_life_close };
	struct fake_port *f;
	pthread_t thread;
	unsigned int i;

	(void)state;
	for (i = 0; i < RTE_DIM(calls); i++) {
		f = fake_port_open(&conf);
		fake_clock_set(1000);
		f->ft.is_there = false;
		assert_int_equal(sluice_life_probe(f->port), 0);
		assert_int_equal(sluice_life_start(f->port), 0);
		fake_transport_forget(&f->ft);
		f->ft.on_talk = hold_connect;
		f->ft.is_there = true;
		f->ft.is_given_up = calls[i] == sluice_life_close;
		is_held = 0;
		turning = f;
		caller = pthread_self();
		fake_clock_on_sleep = let_turn_end;
		assert_int_equal(pthread_create(&thread, NULL, turn_thread, f), 0);
		while (!__atomic_load_n(&is_held, __ATOMIC_ACQUIRE))
			sched_yield();
		begin = sluice_clock_ms();
		calls[i](f->port);
		fake_assert(sluice_clock_ms() - begin <= ms[i] + 10, "call %u takes %d ms", i,
				(int)(sluice_clock_ms() - begin));
		pthread_join(thread, NULL);
		fake_clock_on_sleep = NULL;
		/* On a busy machine the other thread may need to be told more than once. */
		assert_true(f->ft.nb_by_op[FAKE_CUT] >= 1);
		assert_false(f->ft.is_connected);
		assert_int_equal(f->port->life, i == 2 ? SLUICE_CLOSED : SLUICE_ABSENT);
		f->ft.on_talk = NULL;
		/* And the next start works. */
		if (i != 2) {
			assert_int_equal(sluice_life_start(f->port), 0);
			fake_port_await(f, SLUICE_LIVE, 20);
		}
		fake_port_close(f);
	}
}

static uint32_t was_closed;

/* As an application that closes the port in its RESET callback. */
static void
close_in_callback(struct fake_port *f)
{
	sluice_conn_stop(f->port);
	f->ft.is_given_up = true;
	sluice_life_close(f->port);
	__atomic_store_n(&was_closed, 1, __ATOMIC_RELEASE);
}

static void
test_callback(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = open_running(&conf, true);
	unsigned int i;

	(void)state;
	was_closed = 0;
	f->on_failed = close_in_callback;
	f->rxq[0].q.wake_fd = f->port->wake_fd;
	assert_int_equal(sluice_life_start(f->port), 0);
	sluice_queue_break(&f->rxq[0].q, SLUICE_FAIL_BAD_LEN);
	for (i = 0; i < WAIT_MS && !__atomic_load_n(&was_closed, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	assert_int_equal(f->port->life, SLUICE_CLOSED);
	assert_false(f->port->has_thread);
	assert_int_equal(f->nb_failed, 1);
	/* The thread does not look at the port any more, which the sanitizers would see. */
	fake_port_close(f);
	usleep(10000);
}

static uint32_t is_over, nb_polls;

/* A core that never stops polling, with the burst functions that ethdev copied. */
static void *
poll_thread(void *arg)
{
	struct fake_port *f = arg;
	eth_rx_burst_t rx_burst = f->dev.rx_pkt_burst;
	eth_tx_burst_t tx_burst = f->dev.tx_pkt_burst;
	struct rte_mbuf *pkts[4];

	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		if (rx_burst(&f->rxq[0], pkts, RTE_DIM(pkts)) != 0)
			fake_error("a packet that nobody sent");
		tx_burst(&f->txq[0], pkts, 0);
		__atomic_add_fetch(&nb_polls, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Rings are made anew and emptied under the eyes of a core that polls them. */
static void
test_polling(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = fake_port_open(&conf);
	unsigned int i, before;
	pthread_t thread;

	(void)state;
	fake_clock_run(1);
	is_over = 0;
	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(pthread_create(&thread, NULL, poll_thread, f), 0);
	for (i = 0; i < 100; i++) {
		before = __atomic_load_n(&nb_polls, __ATOMIC_RELAXED);
		while (__atomic_load_n(&nb_polls, __ATOMIC_RELAXED) - before < 3)
			sched_yield();
		sluice_life_stop(f->port);
		fake_pool_assert_full(f->pool);
		assert_int_equal(sluice_life_start(f->port), 0);
	}
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_false(f->port->is_stuck);
	sluice_life_stop(f->port);
	fake_port_close(f);
}

/* Without a descriptor, or a thread: an error, and nothing left. */
static void
test_fail(void **state)
{
	struct fake_port_conf conf = { .is_pci = false };
	struct fake_port *f = fake_port_open(&conf);
	static const int errors[] = { -EMFILE, -EAGAIN };
	unsigned int i, nb_fds = fake_count_fds();

	(void)state;
	for (i = 0; i < RTE_DIM(errors); i++) {
		fake_fault_arm(i);
		assert_int_equal(sluice_conn_start(f->port), errors[i]);
		fake_fault_disarm();
		assert_int_equal(f->port->wake_fd, -1);
		assert_false(f->port->has_thread);
		assert_int_equal(fake_count_fds(), nb_fds);
	}
	fake_port_close(f);
}

int
main(void)
{
	suite_add(test_news, NULL, "news");
	suite_add(test_stop, NULL, "stop");
	suite_add(test_time_of_day, NULL, "time_of_day");
	suite_add(test_lock, NULL, "lock");
	suite_add(test_callback, NULL, "callback");
	suite_add(test_polling, NULL, "polling");
	suite_add(test_fail, NULL, "fail");
	return suite_run("conn");
}
