/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tour_kmsg.h"

#define PAGE 4096
#define WAIT_STEP_US 10000
#define WAIT_STEPS 200 /* 2 seconds */

int
tour_kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) == (off_t)-1) {
		close(fd);
		return -EIO;
	}
	return fd;
}

bool
tour_kmsg_is_fault(const char *record, const char *bdf, uint64_t da)
{
	/* The domain is not always in the message. */
	const char *name = strlen(bdf) == strlen("0000:00:00.0") ? bdf + strlen("0000:") : bdf;
	const char *at = strstr(record, "fault addr 0x");
	const char *address = at != NULL ? at + strlen("fault addr ") : NULL;

	if (strstr(record, name) == NULL)
		return false;
	at = strstr(record, "IO_PAGE_FAULT") != NULL ? strstr(record, "address=0x") : NULL;
	if (at != NULL)
		address = at + strlen("address=");
	return address != NULL && strtoull(address, NULL, 16) / PAGE == da / PAGE;
}

/* The text of a record: between the ';' and the end of its first line. */
static void
copy_text(const char *record, char *text, size_t size)
{
	const char *begin = strchr(record, ';');

	begin = begin == NULL ? record : begin + 1;
	snprintf(text, size, "%.*s", (int)strcspn(begin, "\n"), begin);
}

bool
tour_kmsg_find(int fd, const char *bdf, uint64_t da, char *text, size_t size)
{
	char record[2048];
	unsigned int i;
	ssize_t len;

	for (i = 0; fd >= 0 && i < WAIT_STEPS; i++) {
		/* A record each; EPIPE: some were lost, and the next read goes on. */
		while ((len = read(fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
			if (len <= 0)
				continue;
			record[len] = '\0';
			if (!tour_kmsg_is_fault(record, bdf, da))
				continue;
			copy_text(record, text, size);
			return true;
		}
		if (errno != EAGAIN)
			return false;
		usleep(WAIT_STEP_US);
	}
	return false;
}
