/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_socket.h"

ssize_t
fake_socket_send(int sock, const void *bytes, size_t len, unsigned int nb_fds, int flags)
{
	char control[CMSG_SPACE(FAKE_SOCKET_FDS * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	int fd = STDERR_FILENO;
	unsigned int i;

	if (nb_fds != 0) {
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(nb_fds * sizeof(fd));
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nb_fds * sizeof(fd));
		for (i = 0; i < nb_fds; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(fd), &fd, sizeof(fd));
	}
	return sendmsg(sock, &mh, flags);
}
