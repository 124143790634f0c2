# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The ways in which a program comes to the plug-in: by name and by path, twice, in two copies, by itself."""
import os
import re
import shutil
import subprocess

import pytest

from frames import SMALL
from pair import Config
from testpmd import BUILD, PLUGIN, REPO, VDEV, environment

pytestmark = pytest.mark.sluice
EAL = ["--no-pci", "--iova-mode=va", "--in-memory", "--no-telemetry", "-m", "64", "-l", "0"]


@pytest.fixture
def private_folder():
    """EAL takes no plug-in by path from below a folder that all may write to."""
    path = os.path.join(BUILD, "copy-of-plugin")
    folder = path
    while folder != "/":
        folder = os.path.dirname(folder)
        if os.stat(folder).st_mode & 0o002:
            pytest.skip("all may write to " + folder)
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    yield path
    shutil.rmtree(path)


def exchange(new_pair, *plugins):
    """With what the harness gives, the name, and these besides."""
    pair = new_pair(Config("twice", front_eal=[word for path in plugins for word in ("-d", path)]))
    assert pair.front.info()["Driver name"] == "net_sluice"
    pair.exchange("io", 200, SMALL)
    pair.close()
    return pair.front.log()


def test_by_name_and_by_path(new_pair, private_folder):
    """One file, whatever it is called."""
    assert private_folder
    link = os.path.join(private_folder, "a.so")
    os.symlink(PLUGIN, link)
    exchange(new_pair, PLUGIN, link)


def test_two_copies(new_pair, private_folder):
    """As where one is installed and another one was built: both register, and the first one has the ports."""
    other = shutil.copy(PLUGIN, private_folder)
    pair = new_pair(Config("copies", front_eal=["-d", other]))
    with open("/proc/%d/maps" % pair.front.pid, encoding="utf-8") as file:
        maps = file.read()
    assert other in maps and PLUGIN in maps, "positive control: both are there"
    pair.exchange("io", 200, SMALL)
    pair.front.cmds("port stop 0", "port close 0")
    pair.front.cmd("port attach %s1,path=%s/none.sock,server=1" % (VDEV, pair.folder))
    assert pair.front.info()["Driver name"] == "net_sluice"
    pair.front.cmd("port close 0")
    pair.front.quit()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("app") / "opens_plugin")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libdpdk"], check=True, capture_output=True,
        text=True).stdout.split()
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", path, os.path.join(REPO, "tests",
        "pmd", "app", "opens_plugin.c")] + flags, check=True)
    return path


@pytest.mark.parametrize("when", ["before", "after", "closed"])
@pytest.mark.parametrize("name", ["name", "path"])
def test_program_that_opens_it(fake, program, when, name):
    """By dlopen(), before EAL starts and after that. Who closes it again does not take its drivers away."""
    backend = fake()
    run = subprocess.run([program, when, os.path.basename(PLUGIN) if name == "name" else PLUGIN,
        "%s0,path=%s" % (VDEV, backend.path)] + EAL, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
    assert run.returncode == 0 and "port of net_sluice\nstarted" in run.stdout, (run.returncode, run.stdout)
    assert "GET_FEATURES" in backend.messages, run.stdout


def test_program_that_opens_it_twice(fake, program):
    """And EAL, too."""
    backend = fake()
    run = subprocess.run([program, "before", PLUGIN, "%s0,path=%s" % (VDEV, backend.path)] + EAL
        + ["-d", os.path.basename(PLUGIN)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=30, check=False)
    assert run.returncode == 0 and len(re.findall("port of net_sluice\nstarted", run.stdout)) == 1, run.stdout
