/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_error.h"

static char context[256];
static char first[512];
static unsigned int nb_errors;

void
fake_context(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
}

const char *
fake_context_text(void)
{
	return context;
}

void
fake_error(const char *fmt, ...)
{
	va_list ap;

	if (nb_errors++ != 0)
		return;
	va_start(ap, fmt);
	vsnprintf(first, sizeof(first), fmt, ap);
	va_end(ap);
}

unsigned int
fake_nb_errors(void)
{
	return nb_errors;
}

const char *
fake_first_error(void)
{
	return first;
}

void
fake_errors_clear(void)
{
	nb_errors = 0;
	first[0] = '\0';
}

void
fake_check(void)
{
	char text[sizeof(first)];
	unsigned int nb = nb_errors;

	if (nb == 0)
		return;
	snprintf(text, sizeof(text), "%s", first);
	fake_errors_clear();
	fail_msg("%s: %s (%u errors)", context, text, nb);
}
