#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The sets of devtools/bench: runs their cases, keeps the JSON of each, and sums up.

The table at the end has the ratios beside what is asked for, and says which rows are not to be believed.
A figure is only ever compared with one of the same run.
"""
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time

import benchcases as cases
import benchguest
import benchloop
import benchplot
from benchprogress import Progress
from debpkg import Trouble
from vmqemu import GuestDeadline, GuestDied

ROOT = benchloop.ROOT
BUILD = os.environ["SLUICE_BUILD"]
BENCH = os.path.join(BUILD, "app", "sluice-bench", "sluice-bench")
END_S = 10                  # of a program that was told to end
MAX_SPREAD = 0.25           # of the A/A control's interval: wider, it contains 1.00 whatever happened


def run(command, log, seconds):
    """A program that cleans up when it is told to end, as it is when it takes too long or we end."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
        try:
            process.wait(seconds)
        except BaseException:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
            raise


def run_case(case, which, folder):
    """The rows of a case. None of them is complete when it failed; the reason is in the log."""
    path = os.path.join(folder, case.name + ".json")
    blocks, restarts = cases.SIZES[which][cases.mode_of(case)]
    command = [os.path.join(ROOT, "devtools", "plugin-run"), BENCH, "--json", path] + case.options
    if "--instructions" not in case.options:
        command += ["--blocks", str(blocks), "--restarts", str(restarts)]
    with open(os.path.join(folder, case.name + ".log"), "w", encoding="utf-8") as log:
        try:
            run(command, log, most_seconds(cases.seconds_of(case, which)))
            with open(path, encoding="utf-8") as file:
                return json.load(file)["rows"]
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            print(error, file=log)
            return [{"complete": False}]


def most_seconds(usual):
    """After which a case is given up: the machine is not fit for it."""
    return cases.SLOWEST * usual + cases.SLACK_S


def run_loop(loops, which, folder, progress):
    blocks, restarts, seconds = cases.SIZES[which]["loop"]
    usual = cases.loop_seconds(loops, which)
    try:
        rows = benchloop.measure(loops, cases.LOOP_DRIVERS, restarts, blocks, seconds,
                                 lambda text, part: progress.show(text, part * usual),
                                 time.monotonic() + most_seconds(usual))
    except Exception as error:      # whatever it was: the other cases are still worth something
        with open(os.path.join(folder, "loopback.log"), "w", encoding="utf-8") as log:
            print(error, file=log)
        rows = [{"complete": False, "mode": mode, "size": size} for mode, size in loops]
    with open(os.path.join(folder, "loopback.json"), "w", encoding="utf-8") as file:
        json.dump({"mode": "loopback", "rows": rows}, file, indent=1)
    return rows


def run_guest(folder, progress):
    """The rows of the guest's cases, in the form of sluice-bench's."""
    try:
        rows = benchguest.measure(os.path.join(folder, "guest"), BUILD, progress.show)
    except (Trouble, GuestDied, GuestDeadline, OSError, ValueError) as error:
        with open(os.path.join(folder, "guest.log"), "w", encoding="utf-8") as log:
            print(error, file=log)
        return [{"complete": False, "case": case, "title": about[0]} for case, about in benchguest.CASES.items()]
    with open(os.path.join(folder, "guest.json"), "w", encoding="utf-8") as file:
        about = {key: rows[0][key] for key in ("machine", "dpdk", "compiler", "when")}
        json.dump(dict(about, mode="guest", rows=rows), file, indent=1)
    for row in rows:
        row["metrics"] = {}
        for key, name, unit in (("instructions", "%s", "instructions/packet"),
                                ("mmio_writes_per_burst", "%s_doorbells", "doorbells/burst")):
            for way in ("tx", "rx"):
                row["metrics"][name % way] = {"unit": unit, "a_max": row["a"][way][key], "b_max": row["b"][way][key]}
    return rows


