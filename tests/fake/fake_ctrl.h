/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The other side of a control queue (virtio 1.3, 5.1.6.5): a device that executes what it is told,
 * and remembers it. It checks what a driver must keep to: descriptors, lengths, commands of
 * features that were negotiated. And it answers as the script wants it, which includes answers that
 * no honest device gives.
 */

#ifndef FAKE_CTRL_H
#define FAKE_CTRL_H

#include "fake_transport.h"

#define FAKE_CTRL_PENDING_MAX 16
#define FAKE_CTRL_TABLE_MAX 4096
#define FAKE_CTRL_RSS_MAX 128

/* A command that was collected and not answered yet. */
struct fake_ctrl_pending {
	uint32_t id;
	uint64_t cmd_da, ack_da;
	uint32_t cmd_len, room; /* of the command, and for a result behind the answer */
	int64_t due;            /* when it is executed and answered */
};

/* How long it may put off its interrupts. */
struct fake_ctrl_coal {
	uint32_t packets, usecs;
};

struct fake_ctrl {
	struct fake_transport *ft;
	/* The script: of what is collected from here on. */
	bool is_silent;   /* nothing is collected */
	int64_t delay_ms; /* until the command is executed */
	uint8_t ack;
	uint32_t id_off;   /* added to the right id */
	uint32_t len;      /* written, as it says */
	uint32_t nb_extra; /* more used entries, which repeat the answer */
	/* Of statistics: what is wrong with how an answer begins, and how much of it is missing. */
	uint8_t stats_type_off;
	uint32_t stats_missing;
	bool is_batch; /* in order: one answer for all commands that are due */
	int refused;   /* class * 256 + command that it says it cannot do; -1: none */
	uint32_t most; /* addresses that its table has room for */
	/* Its progress. */
	uint32_t nb_begins; /* of the transport, when it last looked */
	uint16_t avail, used;
	bool avail_wrap, used_wrap;
	struct fake_ctrl_pending pending[FAKE_CTRL_PENDING_MAX];
	unsigned int nb_pending;
	/* What it was told since it was made, and by commands that it did. */
	uint32_t nb_commands;
	uint8_t last[8]; /* how the last one begins */
	uint32_t last_len;
	uint8_t result[64]; /* of the last one */
	uint32_t result_len;
	/* What it was told since its reset. */
	bool is_promiscuous, is_all_multicast, has_mac;
	uint8_t mac[6];
	uint8_t table[FAKE_CTRL_TABLE_MAX];
	uint32_t table_len;
	uint64_t vlans[64];
	uint16_t nb_pairs;
	/* By the last command of RSS. */
	bool has_rss;
	bool has_hash; /* of HASH_CONFIG, with these types and this key */
	uint32_t rss_types;
	uint16_t rss_unclassified, nb_rss_entries, rss_table[FAKE_CTRL_RSS_MAX];
	uint8_t rss_key_len, rss_key[UINT8_MAX];
	struct fake_ctrl_coal coal[2]; /* transmit, receive; by the number of the command */
	uint64_t guest_offloads;       /* by the last such command of nb */
	uint32_t nb_guest_offloads;
	uint32_t nb_announced; /* answers to its wish to be announced */
};

/* An honest device behind the control queue of a transport. */
void fake_ctrl_init(struct fake_ctrl *c, struct fake_transport *ft);
/* An honest device again; what it knows stays. */
void fake_ctrl_be_honest(struct fake_ctrl *c);
/* Collect, execute and answer what is due. */
void fake_ctrl_serve(struct fake_ctrl *c);
/* Answer the command that came last once more. */
void fake_ctrl_repeat(struct fake_ctrl *c, uint32_t id);
/* Is an address in the unicast, or in the multicast part of the table? */
bool fake_ctrl_has(const struct fake_ctrl *c, bool is_multicast, const uint8_t *mac);
uint32_t fake_ctrl_count(const struct fake_ctrl *c, bool is_multicast);

#endif /* FAKE_CTRL_H */
