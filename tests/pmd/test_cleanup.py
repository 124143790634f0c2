# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Ports that are taken away while they are started: by rte_eal_cleanup(), and by hot-unplug."""
import os
import signal
import subprocess

import pytest

from pair import Config
from testpmd import BUILD, PLUGIN, VDEV, die_with_parent, environment, wait_for

pytestmark = pytest.mark.sluice
PROGRAM, FORK = [os.path.join(BUILD, "tests", name) for name in ("cleanup_started", "fork_stop")]


def eal(vdev, *more):
    return ["--no-pci", "--iova-mode=va", "--no-telemetry", "-l", "0", "-d", os.path.basename(PLUGIN),
        "--vdev=" + vdev, *more]


@pytest.mark.parametrize("memory", [["--in-memory", "-m", "64"], ["--no-huge", "-m", "64"]],
    ids=["hugepages", "no-huge"])
@pytest.mark.parametrize("backend_ends", [False, True], ids=["backend-stays", "backend-ends"])
def test_cleanup_with_a_started_port(fake, memory, backend_ends):
    """The program lives on for a second; so does nothing of the port, and nothing looks at memory that is gone."""
    backend = fake()
    with subprocess.Popen([PROGRAM] + eal("net_sluice0,path=" + backend.path, *memory),
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=die_with_parent,
            text=True) as app:
        try:
            said = ""
            for line in app.stdout:
                said += line
                if line == "clean\n" and backend_ends:
                    backend.close()
            assert app.wait(20) == 0 and said.endswith("alive\n"), (app.returncode, said)
            assert "SET_VRING_KICK" in backend.messages, backend.messages
        finally:
            app.kill()


def test_a_child_cannot_stop_nor_close_its_parents_port(fake):
    backend = fake()
    app = subprocess.run([FORK] + eal("net_sluice0,path=" + backend.path, "--in-memory", "-m", "64"), env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    assert app.returncode == 0, (app.returncode, app.stdout)
    assert app.stdout.count("a child of fork() cannot control it") == 2, app.stdout
    assert backend.messages.count("GET_VRING_BASE") == 4, "the parent's stops"


def test_hot_unplug_of_a_started_port(fake, testpmds):
    """testpmd forgets to stop the port first, if nobody forwards."""
    backend = fake()
    front = testpmds(["%s0,path=%s" % (VDEV, backend.path)], front=True)
    wait_for(backend.ready, 5, "negotiation")
    text = front.cmd("device detach %s0" % VDEV)
    if "not stopped" in text:       # testpmd itself refuses
        front.cmd("port stop 0")
        text = front.cmd("device detach %s0" % VDEV)
    assert "is detached" in text or "detached" in text, text
    available, size = front.pool()
    assert available == size
    front.quit()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_signal_without_a_back_end_that_answers(new_pair, signum):
    """The process ends while the back end is stopped."""
    pair = new_pair(Config("signal"))
    pair.back.suspend()
    try:
        pair.front.interrupt(signum)
        assert pair.front.wait_end(30) in (0, -signum)
    finally:
        os.kill(pair.back.pid, signal.SIGCONT)
