/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What a secondary process has of a port, and when it lets go of that: sluice_secondary_link.c with
 * its thread, and a primary process that is a script behind EAL's messages.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "env.h"
#include "fake_clock.h"
#include "fake_log.h"
#include "sluice_ethdev.h"
#include "sluice_secondary.h"

#define PORT 5
#define WAIT_MS 5000
#define WHO 4

/* The primary process; lock protects it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	int ret; /* of a question for rings */
	bool has_memory;
	int fd; /* of memory; -1: none goes along */
	void *va;
	size_t len;
	uint64_t offset;
	uint32_t epoch;
	int hers;     /* hangs up when the secondary process lets go */
	int news;     /* of the secondary process */
	int alive[2]; /* the first end went to it */
	bool lives;   /* as EAL sees it */
	bool hangs;   /* after the first part of an answer, of which there is more */
	int given;    /* the number of the descriptor that went with it */
	int stranger; /* opened then, with that number; -1: not yet */
	unsigned int nb_asked;
} primary;

static struct sluice_shared shared;
static struct rte_eth_dev_data data;
static struct rte_eth_dev dev;
static long page;
static char *around;
static int file; /* of the device: three pages, the registers are in the second */

static void
take(struct rte_mp_msg *req)
{
	primary.hers = dup(req->fds[0]);
	primary.news = dup(req->fds[1]);
	/* Not in the test's thread. */
	if (pipe(primary.alive) < 0)
		abort();
}

static void
give(struct rte_mp_msg *msg, struct sluice_share_answer *a)
{
	primary.nb_asked++;
	a->ret = primary.ret;
	if (primary.ret != 0)
		return;
	a->epoch = primary.epoch;
	a->has_memory = primary.has_memory;
	a->va = (uintptr_t)primary.va;
	a->len = primary.len;
	a->offset = primary.offset;
	a->nb_all = 1 + primary.hangs;
	if (primary.fd >= 0) {
		a->fds[0] = 600;
		msg->fds[msg->num_fds] = dup(primary.fd);
		if (primary.stranger < 0)
			primary.given = msg->fds[msg->num_fds];
		msg->num_fds++;
	}
}

/* In place of EAL's. */
int
rte_mp_request_sync(struct rte_mp_msg *req, struct rte_mp_reply *reply, const struct timespec *ts)
{
	const struct sluice_share_ask *ask = (const void *)req->param;
	struct rte_mp_msg *msg = calloc(1, sizeof(*msg));
	struct sluice_share_answer *a = (void *)msg->param;
	bool is_late = false;

	RTE_SET_USED(ts);
	pthread_mutex_lock(&lock);
	if (ask->what == SLUICE_SHARE_ATTACH) {
		take(req);
		a->who = WHO;
		msg->fds[msg->num_fds++] = dup(primary.alive[0]);
	} else if (ask->first == 0) {
		give(msg, a);
	} else {
		if (primary.stranger < 0)
			primary.stranger = fcntl(primary.fd, F_DUPFD, primary.given);
		is_late = true;
	}
	pthread_mutex_unlock(&lock);
	if (is_late) {
		free(msg);
		return -1;
	}
	msg->len_param = sizeof(*a);
	*reply = (struct rte_mp_reply){ .nb_sent = 1, .nb_received = 1, .msgs = msg };
	return 0;
}

static struct sluice_visitor *
visitor(void)
{
	return &sluice_visitors[PORT];
}

/* New rings, or none; who sleeps is woken. */
static void
news(int ret)
{
	uint64_t one = 1;

	pthread_mutex_lock(&lock);
	primary.ret = ret;
	primary.epoch = __atomic_add_fetch(&shared.epoch, 1, __ATOMIC_SEQ_CST);
	assert_int_equal(write(primary.news, &one, sizeof(one)), sizeof(one));
	pthread_mutex_unlock(&lock);
}

static unsigned int
nb_asked(void)
{
	unsigned int nb;

	pthread_mutex_lock(&lock);
	nb = primary.nb_asked;
	pthread_mutex_unlock(&lock);
	return nb;
}

static bool
has_rings(void)
{
	return __atomic_load_n(&visitor()->epoch, __ATOMIC_ACQUIRE) ==
			__atomic_load_n(&shared.epoch, __ATOMIC_ACQUIRE);
}

static bool
has_none(void)
{
	return __atomic_load_n(&visitor()->epoch, __ATOMIC_ACQUIRE) == 0;
}

