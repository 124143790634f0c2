# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Medians, and their intervals as sluice-bench has them: hierarchical bootstrap, 95 %."""
import random
import statistics

RESAMPLES = 2000
MIN_BLOCKS = 6      # fewer have no interval of 95 %: bench_report.c says why
MIN_IDLE = 0.2      # of the device's time, so that it was not the limit


def estimate(groups):
    """groups: one list of values (blocks) per restart."""
    rng = random.Random(1)      # same data, same result
    medians = sorted(
        statistics.median(rng.choice(group) for group in
                          (rng.choice(groups) for _ in groups) for _ in group)
        for _ in range(RESAMPLES))
    return {"median": statistics.median(v for group in groups for v in group),
            "lo95": medians[RESAMPLES * 25 // 1000], "hi95": medians[RESAMPLES * 975 // 1000 - 1]}


def control_ok(control):
    """Does the interval of two equal sides contain 1.00, in two digits?"""
    return control["lo95"] < 1.005 and control["hi95"] >= 0.995


def is_limit(idle_a, idle_b):
    """Was the device busy so long, with A or with B, that it is what was measured?"""
    return min(idle_a, idle_b) < MIN_IDLE


def too_few(blocks):
    return sum(map(len, blocks)) < MIN_BLOCKS


def idle(blocks):
    """The device's idle share with A and with B, and whether it was the limit. blocks: as metric()'s, of shares."""
    a, b = (statistics.median(block[side] for group in blocks for block in group) for side in (0, 1))
    return {"idle_a": a, "idle_b": b, "device_limit": is_limit(a, b)}


def metric(blocks, unit, more_is_better):
    """What a row of the JSON says of one metric. blocks: per restart a list of (a, b, control a, control c)."""
    def ratio(block):
        return block[0] / block[1] if more_is_better else block[1] / block[0]

    def of(function):
        return estimate([[function(block) for block in group] for group in blocks])

    control = of(lambda block: block[3] / block[2])
    return {"unit": unit, "more_is_better": more_is_better, "a": of(lambda b: b[0]), "b": of(lambda b: b[1]),
            "ratio": of(ratio), "control": control,
            "control_ok": control_ok(control),
            "blocks_a_b_controla_controlc": [block for group in blocks for block in group]}
