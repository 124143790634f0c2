/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <stdio.h>
#include <stdlib.h>

#include <rte_log.h>

#include "fake_log.h"

static char *text;
static size_t text_len;
static FILE *stream;

void
fake_log_begin(void)
{
	free(text);
	text = NULL;
	stream = open_memstream(&text, &text_len);
	rte_log_set_global_level(RTE_LOG_DEBUG);
	rte_openlog_stream(stream);
}

const char *
fake_log_end(void)
{
	rte_openlog_stream(NULL);
	fclose(stream);
	rte_log_set_global_level(RTE_LOG_CRIT);
	return text;
}

RTE_FINI(fake_log_free)
{
	free(text);
}