/* Nothing lies where the registers were; the kernel says so. */
static bool
is_unmapped(void)
{
	return msync(primary.va, primary.len, MS_ASYNC) < 0 && errno == ENOMEM;
}

static bool
has_let_go(void)
{
	struct pollfd pfd = { .fd = primary.hers };

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLHUP);
}

static void
await(bool (*is_true)(void), const char *what)
{
	unsigned int i;

	for (i = 0; i < WAIT_MS && !is_true(); i++)
		usleep(1000);
	if (!is_true())
		fail_msg("%s: not within %u ms", what, WAIT_MS);
}

/* A port whose registers are at an address that is free here. */
static void
open_port(void)
{
	fake_clock_run(1);
	page = sysconf(_SC_PAGESIZE);
	file = memfd_create("device", MFD_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, 3 * page), 0);
	memset(&primary, 0, sizeof(primary));
	primary.stranger = -1;
	/* A gap of one page is nothing that a thread's stack or the heap would take. */
	around = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(around != MAP_FAILED);
	primary.va = around + page;
	primary.len = page;
	munmap(primary.va, page);
	primary.offset = page;
	primary.has_memory = true;
	primary.fd = file;
	memset(&shared, 0, sizeof(shared));
	shared.port_id = PORT;
	shared.epoch = 7;
	primary.epoch = 7;
	data.port_id = PORT;
	data.dev_link.link_status = RTE_ETH_LINK_UP;
	data.dev_private = &shared;
	dev.data = &data;
}

static void
close_port(void)
{
	sluice_secondary_close(visitor());
	assert_true(has_let_go());
	assert_true(is_unmapped());
	close(primary.hers);
	close(primary.news);
	close(primary.alive[0]);
	if (primary.alive[1] >= 0)
		close(primary.alive[1]);
	close(file);
	munmap(around, 3 * page);
}

static void
kill_primary(void)
{
	close(primary.alive[1]);
	primary.alive[1] = -1;
}

/* As EAL, which looks whether the primary process has its files locked. */
int
rte_eal_primary_proc_alive(const char *config_file_path)
{
	/* Not in the test's thread. */
	if (config_file_path != NULL)
		abort();
	return primary.lives;
}

/* A notification lands in the file, where the register is. */
static void
notify(uint16_t vq)
{
	struct sluice_ring ring = {
		.doorbell = { .dv_reg = (char *)primary.va + 4 * vq, .vq = vq, .fd = -1 }
	};
	uint16_t value = 0;

	sluice_doorbell_ring(&ring);
	assert_int_equal(pread(file, &value, sizeof(value), page + 4 * vq), sizeof(value));
	assert_int_equal(value, vq);
}

/* How often something was said since fake_log_begin(). */
static unsigned int
count(const char *log, const char *what)
{
	unsigned int nb = 0;

	for (; (log = strstr(log, what)) != NULL; log += strlen(what))
		nb++;
	return nb;
}

/* Rings that come and go, and come again: their registers with them. */
static void
test_registers(void **state)
{
	(void)state;
	open_port();
	assert_int_equal(sluice_secondary_open(&dev), 0);
	await(has_rings, "rings");
	assert_int_equal(visitor()->who, WHO);
	notify(3);
	news(-EAGAIN);
	await(has_none, "no rings");
	await(is_unmapped, "no registers");
	assert_false(has_let_go());
	news(0);
	await(has_rings, "other rings");
	notify(5);
	close_port();
}

static bool
has_hung(void)
{
	bool has;

	pthread_mutex_lock(&lock);
	has = primary.stranger >= 0 && primary.nb_asked > 1;
	pthread_mutex_unlock(&lock);
	return has;
}

/* An answer of two parts, of which the second is late: what came with the first is closed once. */
static void
test_half_an_answer(void **state)
{
	(void)state;
	open_port();
	primary.hangs = true;
	assert_int_equal(sluice_secondary_open(&dev), 0);
	await(has_hung, "a second try");
	assert_true(has_none());
	assert_int_equal(primary.stranger, primary.given);
	assert_true(fcntl(primary.stranger, F_GETFD) >= 0);
	pthread_mutex_lock(&lock);
	primary.hangs = false;
	pthread_mutex_unlock(&lock);
	await(has_rings, "all of the answer");
	close(primary.stranger);
	close_port();
}

