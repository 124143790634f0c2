# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Interrupts: stock l3fwd-power sleeps on the PCI port and wakes for packets, with vectors of its own, with
one vector, with INTx; and a change of the link is an event by the interrupt alone."""
import os
import time

import pytest

from frames import compare
from guest import BUILD, GuestL3fwd, GuestSleeper, Peer
from l3fwd import SLEEPER, make, routed
from machine import Machine
from tap import Tap, usable
from testpmd import wait_for
from vmqemu import Nic

pytestmark = pytest.mark.sluice
needs_l3fwd = pytest.mark.skipif(not os.path.exists(os.path.join(BUILD, "app", "examples", "l3fwd-power")),
    reason="no l3fwd-power: run devtools/setup, then meson setup --reconfigure")

# {name: (properties, vector of the receive queue)}; the vector of the device is 0.
KINDS = {
    "split": ("", 1),
    "packed": ("packed=on", 1),
    "split-noevent": ("event_idx=off", 1),
    "packed-noevent": ("event_idx=off,packed=on", 1),
    "nomrg": ("mrg_rxbuf=off", 1),
    "two-vectors": ("vectors=2", 1),
    "one-vector": ("vectors=1", 0),
    "intx": ("vectors=0", "intx"),
}
MACHINE = Machine("interrupt", {name: props for name, (props, _) in KINDS.items()}, add=[SLEEPER])
# {name: (properties, vectors of the four receive queues)}
QUEUES = 4
QUEUE_KINDS = {
    "four": ("mq=on,vectors=10", [1, 2, 3, 4]),
    "four-packed": ("mq=on,vectors=10,packed=on", [1, 2, 3, 4]),
    "four-few-vectors": ("mq=on,vectors=3", [1, 2, 0, 0]),
}
QUEUES_MACHINE = Machine("interrupt-queues", {name: Nic(props, Tap(QUEUES))
    for name, (props, _) in QUEUE_KINDS.items()}, cpus=QUEUES)
ROUNDS, COUNT = 15, 20
# What the control thread of a port waits between two looks at the device when there is no interrupt, in seconds.
LOOK = 1.0


@needs_l3fwd
@pytest.mark.parametrize("nic", KINDS)
def test_sleeps_and_wakes(boot, nic):
    guest = boot(MACHINE)
    vector = KINDS[nic][1]
    router = guest.program(GuestL3fwd, nic)
    peer, mac = Peer(guest.nics[nic]), router.address()
    wakes, before = router.wakes(), guest.interrupts(nic)[vector]
    for seed in range(ROUNDS):
        frames = make(COUNT, seed)
        compare(peer.echo(frames), [routed(frame, mac) for frame in frames])
        time.sleep(0.05)
    # l3fwd-power looks around every 10 ms, which may find a packet first.
    wait_for(lambda: router.wakes() - wakes >= ROUNDS / 3, 5, "wake by packets")
    # A core that is awake asks for none.
    assert ROUNDS / 3 <= guest.interrupts(nic)[vector] - before < ROUNDS * COUNT
    begin = router.cpu_ticks(), time.monotonic()
    time.sleep(3)
    share = (router.cpu_ticks() - begin[0]) / 100 / (time.monotonic() - begin[1])
    assert share < 0.3, "the core is awake for %.0f %% of the time" % (100 * share)
    print("awake for %.1f %%" % (100 * share))
    guest.verdict(nic)
    router.quit()


@needs_l3fwd
@pytest.mark.skipif(not usable(), reason="tap devices take root and /dev/net/tun")
@pytest.mark.parametrize("nic", QUEUE_KINDS)
def test_each_queue_wakes_its_core(boot, nic):
    """Each core sleeps on one queue, and is woken by that queue's vector; without one of its own by the device's."""
    guest = boot(QUEUES_MACHINE)
    vectors = QUEUE_KINDS[nic][1]
    router = guest.program(GuestL3fwd, nic, QUEUES)
    peer, mac = Peer(guest.nics[nic]), router.address()
    peer.drain()
    before = guest.interrupts(nic)
    for seed in range(ROUNDS):
        frames = make(8 * QUEUES, seed, flows=8 * QUEUES)
        got = peer.echo(frames)
        assert sorted(got) == sorted(routed(frame, mac) for frame in frames)
        time.sleep(0.05)
    for queue in range(QUEUES):
        wait_for(lambda q=queue: router.wakes(q) >= 3, 5, "wakes of queue %d" % queue)
    after = guest.interrupts(nic)
    for vector in set(vectors):
        assert after[vector] - before[vector] >= 3, (before, after)
    guest.verdict(nic)
    router.quit()


@pytest.mark.parametrize("nic", KINDS)
def test_no_wake_is_lost(boot, nic):
    """Ping-pong with a core that sleeps: whoever is not woken stops the game. The pause before each frame gives
    the core the time to fall asleep; on a busy machine it is often too short."""
    guest = boot(MACHINE)
    sleeper = guest.program(GuestSleeper, nic)
    frames, peer, got = make(300), Peer(guest.nics[nic]), []
    for frame in frames:
        time.sleep(0.005)
        got += peer.echo([frame])
    compare(got, frames)
    guest.verdict(nic)
    seen = sleeper.quit()
    print(seen)
    assert seen["wakes"] > 20 and seen["lost"] == 0, seen


@pytest.mark.parametrize("nic,vector", [("split", 0), ("packed", 0), ("one-vector", 0), ("intx", "intx")])
def test_link_event_comes_by_interrupt(boot, nic, vector):
    """One interrupt each, and sooner than the control thread looks by itself."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    waited, changes = 0, 8
    for nth in range(1, changes + 1):
        before = guest.interrupts(nic)[vector]
        begin = time.monotonic()
        guest.vm.qmp("set_link", name=guest.nics[nic].id, up=nth % 2 == 0)
        wait_for(lambda n=nth: testpmd.log().count("link state change event") >= n, 20, "event %d" % nth)
        waited += time.monotonic() - begin
        assert guest.interrupts(nic)[vector] - before == 1
    # Without interrupts half of a look each, on average.
    assert waited < changes * LOOK / 4, "%.2f s for %d events" % (waited, changes)
    print("%.3f s per event" % (waited / changes))
    guest.close(testpmd, nic)
