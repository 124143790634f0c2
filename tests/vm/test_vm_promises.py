# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What a PCI port says of its device: sizes of rings and of frames; what the device drops is refused."""
import re

import pytest

from frames import SMALL
from guest import exchange
from machine import Machine
from refusal import one_line_says

MACHINE = Machine("promises", {"large": "rx_queue_size=1024", "large-packed": "rx_queue_size=1024,packed=on",
    "mtu": "host_mtu=1450", "single": "mrg_rxbuf=off,host_mtu=9000"})
pytestmark = pytest.mark.sluice


def limits(testpmd):
    text = testpmd.cmd("show port info 0")
    return tuple(int(re.search(r"Max possible number of %sDs per queue: (\d+)" % way, text).group(1))
        for way in ("RX", "TX"))


@pytest.mark.parametrize("nic", ["large", "large-packed"])
def test_rings_of_the_device_s_size(boot, nic):
    """By default, and no other limit is told."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    assert limits(testpmd) == (1024, 256)
    assert (testpmd.ring_size("rxq", 0), testpmd.ring_size("txq", 0)) == (1024, 256)
    exchange(testpmd, guest.nics[nic], "mac", 2500, SMALL)
    guest.close(testpmd, nic)


def test_rings_as_large_as_asked_for(boot):
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["large"], ["--rxd=1024", "--txd=128"])
    assert (testpmd.ring_size("rxq", 0), testpmd.ring_size("txq", 0)) == (1024, 128)
    guest.close(testpmd, "large")
    testpmd = guest.testpmd(["large"], devargs="queue_size=512")
    assert limits(testpmd) == (512, 256)
    assert (testpmd.ring_size("rxq", 0), testpmd.ring_size("txq", 0)) == (512, 256)
    guest.close(testpmd, "large")


def test_mtu_of_the_device(boot):
    """Before the first start, and nothing above it."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["mtu"], ["--disable-device-start"])
    assert testpmd.info()["MTU"] == "1450"
    testpmd.cmd("port start 0")
    assert testpmd.info()["MTU"] == "1450"
    testpmd.cmd("port config mtu 0 1451")
    assert testpmd.info()["MTU"] == "1450"
    assert testpmd.info()["Link speed"] == "10 Gbps"
    exchange(testpmd, guest.nics["mtu"], sizes=(60, 1464))
    guest.close(testpmd, "mtu")


def test_device_without_mergeable_buffers(boot):
    """It drops what does not fit one buffer: 2048 bytes here."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd(["single"])
    for line in ("port stop 0", "port start 0"):
        one_line_says(testpmd.cmd("port config mtu 0 9000"), "port 0 receive queue 0", "MTU 9000", "9014 bytes",
            "2048 bytes", "MRG_RXBUF")
        testpmd.cmd(line)
    testpmd.cmd("port config mtu 0 2034")
    assert testpmd.info()["MTU"] == "2034"
    exchange(testpmd, guest.nics["single"], sizes=(60, 2048))
    guest.close(testpmd, "single")
    # Buffers that hold all of it.
    testpmd = guest.testpmd(["single"], ["--max-pkt-len=9018", "--mbuf-size=9344", "--total-num-mbufs=1100"])
    exchange(testpmd, guest.nics["single"], count=100, sizes=(60, 9014))
    guest.close(testpmd, "single")
