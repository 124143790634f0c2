# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What a port asks a device to deliver: QEMU says what it was told (query-rx-filter), and frames from a tap
device say what it does."""
import time

import pytest

from guest import Peer
from machine import Machine
from tap import Tap, usable
from testpmd import wait_for
from vmqemu import Nic

MACHINE = Machine("filter", {"split": Nic("", Tap()), "packed": Nic("packed=on", Tap()),
    "pairs": Nic("mq=on,vectors=10", Tap(4)), "no-mac": Nic("ctrl_mac_addr=off", Tap()),
    "no-rx": Nic("ctrl_rx=off", Tap()), "no-queue": Nic("ctrl_vq=off", Tap())})
pytestmark = pytest.mark.skipif(not usable(), reason="tap devices take root and /dev/net/tun")

FILTERING = ["split", "packed", "pairs"]
OTHER, ADDED, BROADCAST = "02:00:00:00:00:99", "02:00:00:00:00:77", "ff:ff:ff:ff:ff:ff"
GROUP, OTHER_GROUP = "01:00:5e:00:00:07", "01:00:5e:00:00:08"


def octets(mac):
    return bytes.fromhex(mac.replace(":", ""))


def frame(mac, vlan=None):
    tag = b"" if vlan is None else b"\x81\x00" + vlan.to_bytes(2, "big")
    return octets(mac) + octets("02:00:00:00:00:aa") + tag + b"\x08\x00" + bytes(60)


class Port:
    """A testpmd whose port receives only, and what is at the other end"""

    def __init__(self, guest, nic, *args):
        self.guest, self.nic = guest, guest.nics[nic]
        self.testpmd = guest.testpmd([nic], ["--no-numa"] + list(args))
        self.peer = Peer(self.nic)
        self.peer.drain()
        self.testpmd.cmds("set promisc 0 off", "set allmulti 0 off", "set fwd rxonly", "start")

    def told(self):
        """What QEMU has of it"""
        return self.guest.vm.qmp("query-rx-filter", name="nic" + self.nic.id[1:])[0]

    def own(self):
        return self.testpmd.info()["MAC address"].lower()

    def passes(self, *frames):
        """How many of these frames come. One to the port's own address follows them: what is before it in
        the ring was there when that came."""
        before = self.testpmd.stats()["RX-packets"]
        for data in frames:
            self.peer.socket.send(data)
        mark = frame(self.own())
        self.peer.socket.send(mark)
        wait_for(lambda: self.testpmd.stats()["RX-packets"] > before, 20, "the last frame")
        time.sleep(0.3)
        return self.testpmd.stats()["RX-packets"] - before - 1

    def close(self):
        self.testpmd.stop()
        assert self.testpmd.xstats()["device_failures"] == 0
        self.guest.close(self.testpmd, next(name for name, nic in self.guest.nics.items() if nic is self.nic))


@pytest.mark.parametrize("nic", FILTERING)
def test_promiscuous(boot, nic):
    port = Port(boot(MACHINE), nic, *(["--rxq=4", "--txq=4"] if nic == "pairs" else []))
    assert not port.told()["promiscuous"]
    assert port.passes(frame(OTHER)) == 0
    port.testpmd.cmd("set promisc 0 on")
    assert port.told()["promiscuous"]
    assert port.passes(frame(OTHER)) == 1
    port.testpmd.cmd("set promisc 0 off")
    assert port.passes(frame(OTHER), frame(BROADCAST)) == 1
    port.close()


@pytest.mark.parametrize("nic", FILTERING)
def test_multicast(boot, nic):
    port = Port(boot(MACHINE), nic)
    assert port.told()["multicast"] == "normal"
    assert port.passes(frame(GROUP), frame(OTHER_GROUP)) == 0
    port.testpmd.cmd("set allmulti 0 on")
    assert port.told()["multicast"] == "all"
    assert port.passes(frame(GROUP), frame(OTHER_GROUP), frame(OTHER)) == 2
    port.testpmd.cmds("set allmulti 0 off", "mcast_addr add 0 " + GROUP)
    assert port.told()["multicast-table"] == [GROUP]
    assert port.passes(frame(GROUP), frame(OTHER_GROUP)) == 1
    port.testpmd.cmd("mcast_addr remove 0 " + GROUP)
    assert port.told()["multicast-table"] == []
    assert port.passes(frame(GROUP)) == 0
    port.close()


@pytest.mark.parametrize("nic", FILTERING + ["no-mac"])
def test_addresses(boot, nic):
    port = Port(boot(MACHINE), nic)
    first = port.own()
    assert port.told()["main-mac"] == first
    port.testpmd.cmd("mac_addr add 0 " + ADDED)
    # Where there is no command for the port's own address, it is one of the list.
    assert sorted(port.told()["unicast-table"]) == sorted([ADDED] + [first] * (nic == "no-mac"))
    assert port.passes(frame(ADDED), frame(OTHER)) == 1
    port.testpmd.cmd("mac_addr set 0 " + OTHER)
    assert port.own() == OTHER
    told = port.told()
    if nic == "no-mac":
        assert sorted(told["unicast-table"]) == sorted([ADDED, OTHER]) and told["main-mac"] == first
        assert port.passes(frame(OTHER), frame(ADDED)) == 2
    else:
        assert told["unicast-table"] == [ADDED] and told["main-mac"] == OTHER
        assert port.passes(frame(first), frame(ADDED)) == 1
    port.testpmd.cmd("mac_addr remove 0 " + ADDED)
    assert port.passes(frame(ADDED)) == 0
    port.close()


def test_more_addresses_than_the_device_has(boot):
    """Its table has room for 64. What it does beyond is its matter, and nothing that was asked for is lost."""
    port = Port(boot(MACHINE), "split")
    groups = ["01:00:5e:00:01:%02x" % n for n in range(70)]
    for mac in groups:
        port.testpmd.cmd("mcast_addr add 0 " + mac)
    assert port.told()["multicast-overflow"]
    assert port.passes(*map(frame, groups)) == len(groups)
    port.close()


@pytest.mark.parametrize("nic", FILTERING)
def test_vlans(boot, nic):
    """Without the filter tagged frames come; with it those of the VLANs that were added."""
    port = Port(boot(MACHINE), nic)
    assert port.passes(frame(port.own(), 7), frame(port.own(), 4095)) == 2
    assert "stop the port first" in port.testpmd.cmd("vlan set filter on 0")
    port.close()
    port = Port(boot(MACHINE), nic, "--enable-hw-vlan-filter")
    assert port.told()["vlan-table"] == []
    assert port.passes(frame(port.own(), 7)) == 0
    port.testpmd.cmds("rx_vlan add 7 0", "rx_vlan add 4095 0")
    assert sorted(port.told()["vlan-table"]) == [7, 4095]
    assert port.passes(frame(port.own(), 7), frame(port.own(), 4095), frame(port.own(), 8)) == 2
    port.testpmd.cmd("rx_vlan rm 7 0")
    assert port.passes(frame(port.own(), 7), frame(port.own(), 4095)) == 1
    port.close()


@pytest.mark.parametrize("nic", FILTERING)
def test_all_again_after_a_reset(boot, nic):
    port = Port(boot(MACHINE), nic, "--enable-hw-vlan-filter")
    port.testpmd.cmds("mac_addr add 0 " + ADDED, "mac_addr set 0 " + OTHER, "mcast_addr add 0 " + GROUP,
        "rx_vlan add 7 0")
    before = port.told()
    for how in (["port stop 0", "port start 0"], ["port stop 0", "port reset 0", "port start 0"]):
        port.testpmd.stop()
        port.testpmd.cmds(*how)
        wait_for(port.testpmd.link_up, 20, "link")
        assert port.told() == before
        port.testpmd.cmd("start")
        assert port.passes(frame(ADDED), frame(GROUP), frame(OTHER, 7), frame(OTHER_GROUP)) == 3
    port.close()


@pytest.mark.parametrize("nic", ["no-rx", "no-queue"])
def test_without_filters(boot, nic):
    """All calls are well, and all packets come."""
    port = Port(boot(MACHINE), nic)
    text = port.testpmd.cmds("mac_addr add 0 " + ADDED, "mcast_addr add 0 " + GROUP, "set promisc 0 on",
        "set promisc 0 off", "set allmulti 0 on", "set allmulti 0 off", "mac_addr set 0 " + OTHER,
        "mac_addr remove 0 " + ADDED)
    assert "sluice:" not in text and "failed" not in text.lower(), text
    assert port.passes(frame(ADDED), frame(GROUP), frame(OTHER_GROUP)) == 3
    port.close()


@pytest.mark.parametrize("nic", ["split", "packed"])
def test_changes_under_traffic(boot, nic):
    """Nothing is lost while the modes change."""
    port = Port(boot(MACHINE), nic)
    before, sent = port.testpmd.stats()["RX-packets"], 0
    data = frame(port.own())
    for n in range(100):
        for _ in range(8):
            port.peer.socket.send(data)
            sent += 1
        port.testpmd.cmd("set promisc 0 " + ("on" if n % 2 == 0 else "off"))
    wait_for(lambda: port.testpmd.stats()["RX-packets"] - before == sent, 20, "all %d frames" % sent)
    assert not port.told()["promiscuous"]
    port.close()
