/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A device that lies. Every case is a script that runs twice: without its lie (the control) all
 * packets come, or are taken; with it the queue fails for the reason that is named, or goes on as
 * if nothing had been where the driver need not care. In both cases every mbuf is back afterwards,
 * once.
 */

#ifndef LIES_H
#define LIES_H

#include "env.h"

#define LIES_SIZE 64
#define HARMLESS SLUICE_FAIL_NONE
/* An entry of an earlier lap may be as good as a new one; what counts is that nothing breaks. */
#define EITHER SLUICE_FAIL_MAX

struct lie {
	const char *name;
	void (*script)(struct env *e, bool lies);
	enum sluice_fail outcome;
	suite_filter applies;
	int nb_lost; /* receiving: harmless, but so many packets fewer than in the control */
};

/*
 * Use held buffer nth as it should be: with a packet of 60 bytes that is received, or for one that
 * was sent.
 */
void lies_use(struct env *e, uint32_t nth);
/* The oldest one, or an entry with this id. */
void lies_use_or(struct env *e, bool lies, uint32_t id);
/* Two entries, or one and an index that moves on by so many more (split). */
void lies_advance(struct env *e, bool lies, uint16_t by);
/* The oldest one, with this used length if it lies. */
void lies_with_len(struct env *e, bool lies, uint32_t len);
/* What the device says of notifications. */
void lies_garble_wishes(struct env *e);

/* Scripts for both directions. */
void lies_id_of_size(struct env *e, bool lies);
void lies_id_all_ones(struct env *e, bool lies);
/* Equal to a valid id in its lower half; a packed ring has 16 bits only. */
void lies_id_beyond_16_bits(struct env *e, bool lies);
void lies_id_twice_at_once(struct env *e, bool lies);
void lies_idx_beyond_size(struct env *e, bool lies);
void lies_idx_half_way_round(struct env *e, bool lies);
void lies_idx_backwards(struct env *e, bool lies);
void lies_never_completes(struct env *e, bool lies);

/*
 * Receiving: all that apply to a configuration, from several starts, with several sizes of bursts.
 */
void lies_run(struct env_conf *conf, const struct lie *lies, unsigned int nb);

#endif /* LIES_H */
