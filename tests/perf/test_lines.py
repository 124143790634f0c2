# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The cache lines between two cores are counted rightly, and there are no more of the rings than doc/perf.md says."""
import subprocess

import pytest

import bench
import lines

WHY_NOT = bench.cannot_emulate() or ("" if bench.MACHINE == "x86_64" else "the marks of cores are for x86-64")
pytestmark = pytest.mark.skipif(WHY_NOT != "", reason=WHY_NOT)

# Lines of rings that come to a core, per packet, of a burst of 32: Tx: eight lines of descriptors to the device, one with
# the used entry back. Rx: eight there and back.
MOST = {"tx": 9 / 32, "rx": 16 / 32, "io": 25 / 32}
COME = ("fetched", "taken")


def test_control(tmp_path):
    """Accesses that can be counted by hand (plugin/pattern.c says what each does)."""
    counts = str(tmp_path / "counts")
    subprocess.run([bench.EMULATOR, *lines.plugin(counts), lines.pattern()], check=True, timeout=60)
    assert lines.reports(counts) == [
        [[[2, 0, 1], [0, 0, 0], [0, 1, 0]], [[1, 1, 1], [0, 1, 0], [0, 0, 0]]],
        [[[0, 0, 0], [1, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]]]


def test_rings(tmp_path):
    sides = lines.measure(str(tmp_path))
    for way, most in MOST.items():
        rings = {"rings": sides["a"][way]["rings"]}
        come = sum(lines.total(rings, core, COME) for core in lines.CORES)
        assert 0 < come <= most * 1.02, (way, rings)


@pytest.mark.parametrize("way", ["tx", "rx"])
def test_packets_are_not_touched(tmp_path, way):
    """Neither driver reads what is in the buffers, if the device does not."""
    sides = lines.measure(str(tmp_path))
    for core in lines.CORES:
        assert lines.total({"packets": sides["a"][way]["packets"]}, core, lines.EVENTS) == 0


def test_marks_of_cores_are_for_cross_only(tmp_path):
    with pytest.raises(AssertionError) as error:
        bench.run(tmp_path / "out.json", "--marks", "--mode", "latency")
    assert "--marks is not for --mode latency" in str(error.value)
