/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <errno.h>
#include <stdlib.h>

#include <ethdev_driver.h>
#include <rte_malloc.h>

#include "sluice_life_lock.h"
#include "sluice_log.h"
#include "sluice_port.h"
#include "sluice_rules.h"

/* What an application has in its hands. */
struct rte_flow {
	TAILQ_ENTRY(rte_flow) next;
	uint32_t priority;
	struct sluice_flow_rule rule;
};

void
sluice_rules_init(struct sluice_port *port)
{
	TAILQ_INIT(&port->steer.rules.list);
}

static void
drop(struct sluice_rules *rules, struct rte_flow *flow)
{
	TAILQ_REMOVE(&rules->list, flow, next);
	rules->nb--;
	free(flow);
}

void
sluice_rules_fini(struct sluice_port *port, bool is_used)
{
	struct sluice_rules *rules = &port->steer.rules;

	while (rules->nb != 0)
		drop(rules, TAILQ_FIRST(&rules->list));
	if (!is_used)
		rte_free(rules->shown);
}

const char *
sluice_rules_refusal(const struct sluice_port *port)
{
	const struct rte_eth_dev_data *data = port->dev->data;

	if (sluice_steer_spreads(port))
		return NULL;
	if (sluice_steer_is_by_device(port))
		return "the device does RSS and takes no rules: rss=sw leaves RSS and rules to "
		       "software";
	if (port->args.rss == SLUICE_RSS_ARG_OFF)
		return "rss=off: rules take RSS by software, rss=sw";
	if (data->dev_conf.intr_conf.rxq)
		return "Rx interrupts are on: rules take RSS by software (rss=sw), which excludes "
		       "them";
	return "rules take RSS by software (rss=sw): configure RSS with hash types, and 2 to 64 "
	       "receive queues";
}

int
sluice_rules_check(struct sluice_port *port)
{
	const uint16_t nb_rx = port->dev->data->nb_rx_queues;
	struct sluice_rules *rules = &port->steer.rules;
	const struct rte_flow *flow;
	bool fits = sluice_steer_spreads(port);
	uint8_t i;

	TAILQ_FOREACH(flow, &rules->list, next)
		for (i = 0; i < flow->rule.nb_queues; i++)
			fits = fits && flow->rule.queues[i] < nb_rx;
	if (rules->nb == 0 || fits)
		return 0;
	SLUICE_LOG(ERR,
			"port %u: it has %u flow rules, for other queues or RSS than these: "
			"rte_flow_flush() comes first",
			port->port_id, rules->nb);
	return -EBUSY;
}

const struct sluice_flows *
sluice_rules_show(struct sluice_port *port, unsigned int i)
{
	struct sluice_rules *rules = &port->steer.rules;
	const struct rte_flow *flow;
	struct sluice_flows *flows;

	if (rules->shown == NULL)
		return NULL;
	flows = &rules->shown->flows[i];
	flows->nb = 0;
	TAILQ_FOREACH(flow, &rules->list, next)
		flows->rules[flows->nb++] = flow->rule;
	return flows;
}

/* With steer.lock: burst functions that ask for rules, or those of before. */
static void
choose_bursts(struct sluice_port *port)
{
	struct sluice_rules *rules = &port->steer.rules;

	if (rules->has_any == (rules->nb != 0))
		return;
	sluice_life_lock(port, SLUICE_LOCK_MS);
	rules->has_any = rules->nb != 0;
	if (port->dev->data->dev_started)
		port->events->paths_chosen(port);
	pthread_mutex_unlock(&port->lock);
}

/* Room for what one more rule counts: that of none there is. No core counts there any more. */
static struct sluice_flow_count *
find_count(struct sluice_rules *rules)
{
	struct sluice_flow_count *counts = rules->shown->counts;
	bool is_taken[SLUICE_FLOW_RULES_MAX] = { false };
	const struct rte_flow *flow;
	unsigned int i = 0;

	TAILQ_FOREACH(flow, &rules->list, next)
		if (flow->rule.count != NULL)
			is_taken[flow->rule.count - counts] = true;
	while (is_taken[i])
		i++;
	counts[i] = (struct sluice_flow_count){ 0 };
	return &counts[i];
}

