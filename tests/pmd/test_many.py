# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Twenty ports of one process: one back end of each bad kind, at once, and the others do not notice."""
import os
import time

import pytest

from fake_backend import EACH, FakeBackend, Fault
from puppet import SLACK, Puppet, VhostPeer
from testpmd import wait_for

pytestmark = pytest.mark.sluice
PORTS, SECONDS = 20, 6
WINDOW = 32  # half of a ring, so that the back end always finds room for what it sends back
# Of a bad port in that time: a line or two for each try, and tries become rare.
LINES_MAX = 30
BAD = [
    Fault("GET_FEATURES", "silent"), Fault("SET_MEM_TABLE", "silent"), Fault("SET_VRING_KICK", "late"),
    Fault("SET_FEATURES", "close"), Fault("SET_VRING_ENABLE", "refuse"), Fault("SET_OWNER", "trailing"),
    Fault(EACH, "late", seconds=0.8), Fault("GET_FEATURES", "close"),
]
# Of them, that connect to a port that is a server, and come again at once.
CLIENTS = {3, 4, 7}


def open_bad(front, folder, port):
    path = os.path.join(folder, "b%d" % port)
    is_client = port in CLIENTS
    backend = None if is_client else FakeBackend(path)
    front.do("probe", port, "path=%s%s" % (path, ",server=1" if is_client else ""))
    front.do("setup", port, 255, 64)
    front.do("start", port)
    return backend or FakeBackend(path, is_client=True)


def test_neighbours(folder):
    good = range(len(BAD), PORTS)
    backends = []
    peer = front = None
    try:
        paths = [os.path.join(folder, "g%d" % port) for port in good]
        peer = VhostPeer("server", *paths)
        front = Puppet()
        for port in range(len(BAD)):
            backends.append(open_bad(front, folder, port))
        for port, path in zip(good, paths):
            front.open(port, "path=%s,packed_vq=%d" % (path, port % 2), 255, 64)
        for port in range(PORTS):
            front.wait_up(port)
            front.do("poll", port, WINDOW if port in good else -1)
        mark = len(front.log())
        for backend, fault in zip(backends, BAD):
            backend.faults = [fault]
            backend.hang_up()
        end = time.monotonic() + SECONDS
        slowest = 0
        while time.monotonic() < end:
            for port in range(PORTS):
                slowest = max(slowest, front.do("info", port)["us"], front.do("stats", port)["us"])
            time.sleep(0.2)
        lines = front.log()[mark:].splitlines()
        for backend, fault in zip(backends, BAD):
            assert len(backend.connections) > 1, "%s %s was not reached" % (fault.step, fault.how)
            said = sum(backend.path in line for line in lines)
            assert said <= LINES_MAX, "%s %s: %d lines in %d s" % (fault.step, fault.how, said, SECONDS)
        for port in good:
            front.do("poll", port, -1)
        for port in good:
            assert front.is_up(port)
            counts = wait_for(lambda p=port: all_back(front, p), 5, "packets of port %d" % port)
            assert counts["sent"] > 1000 and counts["missing"] == counts["bad"] == 0, counts
        assert slowest < SLACK * 1e6, "info or statistics took %g s" % (slowest / 1e6)
        for port in range(PORTS):
            front.do("idle", port)
            front.do("stop", port)
        for backend in backends:
            assert backend.error is None, backend.error
    finally:
        for process in (front, peer):
            if process is not None:
                process.kill()
        for backend in backends:
            backend.close()


def all_back(front, port):
    counts = front.do("counts", port)
    return counts if counts["sent"] == counts["received"] + counts["missing"] else None
