/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <rte_log.h>

/* pmd.net.sluice: run time. pmd.net.sluice.init: probe and configuration. */
extern int sluice_logtype;
extern int sluice_logtype_init;

#define SLUICE_LOG(level, fmt, ...) \
	rte_log(RTE_LOG_##level, sluice_logtype, "sluice: " fmt "\n", ##__VA_ARGS__)
#define SLUICE_INIT_LOG(level, fmt, ...) \
	rte_log(RTE_LOG_##level, sluice_logtype_init, "sluice: " fmt "\n", ##__VA_ARGS__)

#endif /* SLUICE_LOG_H */
