/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What sluice_probe.c defines in the driver.
 */

#include <rte_log.h>

#include "sluice_log.h"

RTE_LOG_REGISTER(sluice_logtype, pmd.net.sluice, NOTICE);
RTE_LOG_REGISTER(sluice_logtype_init, pmd.net.sluice.init, NOTICE);
