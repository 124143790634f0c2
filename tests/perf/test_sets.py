# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The sets of devtools/bench: what they hold, that they end, and that a part that failed gives no ratio."""
import os
import sys
import time

import pytest

import bench

os.environ.setdefault("SLUICE_BUILD", bench.BUILD)
sys.path.append(os.path.join(bench.REPO, "devtools", "lib"))
import benchcases  # noqa: E402 (found by the line above)
import benchloop  # noqa: E402
import benchplot  # noqa: E402
import benchset  # noqa: E402
import benchstats  # noqa: E402
import hugepages  # noqa: E402
from benchprogress import Progress  # noqa: E402

PROMISED = ["step-default", "step-packed", "step-best", "step-q1024", "step-csum", "instructions-avx512",
    "instructions-avx2", "cross-n0", "step-burst1", "step-burst4", "latency-50", "step-segs3", "step-clones",
    "step-pools", "step-shuffled", "step-q32", "step-dry", "control-null", "control-ring"]


def test_full_set_has_what_is_promised():
    assert not set(PROMISED) - {case.name for case in benchcases.CASES}
    assert {("io", 64), ("mac", 64), ("io", 9000), ("io", "imix")} <= set(benchcases.LOOP_FULL)
    assert benchcases.GUEST_MOST["stock"] == {"tx": 65, "rx": 45, "tx_doorbells": 1, "rx_doorbells": 0}
    assert benchcases.GUEST_MOST["packed"] == {"tx": 68, "rx": 45, "tx_doorbells": 1, "rx_doorbells": 0}


@pytest.mark.parametrize("which,usual,most", [("quick", 3, 60), ("full", 60, 180), ("guest", 1, 5)])
def test_time_is_bounded(which, usual, most):
    seconds = benchset.usual_seconds(which)
    assert sum(seconds) <= usual * 60
    assert sum(map(benchset.most_seconds, seconds)) <= most * 60


def test_a_case_that_hangs_is_given_up(tmp_path, monkeypatch):
    hangs = tmp_path / "hangs"
    hangs.write_text("#!/bin/sh\ntrap 'touch %s; exit 1' TERM\nsleep 60 & wait\n" % (tmp_path / "told"))
    hangs.chmod(0o755)
    monkeypatch.setattr(benchset, "BENCH", str(hangs))
    monkeypatch.setattr(benchcases, "SLACK_S", 0.5)
    monkeypatch.setattr(benchcases, "seconds_of", lambda case, which: 0)
    begin = time.monotonic()
    rows = benchset.run_case(benchcases.CASES[0], "quick", str(tmp_path))
    assert time.monotonic() - begin < 30
    assert rows == [{"complete": False}]
    assert (tmp_path / "told").exists()     # it could clean up


def test_not_complete_means_no_ratio():
    line, = benchset.lines_of("x", "x", [{"complete": False}], {"tx": 1}, {})
    assert "ratio" not in line and line["doubts"] == ["not measured"]
    assert "NOT MEASURED" in benchset.show(line)


SURE = {"median": 1.0, "lo95": 0.99, "hi95": 1.01}
VAGUE = {"median": 1.0, "lo95": 0.8, "hi95": 1.2}


@pytest.mark.parametrize("row,metric,doubts", [
    ({}, {"control_ok": True, "control": SURE}, []),
    ({}, {"control_ok": False, "control": SURE}, ["control failed"]),
    ({}, {"control_ok": True, "control": VAGUE}, ["control from 0.80 to 1.20"]),
    ({}, {"control_ok": True, "control": SURE, "device_limit": True}, ["the device was the limit"]),
    ({"behind_plan": "B"}, {"control_ok": True, "control": SURE}, ["B was behind its plan"]),
    ({"behind_plan": None, "too_few_blocks": True}, {"control_ok": True, "control": SURE}, ["too few blocks"]),
    ({"disturbed": True}, {"control_ok": True, "control": SURE, "device_limit": False}, ["disturbed"]),
])
def test_what_is_not_to_be_believed(row, metric, doubts):
    assert benchset.doubts(row, metric) == doubts


@pytest.mark.parametrize("must,median,lowest,met", [
    (1.0, 1.0, 1.0, True),
    (1.0, 0.99, 0.98, True),        # as far as the control goes
    (1.0, 0.98, 0.98, True),
    (1.0, 0.97, 0.98, False),
    (1.0, 0.80, 0.98, False),       # a wide interval does not help
    (1.0, 1.001, 1.004, True),      # a control that lies above one does not make the limit stricter
    (1.0, 0.999, 1.004, False),
    (2.0, 2.0, 0.9, True),
    (2.0, 1.99, 0.9, False),        # nor a control any other limit weaker
])
def test_the_median_meets_a_limit(must, median, lowest, met):
    ratio = {"median": median, "lo95": 0.7, "hi95": 2.5}
    assert benchset.is_met({"ratio": ratio, "control": {"median": 1.0, "lo95": lowest, "hi95": 1.1}}, must) is met


def test_sets_have_blocks_enough():
    for which, sizes in benchcases.SIZES.items():
        for mode, (blocks, restarts, *_) in sizes.items():
            assert blocks * restarts >= benchstats.MIN_BLOCKS, (which, mode)


