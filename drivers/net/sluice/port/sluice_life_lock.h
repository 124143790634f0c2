/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* A port's lock for who must not wait for a device. */

#ifndef SLUICE_LIFE_LOCK_H
#define SLUICE_LIFE_LOCK_H

struct sluice_port;

/*
 * A control call waits this long for the control thread to finish with a device; then the device is
 * cut off.
 */
#define SLUICE_LOCK_MS 500

/*
 * port->lock within ms milliseconds, or else the device is cut off, so that whoever holds the lock
 * has nothing to wait for. No lock held.
 */
void sluice_life_lock(struct sluice_port *port, unsigned int ms);

#endif /* SLUICE_LIFE_LOCK_H */
