/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_thread.h>

#include "vhost_vdpa_call.h"

/* Who waits looks so often whether it was told to stop waiting. */
#define SLICE_MS 20

enum kind { CALL_NONE, CALL_IOCTL, CALL_WRITE, CALL_CLOSE };

struct vdpa_calls {
	const struct sluice_vk_sys *sys;
	rte_thread_t thread;
	int fd;
	int eof_fds[2]; /* the writing end closes with the device, for who could not wait */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* protected by lock */
	enum kind kind; /* under way; CALL_NONE: it was answered with ret */
	unsigned long what;
	size_t len;
	int ret;
	bool wants_close; /* after what is under way */
	bool is_closed;
	bool is_left; /* nobody waits for that, so the thread frees all */
	/* only changed while nothing is under way */
	alignas(uint64_t) char arg[VDPA_CALL_MAX];
};

static void
destroy(struct vdpa_calls *c)
{
	if (c->eof_fds[0] >= 0)
		close(c->eof_fds[0]);
	if (c->eof_fds[1] >= 0)
		close(c->eof_fds[1]);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Without the lock. */
static int
make(struct vdpa_calls *c, enum kind kind)
{
	if (kind == CALL_IOCTL)
		return c->sys->ioctl(c->fd, c->what, c->len == 0 ? NULL : c->arg);
	if (kind == CALL_WRITE)
		return c->sys->write(c->fd, c->arg, c->len);
	c->sys->close(c->fd);
	return 0;
}

static sluice_compat_thread_ret
calls_thread(void *arg)
{
	struct vdpa_calls *c = arg;
	bool is_left = false;
	enum kind kind;
	int ret;

	pthread_mutex_lock(&c->lock);
	while (!c->is_closed) {
		while (c->kind == CALL_NONE && !c->wants_close)
			pthread_cond_wait(&c->changed, &c->lock);
		kind = c->kind != CALL_NONE ? c->kind : CALL_CLOSE;
		pthread_mutex_unlock(&c->lock);
		ret = make(c, kind);
		pthread_mutex_lock(&c->lock);
		c->ret = ret;
		c->kind = CALL_NONE;
		c->is_closed = kind == CALL_CLOSE;
		is_left = c->is_left;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	if (is_left)
		destroy(c);
	return 0;
}

int
sluice_vdpa_calls_open(const struct sluice_vk_sys *sys, int fd, struct vdpa_calls **out)
{
	struct vdpa_calls *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;
	int ret;

	if (c == NULL)
		return -ENOMEM;
	c->sys = sys;
	c->fd = fd;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pipe2(c->eof_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		ret = -errno;
		c->eof_fds[0] = c->eof_fds[1] = -1;
	} else {
		ret = rte_thread_create_internal_control(&c->thread, "sluice-ask", calls_thread, c);
		/* Older releases of DPDK return what is positive. */
		ret = ret > 0 ? -ret : ret;
	}
	if (ret != 0) {
		destroy(c);
		return ret;
	}
	*out = c;
	return 0;
}

/* The lock is held. False: it is time to go on without. */
static bool
wait(struct vdpa_calls *c, const struct sluice_transport *t)
{
	int left = RTE_MIN(sluice_transport_left(t), SLICE_MS);
	struct timespec until;

	if (left == 0)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += left * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_cond_timedwait(&c->changed, &c->lock, &until);
	return true;
}

static int
ask(struct vdpa_calls *c, const struct sluice_transport *t, enum kind kind, unsigned long what,
		const void *arg, size_t len)
{
	int ret = -ETIMEDOUT;

	if (len > sizeof(c->arg))
		return -EMSGSIZE;
	pthread_mutex_lock(&c->lock);
	if (c->kind == CALL_NONE && sluice_transport_left(t) != 0) {
		c->kind = kind;
		c->what = what;
		c->len = len;
		if (len != 0)
			memcpy(c->arg, arg, len);
		pthread_cond_broadcast(&c->changed);
		while (c->kind != CALL_NONE && wait(c, t))
			;
		if (c->kind == CALL_NONE)
			ret = c->ret;
	}
	pthread_mutex_unlock(&c->lock);
	return ret;
}

int
sluice_vdpa_ioctl(struct vdpa_calls *c, const struct sluice_transport *t, unsigned long what,
		const void *arg, size_t len)
{
	return ask(c, t, CALL_IOCTL, what, arg, len);
}

int
sluice_vdpa_write(
		struct vdpa_calls *c, const struct sluice_transport *t, const void *msg, size_t len)
{
	int ret = ask(c, t, CALL_WRITE, 0, msg, len);

	return ret < 0 ? ret : ret == (int)len ? 0 : -EIO;
}

bool
sluice_vdpa_is_late(struct vdpa_calls *c)
{
	bool is_late;

	pthread_mutex_lock(&c->lock);
	is_late = c->kind != CALL_NONE;
	pthread_mutex_unlock(&c->lock);
	return is_late;
}

int
sluice_vdpa_calls_close(struct vdpa_calls *c, const struct sluice_transport *t)
{
	rte_thread_t thread = c->thread;
	int eof_fd = -1;

	pthread_mutex_lock(&c->lock);
	c->wants_close = true;
	pthread_cond_broadcast(&c->changed);
	while (!c->is_closed && wait(c, t))
		;
	if (!c->is_closed) {
		c->is_left = true;
		eof_fd = c->eof_fds[0];
		c->eof_fds[0] = -1;
	}
	pthread_mutex_unlock(&c->lock);
	if (eof_fd >= 0) {
		rte_thread_detach(thread);
		return eof_fd;
	}
	rte_thread_join(thread, NULL);
	destroy(c);
	return -1;
}
