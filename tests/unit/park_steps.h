/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* The steps of a port whose buffers are parked. */

#ifndef PARK_STEPS_H
#define PARK_STEPS_H

#include "env.h"
#include "fake_clock.h"
#include "fake_port.h"

static inline struct fake_port *
open_live(const struct fake_port_conf *conf)
{
	struct fake_port *f = fake_port_open(conf);

	assert_int_equal(sluice_life_probe(f->port), 0);
	assert_int_equal(sluice_life_start(f->port), 0);
	assert_int_equal(f->port->life, SLUICE_LIVE);
	return f;
}

static inline uint32_t
nb_out(const struct fake_port *f)
{
	return f->pool->conf.nb - f->pool->nb_free;
}

/* The back end lies, and is cut off; it does not hang up before it is told. */
static inline void
cut_off(struct fake_port *f)
{
	sluice_queue_break(&f->rxq[0].q, SLUICE_FAIL_BAD_ID);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	assert_int_equal(f->port->life, SLUICE_FAILED);
	assert_false(f->ft.is_connected);
}

static inline void
serve_after(struct fake_port *f, int64_t ms, uint32_t nb_left)
{
	fake_clock_add(ms);
	fake_port_turn(f, SLUICE_NEWS_NONE);
	fake_assert(nb_out(f) == nb_left, "%u are out of the pool, not %u", nb_out(f), nb_left);
}

#endif /* PARK_STEPS_H */
