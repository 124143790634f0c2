#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""How fast a port comes up with net_vhost, with the plug-ins of two builds in one run (A B B A).

    tests/pmd/linkup.py BUILD_A BUILD_B [ROUNDS]

start    rte_eth_dev_start() until the link is up, the back end being there
stop     rte_eth_dev_stop()
restart  a new testpmd with net_vhost: from its socket's appearance to the first packet
connect  a new back end of librte_vhost: from its socket's appearance until the port connects
packet   the same: from its accept() to the first packet

Prints medians in milliseconds, and what they are of. Both builds run in the program of the build that SLUICE_BUILD names."""
import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time

from puppet import Puppet, VhostPeer
from testpmd import Testpmd, wait_for

ROUNDS = 30
NAMES = ("start", "stop", "restart", "connect", "packet")


def front_of(build):
    folder = os.path.join(os.path.abspath(build), "drivers")
    if not os.path.exists(os.path.join(folder, "librte_net_sluice.so")):
        sys.exit("%s: no plug-in" % folder)
    return Puppet(env={"LD_LIBRARY_PATH": folder})


def appearance(path, seen):
    while not os.path.exists(path):
        time.sleep(0.0005)
    seen.append(time.monotonic())


def measure_net_vhost(front, path, rounds, times):
    def back_end():
        return Testpmd(["net_vhost0,iface=" + path], args=["--forward-mode=txonly", "--auto-start"])
    back = back_end()
    try:
        front.open(0, "path=" + path, 2047, 256, start=False)
        for _ in range(rounds):
            times["start"].append(front.do("rise", 0)["us"] / 1000)
            times["stop"].append(front.do("stop", 0)["us"] / 1000)
        front.do("start", 0)
        front.do("poll", 0, -1)
        for _ in range(max(rounds // 10, 2)):
            back.kill()
            front.wait_up(0, False)
            os.unlink(path)
            before, seen = front.do("stats", 0)["ipackets"], []
            watcher = threading.Thread(target=appearance, args=(path, seen))
            watcher.start()
            back = back_end()
            wait_for(lambda b=before: front.do("stats", 0)["ipackets"] > b, 15, "a packet")
            end = time.monotonic()
            watcher.join()
            times["restart"].append(1000 * (end - seen[0]))
        front.do("idle", 0)
        for verb in ("stop", "close", "remove"):
            front.do(verb, 0)
    finally:
        back.kill()


def measure_librte_vhost(front, path, rounds, times):
    peer = VhostPeer("server", path)
    try:
        front.open(0, "path=" + path, 2047, 256)
        front.do("poll", 0, 0)
        for answer in peer.restart(max(rounds // 3, 2), 10):
            times["connect"].append(answer["connect"] / 1000)
            times["packet"].append(answer["packet"] / 1000)
        front.do("idle", 0)
    finally:
        peer.kill()


def measure(build, rounds, times):
    folder = tempfile.mkdtemp(prefix="slu")
    front = front_of(build)
    try:
        measure_net_vhost(front, os.path.join(folder, "n.sock"), rounds, times)
        measure_librte_vhost(front, os.path.join(folder, "l.sock"), rounds, times)
    finally:
        front.kill()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", nargs=2, metavar="BUILD")
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS, metavar="ROUNDS")
    options = parser.parse_args()
    builds, rounds = options.builds, options.rounds
    times = [{name: [] for name in NAMES} for _ in builds]
    for which in (0, 1, 1, 0):
        measure(builds[which], rounds, times[which])
    print("%-8s %10s %10s %7s %s" % ("ms", "A", "B", "B / A", "values"))
    for name in NAMES:
        a, b = (statistics.median(t[name]) for t in times)
        print("%-8s %10.2f %10.2f %7.2f %d, %d" % (name, a, b, b / a, len(times[0][name]), len(times[1][name])))


if __name__ == "__main__":
    main()
