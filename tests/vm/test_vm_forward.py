# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Byte-exact forwarding by stock testpmd over the shapes of QEMU's virtio-net-pci: ring layouts,
features, transport; all devices of a machine sit in one guest, each with a peer of its own."""
import pytest

from frames import SMALL
from guest import exchange
from machine import Machine, negotiated

OFF = "ctrl_vq=off,ctrl_rx=off,ctrl_vlan=off,ctrl_mac_addr=off,ctrl_guest_offloads=off,status=off," \
    "indirect_desc=off,event_idx=off,mrg_rxbuf=off,guest_announce=off,queue_reset=off"

# Every pair of values of packed, mergeable, event index and indirect occurs.
LAYOUTS = {"%s-%s-%s-%s" % ("packed" if p else "split", "mrg" if m else "nomrg",
    "event" if e else "noevent", "indirect" if i else "direct"):
    "packed=%s,mrg_rxbuf=%s,event_idx=%s,indirect_desc=%s" % tuple("on" if x else "off"
        for x in (p, m, e, i))
    for p, m, e, i in [(0, 1, 1, 1), (1, 1, 1, 1), (0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0), (1, 0, 0, 1),
        (0, 1, 0, 1), (1, 1, 1, 0)]}
SHAPES = {
    "intx": "vectors=0",
    "one-vector": "vectors=1",
    "two-vectors": "vectors=2",
    "page-per-vq": "page-per-vq=on",
    "pio-notify": "modern-pio-notify=on",
    "all-off": OFF,
    "all-off-packed": OFF + ",packed=on",
    "speed": "speed=10000,duplex=full",
    "rx-1024": "rx_queue_size=1024",
    "rx-512-packed": "rx_queue_size=512,packed=on",
}
OTHERS = {"jumbo": "host_mtu=9000", "jumbo-packed": "host_mtu=9000,packed=on"}
INTEL = Machine("intel", {**LAYOUTS, **SHAPES, **OTHERS})
AMD = Machine("amd", {"split": "", "packed": "packed=on"}, iommu="amd")
BOTH = [(INTEL, name) for name in [*LAYOUTS, *SHAPES]] + [(AMD, name) for name in AMD.nics]

over_all = pytest.mark.parametrize("machine,nic", BOTH, ids=lambda x: str(x))


@over_all
def test_bytes_through(boot, machine, nic):
    guest = boot(machine)
    testpmd = guest.testpmd([nic])
    negotiated(guest, nic)
    for seed, mode in enumerate(("io", "mac")):
        exchange(testpmd, guest.nics[nic], mode, 300, SMALL, seed)
    guest.close(testpmd, nic)


@pytest.mark.parametrize("nic", ["jumbo", pytest.param("jumbo-packed", marks=pytest.mark.sluice)])
def test_jumbo(boot, nic):
    """Frames over several buffers in both directions."""
    guest = boot(INTEL)
    testpmd = guest.testpmd([nic], ["--enable-scatter", "--tx-offloads=0x8000"])
    testpmd.cmds("port stop 0", "port config mtu 0 9000", "port start 0")
    assert testpmd.info()["MTU"] == "9000"
    exchange(testpmd, guest.nics[nic], "io", 200, [60, 1514, 1515, 2047, 2048, 2049, 4096, 9014],
        window=8)
    guest.close(testpmd, nic)


@pytest.mark.parametrize("nic", list(LAYOUTS)[:2])
def test_csum_mode(boot, nic):
    guest = boot(INTEL)
    testpmd = guest.testpmd([nic])
    exchange(testpmd, guest.nics[nic], "csum", 64)
    guest.close(testpmd, nic)


def test_two_ports_in_one_process(boot):
    """The first sends to the second's peer, and back."""
    from frames import compare, make
    from guest import Peer
    guest = boot(INTEL)
    names = list(LAYOUTS)[:2]
    testpmd = guest.testpmd(names)
    peers = [Peer(guest.nics[name]) for name in names]
    testpmd.cmds("set fwd io", "start")
    for here, there in (peers, peers[::-1]):
        there.drain()
        frames = make(200, SMALL, 7)
        got = []
        for frame in frames:
            here.socket.send(frame)
            got.append(there.socket.recv(70000))
        compare(got, frames)
    testpmd.stop()
    guest.close(testpmd, *names)