/* While it slept: the device was reset, and the rings that it has seen are not those that run. */
static void
test_sleeper(void **state)
{
	(void)state;
	open_port();
	primary.ret = -EAGAIN;
	assert_int_equal(sluice_secondary_open(&dev), 0);
	while (nb_asked() == 0)
		usleep(1000);
	/* Rings of which it was told, but which are gone again before it asks. */
	pthread_mutex_lock(&lock);
	primary.ret = 0;
	__atomic_store_n(&shared.epoch, 9, __ATOMIC_SEQ_CST);
	primary.epoch = 8;
	pthread_mutex_unlock(&lock);
	usleep(20000);
	assert_true(has_none());
	assert_true(is_unmapped());
	news(0);
	await(has_rings, "rings");
	notify(1);
	close_port();
}

/* Whoever holds a page of a PCI device keeps it from being opened again. */
static void
test_primary_ends(void **state)
{
	const char *log;

	(void)state;
	open_port();
	assert_int_equal(sluice_secondary_open(&dev), 0);
	await(has_rings, "rings");
	fake_log_begin();
	kill_primary();
	await(has_let_go, "the end");
	assert_true(is_unmapped());
	assert_true(has_none());
	log = fake_log_end();
	assert_int_equal(count(log, "the primary process ended"), 1);
	assert_int_equal(count(log, "port 5"), 1);
	assert_int_equal(data.dev_link.link_status, RTE_ETH_LINK_DOWN);
	close_port();
}

/* It lives, and what ethdev had of the port is another's now. */
static void
test_primary_closes(void **state)
{
	(void)state;
	open_port();
	assert_int_equal(sluice_secondary_open(&dev), 0);
	await(has_rings, "rings");
	primary.lives = true;
	kill_primary();
	await(has_let_go, "the end");
	assert_int_equal(data.dev_link.link_status, RTE_ETH_LINK_UP);
	close_port();
}

/* A core that is in a burst keeps what it uses, and no longer than it uses it. */
static void
test_primary_ends_under_a_core(void **state)
{
	(void)state;
	open_port();
	assert_int_equal(sluice_secondary_open(&dev), 0);
	await(has_rings, "rings");
	__atomic_store_n(&visitor()->inside[2], 1, __ATOMIC_SEQ_CST);
	kill_primary();
	await(has_none, "no more bursts");
	usleep(20000);
	notify(2);
	assert_false(has_let_go());
	__atomic_store_n(&visitor()->inside[2], 0, __ATOMIC_SEQ_CST);
	await(has_let_go, "the end");
	assert_true(is_unmapped());
	close_port();
}

/* What ethdev's table has of a queue that the primary process has released is NULL. */
static void
test_no_queue(void **state)
{
	struct rte_mbuf *m = NULL;

	(void)state;
	open_port();
	assert_int_equal(sluice_secondary_open(&dev), 0);
	await(has_rings, "rings");
	sluice_secondary_set_bursts(&dev);
	assert_int_equal(dev.rx_pkt_burst(NULL, &m, 1), 0);
	assert_int_equal(dev.tx_pkt_burst(NULL, &m, 1), 0);
	rte_errno = 0;
	assert_int_equal(dev.tx_pkt_prepare(NULL, &m, 1), 0);
	assert_int_equal(rte_errno, EINVAL);
	assert_int_equal((int)dev.rx_queue_count(NULL), -EINVAL);
	assert_int_equal(dev.rx_descriptor_status(NULL, 0), -EINVAL);
	assert_int_equal(dev.tx_descriptor_status(NULL, 0), -EINVAL);
	/* The primary process's own. */
	assert_int_equal((int)sluice_rx_queue_count(NULL), -EINVAL);
	assert_int_equal(sluice_rx_descriptor_status(NULL, 0), -EINVAL);
	assert_int_equal(sluice_tx_descriptor_status(NULL, 0), -EINVAL);
	assert_int_equal(sluice_tx_queue_count(NULL), -EINVAL);
	assert_int_equal(sluice_secondary_tx_done_cleanup(NULL, 0), 0);
	close_port();
}

