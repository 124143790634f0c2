/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What all tests of the checker around burst functions do.
 */

#ifndef DEBUG_STEPS_H
#define DEBUG_STEPS_H

#include <stdio.h>
#include <string.h>

#include "dmap_debug.h"
#include "env.h"
#include "fake_log.h"
#include "sluice_check.h"

#define LEN 100

static inline struct env *
open_checked(void **state)
{
	struct env_conf *conf = *state;
	struct env *e;

	conf->is_checked = true;
	e = env_open(conf);
	/* What a receive ring has is noted by the first burst. */
	if (!conf->is_tx)
		env_rx_and_free(e, 1);
	return e;
}

/* This was said, more than once maybe, and nothing else. */
static inline void
expect_only(struct env *e, enum dmap_debug_check what)
{
	uint64_t nb = dmap_debug_nb(e->domain, what);

	fake_assert(nb != 0, "no report: %s", dmap_debug_name(what));
	fake_assert(dmap_debug_nb(e->domain, DMAP_DEBUG_NB_CHECKS) == nb, "other reports");
}

static inline void
expect_silence(struct env *e)
{
	enum dmap_debug_check what;

	for (what = 0; what < DMAP_DEBUG_NB_CHECKS; what++)
		fake_assert(dmap_debug_nb(e->domain, what) == 0, "reported: %s",
				dmap_debug_name(what));
}

/* A line of the log has all that is known of a buffer, where the device has one. */
static inline void
expect_named(const struct env *e, const char *said, const struct rte_mbuf *m)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "mbuf %p of pool", (const void *)m);
	fake_assert(strstr(said, "unit: ") != NULL && strstr(said, "queue 0 slot 0") != NULL,
			"said: %s", said);
	fake_assert(env_is_copy(&e->conf) ||
					(strstr(said, "device address 0x") != NULL &&
							strstr(said, wanted) != NULL),
			"said: %s, and not %s", said, wanted);
}

/* A packet that the device has, and the test has references to. */
static inline struct rte_mbuf *
send_shared(struct env *e, unsigned int nb_refs)
{
	struct rte_mbuf *m = fake_mbuf(e->pool, 128, LEN);

	fake_mbuf_fill(m, 1);
	rte_mbuf_refcnt_update(m, nb_refs);
	assert_int_equal(env_tx(e, &m, 1), 1);
	fake_dev_poll(&e->dev);
	return m;
}

static inline struct rte_mbuf *
send_one(struct env *e)
{
	return send_shared(e, 0);
}

/* Another burst, and all comes back. */
static inline void
go_on(struct env *e)
{
	send_one(e);
	fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
	e->tx->cleanup(&e->txq, 0);
}

#endif /* DEBUG_STEPS_H */
