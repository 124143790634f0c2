# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""One, two and four queue pairs; every one must move its own frames, in order."""
import re

import pytest

from frames import SMALL, compare, make
from pair import Config
from testpmd import VDEV, wait_for

# The back end's queues, without RSS, by which testpmd would have all of a flow in one.
CONFIGS = [Config("%s-%dq" % ("packed" if packed else "split", count), queues=count,
    front_args=["--disable-rss"], packed_vq=packed) for packed in (0, 1) for count in (1, 2, 4)]
over_all = pytest.mark.parametrize("shared_pair", CONFIGS, indirect=True, ids=lambda c: c.name)


@over_all
@pytest.mark.parametrize("mode", ["io", "macswap"])
def test_each_queue_keeps_its_frames(shared_pair, mode):
    """Every queue has frames of its own and an output of its own: a mix-up cannot hide."""
    shared_pair.exchange(mode, 400, SMALL)


@over_all
def test_queue_counters(shared_pair):
    count = shared_pair.config.queues
    before = shared_pair.front.xstats()
    shared_pair.exchange("io", 100, [60])
    after = shared_pair.front.xstats()
    for queue in range(count):
        for way in ("rx", "tx"):
            name = next(key for key in ("%s_q%d_packets" % (way, queue),
                "%s_q%d_good_packets" % (way, queue)) if key in after)
            assert after[name] - before[name] == 100, name


@over_all
def test_txonly_from_the_back_end_reaches_every_queue(shared_pair):
    front, back = shared_pair.front, shared_pair.back
    count = shared_pair.config.queues
    front.cmds("set fwd rxonly", "start")
    back.cmds("set fwd txonly", "start")

    def moved():
        text = front.cmd("show fwd stats all")
        return len(set(re.findall(r"RX Port= 0/Queue= ?(\d+)", text))) == count or (
            count == 1 and re.search(r"RX-packets: [1-9]", text))
    try:
        wait_for(moved, 5, "packets in each of %d queues" % count)
    finally:
        back.stop()
        front.stop()


over_many = pytest.mark.parametrize("shared_pair", [c for c in CONFIGS if c.queues > 1], indirect=True,
    ids=lambda c: c.name)


def queue_states(front, queue):
    """Of the receive and of the transmit queue."""
    return tuple(re.search("queue state: (\\w+)", front.cmd("show %sq info 0 %d" % (way, queue))).group(1)
        for way in ("rx", "tx"))


@over_many
def test_a_queue_that_is_stopped(shared_pair):
    """The others go on, and after its start it has all that is sent to it."""
    front, others = shared_pair.front, [[]] * (shared_pair.config.queues - 1)
    for _ in range(20):
        front.cmds("port 0 rxq 1 stop", "port 0 txq 1 stop")
        assert queue_states(front, 1) == ("stopped", "stopped")
        assert queue_states(front, 0) == ("started", "started")
        front.cmds("port 0 txq 1 start", "port 0 rxq 1 start")
        assert queue_states(front, 1) == ("started", "started")
    front.cmds("port 0 rxq 1 stop", "port 0 txq 1 stop")
    frames = make(200, SMALL)
    compare(shared_pair.send([frames] + others)[0], frames)
    front.cmds("port 0 rxq 1 start", "port 0 txq 1 start")
    shared_pair.exchange("io", 200, SMALL)


@over_many
def test_a_deferred_queue(shared_pair):
    """It waits for a start of its own, as often as the port is started."""
    front, others = shared_pair.front, [[]] * (shared_pair.config.queues - 1)
    front.cmds("port stop 0", "port 0 rxq 1 deferred_start on", "port 0 txq 1 deferred_start on")
    try:
        for _ in range(2):
            front.cmds("port start 0")
            shared_pair.wait_link()
            assert queue_states(front, 1) == ("stopped", "stopped")
            frames = make(200, SMALL)
            compare(shared_pair.send([frames] + others)[0], frames)
            front.cmds("port 0 rxq 1 start", "port 0 txq 1 start")
            shared_pair.exchange("io", 200, SMALL)
            front.cmds("port stop 0")
    finally:
        front.cmds("port 0 rxq 1 deferred_start off", "port 0 txq 1 deferred_start off", "port start 0")
        shared_pair.wait_link()
    shared_pair.exchange("io", 200, SMALL)


