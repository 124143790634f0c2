/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Exchange of vhost-user messages. The other side is not trusted: sizes, request numbers and flags
 * are checked, no descriptor is taken, and no wait is without a deadline.
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sluice_clock.h"
#include "vhost_user_msg.h"

/* Of a socket for a group, where no mode was given. */
#define GROUP_MODE 0660

const char *
sluice_vu_request_name(uint32_t request)
{
	static const struct {
		enum sluice_vu_request request;
		const char *name;
	} names[] = {
		{ SLUICE_VU_GET_FEATURES, "GET_FEATURES" },
		{ SLUICE_VU_SET_FEATURES, "SET_FEATURES" },
		{ SLUICE_VU_SET_OWNER, "SET_OWNER" },
		{ SLUICE_VU_SET_MEM_TABLE, "SET_MEM_TABLE" },
		{ SLUICE_VU_SET_VRING_NUM, "SET_VRING_NUM" },
		{ SLUICE_VU_SET_VRING_ADDR, "SET_VRING_ADDR" },
		{ SLUICE_VU_SET_VRING_BASE, "SET_VRING_BASE" },
		{ SLUICE_VU_GET_VRING_BASE, "GET_VRING_BASE" },
		{ SLUICE_VU_SET_VRING_KICK, "SET_VRING_KICK" },
		{ SLUICE_VU_SET_VRING_CALL, "SET_VRING_CALL" },
		{ SLUICE_VU_GET_PROTOCOL_FEATURES, "GET_PROTOCOL_FEATURES" },
		{ SLUICE_VU_SET_PROTOCOL_FEATURES, "SET_PROTOCOL_FEATURES" },
		{ SLUICE_VU_GET_QUEUE_NUM, "GET_QUEUE_NUM" },
		{ SLUICE_VU_SET_VRING_ENABLE, "SET_VRING_ENABLE" },
		{ SLUICE_VU_NET_SET_MTU, "NET_SET_MTU" },
		{ SLUICE_VU_SET_BACKEND_REQ_FD, "SET_BACKEND_REQ_FD" },
		{ SLUICE_VU_GET_CONFIG, "GET_CONFIG" },
		{ SLUICE_VU_GET_MAX_MEM_SLOTS, "GET_MAX_MEM_SLOTS" },
		{ SLUICE_VU_ADD_MEM_REG, "ADD_MEM_REG" },
		{ SLUICE_VU_REM_MEM_REG, "REM_MEM_REG" },
		{ SLUICE_VU_SET_STATUS, "SET_STATUS" },
		{ SLUICE_VU_GET_STATUS, "GET_STATUS" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].request == request)
			return names[i].name;
	return "request";
}

/* Wait for events until the deadline. A signal does not end the wait. */
static int
wait_for(const struct sluice_vu_stream *s, short events)
{
	struct pollfd pfds[] = { { .fd = s->sock, .events = events },
		{ .fd = s->cut_fd, .events = POLLIN } };
	int64_t left;
	int ret;

	for (;;) {
		left = s->deadline - sluice_clock_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		ret = poll(pfds, 2, left > INT32_MAX ? INT32_MAX : (int)left);
		if (ret > 0)
			return pfds[1].revents != 0 ? -ECANCELED : 0;
		if (ret < 0 && errno != EINTR)
			return -errno;
	}
}

