/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/* What secondary processes ask the primary one for, as EAL's messages bring it. */

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include <rte_eal.h>

#include "env.h"
#include "fake_port.h"

/* In place of EAL's, whose message loop is the test. */
static rte_mp_t on_message;
static struct rte_mp_msg reply;

int
rte_mp_action_register(const char *name, rte_mp_t action)
{
	RTE_SET_USED(name);
	on_message = action;
	return 0;
}

int
rte_mp_reply(struct rte_mp_msg *msg, const char *peer)
{
	RTE_SET_USED(peer);
	reply = *msg;
	return 0;
}

/* What a secondary process asks for, in a message of EAL's: behind a number of four bytes. */
static struct sluice_share_answer
answer_to(const struct sluice_share_ask *ask, size_t len, int nb_fds)
{
	static struct {
		uint64_t aligned;
		int type;
		struct rte_mp_msg msg;
	} m;
	struct sluice_share_answer a;
	int i;

	m.msg = (struct rte_mp_msg){ .len_param = len, .num_fds = nb_fds };
	memcpy(m.msg.param, ask, sizeof(*ask));
	for (i = 0; i < nb_fds; i++)
		m.msg.fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(on_message(&m.msg, "peer"), 0);
	assert_int_equal(reply.len_param, sizeof(a));
	memcpy(&a, reply.param, sizeof(a));
	return a;
}

static void
test_messages(void **state)
{
	const struct fake_port_conf conf = { .nb_pairs = 2 };
	struct fake_port *f = fake_port_open(&conf);
	struct sluice_share_ask ask = {
		.what = SLUICE_SHARE_ATTACH, .port_id = f->port->port_id, .pid = 77
	};
	struct sluice_share_answer a;

	(void)state;
	fake_port_live(f);
	sluice_share_open(f->port);
	assert_int_equal(answer_to(&ask, sizeof(ask) - 1, 2).ret, -EINVAL);
	assert_int_equal(answer_to(&ask, sizeof(ask), 1).ret, -EINVAL);
	a = answer_to(&ask, sizeof(ask), 2);
	assert_int_equal(a.ret, 0);
	assert_int_equal(a.who, 1);
	ask.what = SLUICE_SHARE_RINGS;
	assert_int_equal(answer_to(&ask, sizeof(ask), 0).ret, -ESTALE);
	ask.who = a.who;
	a = answer_to(&ask, sizeof(ask), 0);
	assert_int_equal(a.ret, 0);
	assert_int_equal(a.epoch, f->port->shared->epoch);
	assert_int_equal(reply.num_fds, RTE_MIN(a.nb_all, SLUICE_SHARE_FDS));
	ask.pid++;
	assert_int_equal(answer_to(&ask, sizeof(ask), 0).ret, -ESTALE);
	ask.port_id = RTE_MAX_ETHPORTS;
	assert_int_equal(answer_to(&ask, sizeof(ask), 0).ret, -ENODEV);
	sluice_share_close(f->port);
	fake_port_close(f);
}

int
main(void)
{
	suite_add(test_messages, NULL, "messages");
	return suite_run("asked");
}
