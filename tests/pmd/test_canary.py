# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Buffers that a port gave back belong to the application: no back end that is late, or wrong between two bursts, writes to
them. The application takes all buffers that there are, fills them with a pattern and looks at it later."""
import os
import signal
import time

import pytest

from fake_backend import F_RING_PACKED, FEATURES, FakeBackend, Fault, bits
from puppet import BOUNDS, SLACK, Puppet
from testpmd import Testpmd, wait_for

pytestmark = pytest.mark.sluice
LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
# Seconds after which buffers go back whatever the back end does, and more: the guide names the bound.
PARKED = 15
BURST = 32
MBUFS, DESCRIPTORS = 511, 128


@pytest.fixture(scope="module")
def front():
    puppet = Puppet()
    yield puppet
    puppet.kill()


@pytest.fixture
def port(front, folder):
    """A port that has a back end, set up; closed and removed at the end."""
    backends = []

    def start(packed, **how):
        features = FEATURES if packed else FEATURES & ~bits(F_RING_PACKED)
        backends.append(FakeBackend(os.path.join(folder, "f.sock"), features=features, **how))
        front.do("probe", 0, "path=%s,packed_vq=%d" % (backends[0].path, packed))
        front.do("setup", 0, MBUFS, DESCRIPTORS)
        return backends[0]
    yield start
    for backend in backends:
        backend.close()
        for verb in ("stop", "close", "remove"):
            front.call(verb, 0)


def timed_stop(front):
    answer = front.call("stop", 0)
    assert answer["us"] < 1e6 * (BOUNDS["stop"] + SLACK), "stop took %g s" % (answer["us"] / 1e6)


def watch(front, seconds):
    """The application uses all that it can get, for some seconds; how many buffers it had."""
    owned = front.call("fill", 0)["ret"]
    assert owned > 0
    time.sleep(seconds)
    damaged = front.call("check", 0)["ret"]
    front.do("free", 0)
    assert damaged == 0, "%d of %d buffers of the application are damaged" % (damaged, owned)
    return owned


def flowing(backend):
    wait_for(lambda: backend.now.traffic is not None and backend.now.traffic.moved > 4, 5, "packets")


@LAYOUTS
def test_control(front, port, packed):
    """A good back end moves packets, stops when it is told, and the pattern stays."""
    backend = port(packed, traffic="echo")
    front.do("start", 0)
    front.wait_up(0)
    front.do("poll", 0, 64)
    flowing(backend)
    front.do("poll", 0, -1)
    wait_for(lambda: front.do("counts", 0)["sent"] == front.do("counts", 0)["received"], 5, "all packets back")
    front.do("idle", 0)
    assert front.do("counts", 0)["bad"] == 0
    timed_stop(front)
    assert watch(front, 0.3) == MBUFS
    assert backend.error is None, backend.error


@LAYOUTS
@pytest.mark.parametrize("how", ["refuse", "late"])
def test_failed_start(front, port, packed, how):
    """The receive ring was already in use when the start failed at another one."""
    backend = port(packed, traffic="drip", is_eager=True, faults=[Fault("SET_VRING_ENABLE", how, ring=1, seconds=8)])
    assert front.call("start", 0)["ret"] < 0
    watch(front, 1 if how == "refuse" else 4)
    assert backend.error is None, backend.error
    wait_for(lambda: backend.connections[0].is_over, 10, "end of file for the back end")
    front.check_pool(0, PARKED)


@LAYOUTS
@pytest.mark.parametrize("how", ["silent", "late", "stubborn"])
def test_stop(front, port, packed, how):
    """Silent or late: the port cuts the connection, and the back end does not look. Stubborn: it has said that it
    stopped, and goes on."""
    backend = port(packed, traffic="drip", is_stubborn=how == "stubborn")
    front.do("start", 0)
    front.do("poll", 0, -1)
    flowing(backend)
    if how != "stubborn":
        backend.faults = [Fault("GET_VRING_BASE", how, seconds=4), Fault("SET_VRING_ENABLE", how, seconds=4)]
    front.do("idle", 0)
    timed_stop(front)
    watch(front, 3)
    assert backend.error is None, backend.error


@LAYOUTS
@pytest.mark.parametrize("ends", [True, False], ids=["closes", "stays"])
def test_holding(front, port, packed, ends):
    """The back end has taken all buffers, is late, writes, and closes its connection: what it holds is kept back until then; or
    for a time, if it does not even close."""
    backend = port(packed, traffic="hold")
    front.do("start", 0)
    wait_for(lambda: backend.now.traffic and len(backend.now.traffic.held) == DESCRIPTORS, 5, "buffers")
    traffic = backend.now.traffic
    backend.faults = [Fault("GET_VRING_BASE", "silent"), Fault("SET_VRING_ENABLE", "silent")]
    timed_stop(front)
    owned = front.call("fill", 0)["ret"]
    time.sleep(0.5)
    assert traffic.scribble() >= DESCRIPTORS
    damaged = front.call("check", 0)["ret"]
    front.do("free", 0)
    assert damaged == 0, "%d of %d buffers of the application are damaged" % (damaged, owned)
    before = front.do("pool", 0)["available"]
    if ends:
        backend.hang_up()
    front.check_pool(0, 3 if ends else PARKED)
    print("%d buffers were kept back" % (MBUFS - before))
    assert front.do("xstats", 0)["unacked_buffers"] >= (0 if ends else DESCRIPTORS)


def stopped_peer(folder, packed):
    """A front end whose back end is in the middle of a burst, for ever."""
    path = os.path.join(folder, "v.sock")
    back = Testpmd(["net_vhost0,iface=" + path])
    front = Puppet()
    front.open(0, "path=%s,packed_vq=%d" % (path, packed), MBUFS, DESCRIPTORS)
    front.wait_up(0)
    front.do("poll", 0, -1)
    back.cmds("set fwd txonly", "start")
    wait_for(lambda: front.do("counts", 0)["received"] + front.do("counts", 0)["bad"] > 1000, 5, "packets")
    back.process.send_signal(signal.SIGSTOP)
    front.do("idle", 0)
    timed_stop(front)
    return front, back


@LAYOUTS
def test_net_vhost_stopped(folder, packed):
    """It goes on before the time is over: what it finishes is kept back."""
    front, back = stopped_peer(folder, packed)
    try:
        owned = front.call("fill", 0)["ret"]
        back.process.send_signal(signal.SIGCONT)
        time.sleep(1)
        damaged = front.call("check", 0)["ret"]
        front.do("free", 0)
        assert damaged == 0, "%d of %d buffers of the application are damaged" % (damaged, owned)
        front.check_pool(0, PARKED)
    finally:
        front.kill()
        back.kill()


@LAYOUTS
def test_net_vhost_takes_nothing_new(folder, packed):
    """It goes on when all buffers are back: it may finish the copies of its burst, and finds nothing else."""
    front, back = stopped_peer(folder, packed)
    try:
        front.check_pool(0, PARKED)
        assert front.call("fill", 0)["ret"] == MBUFS
        back.process.send_signal(signal.SIGCONT)
        time.sleep(1)
        damaged = front.call("check", 0)["ret"]
        print("%d buffers were written by the burst under way" % damaged)
        assert damaged <= BURST, "%d buffers, more than a burst" % damaged
        back.cmd("show port stats 0")
        front.do("free", 0)
        assert front.do("xstats", 0)["unacked_buffers"] > 0
    finally:
        front.kill()
        back.kill()
