# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Open vSwitch between two testpmds, with the driver on both of its sides: as its port, whose back end is net_vhost, and behind
a vhost-user port of it. Each side is killed and comes back, and every byte that comes through is compared."""
import itertools
import os
import time

import pytest

import ovs
from frames import compare, expected, l4_layers, make, packet
from pair import Config, Pair
from test_tx_offload import CSUM, TSO
from testpmd import VDEV, Testpmd, wait_for

pytestmark = [pytest.mark.sluice, pytest.mark.skipif(ovs.ROOT is None or os.geteuid() != 0,
    reason="takes root, and OVS with DPDK: run devtools/setup tests")]
# How long sides are restarted, in seconds.
SECONDS = float(os.environ.get("SLUICE_TEST_OVS", 0))
# Fewer than any ring on the way holds: a switch drops what it cannot send.
COUNT = 400


class Switched(Pair):
    """net_vhost <-> OVS with net_sluice <-> OVS's vhost-user client <-> net_sluice as a server"""

    def __init__(self, folder, tso=False):
        super().__init__(Config("ovs"), folder, backend_first=False)
        self.tso = tso
        self.far = os.path.join(self.folder, "far.sock")
        self.switch = ovs.Ovs(self.folder)
        self.start_front()
        self.start_back()
        self.switch.start("userspace-tso-enable=%s" % str(tso).lower(), "dpdk-lcore-mask=1", "pmd-cpu-mask=2",
            "dpdk-socket-mem=256", "dpdk-extra=-d librte_net_sluice.so --no-pci --iova-mode=va --in-memory --no-telemetry "
            "--single-file-segments --file-prefix=" + self.switch.prefix)
        self.switch.add_ports(self.path, self.far)

    def start_back(self, client=0, more=""):
        super().start_back(client, more + ",tso=%d" % self.tso)

    def start_front(self):
        """With TSO it asks for segments of 300 bytes."""
        self.front = Testpmd(["%s0,path=%s,server=1" % (VDEV, self.far)], front=True,
            args=["--rxd=1024", "--txd=1024"] + ["--tx-offloads=0x%x" % (CSUM | TSO)] * self.tso)
        self.front.cmd("set burst tx delay 1 retry 2000000")
        if self.tso:
            self.front.cmds("port stop 0", "tso set 300 0", "port start 0")

    def passes(self):
        """Does a frame come through already? OVS drops what comes before it has set its ports up."""
        self.seed += 1
        frames = make(1, [60], self.seed)
        try:
            return frames[0] in self.send([frames], seconds=0.5)[0]
        except AssertionError:
            return False

    def check(self):
        """Each frame comes through the switch twice, as it was."""
        self.wait_link()
        wait_for(self.passes, 30, "a frame through OVS")
        self.seed += 1
        frames = make(COUNT, [60, 1514], self.seed)
        results = self.send([frames])
        compare(results[0], frames)

    def check_tso(self):
        """TCP of one flow, since OVS keeps no order among several. OVS asks its port for segments of what fits its MTU, too, and the
        other side gets all of them whole."""
        frames = [bytes(packet(n, l4_layers()[1:2])) for n in range(100)]
        compare(self.send([frames], "csum")[0], [expected(frame, "csum", self.mac()) for frame in frames])

    def restart_back(self):
        self.back.kill()
        os.unlink(self.path)  # lib/vhost does not listen where a file is
        self.start_back()

    def restart_front(self):
        self.front.kill()
        self.start_front()

    def kill(self):
        super().kill()
        self.switch.kill()


def restart_sides(pair, count, *checks):
    """One side after the other, so many times at least, each followed by the checks."""
    end = time.monotonic() + SECONDS
    done = 0
    sides = itertools.cycle((pair.restart_back, pair.restart_front, pair.switch.restart_switch))
    while done < count or time.monotonic() < end:
        next(sides)()
        for check in checks:
            check()
        done += 1
    print("%d restarts, after each of them: %s" % (done, ", ".join(check.__name__ for check in checks)))


def test_sides_come_back(folder):
    """The driver's port in OVS sees its back end come back, and so does OVS that of its vhost-user port."""
    pair = Switched(folder)
    try:
        pair.check()
        restart_sides(pair, 3, pair.check)
    finally:
        pair.kill()


def test_tso(folder):
    pair = Switched(folder, tso=True)
    try:
        pair.check()
        pair.check_tso()
        restart_sides(pair, 0, pair.check, pair.check_tso)
    finally:
        pair.kill()
