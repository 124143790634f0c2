# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Back ends that restart under traffic, many times: each packet is delivered or counted by reason, nothing leaks, and the port is
there again at once.

SLUICE_TEST_RESTARTS=N is the number of restarts by a program on librte_vhost, over four kinds of ports (default: 40),
SLUICE_TEST_KILLS=N that of testpmds with net_vhost that are killed (default: 4)."""
import os
import re
import time

import pytest

from puppet import Puppet, VhostPeer
from testpmd import Testpmd, wait_for

pytestmark = pytest.mark.sluice
RESTARTS = int(os.environ.get("SLUICE_TEST_RESTARTS", "40"))
KILLS = int(os.environ.get("SLUICE_TEST_KILLS", "4"))
# Milliseconds, at the 99th percentile, and what a machine adds that does other things at the same time.
CONNECT_MS, PACKET_MS = 5, 20
NOISE = float(os.environ.get("SLUICE_TEST_NOISE", "3"))
LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
ROLES = pytest.mark.parametrize("role", ["client", "server"])  # the port's
# Buffers of some ten back ends: those of one that went are parked for 100 ms.
MBUFS, DESCRIPTORS = 8191, 256
EAL = ["--single-file-segments"]  # so many lie in more files than a back end takes


def percentile(values, share):
    values = sorted(values)
    return values[min(int(len(values) * share), len(values) - 1)]


@pytest.fixture
def life(folder):
    """A port with traffic through a back end that can restart."""
    running = []

    def start(role, packed, more=""):
        path = os.path.join(folder, "v.sock")
        front = Puppet(EAL)
        running.append(front)
        devargs = "path=%s,packed_vq=%d%s" % (path, packed, more)
        if role == "client":
            running.append(VhostPeer("server", path))
        front.open(0, devargs + (",server=1" if role == "server" else ""), MBUFS, DESCRIPTORS)
        if role == "server":
            running.append(VhostPeer("client", path))
        front.wait_up(0)
        return front, running[-1]
    yield start
    for process in running:
        process.kill()


def lost(front, way):
    """Packets of which the port says that they are lost, by whatever reason"""
    return sum(value for name, value in front.do("xstats", 0).items() if re.match(way + "_.*lost.*packets", name))


def settle(front, peer):
    """No more packets are sent, and those on their way arrive."""
    front.do("poll", 0, -1)
    readings = []

    def quiet():
        readings.append((front.do("counts", 0), peer.counts()))
        time.sleep(0.05)
        return len(readings) > 2 and [dict(r[0], us=0) for r in readings[-2:]] == [dict(readings[-1][0], us=0)] * 2
    wait_for(quiet, 5, "quiet")
    return readings[-1]


def account(front, peer):
    """Each packet is delivered or counted."""
    mine, its = settle(front, peer)
    print(mine, its, "lost: tx", lost(front, "tx"), "rx", lost(front, "rx"))
    undelivered = mine["sent"] - its["came"]
    assert 0 <= undelivered <= lost(front, "tx"), "%d packets are missing, %d were counted" % (
        undelivered, lost(front, "tx"))
    # What the back end reads twice, or writes and nobody gets, are buffers that it uses after they were given back.
    assert its["bad"] == 0 and mine["bad"] == 0, "the back end read %d buffers that were not its own" % its["bad"]
    unseen = its["back"] - mine["received"]
    assert 0 <= unseen <= lost(front, "rx"), "%d packets of the back end are missing, %d were counted" % (
        unseen, lost(front, "rx"))


def at_rest(front):
    """Descriptors and maps, once they stay as they are; a sanitizer makes maps of its own"""
    readings = []

    def same():
        readings.append((front.fds(), 0 if "TSAN_OPTIONS" in os.environ else front.maps()))
        time.sleep(0.1)
        return len(readings) > 2 and readings[-1] == readings[-2] == readings[-3]
    wait_for(same, 10, "a process at rest")
    return readings[-1]


def say_times(times, name, goal):
    """A few values say nothing of the slowest; how long it may take that the goal speaks of."""
    values = [t[name] / 1000 for t in times]
    print("%s: p50 %.2f ms, p99 %.2f ms, goal %g ms" % (name, percentile(values, .5), percentile(values, .99), goal))
    return percentile(values, .99 if len(values) >= 100 else .75) <= goal * NOISE


@LAYOUTS
@ROLES
def test_restarts(life, role, packed):
    restart_often(*life(role, packed), role)


@LAYOUTS
def test_restarts_with_copies(life, packed):
    restart_often(*life("client", packed, ",isolation=copy"), "client")


def restart_often(front, peer, role):
    front.do("poll", 0, 0)
    peer.restart(3, 5)
    before = at_rest(front)
    times = peer.restart(max(RESTARTS // 4, 1), 10)
    in_time = say_times(times, "packet", PACKET_MS)
    in_time &= role == "server" or say_times(times, "connect", CONNECT_MS)
    after = at_rest(front)
    # A back end may tell the end of a connection up to a second late, and one of the first restarts be counted in before.
    assert all(now <= then for now, then in zip(after, before)), (before, after)
    account(front, peer)
    front.do("idle", 0)
    front.do("stop", 0)
    front.check_pool(0, 5)
    xstats = front.do("xstats", 0)
    assert xstats["device_failures"] == 0, xstats
    assert in_time, times


@ROLES
def test_killed(folder, role):
    """net_vhost, which has no time for a farewell."""
    path = os.path.join(folder, "v.sock")

    def start_back():
        back = Testpmd(["net_vhost0,iface=%s,client=%d" % (path, role == "server")])
        back.cmds("set fwd macswap retry", "start")
        return back
    front = Puppet(EAL)
    back = None
    ups = []
    try:
        if role == "client":
            back = start_back()
        front.open(0, "path=%s%s" % (path, ",server=1" if role == "server" else ""), MBUFS, DESCRIPTORS)
        front.do("poll", 0, 0)
        for _ in range(max(KILLS // 2, 1)):
            back = back or start_back()
            begin = time.monotonic()
            front.wait_up(0)
            ups.append({"link": int(1e6 * (time.monotonic() - begin))})
            seen = front.do("stats", 0)["ipackets"]
            wait_for(lambda s=seen: front.do("stats", 0)["ipackets"] > s + 1000, 10, "traffic")
            back.kill()
            back = None
            front.wait_up(0, False)
            if role == "client":
                os.unlink(path)  # a socket that nobody answers; net_vhost does not listen on it again
        # net_vhost looks at new connections once per second.
        print("link: p50 %.0f ms after testpmd's prompt" % (percentile([u["link"] for u in ups], .5) / 1000))
        front.do("idle", 0)
        front.do("stop", 0)
        front.check_pool(0, 5)
        mine = front.do("counts", 0)
        assert front.do("xstats", 0)["tx_lost_packets"] > 0, mine
    finally:
        front.kill()
        if back is not None:
            back.kill()
