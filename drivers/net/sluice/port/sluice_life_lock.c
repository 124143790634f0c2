/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A port's lock for who must not wait for a device: whoever holds it is helped out.
 */

#include <time.h>
#include <unistd.h>

#include <ethdev_driver.h>

#include "sluice_clock.h"
#include "sluice_life_lock.h"
#include "sluice_port.h"

/*
 * How long a thread that was cut off from its device may take before it is looked whether it hangs.
 */
#define UNBLOCK_NS 5000000

void
sluice_life_lock(struct sluice_port *port, unsigned int ms)
{
	int64_t end = sluice_clock_ms() + ms;
	struct timespec soon;

	while (pthread_mutex_trylock(&port->lock) != 0) {
		if (sluice_clock_ms() < end) {
			usleep(100);
			continue;
		}
		/*
		 * Who holds the lock waits for the device, or hangs where a back end made it hang.
		 */
		port->transport->ops->cut(port->transport);
		sluice_intr_unblock(port);
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_nsec += UNBLOCK_NS;
		if (soon.tv_nsec >= 1000000000) {
			soon.tv_nsec -= 1000000000;
			soon.tv_sec++;
		}
		if (pthread_mutex_timedlock(&port->lock, &soon) == 0)
			return;
	}
}
