#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Cache lines that travel between the driver's core and the device's, per packet, of Sluice (A) and net_virtio_user (B).

    tests/perf/lines.py [OPTIONS OF SLUICE-BENCH]

sluice-bench does the work of both cores in turn in an emulator, whose plug-in (plugin/lines.c) has two coherent caches:
exact, and without a clock. 64 B packets, bursts of 32, queue 256, whatever the options do not change.
"""
import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile

import bench
import benchcount   # found by bench
import vmimage

SOURCES = os.path.join(bench.REPO, "tests", "perf", "plugin")
WAYS = ("tx", "rx", "io")
EVENTS = ("fetched", "taken", "upgraded")
CORES = ("driver", "device")
NB_RINGS = 6        # ranges: descriptors, driver's and device's part of the Tx ring, and of the Rx ring
CASES = {
    "defaults (A packed, B split)": [],
    "packed both": ["--b-args", "packed_vq=1"],
    "split both": ["--a-args", "packed_vq=0"],
    "packed both, no mergeable buffers": ["--a-args", "mrg_rxbuf=0", "--b-args", "packed_vq=1,mrg_rxbuf=0"],
}


def emulator(counts):
    return bench.emulator(counts, os.path.join(SOURCES, "lines.c"))


def pattern():
    """Path of the program whose lines are known"""
    return vmimage.compiled("pattern", os.path.join(SOURCES, "pattern.c"), [benchcount.MARKS], "-O1")


def reports(counts):
    with open(counts, encoding="ascii") as file:
        return [json.loads(line) for line in file]


def per_packet(report, packets):
    """{"rings" or "packets": {core: {event: per packet}}}. What is in no range is the bench's own: one thread with one
    stack is no two cores."""
    sums = {part: {core: dict.fromkeys(EVENTS, 0) for core in CORES} for part in ("rings", "packets")}
    for core, ranges in zip(CORES, report):
        for number, counts in enumerate(ranges[:-1]):
            part = sums["rings" if number < NB_RINGS else "packets"][core]
            for event, count in zip(EVENTS, counts):
                part[event] += count / packets
    return sums


def measure(folder, *options):
    """{side: {way: as per_packet()}}"""
    counts = os.path.join(folder, "counts")
    document = bench.run(os.path.join(folder, "out.json"), "--allow-different", "--marks", "--mode", "cross", *options,
        seconds=300, in_front=emulator(counts))
    metrics = document["rows"][0]["metrics"]
    # Two reports for each: the first is of caches that are still empty.
    counted = iter(reports(counts)[1::2])
    return {side: {way: per_packet(next(counted), metrics[way][side]) for way in WAYS} for side in "ab"}


def total(parts, core, events):
    return sum(parts[part][core][event] for part in parts for event in events)


def show(title, sides):
    print("\n%s\n%-8s%30s%30s%12s" % (title, "", "driver: fetch, take, upgrade", "device: fetch, take, upgrade",
        "of packets"))
    for way in WAYS:
        for side in "ab":
            parts = sides[side][way]
            figures = ["%10.3f" % total(parts, core, [event]) for core in CORES for event in EVENTS]
            print("%-4s%-4s%s%12.3f" % (way, side.upper(), "".join(figures), sum(total(
                {"packets": parts["packets"]}, core, EVENTS) for core in CORES)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _, more = parser.parse_known_args()
    # Only sluice-bench knows which options it has.
    options = itertools.takewhile(lambda word: word != "--", more)
    if subprocess.run([bench.BENCH, *options, "--help"], stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit(2)
    if bench.cannot_emulate():
        sys.exit(bench.cannot_emulate())
    with tempfile.TemporaryDirectory() as folder:
        for title, options in CASES.items():
            try:
                show(title, measure(folder, *options, *more))
            except AssertionError as error:
                sys.exit(error)


if __name__ == "__main__":
    main()
