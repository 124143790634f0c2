# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The application's pool runs dry and fills again: receiving must resume by itself.

The back end sends and never takes, so that the transmit ring keeps what was received; then it
takes, and the old frames come out first.
"""
import time

import pytest

from pair import Config
from testpmd import wait_for

pytestmark = pytest.mark.sluice
LAYOUTS = [0, 1]
NAMES = ["split", "packed"]


def tiny(packed, mbufs, size):
    # Without a cache every mbuf counts, and none is out of the driver's reach. testpmd wants more
    # than 1024 mbufs, so it is the rings that are large.
    return Config("tiny", packed_vq=packed, queue_size=size,
        front_args=["--total-num-mbufs=%d" % mbufs, "--mbcache=0", "--rxd=%d" % size,
            "--txd=%d" % size])


def starve(pair, held=1):
    """Lets the back end send without taking anything until the front end finds no mbuf and its
    transmit ring holds so many. The first refill that finds none may come long before: a receive
    ring that is larger than the pool has all of it from the start."""
    front, back = pair.front, pair.back
    before = front.stats()

    def starved():
        now = front.stats()
        return (now["RX-nombuf"] > before["RX-nombuf"]
            and now["TX-packets"] - before["TX-packets"] >= held)
    front.cmds("set fwd io", "start")
    back.cmds("set fwd txonly", "set txpkts 64", "start")
    try:
        wait_for(starved, 20, "no mbuf is left, %d are sent" % held)
    finally:
        back.stop()
        front.stop()


@pytest.mark.parametrize("packed", LAYOUTS, ids=NAMES)
def test_transmit_ring_holds_half_the_pool(new_pair, packed):
    """1600 mbufs for two rings of 1024: the refill finds nothing, later it does."""
    pair = new_pair(tiny(packed, 1600, 1024))
    for _ in range(2):
        starve(pair)
        pair.exchange_among_leftovers()
    pair.close()


@pytest.mark.parametrize("packed", LAYOUTS, ids=NAMES)
def test_transmit_ring_holds_the_whole_pool(new_pair, packed):
    """1100 mbufs, all of them in the transmit ring. An application that receives nothing calls no
    transmit, and receiving may not touch a queue of perhaps another core: what was sent comes
    back by rte_eth_tx_done_cleanup(), testpmd's `port cleanup`."""
    pair = new_pair(tiny(packed, 1100, 2048))
    front, back = pair.front, pair.back
    starve(pair, held=1100)
    assert front.pool()[0] == 0
    taken = pair.rewind([[]])
    back.cmd("start")
    wait_for(lambda: back.stats(1)["TX-packets"] - taken == 1100, 5, "back end takes all")
    back.stop()
    front.cmd("port cleanup 0 txq 0 0")
    assert front.pool()[0] == 1100
    pair.exchange_among_leftovers()
    pair.close()


@pytest.mark.parametrize("packed", LAYOUTS, ids=NAMES)
def test_ring_larger_than_the_pool(new_pair, packed):
    """A receive ring of 2048 that 1100 mbufs cannot fill still receives all that comes."""
    pair = new_pair(tiny(packed, 1100, 2048))
    front, back = pair.front, pair.back
    front.cmds("set fwd rxonly", "start")
    back.cmds("set fwd txonly", "start")
    wait_for(lambda: front.stats()["RX-packets"] > 20000, 10, "receiving")
    back.stop()
    front.stop()
    pair.close()


@pytest.mark.parametrize("asked", [0, 1])
@pytest.mark.parametrize("packed", LAYOUTS, ids=NAMES)
def test_a_silent_queue_gives_its_buffers_back(new_pair, packed, asked):
    """With idle_reclaim=1 what is out of the pool fits the receive ring; else the transmit ring has some, too."""
    size = 64
    pair = new_pair(Config("idle", packed_vq=packed, queue_size=size, idle_reclaim=asked,
        front_args=["--mbcache=0", "--rxd=%d" % size, "--txd=%d" % size]))
    front, back = pair.front, pair.back
    back.cmds("set fwd rxonly", "start")
    for _ in range(3):
        front.cmds("set fwd txonly", "start")
        wait_for(lambda: back.stats(0)["RX-packets"] > 1000, 10, "packets")
        front.stop()
        time.sleep(0.5)     # 100 ms are promised, on a machine that does nothing else
        available, mbufs = front.pool()
        assert (mbufs - available <= size) == bool(asked), "%d mbufs are out" % (mbufs - available)
    back.stop()
    pair.exchange()
    pair.close()
