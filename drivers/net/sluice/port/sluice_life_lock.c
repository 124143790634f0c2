/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A port's lock for who must not wait for a device: whoever holds it is helped out.
 */

#include <unistd.h>

#include <ethdev_driver.h>

#include "sluice_clock.h"
#include "sluice_life_lock.h"
#include "sluice_port.h"

/*
 * How long a thread that was cut off from its device may take before it is looked whether it hangs.
 */
#define UNBLOCK_MS 5

/*
 * The C library's own waits with a deadline do not do: pthread_mutex_timedlock() goes by the time
 * of day, which may be set, and ThreadSanitizer of gcc 12 does not know pthread_mutex_clocklock().
 */
void
sluice_life_lock(struct sluice_port *port, unsigned int ms)
{
	int64_t end = sluice_clock_ms() + ms;

	while (pthread_mutex_trylock(&port->lock) != 0) {
		if (sluice_clock_ms() >= end) {
			/*
			 * Who holds the lock waits for the device, or hangs where a back end made
			 * it hang.
			 */
			port->transport->ops->cut(port->transport);
			sluice_intr_unblock(port);
			end = sluice_clock_ms() + UNBLOCK_MS;
		}
		usleep(100);
	}
}
