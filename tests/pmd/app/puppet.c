/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * An application that does with its ports what it is told, and says how long that took. Each
 * command runs in a thread of its own, so that one port waits while another one is used, and a port
 * can be asked while it is started.
 *
 *     puppet EAL-OPTIONS          two lcores: one for commands, one that polls
 *
 * A command is a line "TAG VERB PORT [ARGUMENT...]", its answer a line "=TAG ret=N us=N
 * [name=value...]". Ports are numbers; port n is the device net_sluice<n>. The end of the input
 * ends the process, as it is.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>

#include "now.h"
#include "puppet.h"

#define OUT_LEN 65536
#define RISE_US 5000000

struct command {
	char *line; /* what the other pointers point into */
	const char *tag;
	struct port *port;
	char *args;
	const struct verb *verb;
	char *out; /* what the answer says besides, OUT_LEN */
	size_t len;
};

struct verb {
	const char *name;
	int (*run)(struct command *c);
};

static uint32_t is_over;
/*
 * Who tells us waits for an answer before the next command; this says so to whoever looks for
 * races.
 */
static uint32_t nb_answers;

static void
say(struct command *c, const char *name, uint64_t value)
{
	c->len += snprintf(c->out + c->len, OUT_LEN - c->len, " %s=%" PRIu64, name, value);
}

static int
do_probe(struct command *c)
{
	struct port *p = c->port;
	int ret = rte_eal_hotplug_add("vdev", p->name, c->args);

	return ret != 0 ? ret : rte_eth_dev_get_port_by_name(p->name, &p->id);
}

