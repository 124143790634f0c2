# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A vhost-user back end on the host (net_vhost) behind QEMU's device: its memory accesses go through the
guest's IOMMU too, by way of QEMU's IOTLB messages.

    in.pcap -> net_vhost on the host -> QEMU -> the port in the guest forwards -> back -> out.pcap
"""
import os

import pytest

from frames import SMALL, write_pcap
from guest import IS_SLUICE
from machine import Machine
from pair import Config, Pair
from testpmd import Testpmd
from vmqemu import Nic


class GuestPair(Pair):
    """As on the host, but the front end is in a guest."""

    def __init__(self, config, folder, running, props):
        self.running, self.props, self.guest = running, props, None
        super().__init__(config, folder)

    def start_back(self):
        write_pcap(self.pcap("in", 0), [])
        self.back = Testpmd(["net_vhost0,iface=%s,iommu-support=1" % self.path,
            "net_pcap0,rx_pcap=%s,tx_pcap=%s" % (self.pcap("in", 0), self.pcap("out", 0))],
            workers=2, args=["--total-num-mbufs=8192"])
        self.back.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry")

    def start_front(self):
        nic = Nic(self.props + ",ats=on", "vhost-user,chardev=c0")
        machine = Machine("vhost-user", {"a": nic}, iommu_props={"device-iotlb": "on"}, args=[
            "-object", "memory-backend-memfd,id=m0,size=2048M,share=on", "-numa", "node,memdev=m0",
            "-chardev", "socket,id=c0,path=" + self.path])
        self.guest = self.running.get(machine)
        self.front = self.guest.testpmd(["a"])
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


# lib/vhost asks for write access to all parts of a ring, and QEMU finds that the descriptors of a split
# ring are mapped for reading only: the back end never comes up.
@pytest.mark.parametrize("props", ["packed=on", pytest.param("packed=off",
    marks=[pytest.mark.xfail(strict=True, reason="read-only ring pages")] * IS_SLUICE)])
def test_bytes_through(running, tmp_path_factory, props):
    with open("/proc/sys/vm/nr_hugepages", encoding="ascii") as file:
        if int(file.read()) < 96:
            pytest.skip("fewer than 96 hugepages of 2 MiB for the back end: run devtools/setup")
    folder = str(tmp_path_factory.mktemp("v"))
    assert len(os.path.join(folder, "v.sock")) < 108
    running.stop()
    pair = GuestPair(Config("vhost"), folder, running, props)
    try:
        features = pair.guest.features("a")
        assert ("VIRTIO_F_RING_PACKED" in features) == (props == "packed=on"), features
        for mode in ("io", "mac"):
            pair.exchange_when_warm(mode)
        pair.close()
    finally:
        pair.kill()
