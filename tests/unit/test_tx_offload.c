/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * Transmitting packets that ask for checksums, segmentation and tags: what arrives (tx_model.h).
 */

#include "sluice_tx_offload.h"
#include "tx_model.h"

/* How many there are for a queue, which are those without tunnels or all. */
static unsigned int
nb_asks(bool has_tunnel)
{
	unsigned int i = 0;

	while (tx_asks[i].name != NULL && (has_tunnel || tx_asks[i].outer == 0))
		i++;
	return i;
}

/* Every request with every kind of buffer, in bursts of one kind. */
static void
test_content(void **state)
{
	static const uint16_t sizes[] = { 1, 2, 4, 7, 8, 33 };
	struct env_conf *conf = *state;
	unsigned int a, shape, s, i, is_prepared, indirect;
	struct rte_mbuf *pkts[TX_MODEL_MAX];
	static struct tx_model x;

	for (indirect = 0; indirect < 2; indirect++) {
		conf->has_indirect = indirect;
		conf->has_ecn = indirect;
		tx_model_open(&x, conf);
		for (a = conf->has_tunnel ? nb_asks(false) : 0; a < nb_asks(conf->has_tunnel); a++)
			for (shape = 0; shape < NB_SHAPES; shape++)
				for (s = 0; s < RTE_DIM(sizes); s++) {
					is_prepared = (s + a) % 2;
					fake_context("%s: %s, %s, burst of %u%s", env_name(conf),
							tx_asks[a].name, tx_shape_names[shape],
							sizes[s], is_prepared ? ", prepared" : "");
					for (i = 0; i < sizes[s]; i++)
						pkts[i] = tx_model_make(&x, i, &tx_asks[a], shape,
								is_prepared);
					if (is_prepared)
						tx_model_prepare(&x, pkts, sizes[s]);
					tx_model_send(&x, pkts, sizes[s]);
				}
		tx_model_close(&x);
	}
}

/* All packets ask for the same but one, which asks for something else or has another buffer. */
static void
test_all_but_one(void **state)
{
	static const char *const alike[] = { "nothing", "UDP", "IPv4 and TCP",
		"UDP behind an extension header" };
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[TX_MODEL_MAX];
	const struct ask *a, *other;
	static struct tx_model x;
	unsigned int k, place, i;
	enum shape shape;

	tx_model_open(&x, conf);
	for (k = 0; k < RTE_DIM(alike); k++)
		for (place = 0; place < 12; place++) {
			a = tx_ask_of(alike[k]);
			other = &tx_asks[(5 * k + place) % nb_asks(false)];
			shape = place % 3 == 0 ? (k + place) % NB_SHAPES : PLAIN;
			fake_context("%s: %s, but at %u %s, %s", env_name(conf), a->name, place,
					other->name, tx_shape_names[shape]);
			for (i = 0; i < 12; i++)
				pkts[i] = tx_model_make(&x, i, i == place ? other : a,
						i == place ? shape : PLAIN, k % 2);
			if (k % 2)
				tx_model_prepare(&x, pkts, 12);
			tx_model_send(&x, pkts, 12);
		}
	tx_model_close(&x);
}

/* Any of them together, from any slot on. */
static void
test_mixture(void **state)
{
	struct env_conf *conf = *state;
	struct rte_mbuf *pkts[TX_MODEL_MAX];
	static struct tx_model x;
	unsigned int round, i;
	uint16_t nb;

	conf->order = conf->is_in_order ? FAKE_BATCHES : FAKE_SHUFFLED;
	tx_model_open(&x, conf);
	for (round = 0; round < 300; round++) {
		fake_context("%s: round %u", env_name(conf), round);
		nb = 1 + fake_below(&x.e->random, 40);
		for (i = 0; i < nb; i++) {
			/* Runs of what batches take, too. */
			bool is_run = round % 3 == 0;

			pkts[i] = tx_model_make(&x, i,
					&tx_asks[fake_below(&x.e->random,
							is_run ? 7 : nb_asks(conf->has_tunnel))],
					is_run ? PLAIN : fake_below(&x.e->random, NB_SHAPES),
					round % 2);
		}
		if (round % 2)
			tx_model_prepare(&x, pkts, nb);
		tx_model_send(&x, pkts, nb);
	}
	tx_model_close(&x);
}