PORTS = [({"rx": "Sluice AVX2 packed", "tx": "Sluice AVX2 packed"}, 1 << 34 | 1 << 3), ({"rx": "", "tx": ""}, 1 << 35)]


@pytest.mark.parametrize("idle,limits", [((0.5, 0.3), False), ((0.5, 0.1), True), ((0.0, 0.9), True)])
def test_loopback_says_who_was_the_limit(idle, limits):
    block = [(4, 2, 4, 4), (100, 200, 100, 100), (*idle, 0.9, 0.9)]
    row = benchloop.row(("io", 64), [[block] * 3], benchcases.LOOP_DRIVERS, PORTS)
    assert row["metrics"]["mpps"]["device_limit"] is limits
    assert row["metrics"]["mpps"]["ratio"]["median"] == row["metrics"]["cycles"]["ratio"]["median"] == 2
    assert "device_limit" not in row["metrics"]["cycles"]
    assert row["too_few_blocks"]
    assert not benchloop.row(("io", 64), [[block] * 3] * 2, benchcases.LOOP_DRIVERS, PORTS)["too_few_blocks"]


def test_loopback_names_missing_hugepages(tmp_path, monkeypatch):
    free = tmp_path / "free"
    free.write_text("12\n")
    monkeypatch.setattr(hugepages, "FREE", str(free))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(RuntimeError, match="200 free hugepages, there are 12"):
        benchloop.measure([("io", 64)], benchcases.LOOP_DRIVERS, 1, 1, 0.1, print, 0)


def test_plots(tmp_path):
    """One SVG and one PNG of each kind of figure; those of the SVG keep their text."""
    pytest.importorskip("matplotlib")
    block = [(4, 2, 4, 4), (100, 200, 100, 100), (0.5, 0.1, 0.5, 0.5)]
    row = benchloop.row(("io", 64), [[block] * 6], benchcases.LOOP_DRIVERS, PORTS)
    lines = benchset.lines_of("loopback", "net_vhost", [row], {"mpps": 1.0}, {})
    lines += benchset.lines_of("x", "not measured", [{"complete": False}], {"tx": 1}, {})
    benchplot.draw(str(tmp_path), lines, str(tmp_path))
    names = ["loopback-cycles", "loopback-mpps", "ratios"]
    assert sorted(os.listdir(tmp_path)) == [name + kind for name in names for kind in (".png", ".svg")]
    assert "net_vhost, io, 64 B: mpps" in (tmp_path / "ratios.svg").read_text()
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")


def test_idle_core():
    """As testpmd of DPDK 22.11 says it."""
    text = "  CPU cycles/packet=126.85 (total cycles=%d / total io packets=3124896) at 2600 MHz Clock"
    assert benchloop.idle_of(text % (2600e6 / 4), 0.5) == 0.5
    assert benchloop.idle_of(text % 2600e6, 0.99) == 0
    assert benchloop.idle_of("no packet", 1) == 1


def test_summary_tells_what_differs():
    """Also where defaults are compared on purpose: burst modes, and features that only one of the two had."""
    block = [(4, 2, 4, 4), (100, 200, 100, 100), (0.5, 0.5, 0.5, 0.5)]
    row = benchloop.row(("io", 64), [[block] * 6], benchcases.LOOP_DRIVERS, PORTS)
    lines = benchset.lines_of("loopback", "net_vhost", [row], {"mpps": 1.0}, {})
    text = benchset.summary({"cpu": "x"}, lines, "quick", 1).splitlines()
    note, = [line for line in text if line.startswith("1: ")]
    assert note == "1: A: tx Sluice AVX2 packed, rx Sluice AVX2 packed; B: tx not told, rx not told; " \
        "only A has mtu,ring_packed, only B in_order; A and B negotiated DIFFERENT features"
    assert all(line.endswith(" 1") for line in text if line.startswith("net_vhost"))
    assert benchloop.remark_of(1 << 3 | 1 << 35, 1 << 35) is None


def test_summary_tells_the_rule():
    text = benchset.summary({"cpu": "x"}, benchset.lines_of("x", "x", [{"complete": False}], {"tx": 1}, {}), "quick", 1)
    assert "A limit is met where the median of the ratio reaches it; 1.0x (never slower) also where the median" in text


def test_limit_of_none_is_one():
    """Nothing is allowed, and nothing came: met. One came: not."""
    for count, met in ((0, True), (0.1, False)):
        metrics = {"rx_doorbells": {"unit": "doorbells/burst", "a_max": count, "b_max": 0}}
        line, = benchset.lines_of("x", "x", [{"complete": True, "metrics": metrics}], {}, {"rx_doorbells": 0})
        assert line["met"] is met


def test_progress_reaches_the_end(capsys):
    progress = Progress(10)
    for title, seconds in (("first", 4), ("second", 6)):
        progress.show(title)
        progress.done(seconds)
    progress.show("last")
    shown = capsys.readouterr().err.splitlines()
    assert "  0 %" in shown[0] and " 40 %" in shown[1] and "100 %" in shown[2]
    assert "first" in shown[0] and "about 0:10 left" in shown[0]
