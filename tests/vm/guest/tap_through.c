// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * Sends frames, one at a time, into what lies between two interfaces, and tells what comes out:
 *
 *	tap_through (send|receive) IN OUT <FRAMES >FRAMES
 *
 * send: the kernel sends the frame out of IN. receive: IN is a tap without an owner, in a bridge,
 * and the kernel receives the frame there, with GRO. A packet socket takes what comes out of OUT. A
 * frame has its length in front, four bytes, and the header of virtio-net, which the length counts.
 * The first that does not come within ten seconds is the end.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_MAX (1 << 17)
#define DEADLINE 10000 /* ms */

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static int
open_socket(const char *name)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int one = 1, room = 4 << 20, fd = socket(AF_PACKET, SOCK_RAW, 0);

	addr.sll_ifindex = if_nametoindex(name);
	if (fd < 0 || addr.sll_ifindex == 0 ||
			setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
			setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
			setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
			setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
			bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		fail(name);
	return fd;
}

/* The bridge learns a little later that the tap has an owner. */
static void
wait_for_bridge(const char *name)
{
	char path[64], state[8];
	int ms, fd, n;

	snprintf(path, sizeof(path), "/sys/class/net/%s/brport/state", name);
	for (ms = 0; ms < DEADLINE; ms++) {
		fd = open(path, O_RDONLY);
		n = read(fd, state, sizeof(state));
		close(fd);
		if (n > 0 && state[0] - '0' == BR_STATE_FORWARDING)
			return;
		usleep(1000);
	}
	fail(path);
}

static int
open_tap(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_NAPI };
	int fd = open("/dev/net/tun", O_RDWR);

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
		fail(name);
	wait_for_bridge(name);
	return fd;
}

int
main(int argc, char **argv)
{
	static uint8_t frame[FRAME_MAX];
	struct pollfd pfd = { .events = POLLIN };
	uint32_t len;
	ssize_t n;
	int in;

	if (argc != 4) {
		fprintf(stderr, "usage: tap_through (send|receive) IN OUT <FRAMES >FRAMES\n");
		return 2;
	}
	in = strcmp(argv[1], "send") == 0 ? open_socket(argv[2]) : open_tap(argv[2]);
	pfd.fd = open_socket(argv[3]);
	while (fread(&len, sizeof(len), 1, stdin) == 1) {
		if (len > sizeof(frame) || fread(frame, len, 1, stdin) != 1)
			fail("input");
		if (write(in, frame, len) != (ssize_t)len)
			fail("write");
		if (poll(&pfd, 1, DEADLINE) != 1)
			return 0;
		n = read(pfd.fd, frame, sizeof(frame));
		if (n < 0)
			fail(argv[3]);
		len = n;
		fwrite(&len, sizeof(len), 1, stdout);
		fwrite(frame, len, 1, stdout);
	}
	return 0;
}
