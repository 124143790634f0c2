/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The Sluice authors
 */

/*
 * What the fakes found wrong. They are called from inside the driver, where a failed assertion
 * would jump over its locks, so they only note it; the test fails at its next fake_check().
 */

#ifndef FAKE_ERROR_H
#define FAKE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/* What is being tried; goes in front of every message. */
void fake_context(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *fake_context_text(void);

void fake_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
unsigned int fake_nb_errors(void);
/* The first message since the last clear; "" if none. */
const char *fake_first_error(void);
void fake_errors_clear(void);

/* Fails the running test if there was an error. */
void fake_check(void);

/* Fails the running test with the context in front unless the condition holds. */
#define fake_assert(cond, fmt, ...) \
	do { \
		fake_check(); \
		if (!(cond)) \
			fail_msg("%s: %s: " fmt, fake_context_text(), #cond, ##__VA_ARGS__); \
	} while (0)

/* Small and repeatable: xorshift64*. The state may not be 0. */
static inline uint64_t
fake_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* A number in [0, n). */
static inline uint32_t
fake_below(uint64_t *state, uint32_t n)
{
	return (fake_random(state) >> 32) % n;
}

/* True once in n times. */
static inline bool
fake_one_of(uint64_t *state, uint32_t n)
{
	return fake_below(state, n) == 0;
}

#endif /* FAKE_ERROR_H */
