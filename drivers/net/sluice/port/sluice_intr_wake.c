/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* Waking the threads that sleep on receive interrupts. */

#include <fcntl.h>
#include <unistd.h>

#include "sluice_port.h"

/*
 * A back end may have filled the counter: then a write is no edge until somebody has emptied it. It
 * shares the flags of the file, too, so it may have made calls block.
 */
void
sluice_intr_signal(int fd)
{
	uint64_t count = 1;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (write(fd, &count, sizeof(count)) == sizeof(count) ||
			read(fd, &count, sizeof(count)) != sizeof(count))
		return;
	count = 1;
	if (write(fd, &count, sizeof(count)) < 0)
		return; /* filled again meanwhile: it wakes, too */
}

void
sluice_intr_wake(const struct sluice_port *port)
{
	uint16_t i;

	for (i = 0; i < port->intr.nb_fds; i++)
		sluice_intr_signal(port->intr.fds[i]);
}

void
sluice_intr_unblock(const struct sluice_port *port)
{
	uint16_t i;

	for (i = 0; i < port->intr.nb_fds; i++)
		sluice_eventfd_unblock(port->intr.fds[i]);
}
