# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A vhost-user back end on the host (net_vhost) behind QEMU's device: its memory accesses go through the
guest's IOMMU too, by way of QEMU's IOTLB messages. DPDK's vhost library asks for write access to all parts
of a ring; it gets it where the device has ATS, and where ro_rings=0 says so.

    in.pcap -> net_vhost on the host -> QEMU -> the port in the guest forwards -> back -> out.pcap
"""
import os

import pytest

from frames import SMALL, write_pcap
from guest import IS_SLUICE
from machine import Machine
from pair import Config, Pair
from testpmd import Testpmd, wait_for
from vmqemu import Nic

NETDEV = "vhost-user,chardev=c0"
ROOT_PORT = ["-device", "pcie-root-port,id=rp0,chassis=1,addr=0x10"]


def ats_nic(props):
    """A PCI Express device; others have no ATS, whatever is asked for."""
    return Nic(props + ",ats=on", NETDEV, slot=0, bus="rp0", bdf="0000:01:00.0")


class GuestPair(Pair):
    """As on the host, but the front end is in a guest."""

    def __init__(self, config, folder, running, nic, iommu_props, devargs):
        self.running, self.nic, self.iommu_props, self.devargs = running, nic, iommu_props, devargs
        self.guest = None
        super().__init__(config, folder)

    def start_back(self):
        write_pcap(self.pcap("in", 0), [])
        self.back = Testpmd(["net_vhost0,iface=%s,iommu-support=1" % self.path,
            "net_pcap0,rx_pcap=%s,tx_pcap=%s" % (self.pcap("in", 0), self.pcap("out", 0))],
            workers=2, args=["--total-num-mbufs=8192"])
        self.back.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry")

    def start_front(self):
        machine = Machine("vhost-user", {"a": self.nic}, iommu_props=self.iommu_props, args=ROOT_PORT + [
            "-object", "memory-backend-memfd,id=m0,size=2048M,share=on", "-numa", "node,memdev=m0",
            "-chardev", "socket,id=c0,path=" + self.path])
        self.guest = self.running.get(machine)
        self.front = self.guest.testpmd(["a"], devargs=self.devargs)
        self.front.cmd("set burst tx delay 1 retry 2000000")

    def send(self, per_queue, mode="io", seconds=8):
        return super().send(per_queue, mode, seconds)

    def exchange_when_warm(self, mode):
        """A back end may drop a frame when it meets a page for the first time, and asks QEMU for the
        translation: a round without any loss must come, and soon."""
        for last in (False, False, False, False, True):
            try:
                return self.exchange(mode, 300, SMALL)
            except AssertionError as error:
                if last or "frames came back" not in str(error):
                    raise

    def close(self):
        self.guest.close(self.front, "a")
        self.running.stop()
        self.back.quit()

    def kill(self):
        self.running.stop()     # QEMU before its back end
        if self.back is not None:
            self.back.kill()


class SilentPair(GuestPair):
    def wait_link(self, up=True, seconds=10):
        """The back end does not come up; QEMU's device says that it did."""
        wait_for(self.front.link_up, seconds, "link of the front end up")


@pytest.fixture
def pair(running, tmp_path_factory):
    """pair(nic, iommu_props, devargs): a back end, and a testpmd in a guest"""
    with open("/proc/sys/vm/nr_hugepages", encoding="ascii") as file:
        if int(file.read()) < 96:
            pytest.skip("fewer than 96 hugepages of 2 MiB for the back end: run devtools/setup")
    folder = str(tmp_path_factory.mktemp("v"))
    assert len(os.path.join(folder, "v.sock")) < 108
    running.stop()
    pairs = []

    def start(nic, iommu_props, devargs="", kind=GuestPair):
        pairs.append(kind(Config("vhost"), folder, running, nic, iommu_props, devargs))
        return pairs[0]
    yield start
    for one in pairs:
        one.kill()


@pytest.mark.parametrize("props", ["packed=on", "packed=off"])
@pytest.mark.parametrize("cure", ["ats", "ro_rings=0"])
def test_bytes_through(pair, props, cure):
    if cure == "ats":
        pair = pair(ats_nic(props), {"device-iotlb": "on"})
    else:
        pair = pair(Nic(props, NETDEV), {}, cure if IS_SLUICE else "")
    features = pair.guest.features("a")
    assert ("VIRTIO_F_RING_PACKED" in features) == (props == "packed=on"), features
    if IS_SLUICE:
        assert ("translates addresses by itself (ATS)" in pair.front.log()) == (cure == "ats")
    for mode in ("io", "mac"):
        pair.exchange_when_warm(mode)
    pair.close()


@pytest.mark.sluice
@pytest.mark.parametrize("props", ["packed=on", "packed=off"])
def test_silent_back_end_is_said(pair, props):
    """Where nothing tells the driver what is behind the device, it notices that nothing is taken."""
    pair = pair(Nic(props, NETDEV), {}, kind=SilentPair)
    pair.front.cmds("set fwd txonly", "start")
    pair.front.wait_log("transmit queue 0: the device has taken nothing .* give ro_rings=0", 30)
    pair.front.stop()
    assert not pair.back.link_up()
    assert pair.front.log().count("has taken nothing") == 1
