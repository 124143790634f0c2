/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Used entries, true and false, that are the same for receive and transmit queues.
 */

#include <string.h>

#include "lies.h"

static uint32_t
true_len(const struct env *e)
{
	return e->conf.is_tx ? 0 : SLUICE_NET_HDR_LEN + 60;
}

static void
use_with_len(struct env *e, uint32_t nth, uint32_t len)
{
	if (!e->conf.is_tx)
		fake_dev_write_header(&e->dev, fake_dev_held(&e->dev, nth), 1);
	fake_dev_use(&e->dev, nth, len);
}

void
lies_use(struct env *e, uint32_t nth)
{
	use_with_len(e, nth, true_len(e));
}

void
lies_use_or(struct env *e, bool lies, uint32_t id)
{
	if (lies)
		fake_dev_lie_used(&e->dev, id, true_len(e));
	else
		lies_use(e, 0);
}

void
lies_advance(struct env *e, bool lies, uint16_t by)
{
	lies_use(e, 0);
	if (lies)
		e->dev.split.used->idx += by;
	else
		lies_use(e, 0);
}

void
lies_with_len(struct env *e, bool lies, uint32_t len)
{
	use_with_len(e, 0, lies ? len : true_len(e));
}

void
lies_garble_wishes(struct env *e)
{
	if (env_is_packed(&e->conf)) {
		e->dev.packed.device_event->flags = 0xfff3;
		e->dev.packed.device_event->off_wrap = 0xffff;
	} else {
		e->dev.split.used->flags = 0xffff;
		memset(&e->dev.split.used->ring[LIES_SIZE], 0xab, sizeof(uint16_t));
	}
}

void
lies_id_of_size(struct env *e, bool lies)
{
	lies_use_or(e, lies, LIES_SIZE);
}

void
lies_id_all_ones(struct env *e, bool lies)
{
	lies_use_or(e, lies, env_is_packed(&e->conf) ? 0xffff : 0xffffffff);
}

void
lies_id_beyond_16_bits(struct env *e, bool lies)
{
	lies_use_or(e, lies, 0x10000 | fake_dev_held(&e->dev, 0)->id);
}

void
lies_id_twice_at_once(struct env *e, bool lies)
{
	uint32_t id = fake_dev_held(&e->dev, 0)->id;

	lies_use(e, 0);
	lies_use_or(e, lies, id);
}

void
lies_idx_beyond_size(struct env *e, bool lies)
{
	lies_advance(e, lies, LIES_SIZE + 1);
}

void
lies_idx_half_way_round(struct env *e, bool lies)
{
	lies_advance(e, lies, 32768);
}

void
lies_idx_backwards(struct env *e, bool lies)
{
	lies_advance(e, lies, -2);
}

void
lies_never_completes(struct env *e, bool lies)
{
	if (!lies)
		lies_use(e, 0);
}