def doubts(row, metric):
    """Why a line is not to be believed; empty if nothing speaks against it."""
    found = ["too few blocks"] if row.get("too_few_blocks") else []
    control = metric["control"]
    if not metric["control_ok"]:
        found.append("control failed")
    elif control["hi95"] - control["lo95"] > MAX_SPREAD:
        found.append("control from %.2f to %.2f" % (control["lo95"], control["hi95"]))
    if metric.get("device_limit"):
        found.append("the device was the limit")
    if row.get("behind_plan"):
        found.append(row["behind_plan"] + " was behind its plan")
    if row.get("disturbed"):
        found.append("disturbed")
    return found


def is_met(metric, must):
    """Has it the ratio? The median decides: a wide interval would meet any limit. "Never slower" means not beyond what
    two equal sides differ by."""
    least = min(must, metric["control"]["lo95"]) if must == 1.0 else must
    return metric["ratio"]["median"] >= least


def ports_of(row):
    """How the two ports of a row moved packets: burst modes, and which features only one of them had."""
    text = ["%s: %s" % (key.upper(), ", ".join(way + " " + (row[key][way + "_mode"] or "not told") for way in
        ("tx", "rx"))) for key in "ab"]
    names = [set(row[key].get("feature_names", "-").split(",")) - {"-"} for key in "ab"]
    if all(names):
        text += ["only A has %s, only B %s" % tuple(",".join(sorted(names[i] - names[1 - i])) or "nothing"
            for i in (0, 1))]
    return "; ".join(text + [row["remark"]] * bool(row.get("remark")))


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
            line = {"case": name, "title": where, "metric": key, "unit": metric["unit"],
                "ports": ports_of(row) if "a" in row else ""}
            if "a_max" in metric:
                line.update(a=metric["a_max"], b=metric["b_max"], doubts=[],
                            ratio={"median": metric["b_max"] / metric["a_max"] if metric["a_max"] else 1.0},
                            most=most.get(key),
                            met=metric["a_max"] <= most[key] if key in most else None)
            else:
                line.update(a=metric["a"]["median"], b=metric["b"]["median"], ratio=metric["ratio"],
                            control=metric["control"], must=must.get(key), doubts=doubts(row, metric),
                            met=is_met(metric, must[key]) if key in must else None)
            lines.append(line)
    return lines


def show(line, width=44, note=0):
    """note: number of the one about its ports, 0: there is none"""
    head = "%-*s %-12s" % (width, line["title"], line["metric"])
    if "a" not in line:
        return head + " NOT MEASURED: the reason is in build/bench/"
    ratio = line["ratio"]
    spread = " [%5.2f, %5.2f]" % (ratio["lo95"], ratio["hi95"]) if "lo95" in ratio else " " * 15
    limit = "     -"
    if line.get("must"):
        limit = "%5.1fx" % line["must"]
    elif line.get("most") is not None:
        limit = "<=%4d" % line["most"]
    met = {True: "yes", False: "NO", None: "-"}[line["met"]]
    doubt = "  <- not to be believed: " + ", ".join(line["doubts"]) if line["doubts"] else ""
    return head + " %9.2f %9.2f %6.2f%s %s %-4s %4s%s" % (line["a"], line["b"], ratio["median"], spread, limit, met,
                                                         note or "", doubt)