/* Whatever memory the primary process's table and queues are in once its rings have ended. */
static void
test_queues_end_under_a_core(void **state)
{
	struct rte_eth_fp_ops *fp = &rte_eth_fp_ops[PORT];
	struct rte_mbuf *m = NULL;
	const size_t len = 65536;
	unsigned int i;
	void **mem;

	(void)state;
	mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true((void *)mem != MAP_FAILED);
	open_port();
	data.rx_queues = data.tx_queues = mem;
	data.nb_rx_queues = data.nb_tx_queues = 1;
	/* It ends as one, so the table may as well lie in its queue. */
	mem[0] = mem;
	assert_int_equal(sluice_secondary_open(&dev), 0);
	await(has_rings, "rings");
	sluice_secondary_set_bursts(&dev);
	sluice_secondary_show_seats(visitor());
	/* The rings have ended, which this process does not know yet. */
	__atomic_add_fetch(&shared.epoch, 1, __ATOMIC_SEQ_CST);
	munmap(mem, len);
	for (i = 0; i < 2; i++) {
		assert_int_equal(dev.rx_pkt_burst(fp->rxq.data[0], &m, 1), 0);
		assert_int_equal(dev.tx_pkt_burst(fp->txq.data[0], &m, 1), 0);
		assert_int_equal(dev.tx_pkt_prepare(fp->txq.data[0], &m, 0), 0);
		assert_int_equal((int)dev.rx_queue_count(fp->rxq.data[0]), 0);
		assert_int_equal(dev.rx_descriptor_status(fp->rxq.data[0], 0),
				RTE_ETH_RX_DESC_UNAVAIL);
		assert_int_equal(dev.tx_descriptor_status(fp->txq.data[0], 0),
				RTE_ETH_TX_DESC_UNAVAIL);
		assert_int_equal(sluice_secondary_tx_done_cleanup(mem, 0), 0);
		/* It has none. */
		assert_int_equal(dev.rx_pkt_burst(fp->rxq.data[1], &m, 1), 0);
		news(-EAGAIN);
		await(has_none, "no more bursts");
	}
	data.rx_queues = data.tx_queues = NULL;
	data.nb_rx_queues = data.nb_tx_queues = 0;
	close_port();
}

static bool
was_asked_twice(void)
{
	return nb_asked() >= 2;
}

/* What the primary process does not give: one line, and it works when it does. */
static void
refused(int ret, bool has_memory, int fd, const char *why)
{
	const char *log;

	open_port();
	primary.ret = ret;
	primary.has_memory = has_memory;
	primary.fd = fd;
	fake_log_begin();
	assert_int_equal(sluice_secondary_open(&dev), 0);
	await(was_asked_twice, "a second try");
	assert_true(has_none());
	pthread_mutex_lock(&lock);
	primary.has_memory = true;
	primary.fd = file;
	pthread_mutex_unlock(&lock);
	news(0);
	await(has_rings, "rings");
	notify(1);
	log = fake_log_end();
	assert_int_equal(count(log, "port 5"), 1);
	assert_int_equal(count(log, why), 1);
	close_port();
}

static void
test_refused(void **state)
{
	int other = eventfd(0, EFD_CLOEXEC);

	(void)state;
	refused(-ENOTSUP, true, -1, "does not give its rings: Operation not supported");
	refused(0, true, -1, "does not give its rings: Input/output error");
	/* A file that cannot be mapped. */
	refused(0, true, other, "cannot be at");
	close(other);
}

/* What lies there already stays as it is. */
static void
test_taken(void **state)
{
	const char *log;
	char *mine;

	(void)state;
	open_port();
	mine = mmap(primary.va, page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(mine, primary.va);
	mine[0] = 'x';
	fake_log_begin();
	assert_int_equal(sluice_secondary_open(&dev), 0);
	while (nb_asked() == 0)
		usleep(1000);
	usleep(20000);
	assert_true(has_none());
	assert_int_equal(mine[0], 'x');
	munmap(mine, page);
	news(0);
	await(has_rings, "rings");
	notify(6);
	log = fake_log_end();
	assert_int_equal(count(log, "cannot be at"), 1);
	close_port();
}

int
main(void)
{
	suite_add(test_registers, NULL, "registers");
	suite_add(test_half_an_answer, NULL, "half an answer");
	suite_add(test_sleeper, NULL, "sleeper");
	suite_add(test_primary_ends, NULL, "primary ends");
	suite_add(test_primary_closes, NULL, "primary closes the port");
	suite_add(test_primary_ends_under_a_core, NULL, "primary ends under a core");
	suite_add(test_queues_end_under_a_core, NULL, "queues end under a core");
	suite_add(test_no_queue, NULL, "no queue");
	suite_add(test_refused, NULL, "refused");
	suite_add(test_taken, NULL, "taken");
	return suite_run("visitor");
}
