#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Instructions that burst functions take for a MiB of TCP, one stream with TSO and LRO between two interfaces of a guest's
kernel: stock testpmd forwards, with net_sluice and with net_virtio_user in turn.

    tests/vm/tcp_cost.py [TURNS]        (2; each is A B B A) root

Counted by a plug-in of QEMU (plugin/count.c) between marks that shim/marked_bursts.c puts around the calls: exact, and
without polls that find nothing. What TCP makes of the stream, and so the packets, differs from time to time.
"""
import argparse
import os
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, *up) for up in ((), ("..", "pmd"), ("..", "..", "devtools", "lib"))]
import benchcount  # noqa: E402 (found by the line above)
import vmfetch  # noqa: E402
import vmimage  # noqa: E402
from kernel import load  # noqa: E402
from machine import RESULTS, Guest, Machine  # noqa: E402
from side import send  # noqa: E402
from test_vm_kernel_traffic import Forwarder  # noqa: E402

MEGABYTES = 8
COUNTS = os.path.join(RESULTS, "tcp-cost.counts")
CALLS = ("rx", "prepare", "tx")


def shim():
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return vmimage.compiled("marked_bursts.so", os.path.join(HERE, "shim", "marked_bursts.c"), [benchcount.MARKS], "-O2", "-fPIC",
        "-shared", *shlex.split(flags), "-I", os.path.dirname(benchcount.MARKS))


def measure(guest, driver):
    """{call: (calls, instructions)}, packets that the ports received"""
    forwarder = Forwarder(guest, offloads=True, driver=driver, lcores="0@0,1@0",
        wrap="exec env LD_PRELOAD=/usr/bin/marked_bursts.so %s")
    for side in forwarder.sides:
        # Packets are as large as on a computer that is not emulated, where the other end is near.
        side.run("echo 20 >/proc/sys/net/ipv4/tcp_tso_rtt_log")
    send(*forwarder.sides, 5001, MEGABYTES)
    testpmd = forwarder.testpmd
    testpmd.stop()
    packets = [testpmd.stats(port)["RX-packets"] for port in (0, 1)]
    with open(COUNTS, encoding="ascii") as file:
        nb_before = len(file.readlines())
    testpmd.cmd("port stop 0")
    with open(COUNTS, encoding="ascii") as file:
        buckets, interrupted = benchcount.report_of(file.readlines()[nb_before])
    forwarder.end()
    guest.after_test()
    # What interrupts is the kernel, whose code does not count; there are no other programs that work.
    return {call: tuple(buckets[number][i] + interrupted[number][i] for i in (0, 1)) for number, call in enumerate(CALLS)}, packets


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("turns", nargs="?", type=int, default=2, metavar="TURNS")
    turns = parser.parse_args().turns
    os.makedirs(RESULTS, exist_ok=True)
    guest = Guest(Machine("tcp-cost", {}, iommu="none", kernel=vmfetch.NEW_KERNEL, cpus=1, args=benchcount.plugin(COUNTS),
        add=[shim()]))
    totals = {"net_sluice": [], "net_virtio_user": []}
    try:
        load(guest)
        print("%-16s %8s %8s %8s %8s   packets" % (("instructions/MiB",) + CALLS + ("sum",)))
        for driver in ("net_sluice", "net_virtio_user", "net_virtio_user", "net_sluice") * turns:
            counted, packets = measure(guest, driver)
            each = [counted[call][1] / MEGABYTES for call in CALLS]
            totals[driver].append(sum(each))
            print("%-16s %8.0f %8.0f %8.0f %8.0f   %d + %d" % ((driver,) + tuple(each) + (sum(each),) + tuple(packets)), flush=True)
    finally:
        guest.stop()
    print("ratio of the means: %.2f" % (sum(totals["net_sluice"]) / sum(totals["net_virtio_user"])))


if __name__ == "__main__":
    main()
