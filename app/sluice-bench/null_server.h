/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The vhost-user sockets of the null devices. librte_vhost serves them in a thread of its own;
 * that thread handles messages only and sleeps while the rings are stepped.
 */
#ifndef NULL_SERVER_H
#define NULL_SERVER_H

#include <stdint.h>

#define NULL_SERVER_MAX 4

/** Listen on `path`; `hide` = feature bits that are not offered. Slot number or -errno. */
int null_server_open(const char *path, uint64_t hide);

/** Wait until a driver has started the device in `slot`. Its vid, or -ETIMEDOUT. */
int null_server_wait(int slot, unsigned int timeout_ms);

/** The vid in `slot`, or -ENODEV if it has gone away (or came again) since the wait. */
int null_server_check(int slot);

/** Changes with every message that the driver sent: the memory table and the rings' addresses may
 * be others now, and the old mappings are gone.
 */
unsigned int null_server_generation(int slot);

/** A thread of its own works with the rings of `slot` from enter to leave. It must look at the
 * generation all the time and leave when it changes: meanwhile messages wait (1 s at most).
 */
void null_server_enter(int slot);
void null_server_leave(int slot);

void null_server_close(int slot);

#endif /* NULL_SERVER_H */
