# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The commands of README.md and of the guide, as they stand: extracted, and run with a socket of the test's own."""
import os
import re
import shlex
import subprocess

import pytest

from testpmd import BUILD, REPO, Testpmd, environment, wait_for

pytestmark = pytest.mark.sluice
README, GUIDE = os.path.join(REPO, "README.md"), os.path.join(REPO, "doc", "guides", "nics", "sluice.rst")
APPLICATIONS = os.path.join(REPO, "doc", "guides", "applications.rst")
SOCKET = "/run/vhost.sock"
# Another prefix than a user's, who may have the same programs running; memory that nobody else sees.
OWN = ["--in-memory", "--no-telemetry", "-m", "128"]


def commands(path):
    """Lines of code blocks, continued lines joined."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"\\\n\s*", "", text)
    return [line.strip() for line in text.splitlines() if re.match(r"( {3}|)\S*(devtools/plugin-run|dpdk-testpmd|cc) ", line)]


def find(path, *parts):
    found = [line for line in commands(path) if all(part in line for part in parts)]
    assert found, "%s has no command with %s" % (path, parts)
    return found


class Command(Testpmd):
    """A testpmd by a command line that somebody could type, but for its socket and its prefix."""

    def __init__(self, line, path, **env):
        self.name = self.prefix = "sluice_readme_%d_%d" % (os.getpid(), id(self))
        words = shlex.split(line.replace(SOCKET, path).replace("$PWD/build", BUILD))
        words[words.index("--")] = "--"
        split = words.index("--")
        self.launch([re.sub("^--file-prefix=.*", "--file-prefix=" + self.prefix, word) for word in words[:split]] + OWN
            + words[split:] + ["--no-mlockall"], True, dict(env))
        self.wait_prompt(0, 60)

    def launch(self, command, interactive, env=None):
        os.chdir(REPO)
        super().launch(command, interactive, dict(env or {}, SLUICE_BUILD=BUILD))


def pairs():
    """(back end's command, front end's command) of each place"""
    for name, path in (("readme", README), ("guide", GUIDE)):
        back = find(path, "net_vhost0")[0]
        fronts = find(path, "testpmd", "--vdev net_sluice0")
        # The kernel as peer takes modules that this machine need not have: tests/vm/test_vm_kernel.py and test_vm_vdpa.py.
        for n, front in enumerate(line for line in fronts if "/dev/vhost-" not in line):
            yield pytest.param(back, front, id="%s-%d" % (name, n))


@pytest.mark.parametrize("back,front", pairs())
def test_two_testpmds(folder, back, front):
    """The pair comes up and forwards, with the hugepages that devtools/setup reserves."""
    path = os.path.join(folder, "r.sock")
    running = []
    try:
        running.append(Command(back, path))
        running.append(Command(front, path))
        wait_for(running[1].link_up, 10, "link")
        running[1].cmds("set fwd mac", "start")
        running[0].cmd("start tx_first")
        wait_for(lambda: running[1].stats()["TX-packets"] > 1000, 10, "packets")
    finally:
        for one in reversed(running):
            one.kill()


def test_pools_fit_the_hugepages_of_setup():
    """Both programs together, in pages of 2 MiB."""
    with open(os.path.join(REPO, "devtools", "setup"), encoding="utf-8") as file:
        pages = int(re.search(r"SLUICE_HUGEPAGES:-(\d+)", file.read()).group(1))
    for path in (README, GUIDE):
        for line in find(path, "dpdk-testpmd", "--vdev"):
            mbufs = int(re.search(r"--total-num-mbufs=(\d+)", line).group(1))
            assert 2 * (mbufs * 2432 // (2 << 20) + 8) < pages, line


def test_l3fwd_has_the_cores_that_its_queues_name():
    """--config is (port,queue,core): a core that -l does not name ends the program."""
    found = []
    for path in (GUIDE, APPLICATIONS):
        with open(path, encoding="utf-8") as file:
            found += re.findall(r"^ +l3fwd\S* -l (\S+) .*--config='(\S+)'", re.sub(r"\\\n\s*", "", file.read()), re.M)
    assert len(found) == 2, found
    for cores, config in found:
        assert set(re.findall(r",(\d+)\)", config)) == set(cores.split(",")), (cores, config)


def test_static_linking(folder):
    """The guide's command, for a program of one line."""
    line = find(GUIDE, "cc app.o", "whole-archive")[0]
    with open(os.path.join(folder, "app.c"), "w", encoding="ascii") as file:
        file.write("#include <rte_eal.h>\nint main(int c, char **v) { return rte_eal_init(c, v) < 0; }\n")
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk"], check=True, capture_output=True, text=True).stdout
    subprocess.run("cc %s -c app.c && %s -o app" % (flags.strip(), line.replace("build/", BUILD + "/")), shell=True,
        check=True, cwd=folder)
    log = subprocess.run([os.path.join(folder, "app"), "--no-pci", "--iova-mode=va", "--in-memory", "--no-telemetry",
        "-m", "64", "-l", "0", "--vdev=net_sluice0"], capture_output=True, text=True, env=environment(), timeout=30)
    assert "device argument 'path' is missing" in log.stdout + log.stderr, log.stderr
