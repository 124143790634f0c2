/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What a vhost-user back end puts into its socket. */

#ifndef FAKE_SOCKET_H
#define FAKE_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

/* As much as the kernel takes with one message. */
#define FAKE_SOCKET_FDS 253

/*
 * len bytes in one message, with copies of the standard error's descriptor, at most
 * FAKE_SOCKET_FDS. flags, and what is returned, as for sendmsg(2).
 */
ssize_t fake_socket_send(int sock, const void *bytes, size_t len, unsigned int nb_fds, int flags);

#endif /* FAKE_SOCKET_H */