def machine(folder):
    """Of the first case that ran, and the commit; nothing is left out by intention."""
    about = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                document = json.load(file)
            if "machine" in document:
                about = dict(document["machine"], **{key: document[key] for key in ("dpdk", "compiler", "when")})
                break
    git = ["git", "-C", ROOT, "describe", "--always", "--dirty"]
    about["commit"] = subprocess.run(git, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return about


def summary(about, lines, which, seconds):
    """The table, as text"""
    width = max(len(line["title"]) for line in lines)
    ports = list(dict.fromkeys(line["ports"] for line in lines if line.get("ports")))
    text = [", ".join("%s %s" % item for item in about.items()), "", "%-*s %-12s %9s %9s %6s %-15s %6s %-4s note" % (
        width, "case", "metric", "A", "B", "ratio", " 95 % interval", "must", "met")]
    text += [show(line, width, ports.index(line["ports"]) + 1 if line.get("ports") else 0) for line in lines]
    text += [""] + ["%d: %s" % note for note in enumerate(ports, 1)]
    doubtful = [line for line in lines if line["doubts"]]
    judged = [line for line in lines if line["met"] is not None and not line["doubts"]]
    text += ["", "A = net_sluice, B = net_virtio_user (in a guest net_virtio); ratio = how many times better A is.",
        "A limit is met where the median of the ratio reaches it; 1.0x (never slower) also where the median is within the",
        "interval of the row's own A/A control, or above it: two equal sides differ by as much.",
        "%s set, %d s: %d lines that can be believed have a limit, %d of them meet it; %d lines are not to be "
        "believed." % (which, seconds, len(judged), sum(line["met"] for line in judged), len(doubtful))]
    return "\n".join(line.rstrip() for line in text) + "\n"


def lines_of_guest(folder, progress):
    lines = []
    for row in run_guest(folder, progress):
        most = cases.GUEST_MOST.get(row["case"], cases.GUEST_ELSE)
        lines += lines_of("guest-" + row["case"], "guest, " + row["title"], [row], {}, most)
    return lines


def measure_set(which, folder, progress):
    lines = []
    for case in (case for case in cases.CASES if case.quick or which == "full"):
        progress.show(case.title)
        lines += lines_of(case.name, case.title, run_case(case, which, folder), case.must, case.most)
        progress.done(cases.seconds_of(case, which))
    if which == "full":
        lines += lines_of_guest(folder, progress)
        progress.done(cases.GUEST_S)
    for row in run_loop(loops_of(which), which, folder, progress):
        must = cases.LOOP_MUST.get((row["mode"], row["size"]), cases.LOOP_ELSE)
        lines += lines_of("loopback", "net_vhost", [row], must, {})
    return lines


def loops_of(which):
    return cases.LOOP_FULL if which == "full" else cases.LOOP_QUICK


def usual_seconds(which):
    """Of each part of a set."""
    if which == "guest":
        return [cases.GUEST_S]
    return [cases.seconds_of(case, which) for case in cases.CASES if case.quick or which == "full"] + \
        [cases.loop_seconds(loops_of(which), which)] + [cases.GUEST_S] * (which == "full")


def main():
    which = sys.argv[1]
    # The programs that run end with this one, and clean up: as on SIGINT.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by a signal"))
    folder = os.path.join(ROOT, "build", "bench", which)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    usual = usual_seconds(which)
    print("bench: %s set, about %d min on a quiet machine; %d min at most" % (which, max(1, round(sum(usual) / 60)),
        math.ceil(sum(map(most_seconds, usual)) / 60)), flush=True)
    begin = time.monotonic()
    progress = Progress(sum(usual))
    lines = lines_of_guest(folder, progress) if which == "guest" else measure_set(which, folder, progress)
    progress.end()
    about = machine(folder)
    with open(os.path.join(folder, "summary.json"), "w", encoding="utf-8") as file:
        json.dump({"machine": about, "lines": lines}, file, indent=1)
    text = summary(about, lines, which, time.monotonic() - begin)
    print("\n" + text, end="")
    is_measured = any("a" in line for line in lines)
    # What was kept of an earlier run is worth more than a table without a figure.
    if which != "guest" and is_measured:
        results = os.path.join(ROOT, "doc", "perf", which)
        os.makedirs(results, exist_ok=True)
        with open(os.path.join(results, "table.txt"), "w", encoding="utf-8") as file:
            file.write(text)
        benchplot.draw(folder, lines, results)
    return 0 if is_measured else 1


if __name__ == "__main__":
    sys.exit(main())
