# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What sluice-bench --marks costs: a plug-in of QEMU's emulation (tests/vm/plugin/count.c) counts between the marks, in
a guest or around a program, and the figures per packet come from what it reports."""
import json
import os

import vmimage
from debpkg import Trouble

HEADER = os.path.join(vmimage.ROOT, ".sdk", "qemu", "qemu-plugin.h")
SOURCE = os.path.join(vmimage.ROOT, "tests", "vm", "plugin", "count.c")
MARKS = os.path.join(vmimage.ROOT, "app", "sluice-bench", "marks.h")
OUT = os.path.join(os.path.dirname(SOURCE), "out.h")
BURST = 32


def plugin(counts, source=SOURCE):
    """Options of QEMU: the plug-in, which writes its reports to a file."""
    if not os.path.exists(HEADER):
        raise Trouble("no %s: run devtools/setup" % os.path.relpath(HEADER, vmimage.ROOT))
    name = os.path.basename(source).replace(".c", ".so")
    path = vmimage.compiled(name, source, [HEADER, MARKS, OUT], "-O2", "-fPIC", "-shared",
        "-isystem", os.path.dirname(HEADER))
    return ["-plugin", "file=%s,out=%s" % (path, counts)]


def report_of(line):
    """The buckets of calls that nothing interrupted, and those of the others."""
    buckets = json.loads(line)
    return buckets[:len(buckets) // 2], buckets[len(buckets) // 2:]


def last_report(counts, nb_expected):
    """The last of so many reports."""
    with open(counts, encoding="ascii") as file:
        lines = file.read().splitlines()
    if len(lines) != nb_expected:
        raise Trouble("the plug-in wrote %d reports, %d expected" % (len(lines), nb_expected))
    return report_of(lines[-1])


def side_of(document, report, key, number):
    """Per packet and per burst, of one driver: of the calls that nothing interrupted."""
    buckets, interrupted = report
    empty_calls, empty_insns = buckets[-1][:2]
    if empty_calls == 0:
        raise Trouble("each call of an empty function was interrupted")
    # An empty function's only instruction is its own; the rest comes from the marks.
    extra = empty_insns // empty_calls - 1
    if extra != 1 or empty_insns != empty_calls * 2:
        raise Trouble("%d calls of an empty function count as %d instructions, not 2 each"
            % (empty_calls, empty_insns))
    side = dict(document["rows"][0][key])
    for direction, way in enumerate(("tx", "rx")):
        calls, insns, stores, loads, most = buckets[2 * number + direction]
        nb_interrupted = interrupted[2 * number + direction][0]
        if calls == 0 or calls + nb_interrupted != document["rows"][0]["metrics"][way][key]:
            raise Trouble("%s %s: %d full bursts for the plug-in, and %d that were interrupted, %s for sluice-bench" % (key,
                way, calls, nb_interrupted, document["rows"][0]["metrics"][way][key]))
        side[way] = {"bursts": calls, "interrupted": nb_interrupted,
            "instructions": (insns - calls * extra) / (calls * BURST), "mmio_writes": stores / (calls * BURST),
            "mmio_writes_per_burst": stores / calls, "most_mmio_writes": most, "mmio_reads_per_burst": loads / calls}
    return side
