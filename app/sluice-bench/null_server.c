/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Registration with librte_vhost and the hand-over of the device number from its thread to ours.
 * The callbacks run in librte_vhost's thread: they only note what happened, under the lock.
 */
#include "null_server.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_vhost.h>

#define LEAVE_MS 1000

struct server_slot {
	char path[108];
	bool is_open;
	int vid; /* -1: not running */
	unsigned int generation;
	bool is_in_use;      /* by a thread that works with the rings */
	unsigned int starts; /* more than one: the device was restarted behind our back */
};

static struct server_slot slots[NULL_SERVER_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static struct server_slot *
slot_of(int vid)
{
	char path[PATH_MAX];
	int i;

	if (rte_vhost_get_ifname(vid, path, sizeof(path)) != 0)
		return NULL;
	for (i = 0; i < NULL_SERVER_MAX; i++)
		if (slots[i].is_open && strcmp(slots[i].path, path) == 0)
			return &slots[i];
	return NULL;
}

/* Tell who works with the rings that they may change, and wait until nobody does. */
static void
change(struct server_slot *slot)
{
	unsigned int ms;

	__atomic_add_fetch(&slot->generation, 1, __ATOMIC_RELEASE);
	/* acquire: what the thread did with the rings is over */
	for (ms = 0; ms < LEAVE_MS && __atomic_load_n(&slot->is_in_use, __ATOMIC_ACQUIRE); ms++)
		usleep(1000);
}

/* librte_vhost does not tell an application that it maps the memory anew. The first of these runs
 * before a message is handled, the second afterwards and before the driver gets its reply.
 */
static enum rte_vhost_msg_result
on_message(int vid, void *msg)
{
	struct server_slot *slot;

	(void)msg;
	pthread_mutex_lock(&lock);
	slot = slot_of(vid);
	if (slot != NULL)
		change(slot);
	pthread_mutex_unlock(&lock);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops message_ops = {
	.pre_msg_handle = on_message,
	.post_msg_handle = on_message,
};

static int
on_new_device(int vid)
{
	struct server_slot *slot;

	if (rte_vhost_extern_callback_register(vid, &message_ops, NULL) != 0)
		return -1;

	/* The device polls: the driver need not ring. With EVENT_IDX librte_vhost leaves the event
	 * index alone, as it does for net_vhost; the bell is then rung once in 65536.
	 */
	rte_vhost_enable_guest_notification(vid, 0, 0);
	rte_vhost_enable_guest_notification(vid, 1, 0);
	pthread_mutex_lock(&lock);
	slot = slot_of(vid);
	if (slot != NULL) {
		slot->vid = vid;
		slot->starts++;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	return slot != NULL ? 0 : -1;
}

static void
on_destroy_device(int vid)
{
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < NULL_SERVER_MAX; i++)
		if (slots[i].vid == vid) {
			slots[i].vid = -1;
			change(&slots[i]);
		}
	pthread_mutex_unlock(&lock);
}

static const struct rte_vhost_device_ops server_ops = {
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
};

int
null_server_open(const char *path, uint64_t hide)
{
	int i;

	for (i = 0; i < NULL_SERVER_MAX && slots[i].is_open; i++)
		;
	if (i == NULL_SERVER_MAX || strlen(path) >= sizeof(slots[i].path))
		return -ENOSPC;
	if (rte_vhost_driver_register(path, 0) != 0)
		return -EIO;
	pthread_mutex_lock(&lock);
	snprintf(slots[i].path, sizeof(slots[i].path), "%s", path);
	slots[i].vid = -1;
	slots[i].starts = 0;
	slots[i].is_open = true;
	pthread_mutex_unlock(&lock);
	if (rte_vhost_driver_disable_features(path, hide) != 0 ||
			rte_vhost_driver_callback_register(path, &server_ops) != 0 ||
			rte_vhost_driver_start(path) != 0) {
		null_server_close(i);
		return -EIO;
	}
	return i;
}

int
null_server_wait(int slot, unsigned int timeout_ms)
{
	struct timespec until;
	int ret = 0, vid;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (timeout_ms % 1000) * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&lock);
	while (slots[slot].vid < 0 && ret == 0)
		ret = pthread_cond_timedwait(&changed, &lock, &until);
	vid = slots[slot].vid;
	slots[slot].starts = 1;
	pthread_mutex_unlock(&lock);
	return vid >= 0 ? vid : -ETIMEDOUT;
}

int
null_server_check(int slot)
{
	int vid;

	pthread_mutex_lock(&lock);
	vid = slots[slot].starts == 1 ? slots[slot].vid : -1;
	pthread_mutex_unlock(&lock);
	return vid >= 0 ? vid : -ENODEV;
}

unsigned int
null_server_generation(int slot)
{
	/* pairs with the release in change() */
	return __atomic_load_n(&slots[slot].generation, __ATOMIC_ACQUIRE);
}

void
null_server_enter(int slot)
{
	__atomic_store_n(&slots[slot].is_in_use, true, __ATOMIC_RELEASE);
}

void
null_server_leave(int slot)
{
	__atomic_store_n(&slots[slot].is_in_use, false, __ATOMIC_RELEASE);
}

void
null_server_close(int slot)
{
	if (slot < 0 || !slots[slot].is_open)
		return;
	/* not under the lock: it waits for the thread that runs our callbacks */
	rte_vhost_driver_unregister(slots[slot].path);
	pthread_mutex_lock(&lock);
	slots[slot].is_open = false;
	pthread_mutex_unlock(&lock);
}
