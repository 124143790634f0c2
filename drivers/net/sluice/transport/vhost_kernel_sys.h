/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * All that the transports to devices of the kernel's vhost ask of it, so that a test can stand in
 * for it. Every function returns 0 or more, or -errno; none waits for a device, but requests to one
 * of vDPA.
 */

#ifndef VHOST_KERNEL_SYS_H
#define VHOST_KERNEL_SYS_H

#include <stddef.h>

struct sluice_vk_sys {
	/* A device node for reading and writing. */
	int (*open)(const char *path);
	void (*close)(int fd);
	/* arg: what the request takes, a pointer or a number. */
	int (*ioctl)(int fd, unsigned long request, void *arg);
	/* One message; returns its bytes. */
	int (*write)(int fd, const void *msg, size_t len);
	/* Where the device of an open node is in sysfs. -ENOENT: it is there no more. */
	int (*node_path)(int fd, char *buf, size_t len);
	/*
	 * VHOST_SET_OWNER. From Linux 6.4 on the worker that it makes is a thread of this process,
	 * and inherits where its maker may run: never on the core of a thread that polls.
	 */
	int (*set_owner)(int fd);
	/* A small text file, without the newline at its end; returns its length. */
	int (*read_file)(const char *path, char *buf, size_t len);
	/* What a descriptor is ready for at this moment, of what poll(2) can tell. */
	int (*ready)(int fd);
	/* For requests on an interface by its name. */
	int (*control_socket)(void);
	/* Readable when an interface of this network namespace comes, goes or changes. */
	int (*link_news)(void);
	int (*eventfd)(void);
	/* Read all that a descriptor has to say, and forget it. */
	void (*drain)(int fd);
};

/* Linux. */
extern const struct sluice_vk_sys sluice_vk_linux;

#endif /* VHOST_KERNEL_SYS_H */
