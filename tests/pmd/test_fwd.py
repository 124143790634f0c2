# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""app/sluice-fwd, the first program that a reader meets, by the README's command."""
import os
import re
import shlex
import signal
import subprocess

import pytest

from test_readme import OWN, README, SOCKET, find
from testpmd import BUILD, REPO, Testpmd, environment, wait_for

pytestmark = pytest.mark.sluice
PROGRAM = os.path.join(BUILD, "app", "sluice-fwd", "sluice-fwd")


class Forwarder(Testpmd):
    """The README's command, with sockets of the test's own."""

    def __init__(self, paths):
        words = shlex.split(find(README, "sluice-fwd")[0].replace("build/app", BUILD + "/app"))
        words = [word.replace(SOCKET, paths[0]) for word in words]
        for n, path in enumerate(paths[1:], 1):
            words += ["--vdev", "net_sluice%d,path=%s" % (n, path)]
        words[0] = os.path.join(REPO, words[0])
        self.name = "fwd"
        self.prefix = "sluice_fwd_%d_%d" % (os.getpid(), id(self))
        words = [re.sub("^--file-prefix=.*", "--file-prefix=" + self.prefix, word) for word in words]
        self.launch(words + OWN, False, {"SLUICE_BUILD": BUILD})

    def counts(self, port):
        """What was shown last: received, sent."""
        found = re.findall(r"port %d: received (\d+), sent (\d+)" % port, self.log())
        return tuple(map(int, found[-1])) if found else (0, 0)

    def interrupt(self):
        os.kill(self.pid, signal.SIGINT)
        return self.process.wait(10)


@pytest.fixture
def forwarder(folder):
    """Started for so many ports, each with a back end of its own: (program, back ends)"""
    running = []

    def start(nb):
        paths = [os.path.join(folder, "f%d.sock" % n) for n in range(nb)]
        backs = []
        for path in paths:
            backs.append(Testpmd(["net_vhost0,iface=" + path]))
            running.append(backs[-1])
        running.append(Forwarder(paths))
        for back in backs:
            wait_for(back.link_up, 10, "link")
        return running[-1], backs
    yield start
    for one in reversed(running):
        one.kill()


def test_one_port_sends_back(forwarder):
    forwarder, (back,) = forwarder(1)
    back.cmd("start tx_first")
    wait_for(lambda: forwarder.counts(0)[0] > 1000, 10, "packets")
    back.stop()
    assert forwarder.interrupt() == 0
    received, sent = forwarder.counts(0)
    assert received == sent > 1000, forwarder.log()


def test_two_ports(forwarder):
    """What the one port receives the other sends, and the other way."""
    forwarder, (source, sink) = forwarder(2)
    sink.cmds("set fwd rxonly", "start")
    source.cmds("set fwd txonly", "start")
    wait_for(lambda: sink.stats()["RX-packets"] > 1000, 10, "packets")
    source.stop()
    assert forwarder.interrupt() == 0
    assert forwarder.counts(0)[0] >= forwarder.counts(1)[1] > 1000
    assert forwarder.counts(1)[0] == forwarder.counts(0)[1] == 0


def test_it_is_as_short_as_the_readme_says():
    with open(README, encoding="utf-8") as readme, open(os.path.join(REPO, "app", "sluice-fwd", "main.c"), encoding="ascii") as file:
        lines, = re.findall(r"sluice-fwd/main\.c\): (\d+) lines", readme.read())
        assert len(file.readlines()) == int(lines)


def run(*args):
    done = subprocess.run([PROGRAM, "--no-pci", "--in-memory", "--no-telemetry", "-m", "64", *args], env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    return done.returncode, done.stdout


def test_it_says_what_is_missing():
    status, text = run("-l", "0")
    assert status != 0 and "no port: see above, or --vdev net_sluice0,path=SOCKET" in text
    for words in (["--nonsense"], ["-l", "0", "--", "nonsense"]):
        status, text = run(*words)
        assert status != 0 and "try --help" in text
    status, text = run("--help")
    assert status == 0 and "--vdev" in text
