/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A back end of librte_vhost that sends each packet back, checks the numbers of sequence.h, and
 * restarts when it is told: the socket is given up and registered anew under traffic.
 *
 *     vhost_peer EAL-OPTIONS -- server|client SOCKET...          of the vhost-user connection
 *
 * Lines of the input: "restart N MS" restarts socket 0 N times, with traffic for at least MS
 * milliseconds each time; "counts" says what came and went per socket. Each answer ends with a line
 * "done". The end of the input ends it.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_mempool.h>
#include <rte_pause.h>
#include <rte_vhost.h>

#include "now.h"
#include "sequence.h"

#define SOCKETS_MAX 32
#define BURST 32
#define NB_MBUFS 4095
#define DEADLINE_US 5000000
#define FDS_MAX 1024
/* Rings of the one queue pair, seen by the front end: 0 receives. */
#define VQ_TO_FRONT 0
#define VQ_FROM_FRONT 1

struct sock {
	char path[108];
	int vid;          /* atomic; -1: there is no device */
	uint32_t is_busy; /* atomic: the worker may be in a burst of vid */
	struct sequence came;
	uint64_t nb_back; /* packets given to the front end */
	uint64_t nb_full; /* dropped, its ring was full */
	/* when, in microseconds; 0: not yet */
	int64_t listened, connected, accepted, first;
};

static struct sock socks[SOCKETS_MAX];
static unsigned int nb_socks;
static bool is_client;
static struct rte_mempool *pool;
static uint32_t is_over;

static int64_t
stamp(const int64_t *when)
{
	return __atomic_load_n(when, __ATOMIC_ACQUIRE);
}

static void
set_stamp(int64_t *when)
{
	__atomic_store_n(when, now_us(), __ATOMIC_RELEASE);
}

static struct sock *
sock_of(int vid)
{
	char path[sizeof(socks[0].path)];
	unsigned int i;

	rte_vhost_get_ifname(vid, path, sizeof(path));
	for (i = 0; i < nb_socks; i++)
		if (strcmp(path, socks[i].path) == 0)
			return &socks[i];
	return NULL; /* that of wake() */
}

/*
 * On return the worker is not in a burst of what was there before. No lock: the worker would take
 * it again before anybody else, for seconds on a busy machine.
 */
static void
set_vid(struct sock *s, int vid)
{
	if (s == NULL)
		return;
	__atomic_store_n(&s->vid, vid, __ATOMIC_SEQ_CST);
	while (vid < 0 && __atomic_load_n(&s->is_busy, __ATOMIC_SEQ_CST))
		sched_yield();
}

static int
on_connection(int vid)
{
	struct sock *s = sock_of(vid);

	if (s != NULL)
		set_stamp(&s->accepted);
	return 0;
}

static int
on_new(int vid)
{
	rte_vhost_enable_guest_notification(vid, VQ_TO_FRONT, 0);
	rte_vhost_enable_guest_notification(vid, VQ_FROM_FRONT, 0);
	set_vid(sock_of(vid), vid);
	return 0;
}

static void
on_destroy(int vid)
{
	set_vid(sock_of(vid), -1);
}

static const struct rte_vhost_device_ops ops = {
	.new_connection = on_connection,
	.new_device = on_new,
	.destroy_device = on_destroy,
};

static void
echo(struct sock *s, int vid)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t nb = rte_vhost_dequeue_burst(vid, VQ_FROM_FRONT, pool, pkts, BURST), nb_back, i;

	if (nb == 0)
		return;
	if (s->first == 0)
		set_stamp(&s->first);
	for (i = 0; i < nb; i++)
		sequence_take(&s->came, pkts[i]);
	nb_back = rte_vhost_enqueue_burst(vid, VQ_TO_FRONT, pkts, nb);
	sequence_add(&s->nb_back, nb_back);
	sequence_add(&s->nb_full, nb - nb_back);
	rte_pktmbuf_free_bulk(pkts, nb);
}

static void
serve(struct sock *s)
{
	int vid;

	if (__atomic_load_n(&s->vid, __ATOMIC_ACQUIRE) < 0)
		return;
	__atomic_store_n(&s->is_busy, 1, __ATOMIC_SEQ_CST);
	vid = __atomic_load_n(&s->vid, __ATOMIC_SEQ_CST);
	if (vid >= 0)
		echo(s, vid);
	__atomic_store_n(&s->is_busy, 0, __ATOMIC_RELEASE);
}

static int
work(void *arg)
{
	unsigned int i;

	RTE_SET_USED(arg);
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
		for (i = 0; i < nb_socks; i++)
			serve(&socks[i]);
	return 0;
}

static void
expect(bool is_right, const char *what, const struct sock *s)
{
	if (is_right)
		return;
	/* rte_exit() waits for the worker. */
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	rte_exit(EXIT_FAILURE, "vhost_peer: %s: %s\n", s->path, what);
}

