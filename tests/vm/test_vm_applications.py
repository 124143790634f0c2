# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What known applications ask of ethdev before their first packet, of PCI devices: one with queues and offloads, and one
with as little as a device can have that scatters packets. And one that does what it must not."""
import os

import pytest

from applications import TOLD, TRANSMITS, is_ready, is_told_once, received
from frames import SMALL, make
from guest import BUILD, GuestOther, Peer
from machine import Machine
from tap import Tap, usable
from vmqemu import Nic

pytestmark = [pytest.mark.sluice, pytest.mark.skipif(not usable(), reason="tap devices take root and /dev/net/tun")]
MACHINE = Machine("applications", {"much": Nic("packed=on,mq=on,vectors=10", Tap(4)),
    "little": "csum=off,guest_csum=off,gso=off,ctrl_vq=off,event_idx=off,indirect_desc=off"},
    add=[os.path.join(BUILD, "tests", name) for name in ("first_calls", "wrong_buffers")])
COUNT = 200
# Of those in tests/pmd, some that fit their rings to the port's limits: QEMU's transmit rings have 256 descriptors.
NAMES = ["f-stack", "grout", "odp", "suricata-ids", "symmetric_mp"]


class Application(GuestOther):
    def __init__(self, vm, nic, name):
        super().__init__(vm, "first_calls", nic, TOLD, ["--", name])


class WrongApplication(GuestOther):
    def __init__(self, vm, nic, what):
        super().__init__(vm, "wrong_buffers", nic, "wrong_buffers: ", ["--", what], devargs="sluice=1,dma_debug=1")


@pytest.mark.parametrize("nic", MACHINE.nics)
@pytest.mark.parametrize("name", NAMES)
def test_starts(boot, name, nic):
    guest = boot(MACHINE)
    peer = Peer(guest.nics[nic])
    peer.drain()
    app = guest.program(Application, nic, name)
    is_ready(app.log())
    # Not all of them turn the filter off: to everybody.
    frames = [b"\xff" * 6 + frame[6:] for frame in make(COUNT, list(SMALL), 1)]
    got = peer.echo(frames, seconds=60 if TRANSMITS[name] else 2, window=64)
    assert len(got) == (COUNT if TRANSMITS[name] else 0)
    app.quit()
    assert received(app.log()) >= (COUNT if TRANSMITS[name] else 64)
    guest.verdict()


@pytest.mark.parametrize("nic,what,report", [("much", "twice", "given although the device has it already"),
    ("little", "end", "bytes beyond the end of what is mapped")])
def test_a_wrong_one_is_told_of(boot, nic, what, report):
    """app/wrong_buffers.c: QEMU's device sends what it gets, and the checker says once what is wrong with it."""
    guest = boot(MACHINE)
    app = guest.program(WrongApplication, nic, what)
    assert app.wait_end(30) == 0, app.log()[-3000:]
    app.clean()
    is_told_once(app.log(), report)
