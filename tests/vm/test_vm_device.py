# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What an application does with a device beside sending and receiving: its link, its version, whether it is
there; and the device's wish to be announced."""
import socket
import time

import pytest

from frames import compare, make
from guest import Peer, exchange
from machine import Machine
from testpmd import wait_for
from vmqemu import Nic

MACHINE = Machine("device", {"split": "", "packed": "packed=on", "fast": Nic("speed=25000,duplex=full")}, moves=True)
BROADCAST, RARP = b"\xff" * 6, b"\x80\x35"


def announcements(peer, mac, seconds):
    """RARP requests for an address that come within a time"""
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            frame = peer.socket.recv(70000)
        except socket.timeout:
            continue
        if frame[:6] == BROADCAST and frame[12:14] == RARP:
            assert frame[6:12] == mac and frame[22:28] == mac, frame
            count += 1
    return count


@pytest.mark.parametrize("nic", ["split", "packed"])
def test_announce_self(boot, nic):
    """QEMU announces the device by itself, and asks the driver to do it, too, in each round."""
    rounds = 3
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    assert "VIRTIO_NET_F_GUEST_ANNOUNCE" in guest.features(nic)
    mac = testpmd.mac()
    peer = Peer(guest.nics[nic])
    peer.drain()
    testpmd.cmds("set fwd rxonly", "start")
    guest.vm.qmp("announce-self", initial=300, max=600, rounds=rounds, step=100,
        interfaces=["nic" + guest.nics[nic].id[1:]], id="announce")
    seen = announcements(peer, mac, 5)
    announced = testpmd.xstats()["announced_packets"]
    assert announced == rounds and seen == 2 * rounds, (announced, seen)
    testpmd.stop()
    exchange(testpmd, guest.nics[nic], count=100)
    guest.close(testpmd, nic)


@pytest.mark.parametrize("nic", ["split", "packed"])
def test_link_down_and_up(boot, nic):
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    exchange(testpmd, guest.nics[nic], count=50)
    testpmd.cmd("set link-down port 0")
    assert not testpmd.link_up()
    peer = Peer(guest.nics[nic])
    peer.drain()
    testpmd.cmds("set fwd io", "start")
    before = testpmd.stats()["RX-packets"]
    peer.socket.send(bytes(60))
    time.sleep(1)
    assert testpmd.stats()["RX-packets"] == before
    testpmd.stop()
    testpmd.cmd("set link-up port 0")
    assert testpmd.link_up()
    testpmd.cmd("start")
    wait_for(lambda: testpmd.stats()["RX-packets"] == before + 1, 10, "the frame that came meanwhile")
    testpmd.stop()
    exchange(testpmd, guest.nics[nic], count=50)
    guest.close(testpmd, nic)


def test_version_and_speed(boot):
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["fast"])
    info = testpmd.cmd("show port info 0")
    assert "Firmware-version: virtio 1 PCI 1af4:1041 rev 1" in info
    assert "Link speed: 25 Gbps" in info and "Link duplex: full-duplex" in info
    guest.close(testpmd, "fast")


def test_migration(boot):
    """The guest goes on elsewhere, and QEMU asks the port to say so to the switch."""
    guest = boot(MACHINE)
    nics = ["split", "packed"]
    testpmd = guest.testpmd(nics)
    testpmd.cmds("set fwd rxonly", "start")
    before = [testpmd.xstats(port)["announced_packets"] for port in range(2)]
    guest.vm.migrate()
    for port, nic in enumerate(nics):
        wait_for(lambda p=port: testpmd.xstats(p)["announced_packets"] > before[p], 20, "an announcement")
        assert announcements(Peer(guest.nics[nic]), testpmd.mac(port), 1) > 0
    testpmd.stop()
    testpmd.cmds("set fwd io", "start")
    frames = make(100, [60, 1514], 1)
    for here, there in (nics, nics[::-1]):
        peer = Peer(guest.nics[there])
        peer.drain()
        for frame in frames:
            guest.nics[here].socket.send(frame)
        compare([peer.socket.recv(70000) for _ in frames], frames)
    testpmd.stop()
    guest.close(testpmd, *nics)