/*
 * A ring with fewer free slots, or fewer extras, than a burst needs: what is left to the caller is
 * sent later, and nothing is done to it twice.
 */
static void
fill_ring(struct env_conf *conf, uint16_t size)
{
	/* In the large one all packets may need an extra, of which it has 16. */
	unsigned int nb_plain = size > 16 ? 0 : 4;
	unsigned int round, i, k;
	struct rte_mbuf *pkts[TX_MODEL_MAX];
	static struct tx_model x;
	struct env *e;
	uint16_t n;

	conf->size = size;
	for (k = conf->has_tunnel ? nb_asks(false) : 0; k < nb_asks(conf->has_tunnel); k++) {
		tx_model_open(&x, conf);
		e = x.e;
		for (round = 0; round < 8; round++) {
			fake_context("%s: %u slots, %s, round %u", env_name(conf), size,
					tx_asks[k].name, round);
			for (i = 0; i < 40; i++)
				pkts[i] = tx_model_make(&x, i, &tx_asks[k],
						i % 5 >= nb_plain ? round : PLAIN, round % 2);
			if (round % 2)
				tx_model_prepare(&x, pkts, 40);
			for (n = 0, i = 0; n < 40; i++) {
				n += env_tx(e, &pkts[n], 40 - n);
				fake_dev_poll(&e->dev);
				fake_dev_complete(&e->dev, 1 + e->dev.nb_held / 2, FAKE_ONE_BY_ONE);
				fake_assert(i < 200, "the ring is stuck");
			}
			fake_dev_complete(&e->dev, e->dev.nb_held, FAKE_ONE_BY_ONE);
			e->tx->cleanup(&e->txq, 0);
			for (i = 0; i < 40; i++) {
				tx_model_check(&x, i, i);
				tx_model_let_go(&x, i);
			}
			fake_dev_forget_sent(&e->dev);
		}
		tx_model_close(&x);
	}
}

static void
test_ring_full(void **state)
{
	fill_ring(*state, 16);
	fill_ring(*state, 64);
}

/* Headers may be longer: for a hash, which a packet that is sent has not, or for a tunnel. */
static bool
may_have_hash(const struct env_conf *conf)
{
	return env_has_offloads(conf) && !env_is_copy(conf);
}

static void
test_mixture_hash(void **state)
{
	((struct env_conf *)*state)->has_hash = true;
	test_mixture(state);
}

static void
test_ring_full_hash(void **state)
{
	((struct env_conf *)*state)->has_hash = true;
	test_ring_full(state);
}

static void
test_content_tunnel(void **state)
{
	((struct env_conf *)*state)->has_tunnel = true;
	test_content(state);
}

static void
test_mixture_tunnel(void **state)
{
	((struct env_conf *)*state)->has_tunnel = true;
	test_mixture(state);
}

static void
test_ring_full_tunnel(void **state)
{
	((struct env_conf *)*state)->has_tunnel = true;
	test_ring_full(state);
}

int
main(void)
{
	suite_add_tx_if(may_have_hash, test_content_tunnel, "content, tunnels");
	suite_add_tx_if(may_have_hash, test_mixture_tunnel, "mixture, tunnels");
	suite_add_tx_if(may_have_hash, test_ring_full_tunnel, "ring full, tunnels");
	suite_add_tx_if(may_have_hash, test_mixture_hash, "mixture, hashes");
	suite_add_tx_if(may_have_hash, test_ring_full_hash, "ring full, hashes");
	suite_add_tx_if(env_has_offloads, test_content, "content");
	suite_add_tx_if(env_has_offloads, test_all_but_one, "all but one");
	suite_add_tx_if(env_has_offloads, test_mixture, "mixture");
	suite_add_tx_if(env_has_offloads, test_ring_full, "ring full");
	return suite_run("tx_offload");
}
