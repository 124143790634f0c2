/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Receiving from a device that lies.
 */

#include <sys/eventfd.h>
#include <unistd.h>

#include "lies.h"

/* How often the port was told of a failure since the last look. */
static unsigned int
nb_told(const struct env *e)
{
	uint64_t count = 0;

	if (read(e->q.wake_fd, &count, sizeof(count)) < 0)
		return 0;
	return count;
}

/* Returns the packets that came after the script. */
static unsigned int
play(struct env *e, const struct lie *l, unsigned int nb_before, unsigned int burst, bool does_lie)
{
	unsigned int nb = 0, i, n, told;

	fake_context("%s: %s%s, after %u packets, bursts of %u", env_name(&e->conf), l->name,
			does_lie ? "" : " (control)", nb_before, burst);
	for (i = 0; i < nb_before; i++) {
		assert_true(env_deliver(e, 60));
		env_expect(e, 60, e->nb_packets - 1);
	}
	fake_dev_poll(&e->dev);
	e->pool->limit = 0;
	nb_told(e);
	l->script(e, does_lie);
	for (i = 0; i < 2 * LIES_SIZE / burst + 2; i++) {
		n = env_rx_and_free(e, burst);
		nb += n;
		fake_check();
	}
	e->pool->limit = FAKE_NO_LIMIT;
	told = nb_told(e);
	if (does_lie && l->outcome == EITHER) {
		fake_assert(env_has_failed(e) == (told == 1), "the port was told %u times", told);
	} else if (!does_lie || l->outcome == HARMLESS) {
		fake_assert(!env_has_failed(e), "%s", sluice_fail_name(e->q.fail));
	} else {
		fake_assert(env_has_failed(e) && e->q.fail == l->outcome, "it is '%s'",
				sluice_fail_name(e->q.fail));
		fake_assert(told == 1, "the port was told %u times", told);
	}
	return nb;
}

void
lies_run(struct env_conf *conf, const struct lie *lies, unsigned int nb_lies)
{
	static const unsigned int before[] = { 0, 5, 61, 64 + 37 };
	static const unsigned int bursts[] = { 1, 8, 32, 128 };
	unsigned int i, k, b, nb, nb_true;
	struct env *e;

	conf->size = LIES_SIZE;
	conf->nb_mbufs = 3 * LIES_SIZE;
	e = env_open(conf);
	e->q.wake_fd = eventfd(0, EFD_NONBLOCK);
	assert_true(e->q.wake_fd >= 0);
	for (i = 0; i < nb_lies; i++) {
		if (lies[i].applies != NULL && !lies[i].applies(conf))
			continue;
		for (k = 0; k < RTE_DIM(before); k++)
			for (b = 0; b < RTE_DIM(bursts); b++) {
				nb_true = play(e, &lies[i], before[k], bursts[b], false);
				fake_assert(nb_true != 0, "nothing came in the control");
				env_restart(e);
				nb = play(e, &lies[i], before[k], bursts[b], true);
				if (lies[i].outcome == HARMLESS)
					fake_assert((int)(nb_true - nb) == lies[i].nb_lost,
							"%u packets came, %u in the control", nb,
							nb_true);
				env_restart(e);
			}
	}
	close(e->q.wake_fd);
	env_close(e);
}
