#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Instructions per packet of every row of the path tables, and the reference that they are compared with.

    tests/perf/instructions.py             measure and print, beside the reference
    tests/perf/instructions.py --renew     measure and write tests/perf/instructions-*.json

The counts are exact and repeatable, for one compiler and one DPDK; the reference, one file per machine, names both.
What is built for x86-64 is counted by the trap flag; for aarch64 by a plug-in of the emulator that runs it
(devtools/lib/benchcount.py). SLUICE_BUILD names the build folder, and so the machine.
A row is one configuration of a port: instruction set, ring layout, in_order and mrg_rxbuf, and Rx checksum
offload (csum). Its two figures are those of one Tx row and one Rx row of the tables. 64 B packets, bursts of 32, queue 256;
and the default row on x86-64 also with small bursts, and with packets and completions that leave the batches; and packets
that ask for checksums, tags and segments, the call of rte_eth_tx_prepare() counted with the burst.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

import bench
import benchcount   # found by bench

REFERENCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions-%s.json" % bench.MACHINE)
MAY_GROW = 0.02

# (packed_vq, in_order, mrg_rxbuf, Rx checksum offload). The first two of a layout meet every row of the tables
# without the offload, and so do the last four with it; the one between is what a stock QEMU negotiates.
CONFIGS = [(1, 1, 1, 0), (1, 0, 0, 0), (0, 1, 1, 0), (0, 0, 0, 0), (0, 0, 1, 0),
    (1, 1, 1, 1), (1, 1, 0, 1), (0, 1, 1, 1), (0, 1, 0, 1)]
CASES = {"%s %s%s%s%s%s" % (isa, "packed" if packed else "split", " in_order" if in_order else "",
    " mrg" if mrg else "", " csum" if csum else "", copy): (isa, packed, in_order, mrg, csum)
    for copy in ("", " copy") for isa in bench.WIDTHS for packed, in_order, mrg, csum in CONFIGS}
# Mbufs whose buffers are pinned external ones (isolation=sealed).
CASES.update(("%s %s in_order mrg sealed" % (isa, layout), (isa, int(layout == "packed"), 1, 1, 0))
    for isa in bench.WIDTHS for layout in ("packed", "split"))
# What full batches of plain packets do not meet, on the default path of x86-64: further options of sluice-bench.
ODD = {
    "AVX2 packed in_order mrg, burst 1": ["--burst", "1"],
    "AVX2 packed in_order mrg, burst 4": ["--burst", "4"],
    "AVX2 packed in_order mrg, clones": ["--packets", "clones"],
    "AVX2 packed in_order mrg, shared": ["--packets", "shared"],
    "AVX2 packed in_order mrg, two pools": ["--packets", "pools"],
    "AVX2 packed in_order mrg, 3 segments": ["--segs", "3"],
    "AVX2 packed in_order mrg, 9000 bytes": ["--size", "9000", "--segs", "6"],
    "AVX2 packed mrg, out of order": ["--out-of-order"],
    "AVX2 packed in_order mrg sealed, burst 4": ["--burst", "4"],
}
if bench.MACHINE == "x86_64":
    CASES.update((case, ("AVX2", 1, int("in_order" in case), 1, 0)) for case in ODD)
# Packets that ask for something, rte_eth_tx_prepare() included, by each row of the Tx tables that looks at them.
ASKING = {"%s %s in_order mrg, Tx %s" % (isa, layout, kind): (isa, int(layout == "packed"), 1, 1, 0)
    for isa in bench.WIDTHS for layout in ("packed", "split")
    for kind in (("csum", "ipv4", "vlan", "tso") if (isa, layout) == ("AVX2", "packed") else ("ipv4",))}
# The same, and one of a real size, into and out of bounce buffers (isolation=copy).
ASKING.update(("%s %s in_order mrg copy, Tx ipv4" % (isa, layout), (isa, int(layout == "packed"), 1, 1, 0))
    for isa in bench.WIDTHS for layout in ("packed", "split"))
CASES.update(ASKING)
ODD.update((case, ["--packets", case.rsplit(" ", 1)[1]]) for case in ASKING)
# Received packets whose IPv4 headers are checked, beside the checksums that the device knows.
CHECKED = {"%s %s in_order mrg csum, Rx ipv4" % (isa, layout): (isa, int(layout == "packed"), 1, 1, 1)
    for isa in bench.WIDTHS for layout in ("packed", "split")}
ODD.update((case, ["--rx-ipv4", "--model", "n2"]) for case in CHECKED)
if bench.MACHINE == "x86_64":
    # Packets that no batch takes, and packets of batches that are too few for a group of sums.
    for burst in (1, 7):
        plain = "AVX2 packed in_order mrg csum burst %d" % burst
        CASES[plain] = CHECKED[plain + ", Rx ipv4"] = ("AVX2", 1, 1, 1, 1)
        ODD[plain] = ["--burst", str(burst)]
        ODD[plain + ", Rx ipv4"] = ["--burst", str(burst), "--rx-ipv4", "--model", "n2"]
CASES.update(CHECKED)
if bench.MACHINE == "x86_64":
    ODD["AVX2 packed in_order mrg copy, 1518 bytes"] = ["--size", "1518"]
    CASES["AVX2 packed in_order mrg copy, 1518 bytes"] = ("AVX2", 1, 1, 1, 0)


def compiler():
    """What the plug-in says of the compilers that made it."""
    text = subprocess.run(["readelf", "-p", ".comment", bench.PLUGIN], check=True,
        stdout=subprocess.PIPE, text=True).stdout
    return sorted(line.split("]", 1)[1].strip() for line in text.splitlines() if "]" in line)


