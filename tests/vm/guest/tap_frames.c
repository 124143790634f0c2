// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The Sluice authors
/*
 * Sends frames out of an interface and compares what comes back, byte by byte and in order:
 *
 *	tap_frames INTERFACE COUNT SECONDS SIZE...
 *
 * Sizes take turns, without the checksum of Ethernet. Prints "N sent, N came back, N were others";
 * the status is 0 if all came back and only those.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define ETHERTYPE 0x88b5 /* for experiments */
#define WINDOW 24
#define FRAME_MAX 65536

static size_t
make(uint8_t *frame, unsigned int nth, size_t len)
{
	uint64_t random = 0x9e3779b97f4a7c15ULL * (nth + 1);
	size_t i;

	for (i = 0; i < len; i++) {
		random ^= random >> 12;
		random ^= random << 25;
		random ^= random >> 27;
		frame[i] = random >> 32;
	}
	memcpy(frame, "\x02\0\0\0\0\xbb\x02\0\0\0\0\xaa", 12);
	frame[12] = ETHERTYPE >> 8;
	frame[13] = ETHERTYPE & 0xff;
	return len;
}

static int
open_interface(const char *name)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE) };
	int one = 1, room = 4 << 20, fd = socket(AF_PACKET, SOCK_RAW, 0);

	addr.sll_ifindex = if_nametoindex(name);
	if (fd < 0 || addr.sll_ifindex == 0 ||
			setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
			setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
			bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		perror(name);
		exit(1);
	}
	return fd;
}

int
main(int argc, char **argv)
{
	static uint8_t sent[FRAME_MAX], got[FRAME_MAX];
	unsigned int count, nb_sent = 0, nb_back = 0, nb_others = 0;
	struct pollfd pfd = { .events = POLLIN };
	time_t end;
	ssize_t n;
	size_t len;

	if (argc < 5) {
		fprintf(stderr, "usage: tap_frames INTERFACE COUNT SECONDS SIZE...\n");
		return 2;
	}
	pfd.fd = open_interface(argv[1]);
	count = atoi(argv[2]);
	end = time(NULL) + atoi(argv[3]);
	while (nb_back < count && time(NULL) <= end) {
		for (; nb_sent < count && nb_sent < nb_back + WINDOW; nb_sent++) {
			len = make(sent, nb_sent, atoi(argv[4 + nb_sent % (argc - 4)]));
			if (send(pfd.fd, sent, len, 0) < 0) {
				fprintf(stderr, "frame %u: %s\n", nb_sent, strerror(errno));
				goto out;
			}
		}
		if (poll(&pfd, 1, 200) <= 0)
			continue;
		n = recv(pfd.fd, got, sizeof(got), 0);
		if (n < 0)
			break;
		len = make(sent, nb_back, atoi(argv[4 + nb_back % (argc - 4)]));
		if ((size_t)n == len && memcmp(sent, got, len) == 0)
			nb_back++;
		else
			nb_others++;
	}
out:
	printf("%u sent, %u came back, %u were others\n", nb_sent, nb_back, nb_others);
	return nb_back == count && nb_others == 0 ? 0 : 1;
}
