# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A vhost-user back end on the host (net_vhost) behind QEMU's device: its memory accesses go through the
guest's IOMMU too, by way of QEMU's IOTLB messages. DPDK's vhost library asks for write access to all parts
of a ring; it gets it where the device has ATS, and where ro_rings=0 says so.

    in.pcap -> net_vhost on the host -> QEMU -> the port in the guest forwards -> back -> out.pcap
"""
import os
import time

import pytest

from frames import SMALL
from guest import IS_SLUICE
from machine import Machine
from pair import Config, Pair
from testpmd import lacks_hugepages, wait_for
from vmqemu import Nic

ROOT_PORT = ["-device", "pcie-root-port,id=rp0,chassis=1,addr=0x10"]


def ats_nic(props, netdev):
    """A PCI Express device; others have no ATS, whatever is asked for."""
    return Nic(props + ",ats=on", netdev, slot=0, bus="rp0", bdf="0000:01:00.0")


class GuestPair(Pair):
    """As on the host, but the front end is in a guest. server: QEMU has the socket, so that a back end
    can come back."""

    def __init__(self, config, folder, running, props, server=False, ats=True, devargs=""):
        self.running, self.props, self.server, self.ats = running, props, server, ats
        self.devargs, self.guest = devargs, None
        super().__init__(config, folder)

    def start_back(self, client=0, more=""):
        super().start_back(int(self.server), ",iommu-support=1" + more)

    def start_front(self):
        queues = self.config.queues
        props = self.props + ",mq=on,vectors=%d" % (2 * queues + 2) * (queues > 1)
        netdev = "vhost-user,chardev=c0,queues=%d" % queues
        chardev = "socket,id=c0,path=" + self.path + ",server=on,wait=off" * self.server
        machine = Machine("vhost-user", {"a": ats_nic(props, netdev) if self.ats else Nic(props, netdev)},
            iommu_props={"device-iotlb": "on"} if self.ats else {}, args=ROOT_PORT + ["-object",
            "memory-backend-memfd,id=m0,size=2048M,share=on", "-numa", "node,memdev=m0",
            "-chardev", chardev])
        self.guest = self.running.get(machine)
        self.front = self.guest.testpmd(["a"], ["--rxq=%d" % queues, "--txq=%d" % queues],
            devargs=self.devargs)
        self.front.cmd("set burst tx delay 1 retry 2000000")

    def send(self, per_queue, mode="io", seconds=8):
        return super().send(per_queue, mode, seconds)

    def exchange_when_warm(self, mode):
        """lib/vhost asks QEMU for a translation when it meets a page for the first time, and gives the
        packet's descriptor back as used meanwhile: that frame is lost before it came to a port. A round
        without any loss must come, and soon."""
        for last in (False, False, False, False, True):
            try:
                return self.exchange(mode, 300, SMALL)
            except AssertionError as error:
                if last or "frames came back" not in str(error):
                    raise
                self.flush()

    def flush(self):
        """Lets all that is on its way arrive."""
        self.rewind([[]] * self.config.queues)
        self.front.cmds("set fwd io retry", "start")
        self.back.cmd("start")
        counts = []

        def at_rest():
            time.sleep(0.5)
            counts.append(self.back.stats(1)["TX-packets"])
            return len(counts) > 2 and len(set(counts[-3:])) == 1
        wait_for(at_rest, 20, "the end of leftovers")
        self.back.stop()
        self.front.stop()

    def replace_back(self):
        """Kills the back end and starts another."""
        self.back.kill()
        wait_for(lambda: not self.front.link_up(), 20, "link down")
        self.start_back()
        self.wait_link(seconds=20)
        self.guest.complaints()     # about the one that ended

    def take(self, nb):
        """Has the back end take so many frames; it goes on with it."""
        self.back.cmd("start")
        wait_for(lambda: self.back.stats(0)["RX-packets"] >= nb, 20, "%d frames at the back end" % nb)

    def exchange_in_all_queues(self, mode):
        before = self.front.xstats()
        self.exchange_when_warm(mode)
        after = self.front.xstats()
        for name in ("%s_q%d_packets" % (way, queue) for way in ("rx", "tx")
                for queue in range(self.config.queues)):
            assert after[name] - before[name] >= 300, name

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
def guest_pair(running, tmp_path_factory):
    """guest_pair(config, properties of the device, kind=GuestPair, **how): a back end, and a testpmd in a
    guest; ended when the test is over"""
    if lacks_hugepages():
        pytest.skip(lacks_hugepages())
    folder = str(tmp_path_factory.mktemp("v"))
    assert len(os.path.join(folder, "v.sock")) < 108
    pairs = []

    def start(config, props, kind=GuestPair, **how):
        running.stop()
        pairs.append(kind(config, folder, running, props, **how))
        return pairs[-1]
    yield start
    for pair in pairs:
        pair.kill()


@pytest.mark.parametrize("props", ["packed=on", "packed=off"])
@pytest.mark.parametrize("cure", ["ats", "ro_rings=0"])
def test_bytes_through(guest_pair, props, cure):
    how = {} if cure == "ats" else {"ats": False, "devargs": cure if IS_SLUICE else ""}
    pair = guest_pair(Config("vhost"), props, **how)
    features = pair.guest.features("a")
    assert ("VIRTIO_F_RING_PACKED" in features) == (props == "packed=on"), features
    if IS_SLUICE:
        assert ("translates addresses by itself" in pair.front.log()) == (cure == "ats")
    for mode in ("io", "mac"):
        pair.exchange_when_warm(mode)
    pair.close()


@pytest.mark.sluice
@pytest.mark.parametrize("props", ["packed=on", "packed=off"])
def test_silent_back_end_is_said(guest_pair, props):
    """Where nothing tells the driver what is behind the device, it notices that nothing is taken."""
    pair = guest_pair(Config("vhost"), props, kind=SilentPair, ats=False)
    pair.front.cmds("set fwd txonly", "start")
    pair.front.wait_log("transmit queue 0: the device has taken nothing .* give ro_rings=0", 30)
    pair.front.stop()
    assert not pair.back.link_up()
    assert pair.front.log().count("has taken nothing") == 1


def test_four_queue_pairs_and_a_back_end_that_comes_back(guest_pair):
    """Killed, and started again. QEMU does not know how far a packed ring was when its back end died: so
    the port is restarted."""
    pair = guest_pair(Config("vhost", queues=4), "packed=on", server=True)
    assert "VIRTIO_NET_F_MQ" in pair.guest.features("a")
    pair.exchange_when_warm("io")
    pair.replace_back()
    pair.front.cmds("port stop 0", "port start 0")
    pair.wait_link(seconds=20)
    pair.exchange_in_all_queues("mac")
    pair.close()


def test_a_port_goes_on_with_the_next_back_end(guest_pair):
    """Killed amid packets, and started again; the port is not even stopped. The used index of a split ring tells
    QEMU how far the back end was."""
    pair = guest_pair(Config("vhost", queues=4), "packed=off", server=True)
    pair.exchange_when_warm("io")
    pair.front.cmds("set fwd txonly", "start")
    pair.take(10000)
    pair.replace_back()
    pair.take(10000)
    pair.back.stop()
    pair.front.stop()
    pair.flush()
    pair.exchange_in_all_queues("mac")
    pair.close()
