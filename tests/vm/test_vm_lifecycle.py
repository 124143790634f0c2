# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Link changes, restarts, ring sizes, and a real vhost-user back end behind QEMU."""
import re

import pytest

from frames import SMALL
from guest import exchange
from machine import Machine
from testpmd import wait_for

MACHINE = Machine("lifecycle", {"split": "rx_queue_size=1024", "packed": "packed=on,rx_queue_size=1024",
    "intx": "vectors=0"})
kinds = pytest.mark.parametrize("nic", ["split", "packed"])


@pytest.mark.parametrize("nic", ["split", pytest.param("intx", marks=pytest.mark.sluice)])
def test_link_change_is_an_event(boot, nic):
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    for times, up in enumerate((False, True, False, True), 1):
        guest.vm.qmp("set_link", name=guest.nics[nic].id, up=up)
        wait_for(lambda t=times: len(re.findall("link state change event", testpmd.log())) >= t, 20,
            "event number %d" % times)
        wait_for(lambda u=up: testpmd.link_up() == u, 20, "link up: %s" % up)
    exchange(testpmd, guest.nics[nic], count=50)
    guest.close(testpmd, nic)


@kinds
def test_restarts(boot, nic):
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    files = guest.vm.check("ls /proc/%d/fd | wc -l" % testpmd.pid_in_guest())
    for seed in range(4):
        for _ in range(5):
            testpmd.cmds("port stop 0", "port start 0")
        exchange(testpmd, guest.nics[nic], count=100, seed=seed)
    assert guest.vm.check("ls /proc/%d/fd | wc -l" % testpmd.pid_in_guest()) == files
    guest.close(testpmd, nic)


@pytest.mark.sluice
@pytest.mark.parametrize("nic,rxd,txd", [("split", 16, 16), ("split", 64, 32), ("split", 1024, 256),
    ("packed", 16, 16), ("packed", 100, 48), ("packed", 17, 19), ("packed", 1000, 255)])
def test_ring_sizes(boot, nic, rxd, txd):
    """Smaller than the device's, and for packed rings no powers of two."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic], ["--rxd=%d" % rxd, "--txd=%d" % txd],
        devargs="queue_size=1024")
    assert (testpmd.ring_size("rxq", 0), testpmd.ring_size("txq", 0)) == (rxd, txd)
    exchange(testpmd, guest.nics[nic], "mac", 5 * max(rxd, txd), SMALL, window=min(rxd, txd, 48) // 2)
    guest.close(testpmd, nic)


def goes_on(testpmd):
    """Packets leave again, if need be after a restart of a port that says so: QEMU 7.2 counts the packets of packed rings
    that it drops while the link is off wrongly, and may then ask for a reset."""
    before = testpmd.stats()["TX-packets"]

    def is_clear():
        return testpmd.stats()["TX-packets"] > before + 2000 or "needs a reset" in testpmd.log()
    wait_for(is_clear, 20, "packets leave again, or the port says why not")
    if "needs a reset" in testpmd.log():
        assert "reset event" in testpmd.log()
        return False
    return True


@kinds
def test_link_change_under_traffic(boot, nic):
    """What is sent while the link is off may be lost; when it is on again the port goes on by itself."""
    guest = boot(MACHINE)
    testpmd = guest.testpmd([nic])
    testpmd.cmds("set fwd txonly", "start")
    is_well = True
    for _ in range(3):
        guest.vm.qmp("set_link", name=guest.nics[nic].id, up=False)
        wait_for(lambda: not testpmd.link_up(), 20, "link down")
        guest.vm.qmp("set_link", name=guest.nics[nic].id, up=True)
        is_well = goes_on(testpmd)
        if not is_well:
            break
        assert testpmd.link_up()
    testpmd.stop()
    assert is_well or nic == "packed"
    assert "has taken nothing" not in testpmd.log()
    testpmd.cmds("port stop 0", "port start 0")
    wait_for(testpmd.link_up, 20, "link up")
    guest.complaints()
    exchange(testpmd, guest.nics[nic], count=50)
    guest.close(testpmd, nic)