/* Arguments: mbufs of the port's pool, descriptors of a queue. */
static int
do_setup(struct command *c)
{
	struct rte_eth_conf conf = { .intr_conf.lsc = 1 };
	struct port *p = c->port;
	unsigned int nb_mbufs, nb_desc;
	char name[32];
	int ret;

	if (sscanf(c->args, "%u %u", &nb_mbufs, &nb_desc) != 2)
		return -EINVAL;
	snprintf(name, sizeof(name), "pool%td", p - ports);
	/* Without caches: each thread sees all of it. */
	if (p->pool == NULL)
		p->pool = rte_pktmbuf_pool_create(
				name, nb_mbufs, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (p->pool == NULL)
		return -rte_errno;
	p->tx_pool = p->pool;
	ret = rte_eth_dev_configure(p->id, 1, 1, &conf);
	if (ret == 0)
		ret = rte_eth_rx_queue_setup(p->id, 0, nb_desc, SOCKET_ID_ANY, NULL, p->pool);
	if (ret == 0)
		ret = rte_eth_tx_queue_setup(p->id, 0, nb_desc, SOCKET_ID_ANY, NULL);
	return ret;
}

static int
do_start(struct command *c)
{
	return rte_eth_dev_start(c->port->id);
}

/* Started, and until the link is up. */
static int
do_rise(struct command *c)
{
	struct rte_eth_link link = { 0 };
	int64_t end = now_us() + RISE_US;
	int ret = rte_eth_dev_start(c->port->id);

	while (ret == 0 && !link.link_status) {
		ret = rte_eth_link_get_nowait(c->port->id, &link);
		if (now_us() > end)
			return -ETIMEDOUT;
	}
	return ret;
}

static int
do_stop(struct command *c)
{
	return rte_eth_dev_stop(c->port->id);
}

static int
do_close(struct command *c)
{
	return rte_eth_dev_close(c->port->id);
}

/* From now on packets come from a pool that the port does not know. */
static int
do_foreign(struct command *c)
{
	struct port *p = c->port;
	struct rte_mempool *pool;
	char name[32];

	snprintf(name, sizeof(name), "foreign%td", p - ports);
	pool = rte_pktmbuf_pool_create(
			name, p->pool->size, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		return -rte_errno;
	p->tx_pool = pool;
	return 0;
}

/* The device, of a closed port. */
static int
do_remove(struct command *c)
{
	return rte_eal_hotplug_remove("vdev", c->port->name);
}

static int
do_reset(struct command *c)
{
	return rte_eth_dev_reset(c->port->id);
}

static int
do_info(struct command *c)
{
	struct rte_eth_dev_info info;
	struct rte_eth_link link;
	int ret = rte_eth_dev_info_get(c->port->id, &info);

	if (ret == 0)
		ret = rte_eth_link_get_nowait(c->port->id, &link);
	if (ret == 0)
		say(c, "link", link.link_status);
	return ret;
}

/* The other way round each time: a call with what is set already does not reach the driver. */
static int
do_promiscuous(struct command *c)
{
	return rte_eth_promiscuous_get(c->port->id) == 1 ?
			rte_eth_promiscuous_disable(c->port->id) :
			rte_eth_promiscuous_enable(c->port->id);
}

static int
do_link(struct command *c)
{
	int ret = rte_eth_dev_set_link_down(c->port->id);

	return ret == 0 ? rte_eth_dev_set_link_up(c->port->id) : ret;
}

static int
do_stats(struct command *c)
{
	struct rte_eth_stats stats;
	int ret = rte_eth_stats_get(c->port->id, &stats);

	if (ret == 0) {
		say(c, "ipackets", stats.ipackets);
		say(c, "opackets", stats.opackets);
	}
	return ret;
}

static int
do_xstats(struct command *c)
{
	int nb = rte_eth_xstats_get_names(c->port->id, NULL, 0), i;
	struct rte_eth_xstat_name names[RTE_MAX(nb, 1)];
	struct rte_eth_xstat values[RTE_MAX(nb, 1)];

	if (nb < 0 || rte_eth_xstats_get_names(c->port->id, names, nb) != nb ||
			rte_eth_xstats_get(c->port->id, values, nb) != nb)
		return -EIO;
	for (i = 0; i < nb; i++)
		say(c, names[i].name, values[i].value);
	return 0;
}

/* Argument: packets that may be on their way; 0 for no bound, -1 to send none. */
static int
do_poll(struct command *c)
{
	puppet_poll(c->port, atoll(c->args));
	return 0;
}

static int
do_idle(struct command *c)
{
	puppet_idle(c->port);
	return 0;
}

/* About right while the port is polled, and exact when it is not. */
static int
do_counts(struct command *c)
{
	const struct port *p = c->port;

	say(c, "sent", sequence_read(&p->nb_sent));
	say(c, "received", sequence_read(&p->received.nb));
	say(c, "missing", sequence_read(&p->received.nb_missing));
	say(c, "bad", sequence_read(&p->received.nb_bad));
	say(c, "slowest_us", sequence_read(&p->slowest) / (rte_get_timer_hz() / 1000000));
	return 0;
}

static int
do_pool(struct command *c)
{
	say(c, "available", rte_mempool_avail_count(c->port->pool));
	say(c, "size", c->port->pool->size);
	return 0;
}

static int
do_fill(struct command *c)
{
	return puppet_fill(c->port);
}

static int
do_check(struct command *c)
{
	return puppet_damaged(c->port);
}

static int
do_free(struct command *c)
{
	puppet_free(c->port);
	return 0;
}

/* With ports as they are; the process stays. */
static int
do_cleanup(struct command *c)
{
	RTE_SET_USED(c);
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	return rte_eal_cleanup();
}

static const struct verb verbs[] = {
	{ "probe", do_probe },
	{ "setup", do_setup },
	{ "start", do_start },
	{ "rise", do_rise },
	{ "stop", do_stop },
	{ "close", do_close },
	{ "foreign", do_foreign },
	{ "remove", do_remove },
	{ "reset", do_reset },
	{ "info", do_info },
	{ "promiscuous", do_promiscuous },
	{ "link", do_link },
	{ "stats", do_stats },
	{ "xstats", do_xstats },
	{ "poll", do_poll },
	{ "idle", do_idle },
	{ "counts", do_counts },
	{ "pool", do_pool },
	{ "fill", do_fill },
	{ "check", do_check },
	{ "free", do_free },
	{ "cleanup", do_cleanup },
};

static void *
run(void *arg)
{
	struct command *c = arg;
	int64_t begin = now_us();
	int ret = c->verb->run(c);

	__atomic_fetch_add(&nb_answers, 1, __ATOMIC_RELEASE);
	printf("=%s ret=%d us=%" PRId64 "%s\n", c->tag, ret, now_us() - begin, c->out);
	fflush(stdout);
	free(c->out);
	free(c->line);
	free(c);
	return NULL;
}

/* A command of a line, which it keeps; NULL if the line makes no sense. */
static struct command *
parse(char *line)
{
	struct command *c = calloc(1, sizeof(*c));
	char *rest = line, *tag = strsep(&rest, " \n"), *verb = strsep(&rest, " \n");
	char *port = strsep(&rest, " \n");
	unsigned int i;

	if (c == NULL || port == NULL || (unsigned int)atoi(port) >= PORTS_MAX)
		rte_exit(EXIT_FAILURE, "puppet: what is %s?\n", tag);
	c->line = line;
	c->tag = tag;
	c->port = &ports[atoi(port)];
	c->args = rest != NULL ? strsep(&rest, "\n") : line + strlen(line);
	c->out = calloc(1, OUT_LEN);
	for (i = 0; i < RTE_DIM(verbs); i++)
		if (strcmp(verb, verbs[i].name) == 0)
			c->verb = &verbs[i];
	if (c->verb == NULL || c->out == NULL)
		rte_exit(EXIT_FAILURE, "puppet: what is %s?\n", verb);
	return c;
}

int
main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;
	unsigned int i;

	if (rte_eal_init(argc, argv) < 0)
		rte_exit(EXIT_FAILURE, "puppet: EAL\n");
	for (i = 0; i < PORTS_MAX; i++)
		snprintf(ports[i].name, sizeof(ports[i].name), "net_sluice%u", i);
	rte_eal_mp_remote_launch(puppet_work, &is_over, SKIP_MAIN);
	printf("puppet: ready\n");
	fflush(stdout);
	while (getline(&line, &size, stdin) > 0) {
		struct command *c = parse(line);
		pthread_t thread;

		line = NULL;
		__atomic_load_n(&nb_answers, __ATOMIC_ACQUIRE);
		if (pthread_create(&thread, NULL, run, c) != 0)
			rte_exit(EXIT_FAILURE, "puppet: no thread\n");
		pthread_detach(thread);
	}
	return 0;
}
