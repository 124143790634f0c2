/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <rte_log.h>

/* pmd.net.sluice: run time. pmd.net.sluice.init: probe and configuration. */
extern int sluice_logtype;
extern int sluice_logtype_init;

#define RTE_LOGTYPE_sluice sluice_logtype
#define RTE_LOGTYPE_sluice_init sluice_logtype_init

#define SLUICE_LOG(level, ...) RTE_LOG_LINE(level, sluice, __VA_ARGS__)
#define SLUICE_INIT_LOG(level, ...) RTE_LOG_LINE(level, sluice_init, __VA_ARGS__)

#endif /* SLUICE_LOG_H */
