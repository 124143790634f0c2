/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * The steps of a port over any transport that is a device node of the kernel's.
 */

#ifndef NODE_STEPS_H
#define NODE_STEPS_H

#include "sluice_transport.h"

/* Queues 0 to nb_vqs, once regions are shown. */
static inline int
run_queues(struct sluice_transport *t, uint16_t nb_vqs,
		struct sluice_vq_setup (*setup_of)(uint16_t vq))
{
	struct sluice_vq_setup vq;
	int ret = 0;
	uint16_t i;

	for (i = 0; i < nb_vqs && ret == 0; i++) {
		vq = setup_of(i);
		ret = t->ops->vq_start(t, &vq);
	}
	return ret == 0 ? t->ops->commit(t, nb_vqs) : ret;
}

static inline int
stop_now(struct sluice_transport *t, uint16_t nb_vqs)
{
	uint16_t i;
	int ret = 0;

	for (i = 0; i < nb_vqs && ret == 0; i++)
		ret = t->ops->vq_stop(t, i);
	return ret == 0 ? t->ops->reset(t) : ret;
}

static inline unsigned int
nb_lines(const char *log)
{
	unsigned int nb = 0;

	for (; *log != '\0'; log++)
		nb += *log == '\n';
	return nb;
}

#endif /* NODE_STEPS_H */