def test_queues_that_the_device_has_not(fake, testpmds):
    """What RSS gives packets to beside the queues of the device starts and stops as these do."""
    front = testpmds(["%s0,path=%s" % (VDEV, fake().path)], front=True, args=["--rxq=3", "--txq=1", "--rss-udp"])

    def states():
        return [re.search("queue state: (\\w+)", front.cmd("show rxq info 0 %d" % queue)).group(1) for queue in range(3)]
    assert states() == ["started"] * 3
    front.cmd("port 0 rxq 2 stop")
    assert states() == ["started", "started", "stopped"]
    front.cmds("port stop 0", "port start 0")
    assert states() == ["started"] * 3
    front.cmds("port stop 0", "port 0 rxq 2 deferred_start on", "port start 0")
    assert states() == ["started", "started", "stopped"]
    front.cmd("port 0 rxq 2 start")
    assert states() == ["started"] * 3
    front.quit()


@pytest.fixture
def uneven(shared_pair):
    """Restarts the front end with other numbers of queues."""
    def restart(nb_rx, nb_tx):
        shared_pair.front.cmds("port stop 0", "port config all rxq %d" % nb_rx, "port config all txq %d" % nb_tx,
            "port start 0")
        shared_pair.wait_link()
        return shared_pair
    yield restart
    count = shared_pair.config.queues
    restart(count, count)
    shared_pair.exchange("io", 200, SMALL)


@over_many
@pytest.mark.parametrize("nb_rx,nb_tx", [(1, 2), (2, 1)])
def test_more_queues_of_one_direction(uneven, shared_pair, nb_rx, nb_tx):
    uneven(nb_rx, nb_tx)
    frames = make(200, SMALL)
    result = shared_pair.send([frames] + [[]] * (shared_pair.config.queues - 1))
    compare(result[0], frames)
    if nb_rx < nb_tx:
        assert "1 receive queues for 2 queue pairs" in shared_pair.front.log()


@over_all
@pytest.mark.parametrize("nb_rx,nb_tx", [(1, 0), (0, 1)])
def test_one_direction_only(uneven, shared_pair, nb_rx, nb_tx):
    """What a capture, or a generator of packets, sets up."""
    pair = uneven(nb_rx, nb_tx)
    sender, receiver = (pair.back, pair.front) if nb_rx else (pair.front, pair.back)
    before = receiver.stats()["RX-packets"]
    receiver.cmds("set fwd rxonly", "start")
    sender.cmds("set fwd txonly", "start")
    try:
        wait_for(lambda: receiver.stats()["RX-packets"] > before + 1000, 5, "1000 packets in one direction")
    finally:
        sender.stop()
        receiver.stop()


@over_all
def test_fewer_queues_used_than_there_are(shared_pair):
    """A port with queues=4 whose application sets up one queue pair."""
    pair = shared_pair
    pair.front.cmds("port stop 0", "port config all rxq 1", "port config all txq 1",
        "port start 0")
    try:
        pair.wait_link()
        assert pair.front.info()["Current number of RX queues"] == "1"
        frames = make(200, SMALL)
        result = pair.send([frames] + [[]] * (pair.config.queues - 1))
        compare(result[0], frames)
    finally:
        pair.front.cmds("port stop 0", "port config all rxq %d" % pair.config.queues,
            "port config all txq %d" % pair.config.queues, "port start 0")
        pair.wait_link()
    pair.exchange("io", 200, SMALL)
