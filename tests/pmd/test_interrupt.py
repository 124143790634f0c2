# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Rx interrupts: stock l3fwd-power sleeps when there is nothing to do, wakes for packets, and goes on over
back ends that die and come back."""
import os
import time

import pytest

from fake_backend import FEATURES, F_EVENT_IDX, bits
from frames import compare, read_pcap
from figures import run_app
from l3fwd import PROGRAM, L3fwd, Sleeper, make, routed, seed_of
from pair import Config, Pair, check_pool
from testpmd import Deadline, wait_for

pytestmark = pytest.mark.sluice
needs_l3fwd = pytest.mark.skipif(not os.path.exists(PROGRAM),
    reason="no l3fwd-power: run devtools/setup, then meson setup --reconfigure")
LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
# Fewer than a ring holds: l3fwd-power drops what it cannot send at once.
COUNT = 100


@pytest.fixture
def routers(folder):
    """A back end and l3fwd-power in place of the front end."""
    pairs = []

    def start(queues=1, **devargs):
        pair = Pair(Config("router", queues=queues, **devargs), folder, backend_first=False)
        pairs.append(pair)
        is_server = devargs.get("server") == 1
        if not is_server:
            pair.start_back()
        pair.front = L3fwd(pair.config.vdev(pair.path), queues)
        if is_server:
            wait_for(lambda: os.path.exists(pair.path), 10, "socket")
            pair.start_back(client=1)
        pair.front.wait_log("entering main interrupt loop", 30)
        pair.front.wait_log("sleeps until interrupt", 10)
        return pair
    yield start
    for pair in pairs:
        pair.kill()


def route(pair, seed):
    """Packets through the router and back, compared; how often each queue has woken its core."""
    mac = pair.front.address()
    queues = range(pair.config.queues)
    sent = [make(COUNT, seed << 8 | q) for q in queues]
    before = pair.rewind(sent)
    wakes = [pair.front.wakes(q) for q in queues]
    pair.back.cmd("start")
    try:
        wait_for(lambda: pair.back.stats(1)["TX-packets"] - before >= COUNT * len(queues), 10,
            "%d packets per queue through the router" % COUNT)
    except Deadline as error:
        raise pair.front.trouble(AssertionError, "%s; back end %s" % (error, pair.back.stats())) from None
    finally:
        pair.back.stop()
    # A transmit queue belongs to a lcore, so all comes back in the worker's, in the order of each queue.
    came = [f for q in queues for f in read_pcap(pair.pcap("out", q))]
    for frames in sent:
        compare([f for f in came if seed_of(f) == seed_of(frames[0])], [routed(f, mac) for f in frames])
    return [pair.front.wakes(q) - w for q, w in zip(queues, wakes)]


def idle_share(pair):
    """CPU time of the router's core while nothing happens, divided by that of a core of the back end, which polls: so
    it matters little who else wants the machine."""
    pair.back.cmd("start")
    begin = pair.front.cpu_ticks(0), pair.back.cpu_ticks(1)
    wait_for(lambda: pair.back.cpu_ticks(1) - begin[1] >= 50, 30, "CPU time for the back end")
    share = (pair.front.cpu_ticks(0) - begin[0]) / (pair.back.cpu_ticks(1) - begin[1])
    pair.back.stop()
    return share


@needs_l3fwd
@LAYOUTS
@pytest.mark.parametrize("mrg", [1, 0], ids=["mrg", "nomrg"])
def test_sleeps_and_wakes(routers, packed, mrg):
    pair = routers(packed_vq=packed, mrg_rxbuf=mrg)
    woken = []
    for seed in range(4):
        woken += route(pair, seed)
        time.sleep(0.2)
    # l3fwd-power looks around every 10 ms, which may find a packet first.
    assert sum(n > 0 for n in woken) >= 2, woken
    share = idle_share(pair)
    print("awake for %.1f %% of what polling takes" % (100 * share))
    assert share < 0.2, share
    pair.front.quit()
    check_pool(pair.back)


@needs_l3fwd
def test_each_queue_wakes_its_own_core(routers):
    pair = routers(queues=2)
    woken = []
    for seed in range(4):
        woken.append(route(pair, seed))
        time.sleep(0.2)
    assert min(map(sum, zip(*woken))) > 0, woken
    pair.front.quit()
    check_pool(pair.back)


@needs_l3fwd
@LAYOUTS
def test_back_end_dies_and_comes_back(routers, packed):
    """Who sleeps is woken by the end, and by the new begin; the descriptors stay, and work."""
    pair = routers(server=1, packed_vq=packed)
    woken = route(pair, 1)
    files = pair.front.fds()
    for seed in range(2, 5):
        time.sleep(0.2)
        before = pair.front.wakes()
        pair.back.kill()
        wait_for(lambda b=before: pair.front.wakes() > b, 5, "wake by the end of the back end")
        time.sleep(0.3)
        asleep = pair.front.wakes()
        assert asleep <= before + 2, "wakes go on without a back end"
        pair.start_back(client=1)
        wait_for(lambda a=asleep: pair.front.wakes() > a, 10, "wake by the new back end")
        woken += route(pair, seed)
    assert sum(n > 0 for n in woken) >= 2, woken
    assert pair.front.fds() == files
    pair.front.quit()


@LAYOUTS
@pytest.mark.parametrize("packets", [1, 3])
def test_no_wake_is_lost(folder, testpmds, packets, packed):
    """Packets that bounce between a back end that polls and a core that sleeps each time: whoever is not woken
    stops the game."""
    path = os.path.join(folder, "v.sock")
    back = testpmds(["net_vhost0,iface=%s,queues=1" % path])
    sleeper = Sleeper("net_sluice0,path=%s,packed_vq=%d" % (path, packed))
    try:
        wait_for(back.link_up, 10, "link")
        back.cmds("set fwd io", "set burst 1", "start tx_first %d" % packets)
        time.sleep(3)
        back.stop()
        seen = sleeper.quit()
    finally:
        sleeper.kill()
    print(seen)
    assert seen["wakes"] > 500, seen
    assert seen["lost"] == 0, seen


@LAYOUTS
def test_wakes_at_once(folder, packed):
    """From the call that sends to a packet in the hands of a core that slept; and while nothing comes it sleeps on."""
    path = os.path.join(folder, "v.sock")
    found = run_app("wake_time", ["net_vhost0,iface=%s,client=1" % path,
        "net_sluice0,path=%s,server=1,packed_vq=%d" % (path, packed)], [500])
    print(found)
    # The slowest say how busy the machine is with other things.
    assert found["p50_us"] < 100, found
    assert found["idle"] < 100, "%.2f %% of a core while nothing comes" % (found["idle"] / 100)


def drained(fd):
    try:
        return os.eventfd_read(fd)
    except BlockingIOError:
        return 0


@needs_l3fwd
@pytest.mark.parametrize("features", [FEATURES, FEATURES & ~bits(F_EVENT_IDX)], ids=["event", "noevent"])
def test_interrupts_are_hints(fake, features):
    """A back end that interrupts for nothing, fills the counter, or takes back what it wrote, gets at most its own
    port's core awake; and nobody waits for it at the end."""
    backend = fake(features=features)
    router = L3fwd("net_sluice0,path=" + backend.path)
    try:
        router.wait_log("sleeps until interrupt", 20)
        assert backend.calls[0] is not None and backend.calls[1] is None, backend.calls
        call = backend.calls[0]
        for value in (1, 1 << 40, 1):
            before = router.wakes()
            os.eventfd_write(call, value)
            wait_for(lambda b=before: router.wakes() > b, 5, "wake")
        for _ in range(20000):
            os.eventfd_write(call, 1)
            drained(call)
        os.eventfd_write(call, 0xfffffffffffffffe - drained(call))
        time.sleep(0.3)
        before = router.cpu_ticks(0)
        time.sleep(1)
        assert router.cpu_ticks(0) - before < 20, "the core does not sleep any more"
        before = router.wakes()
        backend.close()
        wait_for(lambda: router.wakes() > before, 5, "wake by the end of the back end")
        router.quit()
    finally:
        router.kill()
    assert backend.error is None


def test_polled_ports_have_no_call_descriptor(fake, testpmds):
    backend = fake()
    testpmds(["net_sluice0,path=" + backend.path], front=True)
    wait_for(backend.ready, 10, "DRIVER_OK")
    assert backend.calls == {0: None, 1: None}
