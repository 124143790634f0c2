# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""sluice-bench runs in every mode, gives all blocks that were asked for, and accounts for all packets.
Nothing is said about the figures: other tests may run at the same time."""
import json
import math
import os
import re
import shlex
import subprocess

import pytest

import bench
import benchstats

SHORT = ["--allow-different", "--restarts", "1"]
MODES = {
    "step": ["--segments", "3", "--model", "n0,n2"],
    "step_pairs": ["--segments", "3", "--pairs", "8"],
    "step_burst1": ["--segments", "3", "--burst", "1"],
    "step_segs": ["--segments", "3", "--segs", "3"],
    "step_9000": ["--segments", "3", "--size", "9000", "--segs", "6"],
    "step_tso": ["--segments", "3", "--packets", "tso", "--size", "16384", "--segs", "8"],
    "step_tags": ["--segments", "3", "--packets", "vlan", "--rx-vlan", "--model", "n2"],
    "step_clones": ["--segments", "3", "--packets", "clones"],
    "step_shared": ["--segments", "3", "--packets", "shared"],
    "step_pools": ["--segments", "3", "--packets", "pools"],
    "step_dry": ["--segments", "3", "--rx-mbufs", "256"],
    "step_tiny": ["--segments", "3", "--queue", "32"],
    # What no power of two is packed rings take; and in-tree's least is not everybody's.
    "step_48": ["--segments", "3", "--queue", "48", "--b-args", "packed_vq=1"],
    "step_130": ["--segments", "3", "--queue", "130", "--b-args", "packed_vq=1"],
    "step_100": ["--segments", "3", "--queue", "100", "--b", "net_sluice"],
    "step_4": ["--segments", "3", "--queue", "4", "--burst", "1", "--b", "net_sluice", "--b-args", "packed_vq=0"],
    "step_cold": ["--segments", "3", "--cold"],
    # Split and packed rings complete differently.
    "step_shuffled": ["--segments", "3", "--out-of-order", "--a-args", "packed_vq=0"],
    "step_shuffledpacked": ["--segments", "3", "--out-of-order", "--a-args", "packed_vq=1", "--b-args",
        "packed_vq=1"],
    # Windows long enough that both threads get to run when other programs share the cores. One of cross may take four
    # times as long.
    "cross": ["--mode", "cross", "--window", "25"],
    "latency": ["--mode", "latency", "--window", "50", "--load", "10,90"],
}


def check_marks(metric):
    """A line that is not to be believed says so, and no other does: by the rules that rows of net_vhost have."""
    assert metric["control_ok"] == benchstats.control_ok(metric["control"]), metric
    if "idle_a" in metric:
        assert metric["device_limit"] == benchstats.is_limit(metric["idle_a"], metric["idle_b"]), metric


@pytest.mark.parametrize("name", MODES)
def test_mode(tmp_path, name):
    mode = name.split("_")[0]
    if mode != "step" and len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core only")
    nb_blocks = 2 if mode == "step" else 1
    document = bench.run(tmp_path / "out.json", *SHORT, "--blocks", str(nb_blocks), *MODES[name])
    assert document["mode"] == mode
    assert document["dpdk"].startswith("DPDK ") and document["compiler"].startswith(("gcc ", "Debian Clang"))
    assert document["rows"]
    for row in document["rows"]:
        assert row["complete"], row
        assert row["too_few_blocks"] is True
        if mode != "step":
            assert 0 < row["line_cycles"][0] <= row["line_cycles"][1] <= row["line_cycles"][2], row
        for side in (row["a"], row["b"]):
            assert 0 < side["sent"] == side["seen"], side
            assert 0 < side["produced"] == side["received"], side
            if mode == "latency":
                assert side["produced"] + side["not_echoed"] >= side["sent"], side
        if mode == "latency":
            for key in ("pauses_between_calls_per_s", "pauses_within_calls_per_s"):
                assert len(row[key]) == 2 and min(row[key]) >= 0, row
            ratio = row["metrics"]["rate"]["ratio"]["median"]
            assert row["behind_plan"] == ("A" if ratio < 0.95 else "B" if ratio > 1 / 0.95 else None), row
        for key, metric in row["metrics"].items():
            assert len(metric["blocks_a_b_controla_controlc"]) == nb_blocks, key
            for value in ("a", "b", "ratio", "control"):
                assert math.isfinite(metric[value]["median"]), (key, metric)
            check_marks(metric)


def test_progress_over_all_cases(tmp_path):
    """On a terminal; elsewhere a line for each restart."""
    command = shlex.join([os.path.join(bench.REPO, "devtools", "plugin-run"), bench.BENCH, *SHORT, "--blocks", "2",
        "--segments", "3", "--b", "net_ring", "--queue", "64,128"] + ([] if bench.has_hugepages() else ["--no-huge"]))
    done = subprocess.run(["script", "-qefc", command, "/dev/null"], env=dict(os.environ, SLUICE_BUILD=bench.BUILD),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    bars = re.findall(r"\[(#*) *\] +(\d+) %, case (\d)/2 \(queue (\d+), burst 32, N0\), restart 1/1", done.stdout)
    assert bars == [("#" * 5, "25", "1", "64"), ("#" * 10, "50", "1", "64"), ("#" * 15, "75", "2", "128"),
        ("#" * 20, "100", "2", "128")]


def test_different_features_are_refused(tmp_path):
    with pytest.raises(AssertionError) as error:
        bench.run(tmp_path / "out.json", "--restarts", "1", "--blocks", "2", "--a-args", "packed_vq=1",
            "--b-args", "packed_vq=0", "--hide", "event_idx")
    assert "status 3" in str(error.value)
    assert "ring_packed" in str(error.value)


@pytest.mark.parametrize("driver", ["net_null", "net_ring"])
@pytest.mark.parametrize("segs", ["1", "3"])
def test_control_rows(tmp_path, driver, segs):
    """Drivers without a device say what the least is; nobody shall take that for a comparison."""
    document = bench.run(tmp_path / "out.json", *SHORT, "--blocks", "2", "--segments", "3", "--b", driver, "--segs", segs)
    assert document["rows"][0]["complete"]
    assert document["rows"][0]["remark"] == "control row: a side without a virtio device"


def test_too_few_blocks_give_no_ratio(tmp_path):
    """A driver that does not start: the row is there, without a number."""
    with pytest.raises(AssertionError) as error:
        bench.run(tmp_path / "out.json", *SHORT, "--blocks", "2", "--a-args", "no_such_key=1")
    assert "status 1" in str(error.value)
    assert "NOT MEASURED" in str(error.value)
    with open(tmp_path / "out.json", encoding="utf-8") as file:
        row = json.load(file)["rows"][0]
    assert row["complete"] is False and "metrics" not in row


def test_marks_change_nothing(tmp_path):
    """Without the plug-in that knows them they are no-operations; the calls of full bursts are told."""
    document = bench.run(tmp_path / "out.json", "--marks", "--b", "net_ring")
    assert document["mode"] == "marks"
    for way in ("tx", "rx"):
        assert document["rows"][0]["metrics"][way]["a"] == document["rows"][0]["metrics"][way]["b"] > 0
