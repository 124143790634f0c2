/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The port's flow rules (rte_flow), and how the polling cores come to see others: with the settings
 * of RSS, whose tables lead to them (sluice_steer.h). A rule stays until it is removed or the port
 * ends, whether the port runs or not.
 *
 * Threads: the application's control calls; steer.lock is taken.
 */

#ifndef SLUICE_RULES_H
#define SLUICE_RULES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "sluice_flow.h"

struct sluice_port;
struct rte_flow;

/* What the cores see, in memory of all processes. */
struct sluice_rules_shown {
	struct sluice_flows flows[2]; /* go with steer.tables */
	struct sluice_flow_count counts[SLUICE_FLOW_RULES_MAX];
};

struct sluice_rules {
	TAILQ_HEAD(, rte_flow) list; /* in the order in which they are asked */
	unsigned int nb;
	struct sluice_rules_shown *shown; /* NULL: there has been no rule */
	bool has_any;                     /* with port->lock, too: burst functions ask for rules */
};

void sluice_rules_init(struct sluice_port *port);
/* is_used: a core may still look at them. */
void sluice_rules_fini(struct sluice_port *port, bool is_used);

/* Why the port, as it is configured, can have no rule; NULL: it can. */
const char *sluice_rules_refusal(const struct sluice_port *port);
/*
 * The port is configured anew: are there rules that do not go with it? Then it shall stay as it
 * was: -EBUSY, logged.
 */
int sluice_rules_check(struct sluice_port *port);

/*
 * A copy of the rule, from the next burst on if the port runs; its count is set here if it is
 * asked for. Of those with the smallest number of priority the oldest is asked first. -ENOSPC:
 * SLUICE_FLOW_RULES_MAX; -ENOMEM; -ETIMEDOUT: a core hangs in a burst.
 */
int sluice_rules_add(struct sluice_port *port, const struct sluice_flow_rule *rule,
		uint32_t priority, bool counts, struct rte_flow **flow);
/* -ENOENT: the port has no such rule; -ETIMEDOUT: as above, and it stays. NULL: all of them. */
int sluice_rules_remove(struct sluice_port *port, const struct rte_flow *flow);
/* What matched it since it was made, or was asked with reset; -ENOTSUP: it does not count. */
int sluice_rules_query(struct sluice_port *port, const struct rte_flow *flow, bool reset,
		struct sluice_flow_count *count);

/* With steer.lock: the rules for table i of the two, which no core sees; NULL: none yet. */
const struct sluice_flows *sluice_rules_show(struct sluice_port *port, unsigned int i);

#endif /* SLUICE_RULES_H */
