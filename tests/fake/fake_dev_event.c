/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * When the device interrupts.
 */

#include "fake_dev.h"
#include "fake_error.h"

struct fake_used
fake_dev_used(const struct fake_dev *dev)
{
	return (struct fake_used){ .at = dev->used, .wrap = dev->used_wrap };
}

static bool
split_interrupts(const struct fake_dev *dev, uint16_t since)
{
	const struct sluice_split_avail *avail = dev->split.avail;
	uint16_t at;

	if (!dev->conf.has_event_idx)
		return avail->flags == 0; /* 2.7.7.2 */
	/* 2.7.7.2: the entry at used_event was written. */
	for (at = since; at != dev->used; at++)
		if (at == avail->ring[dev->conf.size])
			return true;
	return false;
}

static bool
packed_interrupts(const struct fake_dev *dev, struct fake_used since)
{
	const struct sluice_packed_event *event = dev->packed.driver_event;

	if (event->flags != SLUICE_EVENT_DESC)
		return event->flags == SLUICE_EVENT_ENABLE;
	if ((event->off_wrap & 0x7fff) >= dev->conf.size)
		fake_error("an event at slot %u of %u", event->off_wrap & 0x7fff, dev->conf.size);
	/* 2.8.14: the descriptor at that place and of that lap was written. */
	while (since.at != dev->used || since.wrap != dev->used_wrap) {
		if (since.at == (event->off_wrap & 0x7fff) && since.wrap == event->off_wrap >> 15)
			return true;
		if (++since.at == dev->conf.size) {
			since.at = 0;
			since.wrap = !since.wrap;
		}
	}
	return false;
}

bool
fake_dev_interrupts(const struct fake_dev *dev, struct fake_used since)
{
	if (since.at == dev->used && since.wrap == dev->used_wrap)
		return false;
	return dev->conf.is_packed ? packed_interrupts(dev, since) :
				     split_interrupts(dev, since.at);
}