int
sluice_vu_send(const struct sluice_vu_stream *s, const struct sluice_vu_msg *msg, const int *fds,
		unsigned int nb_fds)
{
	char control[CMSG_SPACE(SLUICE_VU_TABLE_MAX * sizeof(int))] = { 0 };
	size_t len = SLUICE_VU_HEADER_LEN + msg->size, sent = 0;
	struct msghdr mh = { 0 };
	struct cmsghdr *cmsg;
	struct iovec iov;
	ssize_t n;
	int ret;

	if (nb_fds > SLUICE_VU_TABLE_MAX)
		return -EINVAL;
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (nb_fds != 0) {
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(nb_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nb_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nb_fds * sizeof(int));
	}
	while (sent < len) {
		iov.iov_base = (char *)(uintptr_t)msg + sent;
		iov.iov_len = len - sent;
		n = sendmsg(s->sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			sent += n;
			/* The descriptors went with the first byte. */
			mh.msg_control = NULL;
			mh.msg_controllen = 0;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return errno == EPIPE ? -ECONNRESET : -errno;
		ret = wait_for(s, POLLOUT);
		if (ret != 0)
			return ret;
	}
	return 0;
}

ssize_t
sluice_vu_recv_some(int sock, void *buf, size_t len)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr mh;
	ssize_t n;

	do {
		mh = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
		n = recvmsg(sock, &mh, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 ? -ECONNRESET : -errno;
	/* There is no room for descriptors, so the kernel has dropped them. */
	return (mh.msg_flags & MSG_CTRUNC) != 0 ? -EPROTO : n;
}

/* Receive exactly len bytes. */
static int
recv_exactly(const struct sluice_vu_stream *s, void *buf, size_t len)
{
	size_t got = 0;
	ssize_t n;
	int ret;

	while (got < len) {
		/*
		 * What is there at once need not be waited for, but what comes late is not taken.
		 */
		if (sluice_clock_ms() >= s->deadline)
			return -ETIMEDOUT;
		n = sluice_vu_recv_some(s->sock, (char *)buf + got, len - got);
		if (n == -EAGAIN) {
			ret = wait_for(s, POLLIN);
			if (ret != 0)
				return ret;
			continue;
		}
		if (n < 0)
			return n;
		got += n;
	}
	return 0;
}

int
sluice_vu_recv_reply(const struct sluice_vu_stream *s, uint32_t request, struct sluice_vu_msg *msg,
		uint32_t payload_min, uint32_t payload_len)
{
	int ret = recv_exactly(s, msg, SLUICE_VU_HEADER_LEN);

	if (ret != 0)
		return ret;
	if (msg->request != request || (msg->flags & SLUICE_VU_VERSION_MASK) != SLUICE_VU_VERSION ||
			!(msg->flags & SLUICE_VU_REPLY) || msg->size < payload_min ||
			msg->size > payload_len)
		return -EPROTO;
	return recv_exactly(s, (char *)msg + SLUICE_VU_HEADER_LEN, msg->size);
}

int
sluice_vu_check_quiet(int sock)
{
	ssize_t n;
	char c;

	do {
		n = recv(sock, &c, sizeof(c), MSG_PEEK | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return -EPROTO;
	if (n == 0)
		return -ECONNRESET;
	return errno == EAGAIN ? 0 : -errno;
}

static int
make_address(const char *path, struct sockaddr_un *sun)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun->sun_path))
		return -ENAMETOOLONG;
	strcpy(sun->sun_path, path);
	return 0;
}

void
sluice_vu_restrict(int sock)
{
	int on = 1, off = 0;

	setsockopt(sock, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	setsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

static int
make_socket(void)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (sock < 0)
		return -errno;
	sluice_vu_restrict(sock);
	return sock;
}

int
sluice_vu_connect(const char *path)
{
	struct sockaddr_un sun;
	struct stat st;
	int sock, ret;

	ret = make_address(path, &sun);
	if (ret != 0)
		return ret;
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	sock = make_socket();
	if (sock < 0)
		return sock;
	/* On a Unix socket this never is in progress: EAGAIN means that the backlog is full. */
	if (connect(sock, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		ret = -errno;
		close(sock);
		return ret;
	}
	return sock;
}

/*
 * Bind and listen, and have the permissions that were asked for from the first moment on: the mode
 * that a socket has before is what its file gets, less the umask; then the group, and only then the
 * rest of the mode.
 */
static int
listen_for(int sock, const struct sockaddr_un *sun, const struct sluice_socket_access *access)
{
	bool is_limited = access->has_mode || access->has_group;
	int ret = 0;

	if (is_limited && fchmod(sock, 0600) < 0)
		return -errno;
	if (bind(sock, (const struct sockaddr *)sun, sizeof(*sun)) < 0)
		return -errno;
	if (access->has_group && lchown(sun->sun_path, -1, access->group) < 0)
		ret = -errno;
	else if (is_limited &&
			chmod(sun->sun_path, access->has_mode ? access->mode : GROUP_MODE) < 0)
		ret = -errno;
	else if (listen(sock, 1) < 0)
		ret = -errno;
	if (ret != 0)
		unlink(sun->sun_path);
	return ret;
}

int
sluice_vu_listen(const char *path, const struct sluice_socket_access *access)
{
	struct sockaddr_un sun;
	struct stat st;
	int sock, ret;

	ret = make_address(path, &sun);
	if (ret != 0)
		return ret;
	/*
	 * A socket that nobody answers is left over from an earlier run. Anything else is not ours.
	 */
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return -ENOTSOCK;
		sock = sluice_vu_connect(path);
		if (sock >= 0) {
			close(sock);
			return -EADDRINUSE;
		}
		if (sock == -ECONNREFUSED)
			unlink(path);
	}
	sock = make_socket();
	if (sock < 0)
		return sock;
	ret = listen_for(sock, &sun, access);
	if (ret == 0)
		return sock;
	close(sock);
	return ret;
}

void
sluice_vu_unlink(const char *path, const struct stat *own)
{
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_dev == own->st_dev && st.st_ino == own->st_ino)
		unlink(path);
}

int
sluice_vu_accept(int listen_fd)
{
	int sock = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0)
		return -errno;
	sluice_vu_restrict(sock);
	return sock;
}
