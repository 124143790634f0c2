# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Buffers that a port gave back belong to the application: no back end that is late, or wrong between two bursts, writes to
them. The application takes all buffers that there are, fills them with a pattern and looks at it later."""
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

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


class Port:
    """A port with a scripted back end, set up."""

    def __init__(self, front, number, folder, packed, **how):
        features = FEATURES if packed else FEATURES & ~bits(F_RING_PACKED)
        self.front, self.number = front, number
        self.backend = FakeBackend(os.path.join(folder, "%d.sock" % number), features=features, **how)
        self.do("probe", "path=%s,packed_vq=%d" % (self.backend.path, packed))
        self.do("setup", MBUFS, DESCRIPTORS)

    def do(self, verb, *args):
        return self.front.do(verb, self.number, *args)

    def call(self, verb):
        return self.front.call(verb, self.number)

    def stop(self):
        """How long that took, in microseconds"""
        self.do("idle")
        return self.call("stop")["us"]

    def fill(self):
        """The application uses all buffers that it can get; how many."""
        owned = self.call("fill")["ret"]
        assert owned > 0
        return owned

    def look(self):
        """Into what it uses."""
        damaged = self.call("check")["ret"]
        self.do("free")
        assert damaged == 0, "%d buffers of the application are damaged" % damaged

    def watch(self, seconds):
        self.fill()
        time.sleep(seconds)
        self.look()

    def flowing(self):
        self.do("start")
        self.do("poll", -1)
        wait_for(lambda: self.backend.now.traffic is not None and self.backend.now.traffic.moved > 4, 5, "packets")

    def end(self):
        self.backend.close()
        for verb in ("stop", "close", "remove"):
            self.call(verb)


@pytest.fixture
def ports(front, folder):
    """Runs a test with several ports at once, since most of it is waiting: on split rings the even ones, on packed ones the
    odd ones."""
    running = []

    def life(item):
        test, number, args, how = item
        running.append(Port(front, number, folder, number % 2, **how))
        test(running[-1], *args)
        assert running[-1].backend.error is None, running[-1].backend.error

    def run(test, *cases):
        """cases: (arguments of the test, those of the back end)"""
        items = [(test, 2 * i + packed) + case for i, case in enumerate(cases) for packed in (0, 1)]
        with ThreadPoolExecutor(len(items)) as pool:
            futures = [pool.submit(life, item) for item in items]
        bad = ["port %d (%s) %s: %s" % (item[1], "packed" if item[1] % 2 else "split", item[2],
            str(future.exception()).splitlines()[0])
            for item, future in zip(items, futures) if future.exception()]
        assert not bad, "\n".join(bad)
    yield run
    for port in running:
        port.end()


def in_time(us):
    assert us < 1e6 * (BOUNDS["stop"] + SLACK), "stop took %g s" % (us / 1e6)


def test_control(ports):
    """A good back end moves packets, stops when it is told, and the pattern stays."""
    def life(port):
        port.do("start")
        port.front.wait_up(port.number)
        port.do("poll", 64)
        wait_for(lambda: port.do("counts")["received"] > 1000, 10, "packets")
        port.do("poll", -1)
        wait_for(lambda: port.do("counts")["sent"] == port.do("counts")["received"], 5, "all packets back")
        us = port.stop()
        assert port.do("counts")["bad"] == 0
        assert port.fill() == MBUFS
        time.sleep(0.3)
        port.look()
        in_time(us)
    ports(life, ((), dict(traffic="echo")))


def test_failed_start(ports):
    """The receive ring was already in use when the start failed at another one."""
    def life(port, seconds):
        assert port.call("start")["ret"] < 0
        port.watch(seconds)
        wait_for(lambda: port.backend.connections[0].is_over, 5, "end of file for the back end")
        port.front.check_pool(port.number, PARKED)
    ports(life, *[((seconds,), dict(traffic="drip", is_eager=True,
        faults=[Fault("SET_VRING_ENABLE", how, ring=1, seconds=7)])) for how, seconds in (("refuse", 1), ("late", 3))])


def test_stop(ports):
    """Silent or late: the port cuts the connection, and the back end does not look. Stubborn: it has said that it
    stopped, and goes on."""
    def life(port, how):
        port.flowing()
        if how != "stubborn":
            port.backend.faults = [Fault(step, how, seconds=4) for step in ("GET_VRING_BASE", "SET_VRING_ENABLE")]
        us = port.stop()
        port.watch(3)
        in_time(us)
    ports(life, *[((how,), dict(traffic="drip", is_stubborn=how == "stubborn"))
        for how in ("silent", "late", "stubborn")])


def test_holding(ports):
    """The back end has taken all buffers, is late, writes, and closes its connection: what it holds is kept back until then; or
    for a time, if it does not even close."""
    def life(port, ends):
        backend = port.backend
        port.do("start")
        wait_for(lambda: backend.now.traffic is not None and len(backend.now.traffic.held) == DESCRIPTORS, 5, "buffers")
        connection, traffic = backend.now, backend.now.traffic
        backend.faults = [Fault(step, "silent") for step in ("GET_VRING_BASE", "SET_VRING_ENABLE")]
        us = port.stop()
        port.fill()
        time.sleep(0.5)
        assert traffic.scribble() >= DESCRIPTORS
        port.look()
        if ends:
            connection.end()  # meanwhile the port may have a new one
        port.front.check_pool(port.number, 5 if ends else PARKED)
        assert ends or port.do("xstats").get("unacked_buffers", 0) >= DESCRIPTORS
        in_time(us)
    ports(life, *[((ends,), dict(traffic="hold")) for ends in (True, False)])


@pytest.fixture
def stopped(folder):
    """A front end whose back end was in the middle of a burst, and then stopped; and how long its own stop took."""
    running = []

    def start(packed):
        path = os.path.join(folder, "v.sock")
        back = Testpmd(["net_vhost0,iface=" + path])
        running.append(back)
        front = Puppet()
        running.append(front)
        front.open(0, "path=%s,packed_vq=%d" % (path, packed), MBUFS, DESCRIPTORS)
        front.wait_up(0)
        front.do("poll", 0, -1)
        back.cmds("set fwd txonly", "start")
        wait_for(lambda: front.do("stats", 0)["ipackets"] > 1000, 5, "packets")
        back.suspend()
        front.do("idle", 0)
        return front, back, front.call("stop", 0)["us"]
    yield start
    for process in running:
        process.kill()


@LAYOUTS
def test_net_vhost_stopped(stopped, packed):
    """It goes on before the time is over: what it finishes is kept back."""
    front, back, us = stopped(packed)
    assert front.call("fill", 0)["ret"] > 0
    back.process.send_signal(signal.SIGCONT)
    time.sleep(1)
    damaged = front.call("check", 0)["ret"]
    front.do("free", 0)
    assert damaged == 0, "%d buffers of the application are damaged" % damaged
    front.check_pool(0, PARKED)
    in_time(us)


@LAYOUTS
def test_net_vhost_takes_nothing_new(stopped, packed):
    """It goes on when all buffers are back: it may finish the copies of its burst, and finds nothing else."""
    front, back, us = stopped(packed)
    front.check_pool(0, PARKED)
    assert front.call("fill", 0)["ret"] == MBUFS
    back.process.send_signal(signal.SIGCONT)
    time.sleep(1)
    damaged = front.call("check", 0)["ret"]
    print("%d buffers were written by the burst under way" % damaged)
    assert damaged <= BURST, "%d buffers, more than a burst" % damaged
    back.cmd("show port stats 0")
    front.do("free", 0)
    assert front.do("xstats", 0).get("unacked_buffers", 0) > 0, "buffers went back and were not counted"
    in_time(us)
