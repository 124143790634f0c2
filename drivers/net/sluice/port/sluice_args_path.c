/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Who is at the other end of the path of a vdev, and which arguments that leaves; what group its
 * socket gets.
 */

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sluice_args.h"
#include "sluice_log.h"

#define VHOST_NET "/dev/vhost-net"
/* Of a node of vDPA, in whatever folder it is. */
#define VHOST_VDPA "vhost-vdpa-"

#define GROUP_LEN_MAX (1 << 20) /* bytes of a group with all its members */

/*
 * As net_virtio_user tells who is at the other end: sockets are back ends', device nodes the
 * kernel's. What is not there yet is a socket, except under the name that the node always has.
 */
static bool
is_node(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? S_ISCHR(st.st_mode) : strcmp(path, VHOST_NET) == 0;
}

static bool
is_vdpa(const char *path)
{
	const char *name = strrchr(path, '/');
	struct stat st;

	if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		return false;
	return strncmp(name == NULL ? path : name + 1, VHOST_VDPA, strlen(VHOST_VDPA)) == 0;
}

/* What is only for the one kind of path, or the other. */
static int
check_kernel(const struct sluice_args *args)
{
	if (args->has_iface && !args->is_kernel) {
		SLUICE_INIT_LOG(ERR,
				"device argument 'iface=%s' is for path=/dev/vhost-net, and path=%s is "
				"none: give the one, or leave out the other",
				args->iface, args->path);
		return -EINVAL;
	}
	if (args->busy_poll_us != 0 && !args->is_kernel) {
		SLUICE_INIT_LOG(ERR,
				"device argument 'busy_poll_us=%u' is for path=/dev/vhost-net, and path=%s is "
				"none: leave it out",
				args->busy_poll_us, args->path);
		return -EINVAL;
	}
	if (args->is_server && (args->is_kernel || args->is_vdpa)) {
		SLUICE_INIT_LOG(ERR,
				"device argument 'server=1' is for sockets, and path=%s is none: leave it "
				"out",
				args->path);
		return -EINVAL;
	}
	if (args->has_ro_rings && !args->is_vdpa) {
		SLUICE_INIT_LOG(ERR,
				"device argument 'ro_rings=%u' is for path=/dev/vhost-vdpa-<number>, and "
				"path=%s is none: leave it out",
				args->is_ro_rings, args->path);
		return -EINVAL;
	}
	if (args->has_hash && !args->is_vdpa) {
		SLUICE_INIT_LOG(ERR,
				"device argument 'hash=%u' is for path=/dev/vhost-vdpa-<number>, and "
				"path=%s is none: leave it out",
				args->is_device_hash, args->path);
		return -EINVAL;
	}
	return 0;
}

/* The socket of a client is the back end's. */
static int
check_socket_access(const struct sluice_args *args)
{
	char value[16];

	if (args->is_server || (!args->has_socket_mode && !args->has_socket_group))
		return 0;
	if (args->has_socket_mode)
		snprintf(value, sizeof(value), "mode=%04o", args->socket_mode);
	else
		snprintf(value, sizeof(value), "group=%u", args->socket_group);
	SLUICE_INIT_LOG(ERR,
			"device argument 'socket_%s' is for the socket that a server makes: give server=1, or "
			"leave it out",
			value);
	return -EINVAL;
}

int
sluice_args_check_path(struct sluice_args *args)
{
	int ret;

	args->is_vdpa = is_vdpa(args->path);
	args->is_kernel = !args->is_vdpa && is_node(args->path);
	ret = check_kernel(args);
	if (ret == 0)
		ret = check_socket_access(args);
	/* An interface may be silent for long, and its applications wait for their buffers. */
	if (args->is_kernel && !args->has_idle_reclaim)
		args->is_idle_reclaim = true;
	return ret;
}

int
sluice_args_find_group(const char *name, uint32_t *gid)
{
	struct group group, *found = NULL;
	int ret = ERANGE;
	size_t len;
	char *buf;

	for (len = 4096; ret == ERANGE && len <= GROUP_LEN_MAX; len *= 4) {
		buf = malloc(len);
		if (buf == NULL)
			return -ENOMEM;
		ret = getgrnam_r(name, &group, buf, len, &found);
		free(buf);
	}
	if (ret != 0 || found == NULL)
		return -EINVAL;
	*gid = group.gr_gid;
	return 0;
}
