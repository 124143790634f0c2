/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Receiving from a device that lies. Every case is a script that runs twice: without its lie all packets come
 * (the control), with it the queue fails for the reason that is named, or goes on as if nothing had been where
 * the driver need not care. In both cases every mbuf is back afterwards, once.
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
	int nb_lost; /* harmless, but so many packets fewer than in the control */
};

/* Use held buffer nth for a packet of 60 bytes. */
void lies_use(struct env *e, uint32_t nth);
/* The oldest held buffer with this used length, if it lies. */
void lies_with_len(struct env *e, bool lies, uint32_t len);
void lies_use_or(struct env *e, bool lies, uint32_t id, uint32_t len);
/* All that apply to a configuration, from several starts, with several sizes of bursts. */
void lies_run(struct env_conf *conf, const struct lie *lies, unsigned int nb);

#endif /* LIES_H */