/* The descriptor on which the library listens for a socket. */
static int
listener(const struct sock *s)
{
	struct sockaddr_un sun;
	socklen_t len, int_len;
	int fd, is_listening;

	for (fd = 0; fd < FDS_MAX; fd++) {
		len = sizeof(sun);
		int_len = sizeof(is_listening);
		if (getsockname(fd, (struct sockaddr *)&sun, &len) == 0 &&
				sun.sun_family == AF_UNIX && strcmp(sun.sun_path, s->path) == 0 &&
				getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening,
						&int_len) == 0 &&
				is_listening)
			return fd;
	}
	return -1;
}

/* The library looks at new sockets once per second, or when anything happens to an old one. */
static void
wake(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(sun.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		rte_exit(EXIT_FAILURE, "vhost_peer: %s: %s\n", path, strerror(errno));
	close(fd);
}

static void
open_socket(struct sock *s)
{
	s->listened = s->connected = s->accepted = s->first = 0;
	expect(rte_vhost_driver_register(s->path, is_client ? RTE_VHOST_USER_CLIENT : 0) == 0,
			"cannot register", s);
	expect(rte_vhost_driver_callback_register(s->path, &ops) == 0, "callbacks", s);
	set_stamp(&s->listened);
	expect(rte_vhost_driver_start(s->path) == 0, "cannot start", s);
}

static void
wait_until(const int64_t *when, const char *what, const struct sock *s)
{
	int64_t end = now_us() + DEADLINE_US;

	while (stamp(when) == 0) {
		expect(now_us() < end, what, s);
		usleep(100);
	}
}

/* Until somebody connects to a new socket, which the library sees at once or later. */
static void
wait_connect(struct sock *s, const char *alarm)
{
	struct pollfd pfd = { .fd = listener(s), .events = POLLIN };
	int64_t end = now_us() + DEADLINE_US;

	expect(pfd.fd >= 0, "has no listener", s);
	while (poll(&pfd, 1, 1) != 1 && stamp(&s->accepted) == 0)
		expect(now_us() < end, "nobody connects", s);
	set_stamp(&s->connected);
	wake(alarm);
}

static void
restart(struct sock *s, int ms, const char *alarm)
{
	/*
	 * As net_vhost: first the worker leaves. The library closes the connection before it says
	 * that the device ends, and what a burst writes after that nobody can count.
	 */
	set_vid(s, -1);
	rte_vhost_driver_unregister(s->path);
	/*
	 * The library's poll(2) holds what was closed meanwhile: its end of file comes when that
	 * returns.
	 */
	wake(alarm);
	open_socket(s);
	if (!is_client)
		wait_connect(s, alarm);
	wait_until(&s->accepted, "no connection", s);
	wait_until(&s->first, "no packet", s);
	printf("restart connect=%" PRId64 " packet=%" PRId64 "\n",
			is_client ? 0 : RTE_MIN(s->connected, s->accepted) - s->listened,
			s->first - s->accepted);
	usleep(ms * 1000);
}

static void
say_counts(void)
{
	unsigned int i;

	for (i = 0; i < nb_socks; i++)
		printf("counts socket=%u came=%" PRIu64 " missing=%" PRIu64 " bad=%" PRIu64
		       " back=%" PRIu64 " full=%" PRIu64 "\n",
				i, sequence_read(&socks[i].came.nb),
				sequence_read(&socks[i].came.nb_missing),
				sequence_read(&socks[i].came.nb_bad),
				sequence_read(&socks[i].nb_back), sequence_read(&socks[i].nb_full));
}

static void
obey(const char *alarm)
{
	char line[80];
	int nb, ms;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "restart %d %d", &nb, &ms) == 2)
			while (nb-- > 0)
				restart(&socks[0], ms, alarm);
		else
			say_counts();
		printf("done\n");
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	char alarm[sizeof(socks[0].path)];
	int nb = rte_eal_init(argc, argv), i;

	if (nb < 0 || argc - nb < 3 || argc - nb - 2 > SOCKETS_MAX)
		rte_exit(EXIT_FAILURE, "vhost_peer: EAL-OPTIONS -- server|client SOCKET...\n");
	is_client = strcmp(argv[nb + 1], "client") == 0;
	pool = rte_pktmbuf_pool_create(
			"peer", NB_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		rte_exit(EXIT_FAILURE, "vhost_peer: no pool\n");
	for (i = nb + 2; i < argc; i++) {
		struct sock *s = &socks[nb_socks++];

		snprintf(s->path, sizeof(s->path), "%s", argv[i]);
		s->vid = -1;
		open_socket(s);
	}
	snprintf(alarm, sizeof(alarm), "%.100s.alarm", socks[0].path);
	if (rte_vhost_driver_register(alarm, 0) != 0 ||
			rte_vhost_driver_callback_register(alarm, &ops) != 0 ||
			rte_vhost_driver_start(alarm) != 0)
		rte_exit(EXIT_FAILURE, "vhost_peer: %s: cannot listen\n", alarm);
	rte_eal_mp_remote_launch(work, NULL, SKIP_MAIN);
	printf("vhost_peer: ready\n");
	fflush(stdout);
	obey(alarm);
	for (i = 0; i < (int)nb_socks; i++)
		rte_vhost_driver_unregister(socks[i].path);
	rte_vhost_driver_unregister(alarm);
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	return rte_eal_cleanup();
}