static void
insert(struct sluice_rules *rules, struct rte_flow *flow)
{
	struct rte_flow *other;

	rules->nb++;
	TAILQ_FOREACH(other, &rules->list, next)
		if (other->priority > flow->priority) {
			TAILQ_INSERT_BEFORE(other, flow, next);
			return;
		}
	TAILQ_INSERT_TAIL(&rules->list, flow, next);
}

static int
add(struct sluice_port *port, struct rte_flow *flow, bool counts)
{
	struct sluice_steer *steer = &port->steer;
	struct sluice_rules *rules = &steer->rules;
	int ret = 0;

	if (rules->nb == SLUICE_FLOW_RULES_MAX)
		return -ENOSPC;
	if (rules->shown == NULL)
		rules->shown = rte_zmalloc_socket("sluice rules", sizeof(*rules->shown),
				RTE_CACHE_LINE_SIZE, port->socket);
	if (rules->shown == NULL)
		return -ENOMEM;
	if (steer->is_on)
		ret = sluice_steer_pass(port);
	if (ret != 0)
		return ret;
	if (counts)
		flow->rule.count = find_count(rules);
	insert(rules, flow);
	if (steer->is_on)
		sluice_steer_show(port);
	choose_bursts(port);
	return 0;
}

int
sluice_rules_add(struct sluice_port *port, const struct sluice_flow_rule *rule, uint32_t priority,
		bool counts, struct rte_flow **flow)
{
	struct rte_flow *made = calloc(1, sizeof(*made));
	int ret;

	if (made == NULL)
		return -ENOMEM;
	made->priority = priority;
	made->rule = *rule;
	pthread_mutex_lock(&port->steer.lock);
	ret = add(port, made, counts);
	pthread_mutex_unlock(&port->steer.lock);
	if (ret != 0)
		free(made);
	else
		*flow = made;
	return ret;
}

static uint64_t
read_counter(uint64_t *counter, bool reset)
{
	return reset ? rte_atomic_exchange_explicit(counter, 0, rte_memory_order_relaxed) :
		       rte_atomic_load_explicit(counter, rte_memory_order_relaxed);
}

/* NULL: the port has no such rule; nothing of it is looked at. */
static struct rte_flow *
find(const struct sluice_rules *rules, const struct rte_flow *flow)
{
	struct rte_flow *at;

	TAILQ_FOREACH(at, &rules->list, next)
		if (at == flow)
			break;
	return at;
}

int
sluice_rules_remove(struct sluice_port *port, const struct rte_flow *flow)
{
	struct sluice_steer *steer = &port->steer;
	struct sluice_rules *rules = &steer->rules;
	struct rte_flow *found;
	int ret = 0;

	pthread_mutex_lock(&steer->lock);
	found = find(rules, flow);
	if (flow != NULL && found == NULL)
		ret = -ENOENT;
	else if (steer->is_on && rules->nb != 0)
		ret = sluice_steer_pass(port);
	if (ret == 0) {
		if (found != NULL)
			drop(rules, found);
		while (flow == NULL && rules->nb != 0)
			drop(rules, TAILQ_FIRST(&rules->list));
		choose_bursts(port);
		if (steer->is_on)
			sluice_steer_show(port);
	}
	pthread_mutex_unlock(&steer->lock);
	return ret;
}

int
sluice_rules_query(struct sluice_port *port, const struct rte_flow *flow, bool reset,
		struct sluice_flow_count *count)
{
	struct rte_flow *found;
	int ret = 0;

	pthread_mutex_lock(&port->steer.lock);
	found = find(&port->steer.rules, flow);
	if (found == NULL) {
		ret = -ENOENT;
	} else if (found->rule.count == NULL) {
		ret = -ENOTSUP;
	} else {
		count->packets = read_counter(&found->rule.count->packets, reset);
		count->bytes = read_counter(&found->rule.count->bytes, reset);
	}
	pthread_mutex_unlock(&port->steer.lock);
	return ret;
}
