# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The cache lines between two cores are counted rightly, and there are no more of the rings than doc/perf.md says."""
import subprocess

import pytest

import bench
import lines

WHY_NOT = bench.cannot_emulate() or ("" if bench.MACHINE == "x86_64" else "the pattern is written for x86-64")
pytestmark = pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT)

# Lines of rings that come to a core, per packet, of a burst of 32: Tx: eight lines of descriptors to the device, one with
# the used entry back. Rx: eight there and back.
MOST = {"tx": 9 / 32, "rx": 16 / 32, "io": 25 / 32}
COME = ("fetched", "taken")


def test_control(tmp_path):
    """Accesses that can be counted by hand (plugin/pattern.c says what each does)."""
    counts = str(tmp_path / "counts")
    subprocess.run([*lines.emulator(counts), lines.pattern()], check=True, timeout=60)
    assert lines.reports(counts) == [
        [[[2, 0, 1], [0, 0, 0], [0, 1, 0]], [[1, 1, 1], [0, 1, 0], [0, 0, 0]]],
        [[[0, 0, 0], [1, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]]]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Of Sluice at its defaults"""
    return lines.measure(str(tmp_path_factory.mktemp("lines")))["a"]


@pytest.mark.parametrize("way", MOST)
def test_rings(driver, way):
    rings = {"rings": driver[way]["rings"]}
    come = sum(lines.total(rings, core, COME) for core in lines.CORES)
    assert 0 < come <= MOST[way] * 1.02, rings


@pytest.mark.parametrize("way", ["tx", "rx", "io"])
def test_packets_are_touched_by_need_only(driver, way):
    """Nobody reads or writes the buffers, but in io the header that both sides must write."""
    of_packets = sum(lines.total({"packets": driver[way]["packets"]}, core, lines.EVENTS) for core in lines.CORES)
    assert of_packets > 0 if way == "io" else of_packets == 0
