# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Linux's own virtio-net as the peer, twice in the same guest, each in a network namespace of its own:

    Linux, left <-> port a, testpmd, port b <-> Linux, right
"""
import pytest

from machine import Machine
from side import Side, send
from testpmd import Deadline, wait_for
from vmqemu import Nic

MEGABYTES = 8
MACHINE = Machine("linux", {name: Nic(props, "join", bind=own) for name, props, own in (
    ("left", "", False), ("a", "", True), ("b", "packed=on", True), ("right", "", False))})


def side(guest, name, address):
    device = guest.vm.check("modprobe virtio_net; ls /sys/bus/pci/devices/%s/virtio*/net"
        % guest.nics[name].bdf).strip()
    return Side(guest.vm, device, address)


@pytest.fixture
def bridge(boot):
    """(guest, testpmd, left, right)"""
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["a", "b"])
    # Nothing is dropped when a ring is full.
    testpmd.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry", "start")
    sides = [side(guest, "left", "192.0.2.1"), side(guest, "right", "192.0.2.2")]
    yield guest, testpmd, *sides


def test_ping_and_bulk_transfer(bridge):
    guest, testpmd, left, right = bridge
    out = left.run("ping -c 10 -i 0.1 -w 30 " + right.address)
    assert "10 packets transmitted, 10 packets received, 0% packet loss" in out, out
    send(left, right, 5001, MEGABYTES)
    send(right, left, 5002, MEGABYTES)

    def nothing_was_lost():
        """The same packets at each end and at each port, in both directions."""
        ends, ports = (left.packets(), right.packets()), (testpmd.stats(0), testpmd.stats(1))
        for here, there in ((0, 1), (1, 0)):
            counts.append([ends[here]["tx"], ports[here]["RX-packets"], ports[there]["TX-packets"],
                ends[there]["rx"]])
        return all(len(set(way)) == 1 for way in counts[-2:])
    counts = []
    try:
        wait_for(nothing_was_lost, 20, "all packets at the other end")
    except Deadline:
        raise AssertionError("sent, received and sent by the ports, received: %s" % counts[-2:]) from None
    assert counts[-1][0] > MEGABYTES * 700
    left.end()
    right.end()
    testpmd.stop()
    guest.close(testpmd, "a", "b")
