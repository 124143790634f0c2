/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <inttypes.h>
#include <stdio.h>

#include <rte_log.h>

#include "sluice_spec.h"

/* pmd.net.sluice: run time. pmd.net.sluice.init: probe and configuration. */
extern int sluice_logtype;
extern int sluice_logtype_init;

#define RTE_LOGTYPE_sluice sluice_logtype
#define RTE_LOGTYPE_sluice_init sluice_logtype_init

#define SLUICE_LOG(level, ...) RTE_LOG_LINE(level, sluice, __VA_ARGS__)
#define SLUICE_INIT_LOG(level, ...) RTE_LOG_LINE(level, sluice_init, __VA_ARGS__)

/* A set of features as text: sluice_features_text(f).text. */
struct sluice_features_text {
	char text[40];
};

static inline struct sluice_features_text
sluice_features_text(sluice_features f)
{
	const uint64_t high = f >> 64, low = f;
	struct sluice_features_text t;

	if (high != 0)
		snprintf(t.text, sizeof(t.text), "0x%" PRIx64 "%016" PRIx64, high, low);
	else
		snprintf(t.text, sizeof(t.text), "0x%" PRIx64, low);
	return t;
}

#endif /* SLUICE_LOG_H */
