# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Linux's own virtio-net as the peer, twice in the same guest, each in a network namespace of its own:

    Linux, left <-> port a, testpmd, port b <-> Linux, right
"""
import re

import pytest

from machine import Machine
from testpmd import Deadline, wait_for
from vmqemu import Nic

MEGABYTES = 8
MACHINE = Machine("linux", {name: Nic(props, "join", bind=own) for name, props, own in (
    ("left", "", False), ("a", "", True), ("b", "packed=on", True), ("right", "", False))})


class Side:
    """An interface of the guest's kernel."""

    def __init__(self, guest, name, address):
        self.vm, self.address = guest.vm, address
        self.device = self.vm.check("modprobe virtio_net; ls /sys/bus/pci/devices/%s/virtio*/net"
            % guest.nics[name].bdf).strip()
        self.pid = self.vm.check("unshare -n sleep 100000 </dev/null >/dev/null 2>&1 & pid=$!\n"
            "while [ $(readlink /proc/$pid/ns/net) = $(readlink /proc/self/ns/net) ]; do usleep 9999; done\n"
            "ip link set %s netns $pid; echo $pid" % self.device).strip()
        # What is on its way must fit into the socket between two devices: nothing holds its sender back.
        self.run("echo 4096 131072 262144 >/proc/sys/net/ipv4/tcp_rmem\n"
            "echo 1 >/proc/sys/net/ipv6/conf/%s/disable_ipv6\n"
            "ip address add %s/24 dev %s; ip link set %s up" % (self.device, address, self.device,
            self.device))

    def run(self, script, seconds=60):
        return self.vm.check("nsenter -t %s -n sh -e <<'END'\n%s\nEND" % (self.pid, script), seconds)

    def packets(self):
        """{"rx" or "tx": packets}"""
        numbers = re.search(r"%s:(.*)" % self.device, self.run("cat /proc/net/dev")).group(1).split()
        return {"rx": int(numbers[1]), "tx": int(numbers[9])}

    def end(self):
        self.vm.check("kill " + self.pid)


@pytest.fixture
def bridge(boot):
    """(guest, testpmd, left, right)"""
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["a", "b"])
    # Nothing is dropped when a ring is full.
    testpmd.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry", "start")
    sides = [Side(guest, "left", "192.0.2.1"), Side(guest, "right", "192.0.2.2")]
    yield guest, testpmd, *sides


def send(vm, source, sink, port):
    """A file through the bridge by TCP; both must have the same checksum."""
    vm.check("dd if=/dev/urandom of=/tmp/sent bs=1M count=%d 2>/dev/null" % MEGABYTES)
    # nc ends with its input: this one has no end.
    vm.check("rm -f /tmp/idle; mkfifo /tmp/idle")
    sink.run("nc -l -p %d <>/tmp/idle >/tmp/got 2>/dev/null &" % port)
    wait_for(lambda: ":%04X " % port in sink.run("cat /proc/net/tcp /proc/net/tcp6"), 10,
        "a listening nc")
    source.run("nc %s %d </tmp/sent" % (sink.address, port), 120)
    vm.check("for n in $(seq 100); do cmp -s /tmp/sent /tmp/got && exit; usleep 100000; done; exit 1")
    sums = vm.check("sha256sum </tmp/sent; sha256sum </tmp/got").split()
    assert sums[0] == sums[2], sums


def test_ping_and_bulk_transfer(bridge):
    guest, testpmd, left, right = bridge
    out = left.run("ping -c 10 -i 0.1 -w 30 " + right.address)
    assert "10 packets transmitted, 10 packets received, 0% packet loss" in out, out
    send(guest.vm, left, right, 5001)
    send(guest.vm, right, left, 5002)

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
