/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

#include <stdarg.h>
#include <stdio.h>

#include "tour_trace.h"

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define GREEN "\033[32m"
#define RED "\033[1;31m"
#define BLUE "\033[34m"
#define PLAIN "\033[0m"

static const char *const phase_names[] = {
	[TOUR_PREPARE] = "prepare",
	[TOUR_REQUEST] = "request",
	[TOUR_RESPONSE] = "response",
	[TOUR_TRANSFER] = "transfer",
	[TOUR_COMPLETE] = "complete",
	[TOUR_POST] = "post-process",
};

static bool has_color;
static unsigned int nb_parts, nb_checks, nb_wrong;

static const char *
paint(const char *code)
{
	return has_color ? code : "";
}

void
tour_trace_init(bool wants_color)
{
	has_color = wants_color;
	nb_parts = nb_checks = nb_wrong = 0;
}

/* Printf, with line breaks indented by that many columns. */
static void
put(int indent, const char *fmt, va_list ap)
{
	char text[2048], *c;

	vsnprintf(text, sizeof(text), fmt, ap);
	for (c = text; *c != '\0'; c++) {
		putchar(*c);
		if (*c == '\n')
			printf("%*s", indent, "");
	}
}

void
tour_part(const char *fmt, ...)
{
	va_list ap;

	printf("\n%s%u. ", paint(BOLD), ++nb_parts);
	va_start(ap, fmt);
	put(0, fmt, ap);
	va_end(ap);
	printf("%s\n", paint(PLAIN));
}

void
tour_say(const char *fmt, ...)
{
	va_list ap;

	printf("   ");
	va_start(ap, fmt);
	put(3, fmt, ap);
	va_end(ap);
	printf("\n");
}

void
tour_fact(const char *name, const char *fmt, ...)
{
	va_list ap;

	printf("   %-16s", name);
	va_start(ap, fmt);
	put(19, fmt, ap);
	va_end(ap);
	printf("\n");
}

void
tour_kernel(const char *kernel)
{
	printf("   %16s%s| in a kernel: %s%s\n", "", paint(DIM), kernel, paint(PLAIN));
}

void
tour_phase(enum tour_phase phase, const char *kernel, const char *fmt, ...)
{
	va_list ap;

	printf("   %s%-16s%s", paint(BLUE), phase_names[phase], paint(PLAIN));
	va_start(ap, fmt);
	put(19, fmt, ap);
	va_end(ap);
	printf("\n");
	if (kernel != NULL)
		tour_kernel(kernel);
}

bool
tour_check(bool holds, const char *fmt, ...)
{
	va_list ap;

	nb_checks++;
	nb_wrong += !holds;
	printf("   %16s%s%-6s%s", "", paint(holds ? GREEN : RED), holds ? "ok" : "WRONG",
			paint(PLAIN));
	va_start(ap, fmt);
	put(25, fmt, ap);
	va_end(ap);
	printf("\n");
	return holds;
}

unsigned int
tour_nb_checks(void)
{
	return nb_checks;
}

unsigned int
tour_nb_wrong(void)
{
	return nb_wrong;
}

void
tour_error(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "dma-tour: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
}
