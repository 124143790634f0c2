#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The sets of devtools/bench: runs their cases, keeps the JSON of each, and sums up.

The table at the end has the ratios beside what is asked for, and says which rows are not to be believed.
A figure is only ever compared with one of the same run.
"""
import collections
import json
import os
import shutil
import subprocess
import sys
import time

import benchloop
import benchplot

ROOT = benchloop.ROOT
BUILD = os.environ["SLUICE_BUILD"]
BENCH = os.path.join(BUILD, "app", "sluice-bench", "sluice-bench")
DIFFERENT = ["--allow-different"]
PACKED = ["--a-args", "packed_vq=1", "--b-args", "packed_vq=1"]
SPLIT = ["--a-args", "packed_vq=0", "--b-args", "packed_vq=0"]
NOT_IN_ORDER = ["--a-args", "packed_vq=0,in_order=0", "--b-args", "packed_vq=0,in_order=0"]
BEST = ["--simd", "512", "--b-args", "packed_vq=1,mrg_rxbuf=0,in_order=1,vectorized=1"]
LIKE = ["--hide", "event_idx"]          # the device offers it to neither
NEVER_SLOWER = {"tx": 1.0, "rx": 1.0}

# must: least ratio of a metric; most: of instructions, the most that are allowed. A case with --allow-different
# compares defaults or best settings on purpose, so that its remark is no reason for doubt.
Case = collections.namedtuple("Case", "name title options must most quick", defaults=({}, {}, False))
CASES = [
    Case("step-default", "step, defaults", DIFFERENT, {"tx": 4, "rx": 4.5}, quick=True),
    Case("step-packed", "step, packed rings both", PACKED + LIKE, {"tx": 4, "rx": 4.5}, quick=True),
    Case("step-split", "step, split rings both", SPLIT + LIKE, NEVER_SLOWER, quick=True),
    Case("step-not-in-order", "step, split, not in order", NOT_IN_ORDER + LIKE, NEVER_SLOWER, quick=True),
    Case("step-best", "step, 512 bit, against best vector devargs", BEST + DIFFERENT, {"tx": 3, "rx": 3.5},
         quick=True),
    Case("step-q1024", "step, queue 1024", DIFFERENT + ["--queue", "1024"], {"tx": 1, "rx": 5}, quick=True),
    Case("step-burst1", "step, burst 1", DIFFERENT + ["--burst", "1"], {"tx": 1.3, "rx": 1.3}, quick=True),
    Case("step-burst4", "step, burst 4", DIFFERENT + ["--burst", "4"], {"tx": 2, "rx": 2}, quick=True),
    Case("step-n2", "step, device touches header and data", DIFFERENT + ["--model", "n2"], NEVER_SLOWER,
         quick=True),
    Case("step-segs3", "step, Tx of 3 segments", DIFFERENT + ["--segs", "3"], NEVER_SLOWER, quick=True),
    Case("step-csum", "step, Rx checksum offload on", DIFFERENT + ["--rx-csum"], {"tx": 1, "rx": 3}, quick=True),
    Case("step-csum-valid", "step, Rx checksum offload, DATA_VALID in each header",
         DIFFERENT + ["--rx-csum", "--data-valid", "--model", "n2"], {"tx": 1, "rx": 3}),
    Case("step-n1", "step, device touches headers", DIFFERENT + ["--model", "n1"], NEVER_SLOWER),
    Case("step-q64", "step, queue 64", DIFFERENT + ["--queue", "64"], NEVER_SLOWER),
    Case("step-q4096", "step, queue 4096", DIFFERENT + ["--queue", "4096"], NEVER_SLOWER),
    Case("step-burst8", "step, burst 8", DIFFERENT + ["--burst", "8"], NEVER_SLOWER),
    Case("step-burst16", "step, burst 16", DIFFERENT + ["--burst", "16"], NEVER_SLOWER),
    Case("step-burst64", "step, burst 64", DIFFERENT + ["--burst", "64"], NEVER_SLOWER),
    Case("step-cold", "step, rings out of the cache", DIFFERENT + ["--cold"], NEVER_SLOWER),
    Case("step-pairs2", "step, 2 queue pairs", DIFFERENT + ["--pairs", "2"], NEVER_SLOWER),
    Case("step-pairs4", "step, 4 queue pairs", DIFFERENT + ["--pairs", "4"], NEVER_SLOWER),
    Case("step-pairs8", "step, 8 queue pairs", DIFFERENT + ["--pairs", "8"], NEVER_SLOWER),
    Case("instructions-avx512", "instructions, split, AVX512", ["--instructions", "--simd", "512"] + SPLIT + LIKE,
         most={"tx": 50, "rx": 34}, quick=True),
    Case("instructions-avx2", "instructions, split, AVX2", ["--instructions"] + SPLIT + LIKE,
         most={"tx": 60, "rx": 44}, quick=True),
    Case("cross-n0", "cross-core, defaults", DIFFERENT + ["--mode", "cross"], {"tx": 1.8, "rx": 1.8, "io": 2.4},
         quick=True),
    Case("cross-not-mergeable", "cross-core, not mergeable", DIFFERENT + ["--mode", "cross"] +
         ["--a-args", "mrg_rxbuf=0", "--b-args", "mrg_rxbuf=0"], {"tx": 1, "rx": 1, "io": 1}),
    Case("cross-n1", "cross-core, device touches headers", DIFFERENT + ["--mode", "cross", "--model", "n1"],
         {"tx": 1, "rx": 1, "io": 1}),
    Case("cross-n2", "cross-core, device touches header and data",
         DIFFERENT + ["--mode", "cross", "--model", "n2"], {"tx": 1, "rx": 1, "io": 1}),
    Case("latency-50", "latency, half load", DIFFERENT + ["--mode", "latency", "--load", "50"], {"p99": 1.0},
         quick=True),
    Case("latency", "latency", DIFFERENT + ["--mode", "latency", "--burst", "1,4,32"]),
]

LOOP_QUICK = [("io", 64)]
LOOP_FULL = [(mode, 64) for mode in ("io", "mac", "macswap", "csum", "rxonly", "txonly")] + \
    [("io", size) for size in (128, 256, 512, 1024, 1518, "imix")]
LOOP_MUST = {("io", 64): {"mpps": 1.0, "cycles": 1.7}, ("mac", 64): {"mpps": 1.0, "cycles": 1.7}}
LOOP_ELSE = {"mpps": 1.0, "cycles": 1.0}
LOOP_DRIVERS = (("net_sluice", []), ("net_virtio_user", []))

MAX_SPREAD = 0.25           # of the A/A control's interval: wider, it contains 1.00 whatever happened

# Blocks and restarts of a mode. Restarts are multiples of three: every side is created first once.
SIZES = {
    "quick": {"step": (6, 3), "cross": (3, 3), "latency": (5, 3), "loop": (3, 1, 0.4)},
    "full": {"step": (20, 6), "cross": (10, 6), "latency": (10, 6), "loop": (8, 3, 0.5)},
}


def say(text):
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def run_case(case, which, folder):
    """The rows of a case. None of them is complete when it failed; the reason is in the log."""
    path = os.path.join(folder, case.name + ".json")
    mode = case.options[case.options.index("--mode") + 1] if "--mode" in case.options else "step"
    blocks, restarts = SIZES[which][mode]
    command = [os.path.join(ROOT, "devtools", "plugin-run"), BENCH, "--json", path] + case.options
    if "--instructions" not in case.options:
        command += ["--blocks", str(blocks), "--restarts", str(restarts)]
    with open(os.path.join(folder, case.name + ".log"), "w", encoding="utf-8") as log:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)["rows"]
    except (OSError, ValueError):
        return [{"complete": False}]


def run_loop(which, folder):
    blocks, restarts, seconds = SIZES[which]["loop"]
    cases = LOOP_QUICK if which == "quick" else LOOP_FULL
    try:
        rows = benchloop.measure(cases, LOOP_DRIVERS, restarts, blocks, seconds, say)
    except Exception as error:      # whatever it was: the other cases are still worth something
        with open(os.path.join(folder, "loopback.log"), "w", encoding="utf-8") as log:
            print(error, file=log)
        rows = [{"complete": False, "mode": mode, "size": size} for mode, size in cases]
    with open(os.path.join(folder, "loopback.json"), "w", encoding="utf-8") as file:
        json.dump({"mode": "loopback", "rows": rows}, file, indent=1)
    return rows


def doubts(row, metric, is_exact):
    """Why a line is not to be believed; empty if nothing speaks against it."""
    if is_exact:
        return []
    found = []
    control = metric["control"]
    if not metric["control_ok"]:
        found.append("control failed")
    elif control["hi95"] - control["lo95"] > MAX_SPREAD:
        found.append("control from %.2f to %.2f" % (control["lo95"], control["hi95"]))
    if metric.get("device_limit"):
        found.append("the device was the limit")
    if row.get("disturbed"):
        found.append("disturbed")
    return found


def is_met(metric, must):
    """Has it the ratio? "Never slower" means: not beyond what two equal sides differ by."""
    if must == 1.0:
        return metric["ratio"]["hi95"] >= min(1.0, metric["control"]["lo95"])
    return metric["ratio"]["median"] >= must


def lines_of(name, title, rows, must, most):
    """One line of the summary per row and metric."""
    lines = []
    for row in rows:
        where = title
        if "size" in row:
            where += ", %s, %s" % (row["mode"], row["size"] if row["size"] == "imix" else "%s B" % row["size"])
        elif len(rows) > 1:
            where += ", burst %d, load %d %%" % (row["burst"], row["load"])
        if not row["complete"]:
            lines.append({"case": name, "title": where, "metric": "", "doubts": ["not measured"], "met": None})
            continue
        for key, metric in row["metrics"].items():
            line = {"case": name, "title": where, "metric": key, "unit": metric["unit"]}
            if "a_max" in metric:
                line.update(a=metric["a_max"], b=metric["b_max"], doubts=[],
                            ratio={"median": metric["b_max"] / metric["a_max"]}, most=most.get(key),
                            met=metric["a_max"] <= most[key] if key in most else None)
            else:
                line.update(a=metric["a"]["median"], b=metric["b"]["median"], ratio=metric["ratio"],
                            control=metric["control"], must=must.get(key), doubts=doubts(row, metric, False),
                            met=is_met(metric, must[key]) if key in must else None)
            lines.append(line)
    return lines


def show(line):
    head = "%-44s %-10s" % (line["title"][:44], line["metric"])
    if "a" not in line:
        return head + " NOT MEASURED: the reason is in build/bench/"
    ratio = line["ratio"]
    spread = " [%5.2f, %5.2f]" % (ratio["lo95"], ratio["hi95"]) if "lo95" in ratio else " " * 15
    limit = "%5.1fx" % line["must"] if line.get("must") else "<=%4d" % line["most"] if line.get("most") else "     -"
    met = {True: "yes", False: "NO", None: "-"}[line["met"]]
    doubt = "  <- not to be believed: " + ", ".join(line["doubts"]) if line["doubts"] else ""
    return head + " %9.2f %9.2f %6.2f%s %s %-4s%s" % (line["a"], line["b"], ratio["median"], spread, limit, met,
                                                     doubt)


def machine(folder):
    """Of the first case that ran, and the commit; nothing is left out by intention."""
    about = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                document = json.load(file)
            if "machine" in document:
                about = dict(document["machine"], dpdk=document["dpdk"], when=document["when"])
                break
    git = ["git", "-C", ROOT, "describe", "--always", "--dirty"]
    about["commit"] = subprocess.run(git, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return about


def summarize(about, lines, which, seconds):
    print("\n" + ", ".join("%s %s" % item for item in about.items()))
    print("%-44s %-10s %9s %9s %6s %-15s %6s met" % ("case", "metric", "A", "B", "ratio", " 95 % interval",
                                                  "must"))
    for line in lines:
        print(show(line))
    doubtful = [line for line in lines if line["doubts"]]
    judged = [line for line in lines if line["met"] is not None and not line["doubts"]]
    print("\nA = net_sluice, B = net_virtio_user; ratio = how many times better A is.")
    print("%s set, %d s: %d lines that can be believed have a limit, %d of them meet it; %d lines are not to be "
          "believed." % (which, seconds, len(judged), sum(line["met"] for line in judged), len(doubtful)))


def main():
    which = sys.argv[1]
    folder = os.path.join(ROOT, "build", "bench", which)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    begin = time.monotonic()
    cases = [case for case in CASES if case.quick or which == "full"]
    lines = []
    for i, case in enumerate(cases, 1):
        say("%d/%d, %d s: %s" % (i, len(cases) + 1, time.monotonic() - begin, case.title))
        lines += lines_of(case.name, case.title, run_case(case, which, folder), case.must, case.most)
    for row in run_loop(which, folder):
        must = LOOP_MUST.get((row["mode"], row["size"]), LOOP_ELSE)
        lines += lines_of("loopback", "net_vhost", [row], must, {})
    say("")
    about = machine(folder)
    with open(os.path.join(folder, "summary.json"), "w", encoding="utf-8") as file:
        json.dump({"machine": about, "lines": lines}, file, indent=1)
    summarize(about, lines, which, time.monotonic() - begin)
    benchplot.draw(folder, lines, os.path.join(ROOT, "doc", "perf", which))
    return 0 if any("a" in line for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