def dpdk():
    return subprocess.run(["pkg-config", "--modversion", "libdpdk"], check=True,
        stdout=subprocess.PIPE, text=True).stdout.strip()


def releases(compilers, version):
    """What counts go with: a distribution's update of the same release fixes bugs, and is no reason to look away."""
    return sorted(re.sub(r" *\(.*?\)", "", name) for name in compilers), version.split(".")[:2]


def other_compiler(then):
    return releases(then["compiler"], "")[0] != releases(compiler(), "")[0]


def why_not_comparable(then):
    """"" or why the counts of this build say nothing against that reference."""
    now = {"compiler": compiler(), "dpdk": dpdk()}
    if releases(then["compiler"], then["dpdk"]) == releases(now["compiler"], now["dpdk"]):
        return ""
    return "the reference is of %s, DPDK %s; this build of %s, DPDK %s" % (", ".join(then["compiler"]), then["dpdk"],
        ", ".join(now["compiler"]), now["dpdk"])


# glibc takes its memmove() by what the CPU has, and each has another count: the one that all CPUs have is counted.
SAME_LIBC = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX_Fast_Unaligned_Load,-ERMS"}


def by_trap_flag(json_path, *options):
    """The document of sluice-bench, and instructions per packet: the lap of the ring that took more."""
    document = bench.run(json_path, "--instructions", *options, **SAME_LIBC)
    return document, {way: document["rows"][0]["metrics"][way]["a_max"] for way in ("tx", "rx")}


def by_plugin(json_path, *options):
    """The same, of all laps."""
    counts = json_path + ".counts"
    document = bench.run(json_path, "--marks", *options, in_front=bench.emulator(counts))
    side = benchcount.side_of(document, benchcount.last_report(counts, 1), "a", 0)
    return document, {way: round(side[way]["instructions"], 4) for way in ("tx", "rx")}


COUNTER = {"x86_64": by_trap_flag, "aarch64": by_plugin}[bench.MACHINE]


def cannot_count():
    """"" or why not."""
    return bench.cannot_emulate() if COUNTER is by_plugin else ""


def isolation(case):
    return next((level for level in ("copy", "sealed") if level in case.split(",")[0].split()), "scoped")


def measure(case, folder, counter=COUNTER):
    """{"tx": count, "rx": count, "tx_path": ..., "rx_path": ...} of one case."""
    isa, packed, in_order, mrg, csum = CASES[case]
    # net_ring as the other side: the cheapest one to count, and it needs no device.
    document, found = counter(os.path.join(folder, re.sub(r"\W+", "_", case) + ".json"),
        "--b", "net_ring", "--simd", str(bench.WIDTHS[isa]), *(["--rx-csum"] if csum else []),
        "--a-args", "packed_vq=%d,in_order=%d,mrg_rxbuf=%d,isolation=%s" % (packed, in_order, mrg,
            isolation(case)), *ODD.get(case, []))
    row = document["rows"][0]
    assert row["complete"], row
    side = row["a"]
    assert side["sent"] == side["seen"] and side["produced"] == side["received"], side
    for way in ("tx", "rx"):
        name = side[way + "_mode"].split(",")[0].split()
        # 512 bits are of no use there.
        row_isa = "AVX2" if (isa, packed, way, isolation(case)) == ("AVX512", 1, "tx", "copy") else isa
        assert name[:2] == ["Sluice", row_isa], "%s: the port took the path '%s'" % (case, side[way + "_mode"])
        found[way + "_path"] = " ".join(name[1:])
    return found


# In the reference, of a case that no computer was at hand for.
UNCOUNTED = {"tx": None, "rx": None}


def reference():
    with open(REFERENCE, encoding="ascii") as file:
        return json.load(file)


def grown(now, then):
    """Names of the figures of a case that are too high; of one that nobody counted yet, none."""
    return [way for way in ("tx", "rx") if then[way] and now[way] > then[way] * (1 + MAY_GROW)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="write the reference")
    renew = parser.parse_args().renew
    why = cannot_count()
    if why:
        sys.exit(why)
    try:
        document = reference()
        old, foreign = document["cases"], other_compiler(document)
    except (OSError, ValueError, KeyError):
        old, foreign = {}, False
    cases, bad = {}, []
    with tempfile.TemporaryDirectory(prefix="sluice-perf-") as folder:
        for case, config in CASES.items():
            if not bench.cpu_has(config[0]):
                # It keeps what another computer counted, or waits for one.
                cases[case] = old.get(case, UNCOUNTED)
                print("%-37s not on this CPU" % case)
                continue
            now = cases[case] = measure(case, folder)
            then = old.get(case)
            print("%-37s Tx %7.2f%s   Rx %7.2f%s" % (case, now["tx"],
                " (%7.2f)" % then["tx"] if then and then["tx"] else "", now["rx"],
                " (%7.2f)" % then["rx"] if then and then["rx"] else ""), flush=True)
            bad += [case] if then and grown(now, then) else []
    if renew:
        with open(REFERENCE, "w", encoding="ascii") as file:
            json.dump({"compiler": compiler(), "dpdk": dpdk(), "cases": cases}, file, indent=1)
            file.write("\n")
    elif bad and foreign:
        print("the reference is of another compiler, so these say nothing: %s" % ", ".join(bad))
    elif bad:
        sys.exit("more than %.0f %% above the reference: %s" % (100 * MAY_GROW, ", ".join(bad)))


if __name__ == "__main__":
    main()
