/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include "sluice_log.h"

RTE_LOG_REGISTER_DEFAULT(sluice_logtype, NOTICE);
RTE_LOG_REGISTER_SUFFIX(sluice_logtype_init, init, NOTICE);
