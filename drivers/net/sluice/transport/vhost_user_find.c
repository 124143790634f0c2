/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A back end that comes back makes its socket anew, and the folder says so at once (inotify(7)). A
 * socket that appears does not listen yet, so the first try may be refused; the port tries again
 * shortly.
 */

#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "vhost_user.h"

/* What a path's name is within its folder. */
static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

void
sluice_vu_find_open(struct vhost_user *vu)
{
	vu->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

void
sluice_vu_find_arm(struct vhost_user *vu)
{
	int len = base_name(vu->path) - vu->path;
	char folder[PATH_MAX];

	if (vu->has_watch || vu->inotify_fd < 0)
		return;
	snprintf(folder, sizeof(folder), "%.*s.", len, vu->path);
	vu->has_watch = inotify_add_watch(vu->inotify_fd, folder,
					IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR) >= 0;
}

bool
sluice_vu_find_read(struct vhost_user *vu)
{
	alignas(struct inotify_event) char buf[4096];
	const char *name = base_name(vu->path);
	const struct inotify_event *event;
	bool is_there = false;
	ssize_t n, at;

	/* What does not fit is read with the next look. */
	n = read(vu->inotify_fd, buf, sizeof(buf));
	for (at = 0; at < n; at += sizeof(*event) + event->len) {
		event = (const void *)&buf[at];
		/*
		 * The folder went away, and with it the watch; or events did, and nobody knows
		 * which.
		 */
		if (event->mask & IN_IGNORED)
			vu->has_watch = false;
		is_there |= (event->mask & (IN_IGNORED | IN_Q_OVERFLOW)) != 0 ||
				(event->len != 0 && strcmp(event->name, name) == 0);
	}
	return is_there;
}
