# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Step x behaviour x call: whatever a back end does, at any message, calls return within their bounds, and the next start
with an honest back end works. Most of it is waiting, so the cells of a table run at once, each with a port of its own.

SLUICE_TEST_FULL=1 runs each behaviour at each step; otherwise each step has the two that wait, and of the others
one in turn."""
import itertools
import os
import queue
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fake_backend import EACH, GARBAGE, FakeBackend, Fault
from puppet import BOUNDS, SLACK, Puppet
from testpmd import wait_for

pytestmark = pytest.mark.sluice
FULL = os.environ.get("SLUICE_TEST_FULL") == "1"
PORTS = 24
# For buffers that a back end may still write to; the guide names the bound.
PARKED = 15
WAITING, AT_ANSWER = ("silent", "late"), ("close", "refuse") + GARBAGE
# Only sent where the other side acknowledges, or has something to say: those can be refused.
QUERIES = {"GET_FEATURES", "GET_PROTOCOL_FEATURES", "GET_QUEUE_NUM", "GET_MAX_MEM_SLOTS", "GET_CONFIG", "GET_STATUS",
    "GET_VRING_BASE"}


def check(answer, verb):
    bound = BOUNDS[verb] + SLACK
    assert answer["us"] <= bound * 1e6, "%s took %.1f s of %g" % (verb, answer["us"] / 1e6, bound)
    return answer["ret"]


def timed(front, verb, port, *args):
    return check(front.call(verb, port, *args), verb)


def ask(front, port):
    """What never waits for a device."""
    for verb in ("info", "stats", "xstats"):
        assert timed(front, verb, port) == 0, verb


def start_again(front, port):
    """The next start with an honest back end; the first may still find the remains of the old one."""
    wait_for(lambda: timed(front, "start", port) == 0, 5, "start")
    front.wait_up(port)


def finish(front, port):
    assert timed(front, "stop", port) == 0
    front.check_pool(port, PARKED)
    assert timed(front, "close", port) == 0
    front.do("remove", port)


class Table:
    """Runs cells at once and says which of them failed."""

    def __init__(self, front, folder):
        self.front, self.folder = front, folder
        self.ports = queue.Queue()
        for port in range(PORTS):
            self.ports.put(port)
        self.serial = iter(range(1 << 30))

    def run_cell(self, life, fault, **how):
        port = self.ports.get(timeout=120)
        path = os.path.join(self.folder, "%d.sock" % next(self.serial))
        backend = None
        try:
            # As a client the port needs a back end to be probed, as a server the back end needs it.
            if how.get("is_client"):
                self.front.do("probe", port, "path=%s,server=1,packed_vq=%d" % (path, port % 2))
            backend = FakeBackend(path, **how)
            if not how.get("is_client"):
                self.front.do("probe", port, "path=%s,packed_vq=%d" % (path, port % 2))
            self.front.do("setup", port, 511, 128)
            life(self.front, port, backend, fault)
            assert backend.error is None, backend.error
            self.ports.put(port)
            return None
        except Exception as error:
            if backend is not None:
                backend.close()
            self.recover(port)
            return str(error).splitlines()[0]
        finally:
            if backend is not None:
                backend.close()

    def recover(self, port):
        """The port of a cell that failed is used again, unless it hangs."""
        for verb in ("stop", "close", "remove"):
            self.front.call(verb, port, timeout=60)
        self.ports.put(port)

    def run(self, life, cells):
        """cells: (fault, arguments of the back end)"""
        begin = time.monotonic()
        with ThreadPoolExecutor(PORTS) as pool:
            results = list(pool.map(lambda cell: self.run_cell(life, cell[0], **cell[1]), cells))
        bad = ["%s %s%s: %s" % (fault.step, fault.how, " (server)" if how else "", result)
            for (fault, how), result in zip(cells, results) if result is not None]
        print("%d cells in %.0f s, %d failed" % (len(cells), time.monotonic() - begin, len(bad)))
        assert self.front.process.poll() is None, self.front.log()[-3000:]
        assert not bad, "\n" + "\n".join(bad)


def faults(steps):
    """The cells of a table, without those that make no sense."""
    others = itertools.cycle(AT_ANSWER)
    for step in steps:
        hows = WAITING + (AT_ANSWER if FULL else (next(others), next(others)))
        for how in hows:
            if how != "refuse" or step not in QUERIES:
                yield Fault(step, how)


@pytest.fixture(scope="module")
def front():
    puppet = Puppet()
    yield puppet
    puppet.kill()


@pytest.fixture
def table(front, folder):
    return Table(front, folder)


@pytest.fixture(scope="module")
def steps(front, tmp_path_factory):
    """The messages of probe, start and stop, each once, learned from an honest life."""
    backend = FakeBackend(str(tmp_path_factory.mktemp("s") / "h.sock"))
    told = []
    try:
        for verb, args in (("probe", ["path=" + backend.path]), ("setup", [511, 128]), ("start", []), ("stop", [])):
            before = len(backend.messages)
            front.do(verb, PORTS, *args)
            told.append(list(dict.fromkeys(backend.messages[before:])))
        assert {"SET_FEATURES", "SET_MEM_TABLE", "SET_VRING_ADDR", "SET_VRING_ENABLE"} <= set(told[2]), told
        assert {"GET_FEATURES", "SET_PROTOCOL_FEATURES", "SET_OWNER"} <= set(told[0]), told
        assert "GET_VRING_BASE" in told[3], told
        yield dict(probe=told[0], start=told[2], stop=told[3])
        front.do("close", PORTS)
        front.do("remove", PORTS)
    finally:
        backend.close()


def starting(front, port, backend, fault):
    backend.faults = [fault]
    first = backend.now
    call = front.begin("start", port)
    wait_for(lambda: fault.step == EACH or fault.step in first.messages or call.is_over(), 5, fault.step)
    ask(front, port)
    ret = check(call.wait(), "start")
    if fault.how in ("silent", "late", "refuse"):
        assert ret < 0, "started against a back end that was %s" % fault.how
        # Nothing is left behind: the peer was told, or sees the end.
        wait_for(lambda: first.is_over or fault.how == "silent", 8, "end of the connection")
    backend.faults = []
    if ret == 0:
        timed(front, "stop", port)
    start_again(front, port)
    finish(front, port)


def test_start(table, steps):
    cells = [(fault, {}) for fault in faults(steps["start"])]
    cells += [(Fault("SET_VRING_ENABLE", how, ring=1), {}) for how in ("refuse", "late")]
    cells += [(Fault(EACH, "late", seconds=0.8), {})]
    table.run(starting, cells)


def stopping(front, port, backend, fault):
    start_again(front, port)
    backend.faults = [fault]
    call = front.begin("stop", port)
    ask(front, port)
    check(call.wait(), "stop")
    backend.faults = []
    start_again(front, port)
    finish(front, port)


def test_stop(table, steps):
    cells = [(fault, {}) for fault in faults(steps["stop"])]
    cells += [(Fault(EACH, "late", seconds=0.8), {})]
    table.run(stopping, cells)


def come_back(backend, fault):
    """The other side goes, and comes again with a fault, which it has reached then."""
    before = len(backend.connections)
    backend.faults = [fault]
    backend.hang_up()
    wait_for(lambda: any(fault.step == EACH or fault.step in connection.messages
        for connection in backend.connections[before:]), 10, "a connection with " + fault.step)


def reconnecting(front, port, backend, fault):
    """Twice the same: a stop and a close while the control thread is in the middle of it."""
    start_again(front, port)
    for verb in ("start", "close"):
        come_back(backend, fault)
        ask(front, port)
        timed(front, "stop", port)
        ask(front, port)
        if verb == "start":
            backend.faults = []
            start_again(front, port)
    assert timed(front, "close", port) == 0
    front.check_pool(port, PARKED)
    front.do("remove", port)


def test_reconnect(table, steps):
    """The other side comes back and misbehaves; half of the time as a client of a server port."""
    cells = [(fault, dict(is_client=True) if i % 2 else {})
        for i, fault in enumerate(faults(steps["probe"] + steps["start"]))]
    cells += [(Fault(EACH, "late", seconds=0.8), {})]
    table.run(reconnecting, cells)


def asking(front, port, backend, fault):
    """What needs the port, while the control thread waits for the other side"""
    start_again(front, port)
    for verb in ("promiscuous", "link"):
        come_back(backend, fault)
        assert timed(front, verb, port) == 0, verb
        backend.faults = []
        front.wait_up(port)
    finish(front, port)


def test_calls_while_it_reconnects(table, steps):
    table.run(asking, [(Fault(step, "silent"), {}) for step in steps["probe"] + steps["start"]
        if step in QUERIES or step == "SET_MEM_TABLE"])


def whole_life(folder, number, fault):
    """A process of its own: a probe that goes wrong, one that does not, and the end of the process while the
    back end is at fault again."""
    backend = FakeBackend(os.path.join(folder, "%d.sock" % number))
    front = Puppet(memory=32, own_files=True)
    try:
        backend.faults = [fault] if fault.step != "GET_VRING_BASE" else []
        ret = timed(front, "probe", 0, "path=" + backend.path)
        if backend.faults and fault.how in WAITING:
            assert ret < 0, "probed against a back end that was %s" % fault.how
        backend.faults = []
        if ret < 0:
            front.do("probe", 0, "path=" + backend.path)
        front.do("setup", 0, 511, 128)
        start_again(front, 0)
        before = len(backend.messages)
        backend.faults = [fault]
        if fault.step != "GET_VRING_BASE":
            backend.hang_up()
            wait_for(lambda: fault.step == EACH or fault.step in backend.messages[before:], 10, fault.step)
        timed(front, "cleanup", 0)
        # The process lives on, and what it used is not there any more.
        backend.hang_up()
        time.sleep(1)
        assert front.process.poll() is None, "died after rte_eal_cleanup(): %s" % front.process.poll()
        assert backend.error is None, backend.error
        return None
    except Exception as error:
        return "%s %s: %s" % (fault.step, fault.how, str(error).splitlines()[0])
    finally:
        front.kill()
        backend.close()


def test_probe_and_exit(folder, steps):
    cells = [Fault(step, how) for step in steps["probe"] + ["GET_VRING_BASE"] for how in WAITING + AT_ANSWER
        if how != "refuse" or step not in QUERIES]
    if not FULL:
        cells = [Fault("GET_FEATURES", "silent"), Fault("SET_OWNER", "late"), Fault("GET_QUEUE_NUM", "trailing"),
            Fault("GET_VRING_BASE", "silent")]
    cells.append(Fault(EACH, "late", seconds=1.5))
    with ThreadPoolExecutor(5) as pool:
        bad = [b for b in pool.map(lambda item: whole_life(folder, *item), enumerate(cells)) if b]
    assert not bad, "\n" + "\n".join(bad)
