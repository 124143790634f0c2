/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * A back end of the DMA layer whose device lies on another planet: device addresses are random and
 * never equal to virtual ones, so whoever mixes them up is found out. An identity variant, as
 * vhost-user is, too.
 */

#ifndef FAKE_DOMAIN_H
#define FAKE_DOMAIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "dmap.h"

/* A device address that was given to a page. */
struct fake_given {
	uintptr_t va;
	size_t len;
	uint64_t da;
};

struct fake_domain {
	bool is_lying;
	int refusal;                 /* what show answers instead of accepting */
	unsigned int nb_max;         /* more regions are refused; 0: no limit */
	int refusal_nb_max;          /* by this; 0: -ENOSPC */
	struct dmap_region *regions; /* as shown */
	unsigned int nb;
	unsigned int last; /* region of the last hit */
	unsigned int nb_shows;
	unsigned int nb_coherent; /* pieces alive */
	bool keeps_coherent;      /* remote: what was freed stays for the test to look at */
	void *kept[64];
	unsigned int nb_kept;
	struct fake_given *given;
	unsigned int nb_given, room_given;
	uint64_t random;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	bool is_blocked;         /* the device does not answer */
	unsigned int nb_waiting; /* threads that wait for it */
};

/* Context: struct fake_domain. */
extern const struct dmap_backend fake_domain_backend;
extern const struct dmap_backend fake_domain_all_eal_backend;
/* As a vhost-user back end: its device is told by dmap_show() and dmap_serve() only. */
extern const struct dmap_backend fake_domain_remote_backend;
extern const struct dmap_backend fake_domain_remote_all_eal_backend;

void fake_domain_init(struct fake_domain *f, bool is_lying);
void fake_domain_fini(struct fake_domain *f);
/* Have the device stop answering, or go on. */
void fake_domain_block(struct fake_domain *f, bool is_blocked);
/* Until a thread waits for the device. */
void fake_domain_await(struct fake_domain *f);
/* For struct dmap_remote: there is nobody to tell. */
int fake_no_device(void *ctx, const struct dmap_region *regions, unsigned int nb);

/*
 * What the device finds at [da, da + len) through the shown table; NULL if it may not go there.
 */
void *fake_domain_reach(struct fake_domain *f, uint64_t da, uint64_t len);

#endif /* FAKE_DOMAIN_H */
