/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Feature bits (virtio 1.2, 5.1.3 and 6). A control feature (MAC, link status, MTU, control queue)
 * may differ between two drivers without touching a burst; the others may not.
 */
#include "bench_features.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint8_t bit;
	bool is_control;
} names[] = {
	{ "csum", 0, false },
	{ "guest_csum", 1, false },
	{ "ctrl_guest_offloads", 2, true },
	{ "mtu", 3, true },
	{ "mac", 5, true },
	{ "gso", 6, false },
	{ "guest_tso4", 7, false },
	{ "guest_tso6", 8, false },
	{ "guest_ecn", 9, false },
	{ "guest_ufo", 10, false },
	{ "host_tso4", 11, false },
	{ "host_tso6", 12, false },
	{ "host_ecn", 13, false },
	{ "host_ufo", 14, false },
	{ "mrg_rxbuf", 15, false },
	{ "status", 16, true },
	{ "ctrl_vq", 17, true },
	{ "ctrl_rx", 18, true },
	{ "ctrl_vlan", 19, true },
	{ "guest_announce", 21, true },
	{ "mq", 22, true },
	{ "ctrl_mac_addr", 23, true },
	{ "notify_on_empty", 24, false },
	{ "log_all", 26, false },
	{ "any_layout", 27, false },
	{ "indirect_desc", 28, false },
	{ "event_idx", 29, false },
	{ "protocol_features", 30, true },
	{ "version_1", 32, false },
	{ "iommu_platform", 33, false },
	{ "ring_packed", 34, false },
	{ "in_order", 35, false },
	{ "order_platform", 36, false },
	{ "notification_data", 38, false },
	{ "hash_report", 57, false },
	{ "rss", 60, true },
	{ "speed_duplex", 63, true },
};

#define NB_NAMES (sizeof(names) / sizeof(names[0]))

uint64_t
bench_features_datapath(void)
{
	uint64_t bits = UINT64_MAX;
	size_t i;

	for (i = 0; i < NB_NAMES; i++)
		if (names[i].is_control)
			bits &= ~(UINT64_C(1) << names[i].bit);
	return bits;
}

const char *
bench_features_text(uint64_t features, char *text, size_t len)
{
	size_t used = 0, i;
	unsigned int bit;

	snprintf(text, len, "-");
	for (bit = 0; bit < 64 && used < len; bit++) {
		if (!(features >> bit & 1))
			continue;
		for (i = 0; i < NB_NAMES && names[i].bit != bit; i++)
			;
		if (i < NB_NAMES)
			used += snprintf(text + used, len - used, "%s%s", used ? "," : "",
					names[i].name);
		else
			used += snprintf(text + used, len - used, "%sbit%u", used ? "," : "", bit);
	}
	return text;
}

int
bench_features_parse(const char *list, uint64_t *features)
{
	char *copy = strdup(list);
	char *save = NULL, *word, *end;
	int ret = 0;
	size_t i;

	*features = 0;
	for (word = strtok_r(copy, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < NB_NAMES && strcmp(names[i].name, word) != 0; i++)
			;
		if (i < NB_NAMES) {
			*features |= UINT64_C(1) << names[i].bit;
			continue;
		}
		errno = 0;
		*features |= strtoull(word, &end, 0);
		if (errno != 0 || *end != '\0' || end == word) {
			fprintf(stderr, "sluice-bench: --hide: '%s' is no feature; known:", word);
			for (i = 0; i < NB_NAMES; i++)
				fprintf(stderr, " %s", names[i].name);
			fprintf(stderr, " or a number\n");
			ret = -EINVAL;
			break;
		}
	}
	free(copy);
	return ret;
}
