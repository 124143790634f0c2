# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""DPDK's bonding driver over two ports, as stock testpmd makes it: mode 1, where the other port goes on when a back end
ends, and mode 4 with a bonded peer, which both agree upon by LACP frames that go through the ports."""
import os
import re
import time

import pytest

from frames import SMALL, compare, make, read_pcap, write_pcap
from testpmd import VDEV, Testpmd, wait_for

ACTIVE_BACKUP, LACP = 1, 4
COUNT = 400


def bond(pmd, mode, port, *others):
    """Ports 0 and 1 become members of a new one, whose number is port; it forwards, and others do."""
    text = pmd.cmd("create bonded device %d 0" % mode)
    assert "(port %d)" % port in text, text
    pmd.cmds("add bonding slave 0 %d" % port, "add bonding slave 1 %d" % port, "port start %d" % port,
        "set portlist %s" % ",".join(map(str, (*others, port))))


def active(pmd, port):
    """The members of a bonded port that take part"""
    text = pmd.cmd("show bonding config %d" % port)
    found = re.search(r"Active \w+.*?: \[([\d ]*)\]", text)
    return found.group(1).split() if found else []


class Bonded:
    """A front end that sends back what its bonded port gets from two back ends, of one process or of two."""

    def __init__(self, folder, mode):
        self.folder, self.mode = str(folder), mode
        self.sockets = [os.path.join(self.folder, name + ".sock") for name in "ab"]
        self.running = []
        self.front = None

    def back(self, sockets, number):
        files = [os.path.join(self.folder, "%s%d.pcap" % (way, number)) for way in ("in", "out")]
        write_pcap(files[0], [])
        vdevs = ["net_vhost%d,iface=%s" % item for item in enumerate(sockets)]
        pmd = Testpmd(vdevs + ["net_pcap0,rx_pcap=%s,tx_pcap=%s" % tuple(files)], workers=2, args=["--total-num-mbufs=8192"])
        self.running.append(pmd)
        pmd.files = files
        pmd.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry")
        return pmd

    def start_front(self):
        self.front = Testpmd(["%s%d,path=%s" % (VDEV, n, path) for n, path in enumerate(self.sockets)],
            front=True)
        self.running.append(self.front)
        bond(self.front, self.mode, 2)
        self.front.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry")

    def close(self):
        for pmd in reversed(self.running):
            pmd.kill()


@pytest.fixture
def bonded(folder):
    made = []

    def make_one(mode):
        made.append(Bonded(folder, mode))
        return made[0]
    yield make_one
    for one in made:
        one.close()


def play(back, outside, frames):
    """What comes back of frames that a back end plays from its pcap port."""
    write_pcap(back.files[0], frames)
    # A pcap port that starts again reads its input anew, and empties its output.
    back.cmds("port stop %d" % outside, "port start %d" % outside)
    before = back.stats(outside)["TX-packets"]
    back.cmd("start")
    try:
        wait_for(lambda: back.stats(outside)["TX-packets"] - before >= len(frames), 20, "frames back through the bonded port")
    finally:
        back.stop()
    return read_pcap(back.files[1])


def drain(back, outside):
    """What is still on its way comes out."""
    seen = []
    back.cmd("start")

    def is_quiet():
        seen.append(back.stats(outside)["TX-packets"])
        time.sleep(0.1)
        return len(seen) > 3 and len(set(seen[-4:])) == 1
    wait_for(is_quiet, 10, "quiet rings")
    back.stop()


def test_active_backup(bonded):
    """The primary one's back end is killed: the other member takes over, and the first comes back."""
    setup = bonded(ACTIVE_BACKUP)
    backs = [setup.back([path], n) for n, path in enumerate(setup.sockets)]
    setup.start_front()
    setup.front.cmd("start")
    wait_for(lambda: sorted(active(setup.front, 2)) == ["0", "1"], 10, "both members")
    frames = make(COUNT, SMALL, 1)
    compare(play(backs[0], 1, frames), frames)
    backs[0].kill()
    wait_for(lambda: active(setup.front, 2) == ["1"], 10, "the second member alone")
    compare(play(backs[1], 1, frames), frames)
    assert setup.front.link_up(2)
    os.unlink(setup.sockets[0])  # lib/vhost does not listen where a file is
    setup.back(setup.sockets[:1], 2)
    wait_for(lambda: sorted(active(setup.front, 2)) == ["0", "1"], 15, "both members again")
    setup.front.quit()


def distributes(pmd, port):
    """Are both members of a bonded port in the state in which they send?"""
    text = pmd.cmd("show bonding lacp info %d" % port)
    actors = re.findall(r"Actor detail info:.*?port state: ([A-Z ]*)", text, re.S)
    return len(actors) == 2 and all("DISTRIBUTING" in state for state in actors)


def test_lacp(bonded):
    """Both sides aggregate two links, and the frames come back whole over them."""
    setup = bonded(LACP)
    back = setup.back(setup.sockets, 0)
    bond(back, LACP, 3, 2)
    setup.start_front()
    sides = ((setup.front, 2), (back, 3))
    # The bonding driver's LACP frames travel with the application's bursts, and this mode makes them all the time.
    for pmd, port in sides:
        pmd.cmds("set portlist %d" % port, "set fwd flowgen", "start")
    for pmd, port in sides:
        wait_for(lambda p=pmd, n=port: distributes(p, n), 30, "two links of " + pmd.name)
    assert sorted(active(setup.front, 2)) == ["0", "1"]
    back.cmds("stop", "set portlist 2,3", "set fwd io retry")
    setup.front.cmds("stop", "set fwd io retry", "start")
    drain(back, 2)
    frames = make(COUNT, SMALL, 2)
    assert sorted(play(back, 2, frames)) == sorted(frames)
    setup.front.quit()
