# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Starting, stopping, closing and ending, a hundred times over: nothing may be left behind."""
import os
import signal
import subprocess
import time

import pytest

from frames import SMALL
from pair import Config, check_pool
from testpmd import PLUGIN, REPO, VDEV, die_with_parent, environment, wait_for

LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])


def resources(pair):
    """What must be equal before and after, once both processes have come to rest."""
    pair.wait_link()
    readings = []

    def at_rest():
        readings.append({"fds": pair.front.fds(), "back end's fds": pair.back.fds(),
            "maps": pair.front.maps(), "mbufs": pair.front.pool()[0]})
        time.sleep(0.1)
        return len(readings) > 2 and readings[-1] == readings[-2] == readings[-3]
    wait_for(at_rest, 10, "two processes at rest")
    return readings[-1]


def test_100_stops_and_starts(new_pair):
    pair = new_pair(Config("stop-start", packed_vq=0))
    front = pair.front
    before = None
    for cycle in range(104):
        if cycle == 4:  # the first cycles fill caches of libraries
            before = resources(pair)
        front.cmds("port stop 0", "port start 0")
        if cycle % 20 == 0:
            pair.wait_link()
            pair.exchange("io", 100, SMALL)
    assert resources(pair) == before
    pair.exchange("mac", 300, SMALL)
    pair.close()


@pytest.mark.sluice
@LAYOUTS
def test_reset(new_pair, packed):
    """What a RESET event asks for: the connection is a new one, and the port is the same."""
    pair = new_pair(Config("reset", packed_vq=packed))
    front = pair.front
    mac = pair.mac()
    for _ in range(3):
        connects = front.xstats()["device_connects"]
        front.cmds("port stop 0", "port reset 0", "port start 0")
        pair.wait_link()
        assert front.xstats()["device_connects"] == connects + 1
        assert pair.mac() == mac
        pair.exchange("io", 300, SMALL)
    front.cmds("port stop 0", "port close 0")
    check_pool(front)
    pair.close()


@LAYOUTS
def test_stop_under_traffic(new_pair, packed):
    """Both rings are full of mbufs when the port stops."""
    pair = new_pair(Config("traffic", packed_vq=packed))
    front, back = pair.front, pair.back
    for _ in range(5):
        front.cmds("set fwd io", "start")
        back.cmds("set fwd txonly", "start")
        time.sleep(0.1)
        front.stop()
        front.cmds("port stop 0")
        back.stop()
        front.cmds("port start 0")
        pair.wait_link()
    pair.exchange_among_leftovers()
    pair.close()


def attach(front, vdev):
    text = front.cmds("port attach " + vdev, "port start 0")
    assert "is attached" in text, text


def detach(front):
    text = front.cmds("port stop 0", "port close 0")
    check_pool(front)
    text += front.cmd("device detach %s0" % VDEV)
    assert "is closed" in text, text


@LAYOUTS
def test_100_closes_and_attaches(new_pair, packed):
    """A whole life of the port in every round: probe, start, stop, close, detach."""
    config = Config("attach", packed_vq=packed)
    pair = new_pair(config)
    front = pair.front
    rounds, before = 100 // 2, None  # two layouts: a hundred in all
    for cycle in range(rounds + 4):
        if cycle == 4:
            before = resources(pair)
        detach(front)
        attach(front, config.vdev(pair.path))
    assert resources(pair) == before
    pair.exchange("io", 300, SMALL)
    pair.close()


@pytest.mark.sluice
def test_nothing_is_held_after_close(new_pair):
    """Detached after a second life, the process has the descriptors and maps of the first time."""
    pair = new_pair(Config("close"))
    front = pair.front
    detach(front)
    closed = front.fds(), front.maps()
    attach(front, pair.config.vdev(pair.path))
    pair.wait_link()
    assert front.fds() > closed[0] and front.maps() > closed[1]
    detach(front)
    assert (front.fds(), front.maps()) == closed
    front.quit()


