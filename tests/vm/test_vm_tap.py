# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A tap device of the host as the peer: one queue pair, and four that the host spreads flows over."""
import re

import pytest

from frames import SMALL, compare
from guest import Peer, exchange, with_checksums
from machine import Machine, negotiated
from tap import Tap, usable
from testpmd import wait_for
from vmqemu import Nic

FLOWS, PER_FLOW = 64, 12
MQ = "mq=on,vectors=10"
MACHINE = Machine("tap", {"one": Nic("", Tap()), "one-packed": Nic("packed=on", Tap()),
    "four": Nic(MQ, Tap(4)), "four-packed": Nic(MQ + ",packed=on", Tap(4)),
    "four-few-vectors": Nic("mq=on,vectors=3", Tap(4))})
pytestmark = pytest.mark.skipif(not usable(), reason="tap devices take root and /dev/net/tun")


@pytest.mark.parametrize("nic", ["one", "one-packed"])
def test_one_queue_pair(boot, nic):
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    negotiated(guest, nic)
    for seed, mode in enumerate(("io", "mac", "csum")):
        exchange(testpmd, guest.nics[nic], mode, 200, SMALL, seed)
    guest.close(testpmd, nic)


def flow(frame):
    """By the UDP source port"""
    return frame[34:36]


@pytest.mark.parametrize("nic", ["four", "four-packed", "four-few-vectors"])
def test_four_queue_pairs(boot, nic):
    """The order within a flow holds, every queue has flows, and what came by a queue goes by that queue."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--rxq=4", "--txq=4", "--disable-rss"])
    negotiated(guest, nic)
    assert "VIRTIO_NET_F_MQ" in guest.features(nic)
    flows = [with_checksums(PER_FLOW, SMALL[4:], 1 + n, 1000 + n)[1] for n in range(FLOWS)]
    frames = [frame for turn in zip(*flows) for frame in turn]
    peer = Peer(guest.nics[nic])
    peer.drain()
    testpmd.cmds("set fwd io", "start")
    got = peer.echo(frames)
    testpmd.stop()
    assert len(got) == len(frames), testpmd.xstats()
    for sent in flows:
        compare([frame for frame in got if flow(frame) == flow(sent[0])], sent)
    stats = testpmd.xstats()
    received = [stats["rx_q%d_packets" % q] for q in range(4)]
    assert sum(received) == len(frames) and all(received), received
    assert [stats["tx_q%d_packets" % q] for q in range(4)] == received
    guest.close(testpmd, nic)


def waiting(testpmd, queues):
    """Packets that the device has put into each receive ring and nobody has taken"""
    text = testpmd.cmds(*["show port 0 rxq %d desc used count" % q for q in range(queues)])
    return [int(n) for n in re.findall(r"Used desc count = (\d+)", text)]


@pytest.mark.parametrize("nic", ["four", "four-packed"])
def test_more_queues_of_one_direction(boot, nic):
    """The device takes as many pairs as the larger number; what it steers into any pair that has a queue is there."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--rxq=4", "--txq=1", "--disable-rss"])
    negotiated(guest, nic)
    peer = Peer(guest.nics[nic])
    peer.drain()
    for n in range(32):
        peer.socket.send(with_checksums(1, SMALL[4:], 1 + n, 1000 + n)[1][0])
    wait_for(lambda: sum(waiting(testpmd, 4)) == 32, 20, "32 frames in four rings")
    assert all(waiting(testpmd, 4)), waiting(testpmd, 4)
    testpmd.cmds("port stop 0", "port config all rxq 1", "port config all txq 4", "port start 0")
    wait_for(testpmd.link_up, 10, "link with one receive queue")
    assert testpmd.xstats()["device_failures"] == 0
    guest.close(testpmd, nic)


@pytest.mark.parametrize("nic", ["one", "one-packed"])
def test_one_direction_only(boot, nic):
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--rxq=1", "--txq=0"])
    peer = Peer(guest.nics[nic])
    peer.drain()
    testpmd.cmds("set fwd rxonly", "start")
    for frame in with_checksums(20, SMALL[4:], 1, 1000)[1]:
        peer.socket.send(frame)
    wait_for(lambda: testpmd.stats()["RX-packets"] == 20, 20, "20 frames")
    testpmd.stop()
    testpmd.cmds("port stop 0", "port config all rxq 0", "port config all txq 1", "port start 0")
    wait_for(testpmd.link_up, 10, "link without a receive queue")
    testpmd.cmds("set fwd txonly", "start")
    wait_for(lambda: testpmd.stats()["TX-packets"] >= 1000, 20, "1000 packets")
    testpmd.stop()
    guest.close(testpmd, nic)
