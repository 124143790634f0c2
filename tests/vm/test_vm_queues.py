# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Single queues that stop and start while the port runs; the device forgets their rings."""
import time

import pytest

from frames import SMALL
from guest import Peer, exchange, with_checksums
from machine import Machine
from tap import Tap, usable
from testpmd import wait_for
from vmqemu import Nic

MQ = "mq=on,vectors=10"
FORGETFUL = {"split": "", "packed": "packed=on"}
MACHINE = Machine("queues", dict(FORGETFUL, **{"keeping": "queue_reset=off"}))
FOUR = Machine("four-queues", {"four": Nic(MQ, Tap(4)), "four-packed": Nic(MQ + ",packed=on", Tap(4))})
FLOWS, PER_FLOW = 64, 12


def on_queue(testpmd, queue, word):
    testpmd.cmds("port 0 rxq %d %s" % (queue, word), "port 0 txq %d %s" % (queue, word))


def buffers_out(testpmd):
    free, total = testpmd.pool()
    return total - free


@pytest.mark.parametrize("nic", ["split", "packed", "keeping"])
def test_a_queue_starts_afresh(boot, nic):
    """Its buffers are back while it is stopped, if the device can forget a ring; then it has all that comes."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    peer = Peer(guest.nics[nic])
    exchange(testpmd, guest.nics[nic], count=50)
    full = buffers_out(testpmd)
    assert full > 0
    for seed in range(10):
        on_queue(testpmd, 0, "stop")
        assert (buffers_out(testpmd) == 0) == (nic in FORGETFUL), buffers_out(testpmd)
        # More than once is no more than once.
        on_queue(testpmd, 0, "stop")
        if nic in FORGETFUL:
            # And with another set-up: as large as it was at most.
            size = 64 << seed % 4
            testpmd.cmds("port config 0 rxq 0 ring_size %d" % size, "port config 0 txq 0 ring_size %d" % size)
            on_queue(testpmd, 0, "setup")
        on_queue(testpmd, 0, "start")
        exchange(testpmd, guest.nics[nic], count=100, seed=seed)
        if nic in FORGETFUL:
            assert "Number of RXDs: %d" % min(size, 256) in testpmd.cmd("show rxq info 0 0")
    if nic in FORGETFUL:
        # What came and nobody took goes with the ring.
        peer.socket.send(bytes(60))
        wait_for(lambda: "Used desc count = 1" in testpmd.cmd("show port 0 rxq 0 desc used count"), 10, "a frame")
        before = testpmd.xstats()["rx_lost_packets"]
        on_queue(testpmd, 0, "stop")
        assert testpmd.xstats()["rx_lost_packets"] == before + 1
        on_queue(testpmd, 0, "start")
        exchange(testpmd, guest.nics[nic], count=100)
    # A port that stops while its queue is, and starts with all of them.
    on_queue(testpmd, 0, "stop")
    testpmd.cmds("port stop 0", "port start 0")
    exchange(testpmd, guest.nics[nic], count=50)
    guest.close(testpmd, nic)


def send_slowly(peer, frames):
    """No faster than they are taken, whether they come back or not."""
    for i in range(0, len(frames), 16):
        for frame in frames[i:i + 16]:
            peer.socket.send(frame)
        time.sleep(0.05)
    time.sleep(0.5)
    peer.drain()


def received(testpmd):
    stats = testpmd.xstats()
    return [stats["rx_q%d_packets" % q] for q in range(4)]


@pytest.mark.skipif(not usable(), reason="tap devices take root and /dev/net/tun")
@pytest.mark.parametrize("nic", ["four", "four-packed"])
def test_the_others_go_on(boot, nic):
    """What the host steers into the other queues comes, as before and after."""
    guest = boot(FOUR)
    testpmd = guest.testpmd([nic], ["--rxq=4", "--txq=4", "--disable-rss"])
    flows = [with_checksums(PER_FLOW, SMALL[4:], 1 + n, 1000 + n)[1] for n in range(FLOWS)]
    frames = [frame for turn in zip(*flows) for frame in turn]
    peer = Peer(guest.nics[nic])
    peer.drain()
    testpmd.cmd("set fwd io")
    counts = [received(testpmd)]
    for word in (None, "stop", "start"):
        if word:
            assert "forwarding" not in testpmd.cmd("port 0 rxq 1 " + word)
        testpmd.cmd("start")
        send_slowly(peer, frames)
        testpmd.stop()
        counts.append(received(testpmd))
    first, while_stopped, after = ([b - a for a, b in zip(*counts[i:i + 2])] for i in range(3))
    assert sum(first) == len(frames) and first[1] > 0, counts
    assert while_stopped == [first[0], 0, first[2], first[3]], counts
    # The host may have kept what it steered there meanwhile.
    assert [after[0], after[2], after[3]] == [first[0], first[2], first[3]] and after[1] >= first[1], counts
    guest.close(testpmd, nic)