@pytest.mark.sluice
def test_descriptors_are_closed_on_exec(new_pair):
    """All that attaching a port opens: a program that the application starts inherits none."""
    pair = new_pair(Config("cloexec"))
    front = pair.front

    def descriptors():
        found = {}
        for name in os.listdir("/proc/%d/fd" % front.pid):
            with open("/proc/%d/fdinfo/%s" % (front.pid, name)) as file:
                flags = next(line.split()[1] for line in file if line.startswith("flags:"))
            found[name] = int(flags, 8)
        return found
    detach(front)
    closed = descriptors()
    attach(front, pair.config.vdev(pair.path))
    pair.wait_link()
    new = {name: flags for name, flags in descriptors().items() if name not in closed}
    assert len(new) >= 5, "a socket, the rings' memory, two kicks and more: %s" % new
    for name, flags in new.items():
        assert flags & os.O_CLOEXEC, os.readlink("/proc/%d/fd/%s" % (front.pid, name))
    pair.close()


@pytest.mark.parametrize("how", ["quit", "SIGINT", "SIGTERM"])
def test_ending_under_traffic(new_pair, how):
    """testpmd stops and closes its ports, then destroys the pool that the port used."""
    pair = new_pair(Config("end"))
    front, back = pair.front, pair.back
    front.cmds("set fwd io", "start")
    back.cmds("set fwd txonly", "start")
    wait_for(lambda: front.stats()["RX-packets"] > 1000, 5, "traffic")
    if how == "quit":
        front.quit()
    else:
        front.interrupt(getattr(signal, how))
        status = front.wait_end(15)
        # testpmd cleans up and then ends by the signal.
        assert status in (0, -getattr(signal, how)), status
        assert "Port 0 is closed" in front.log() or "Bye" in front.log()
    back.stop()
    assert not back.link_up()
    back.quit()


def test_quit_without_stop_or_start(new_pair):
    pair = new_pair(Config("quit"))
    pair.front.quit()
    pair.back.quit()


def test_two_ports_of_one_process(folder, testpmds):
    """Two ports on one pool, forwarding between each other; one closed, the other goes on."""
    paths = [os.path.join(folder, name) for name in ("a.sock", "b.sock")]
    back = testpmds(["net_vhost%d,iface=%s" % item for item in enumerate(paths)],
        args=["--total-num-mbufs=8192"])
    front = testpmds(["%s%d,path=%s" % (VDEV, n, path) for n, path in enumerate(paths)], front=True,
        args=["--total-num-mbufs=3000"])
    for port in (0, 1):
        wait_for(lambda p=port: front.link_up(p) and back.link_up(p), 10, "link of port %d" % port)
    front.cmds("set fwd io", "start")
    back.cmds("set fwd io", "start tx_first 2")
    wait_for(lambda: front.stats(0)["TX-packets"] > 1000 and front.stats(1)["TX-packets"] > 1000, 5,
        "traffic through both ports")
    front.stop()
    back.stop()
    front.cmds("port stop 1", "port close 1")
    moved = front.stats(0)["RX-packets"]
    front.cmds("set portlist 0", "set fwd rxonly", "start")
    back.cmds("set portlist 0", "set fwd txonly", "start")
    wait_for(lambda: front.stats(0)["RX-packets"] > moved + 1000, 5, "the other port goes on")
    front.stop()
    back.stop()
    front.cmds("port stop 0", "port close 0")
    check_pool(front)
    front.quit()
    back.quit()


@pytest.mark.sluice
def test_closed_in_its_own_callback(fake, folder):
    """The callback of a link event runs in the port's thread, which cannot wait for its own end."""
    program = os.path.join(folder, "close_in_callback")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libdpdk"], check=True,
        capture_output=True, text=True).stdout.split()
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-o", program, os.path.join(REPO,
        "tests", "pmd", "app", "close_in_callback.c")] + flags, check=True)
    backend = fake()
    with subprocess.Popen([program, "--no-pci", "--iova-mode=va", "--in-memory", "--no-telemetry", "-m", "64",
            "-l", "0", "-d", os.path.basename(PLUGIN), "--vdev=net_sluice0,path=" + backend.path],
            env=environment(), stdout=subprocess.PIPE, preexec_fn=die_with_parent, text=True) as app:
        try:
            wait_for(backend.ready, 10, "negotiation")
            assert "up\n" in iter(app.stdout.readline, "")
            backend.close()
            assert app.wait(20) == 0
            assert "closed\n" in app.stdout.read()
        finally:
            app.kill()
