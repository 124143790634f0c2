/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A transport whose device does what a script says: a PCI device, or a back end. It keeps the
 * contract of sluice_transport.h, notes all calls, and finds who breaks the order in which a device
 * may be let go: while the device may still reach buffers, as many must be missing from their pool.
 */

#ifndef FAKE_TRANSPORT_H
#define FAKE_TRANSPORT_H

#include <pthread.h>

#include "fake_domain.h"
#include "fake_pool.h"
#include "sluice_transport.h"

enum fake_op {
	FAKE_CONNECT,
	FAKE_BEGIN,
	/* of the domain; of a back end that is not connected it is noted, and no exchange */
	FAKE_PUBLISH,
	FAKE_VQ_START,
	FAKE_COMMIT,
	FAKE_VQ_ENABLE,
	FAKE_VQ_STOP,
	FAKE_VQ_RESET,
	FAKE_RESET,
	FAKE_NB_TALKS,               /* those above are exchanges with the device, and can fail */
	FAKE_REVOKE = FAKE_NB_TALKS, /* the domain of a PCI device shows nothing */
	FAKE_DISCONNECT,
	FAKE_CUT,
	FAKE_NB_OPS
};

struct fake_call {
	enum fake_op op;
	uint16_t arg; /* of FAKE_VQ_*: the virtqueue */
	int ret;
	int64_t at;
};

#define FAKE_CALLS_MAX 1024
#define FAKE_LINKS_MAX 64
#define FAKE_VQS_MAX 8
#define FAKE_NEVER UINT32_MAX

/* A connection that was, or is. */
struct fake_link {
	int theirs;       /* the other end of the socket pair of a back end; -1: closed */
	uint32_t nb_held; /* buffers that the device may reach */
	int64_t until;    /* let go: from here on it is not waited for; INT64_MAX: it runs */
};

struct fake_transport {
	struct sluice_transport base;
	struct sluice_transport_ops ops;
	struct fake_domain dom;
	struct dmap_backend backend; /* of dom, with FAKE_PUBLISH and FAKE_REVOKE noted */
	bool is_pci;
	struct fake_pool *pool; /* whose buffers are counted */
	/* The script. */
	struct sluice_device_info info;
	struct sluice_device_state state;
	bool is_there;      /* there is a device to connect to */
	int check_answer;   /* of check() */
	uint16_t ctrl_size; /* slots of the control queue */
	struct sluice_notify_pages pages;
	int pages_error; /* instead of these */
	/*
	 * Exchange number fail_at from now on is answered with fail_ret; FAKE_NEVER: all are well.
	 */
	uint32_t fail_at;
	int fail_ret;
	int64_t delay_ms; /* each exchange takes that long */
	/* Called within each exchange, before its answer; NULL: nothing is. */
	void (*on_talk)(struct fake_transport *ft, enum fake_op op);
	/* Buffers in the rings, of whoever has them; NULL: nobody. */
	uint32_t (*nb_posted)(const struct fake_transport *ft);
	bool is_given_up; /* the port may be closed: buffers may go back whatever the device does */
	/* What was seen. */
	bool is_connected, is_broken;
	pthread_mutex_t calls_lock; /* of the calls: cut() comes from any thread */
	struct fake_call calls[FAKE_CALLS_MAX];
	uint32_t nb_calls;
	uint32_t nb_by_op[FAKE_NB_OPS];
	struct fake_link links[FAKE_LINKS_MAX];
	uint32_t nb_links;                        /* the last one is the one that is connected */
	int sock;                                 /* our end; -1: none */
	uint16_t started, stopped, disabled;      /* bit masks of virtqueues */
	uint16_t forgotten;                       /* reset, and not started again */
	struct sluice_vq_setup vqs[FAKE_VQS_MAX]; /* as started last */
	sluice_features features;                 /* told by begin */
	uint32_t nb_begins;
	uint16_t reg; /* a notification register */
	const int *irq_fds;
	uint16_t nb_irq_fds;
};

/* A device that is there, has all that is asked for, and one queue pair. */
void fake_transport_init(struct fake_transport *ft, bool is_pci);
void fake_transport_fini(struct fake_transport *ft);
/* Whose buffers are counted, from here on. */
void fake_transport_watch(struct fake_transport *ft, struct fake_pool *pool);

/* The next exchange but nth fails; others, too, if the connection does not survive this. */
void fake_transport_fail(struct fake_transport *ft, uint32_t nth, int ret);
/* A back end lets go of connection number nth: its end of the socket is closed. */
void fake_transport_hang_up(struct fake_transport *ft, uint32_t nth);
/* All connections that were let go. */
void fake_transport_hang_up_all(struct fake_transport *ft);
/* Forget the calls so far. */
void fake_transport_forget(struct fake_transport *ft);
/* "CONNECT BEGIN PUBLISH VQ_START 0 ..." since it was last forgotten. */
const char *fake_transport_calls(struct fake_transport *ft);

#endif /* FAKE_TRANSPORT_H */
