/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Device arguments of both ports: any string is taken or refused, and what is taken is within the
 * limits that the driver counts on.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "sluice_args.h"

static void
check(const struct sluice_args *a)
{
	fake_assert(a->nb_pairs >= 1 && a->nb_pairs <= SLUICE_PAIRS_MAX, "%u pairs", a->nb_pairs);
	fake_assert(!a->has_queue_size || (a->queue_size >= 4 && a->queue_size <= 32768),
			"%u slots", a->queue_size);
	fake_assert(memchr(a->path, '\0', sizeof(a->path)) != NULL, "a path without an end");
	fake_assert(memchr(a->iface, '\0', sizeof(a->iface)) != NULL, "a name without an end");
	fake_assert(!a->has_mac || !(a->mac[0] & 1), "a multicast address");
	fake_assert(a->isolation <= SLUICE_ISOLATION_NONE && a->rss <= SLUICE_RSS_ARG_OFF,
			"no such word");
	fake_assert(a->socket_mode <= 0777 && a->busy_poll_us <= 1000, "out of range");
}

/* The keys of both ports, one after the other, each with a value that may be good. */
static const char *
key_of(unsigned int nth, const char *all)
{
	static char key[32];
	unsigned int i, nb = 1, len;

	for (i = 0; all[i] != '\0'; i++)
		nb += all[i] == ' ';
	for (nth %= nb; nth != 0; nth--)
		all = strchr(all, ' ') + 1;
	len = strchr(all, '=') - all;
	fake_assert(len < sizeof(key), "a key of %u letters", len);
	memcpy(key, all, len);
	key[len] = '\0';
	return key;
}

static void
make_params(struct fuzz *f, char *params, size_t room, bool is_pci)
{
	static const char *const values[] = { "0", "1", "2", "4", "256", "65536", "sealed", "copy",
		"none", "scoped", "sw", "off", "02:00:00:00:00:01", "tap%d" };
	static const char *const paths[] = { "path=/tmp/s", "path=/tmp/s,server=1",
		"path=/dev/vhost-net", "path=/dev/vhost-vdpa-0" };
	char own[20];
	int len;

	len = snprintf(params, room, "%s",
			is_pci ? "sluice=1" : paths[fuzz_below(f, RTE_DIM(paths))]);
	while (f->left != 0 && len < (int)room - 64) {
		uint8_t key = fuzz_u8(f), value = fuzz_u8(f);

		/* One of these, a number, or anything. */
		memset(own, 0, sizeof(own));
		if (value >= 192)
			fuzz_take(f, own, value % 8);
		else if (value >= 128)
			snprintf(own, sizeof(own), value & 1 ? "%u" : "0%o",
					value & 2 ? fuzz_u16(f) % 4096 : fuzz_u32(f));
		else
			snprintf(own, sizeof(own), "%s", values[value % RTE_DIM(values)]);
		len += snprintf(params + len, room - len, ",%s=%s",
				key_of(key, is_pci ? SLUICE_PCI_ARGS_STRING : SLUICE_ARGS_STRING),
				own);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz f = { data, len };
	uint8_t kind = fuzz_u8(&f);
	bool is_pci = kind & 1, is_ours = true;
	struct sluice_args a, untouched;
	char text[1024] = "", *params;
	int ret;

	/* Any string, or one that is likely to be taken. */
	if (kind & 2)
		make_params(&f, text, sizeof(text), is_pci);
	else
		fuzz_take(&f, text, RTE_MIN(f.left, sizeof(text) - 1));
	/* No longer than it is, for AddressSanitizer. */
	params = strdup(text);
	memset(&untouched, 0x5a, sizeof(untouched));
	a = untouched;
	ret = is_pci ? sluice_args_parse_pci(params, &a, &is_ours) : sluice_args_parse(params, &a);
	free(params);
	if (ret == 0 && is_ours)
		check(&a);
	else if (ret != 0)
		fake_assert(ret == -EINVAL && memcmp(&a, &untouched, sizeof(a)) == 0,
				"refused with %d, or half taken", ret);
	return 0;
}
