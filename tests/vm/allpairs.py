# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A small selection of test cases in which every two values of any two factors meet."""
import itertools


def pairs_of(case):
    """case: {factor: value}"""
    return set(itertools.combinations(sorted(case.items()), 2))


def all_pairs(factors, allowed):
    """Of all cases for which allowed(case) holds: greedily the one with most pairs that did not occur yet,
    the first of them when there are several, until every pair that an allowed case has occurs."""
    cases = [case for case in (dict(zip(factors, values)) for values in itertools.product(
        *factors.values())) if allowed(case)]
    bits = {}
    masks = [sum(1 << bits.setdefault(pair, len(bits)) for pair in pairs_of(case)) for case in cases]
    missing, chosen = (1 << len(bits)) - 1, []
    while missing:
        best = max(range(len(cases)), key=lambda n: (masks[n] & missing).bit_count())
        missing &= ~masks[best]
        chosen.append(cases[best])
    return chosen
