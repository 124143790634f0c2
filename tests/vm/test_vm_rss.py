# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""RSS by the device: QEMU's, which hashes in its software, takes each flow to the queue that the table gives it. The
hash in the mbuf is the driver's, or the device's where it writes one; both are compared with the definition."""
import os
import re
import time

import pytest

from guest import BUILD, GuestL3fwd, Peer
from l3fwd import make, routed
from machine import Machine, negotiated
from tap import Tap, usable
from testpmd import wait_for
from toeplitz import KEY, TABLE, check, even, flows, hash_of, set_table, tuple_of
from vmqemu import Nic

MQ = "mq=on,vectors=10,rss=on"
MACHINE = Machine("rss", {"split": Nic(MQ, Tap(4)), "packed": Nic(MQ + ",packed=on", Tap(4)),
    "hash": Nic(MQ + ",hash=on", Tap(4)), "hash packed": Nic(MQ + ",hash=on,packed=on", Tap(4))}, cpus=4)
OTHER_KEY = bytes((7 * i + 1) & 0xff for i in range(40))
ADDRESSES = {"ports": (), "addresses": True}
pytestmark = pytest.mark.skipif(not usable(), reason="tap devices take root and /dev/net/tun")


def received(testpmd, nic, frames):
    """What testpmd prints of each packet that it receives: [(length, hash or None, queue)]"""
    peer, found = Peer(nic), []
    peer.drain()
    mark = len(testpmd.log())
    testpmd.cmds("set verbose 1", "set fwd rxonly", "start")

    def seen():
        found[:] = re.findall(r"length=(\d+) - nb_segs=1(?: - RSS hash=(0x\w+) - RSS queue=0x\w+)?.*?Receive queue=(0x\w+)",
            testpmd.log()[mark:], re.S)
        return len(found) >= len(frames)
    try:
        for frame in frames:
            peer.socket.send(frame)
        wait_for(seen, 60, "%d packets" % len(frames))
    finally:
        testpmd.stop()
        testpmd.cmd("set verbose 0")
    return [(int(length), int(text, 16) if text else None, int(queue, 16)) for length, text, queue in found]


def exact(testpmd, nic, table, key, **what):
    """Each of many flows comes in its queue, in order, with its hash. The queues of the interface have an order each, and
    no more. What has no hash is left out: that is the device's first queue's."""
    by_flow = {}
    for frame in flows(120):
        if hash_of(frame, key, **what) is not None:
            by_flow.setdefault(tuple_of(frame), []).append(frame)
    sent = list(by_flow.values())
    check(received(testpmd, nic, [frame for frames in sent for frame in frames]), sent, table, key, **what)


def comes_back(testpmd, nic):
    """Frames of many lengths are forwarded by it, as they were, whatever was in front of them."""
    peer = Peer(nic)
    peer.drain()
    sent = flows(60)
    testpmd.cmds("set fwd io", "start")
    got = peer.echo(sent)
    testpmd.stop()
    assert sorted(got) == sorted(sent)


@pytest.mark.parametrize("nic", ["split", "packed"])
def test_the_device_spreads(boot, nic):
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--rxq=4", "--txq=4", "--rss-ip", "--rx-offloads=0x80000"])  # RSS_HASH
    negotiated(guest, nic)
    assert "VIRTIO_NET_F_RSS" in guest.features(nic)
    mode = testpmd.burst_mode("rxq")
    assert "RSS hash" in mode and "spread" not in mode, mode
    exact(testpmd, guest.nics[nic], even(4), KEY, **ADDRESSES)
    # While the port runs: table, key, types.
    turned = [3 - i % 3 for i in range(TABLE)]
    set_table(testpmd, turned)
    exact(testpmd, guest.nics[nic], turned, KEY, **ADDRESSES)
    testpmd.cmds("port config 0 rss-hash-key ipv4 " + OTHER_KEY.hex(), "port config all rss ip")
    exact(testpmd, guest.nics[nic], turned, OTHER_KEY, **ADDRESSES)
    testpmd.cmd("port config all rss udp")
    exact(testpmd, guest.nics[nic], turned, OTHER_KEY, ports=(17,), addresses=False)
    # What the device has not is refused, and all stays.
    assert "sctp" not in testpmd.cmd("show port 0 rss-hash")
    testpmd.cmd("port config all rss sctp")
    assert "ipv4-udp" in testpmd.cmd("show port 0 rss-hash")
    exact(testpmd, guest.nics[nic], turned, OTHER_KEY, ports=(17,), addresses=False)
    assert testpmd.xstats()["device_failures"] == 0
    guest.close(testpmd, nic)


@pytest.mark.parametrize("nic", ["hash", "hash packed"])
def test_the_device_hashes(boot, nic):
    """The hash of the device is in the mbuf, beside checksums that are partial, and what is sent arrives: headers are
    longer in both directions."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--rxq=4", "--txq=4", "--rss-ip", "--rx-offloads=0x8000c"],  # RSS_HASH, UDP and TCP
        devargs="hash=1")
    negotiated(guest, nic)
    assert {"VIRTIO_NET_F_RSS", "VIRTIO_NET_F_HASH_REPORT"} <= guest.features(nic)
    assert "hash by the device" in testpmd.burst_mode("rxq"), testpmd.burst_mode("rxq")
    exact(testpmd, guest.nics[nic], even(4), KEY, **ADDRESSES)
    turned = [3 - i % 3 for i in range(TABLE)]
    set_table(testpmd, turned)
    testpmd.cmds("port config 0 rss-hash-key ipv4 " + OTHER_KEY.hex(), "port config all rss udp")
    exact(testpmd, guest.nics[nic], turned, OTHER_KEY, ports=(17,), addresses=False)
    comes_back(testpmd, guest.nics[nic])
    assert testpmd.xstats()["device_failures"] == 0
    guest.close(testpmd, nic)


