// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * Makes a tap interface that stays and belongs to a user: tap_make NAME UID [multi_queue]. "ip link
 * del" ends it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int
main(int argc, char **argv)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	if (argc < 3) {
		fprintf(stderr, "usage: tap_make NAME UID [multi_queue]\n");
		return 2;
	}
	if (argc > 3)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	strncpy(ifr.ifr_name, argv[1], sizeof(ifr.ifr_name) - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETOWNER, atoi(argv[2])) < 0 ||
			ioctl(fd, TUNSETPERSIST, 1) < 0) {
		perror("tap_make");
		return 1;
	}
	return 0;
}