def test_by_choice_software_does_it(boot):
    """rss=sw, and types that the device has not. Flow rules come along with it."""
    guest = boot(MACHINE)
    udp = [frame for frame in flows(60) if frame[12:14] == b"\x08\x00" and frame[23] == 17]
    for args, devargs in ((["--rss-ip"], "rss=sw"), (["--rss-ip", "--enable-rx-cksum"], "")):
        testpmd = guest.testpmd(["packed"], ["--rxq=4", "--txq=4"] + args, devargs=devargs)
        assert ("VIRTIO_NET_F_RSS" in guest.features("packed")) == (not devargs)
        assert ("spread" in testpmd.burst_mode("rxq")) == bool(devargs)
        said = testpmd.cmd("flow create 0 ingress pattern eth / ipv4 / udp / end actions queue index 2 / end")
        assert ("created" if devargs else "rss=sw leaves RSS and rules to software") in said, said
        if devargs:
            assert {queue for _, _, queue in received(testpmd, guest.nics["packed"], udp)} == {2}
        guest.close(testpmd, "packed")


@pytest.mark.skipif(not os.path.exists(os.path.join(BUILD, "app", "examples", "l3fwd-power")),
    reason="no l3fwd-power: run devtools/setup, then meson setup --reconfigure")
@pytest.mark.parametrize("nic", ["split", "packed"])
def test_the_right_core_wakes(boot, nic):
    """Software cannot wake a core that sleeps on another queue; the device does. Of the flows of a queue only its core
    hears."""
    guest = boot(MACHINE)
    router = guest.program(GuestL3fwd, nic, 4)
    assert "VIRTIO_NET_F_RSS" in guest.features(nic)
    peer, mac, frames = Peer(guest.nics[nic]), router.address(), make(400, flows=400)
    peer.drain()
    for queue in range(4):
        mine = [frame for frame in frames if hash_of(frame) % TABLE % 4 == queue][:30]
        before = [router.wakes(q) for q in range(4)]
        for frame in mine:
            assert peer.echo([frame]) == [routed(frame, mac)]
            time.sleep(0.01)
        # The core looks around by itself, too, and each wakes once when the port starts.
        wait_for(lambda q=queue, n=before[queue]: router.wakes(q) > n + 9, 5, "wakes of queue %d" % queue)
        after = [router.wakes(q) for q in range(4)]
        assert all(after[q] - before[q] <= 2 for q in range(4) if q != queue), (before, after)
    guest.verdict(nic)
    router.quit()
