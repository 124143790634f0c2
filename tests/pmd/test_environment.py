# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What is around the driver: another release of DPDK, a user who may do little, the machine's own devices."""
import os
import re
import shutil
import subprocess

import pytest

from frames import SMALL
from pair import Config
from refusal import has_port, one_line_says, run_front
from testpmd import IS_SLUICE, PLUGIN, REPO, VDEV, environment

NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
# What a program opens or looks at that uses a device of the machine.
DEVICES = re.compile(r'"[^"]*(/bus/pci/|/dev/vfio/\d|/dev/uio\d|/sys/devices/pci)[^"]*"')


def build_shim(folder, name):
    path = os.path.join(folder, name + ".so")
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o",
        path, os.path.join(REPO, "tests", "pmd", "shim", name + ".c")], check=True)
    return path


def built_for():
    """(year, month) of the DPDK that is installed"""
    text = subprocess.run(["pkg-config", "--modversion", "libdpdk"], check=True, capture_output=True,
        text=True).stdout
    return tuple(int(part) for part in text.split(".")[:2])


@pytest.mark.sluice
@pytest.mark.parametrize("years,months", [(0, 1), (0, -8), (1, 0), (-1, 0)])
def test_another_release_of_dpdk(folder, testpmds, years, months):
    """The plug-in registers nothing, and says so once; the program goes on."""
    year, month = built_for()
    front = testpmds(["net_null0"], front=True, env={"OTHER_YEAR": str(year + years),
        "LD_PRELOAD": build_shim(folder, "other_release"), "OTHER_MONTH": str(month + months)})
    assert "failed" in front.cmd("port attach %s0,path=%s/v.sock" % (VDEV, folder))
    assert front.info()["Driver name"] == "net_null"
    front.quit()
    log = front.log()
    one_line_says(log, r"built for DPDK %d\.%02d" % (year, month),
        r"DPDK %d\.%02d\.0" % (year + years, month + months), "not loaded", "build the plug-in")
    assert len(re.findall("not loaded", log)) == 1, log


@pytest.mark.sluice
def test_another_patch_release_of_dpdk(fake, folder, testpmds):
    """The control: with the shim in place, but the same release, it loads."""
    year, month = built_for()
    front = testpmds(["%s0,path=%s" % (VDEV, fake().path)], front=True, env={"OTHER_YEAR": str(year),
        "LD_PRELOAD": build_shim(folder, "other_release"), "OTHER_MONTH": str(month)})
    assert "Driver name: net_sluice" in front.cmd("show port info 0")
    front.quit()


@pytest.fixture
def unprivileged(folder):
    """How nobody runs a front end; the folder of sockets is open to all."""
    if subprocess.run(NOBODY + ["test", "-r", PLUGIN], check=False).returncode:
        pytest.skip("user nobody may not read %s" % PLUGIN)
    os.chmod(folder, 0o755)
    runtime = os.path.join(folder, "run")
    os.mkdir(runtime)
    shutil.chown(runtime, "nobody", "nogroup")
    return {"wrap": NOBODY, "env": {"XDG_RUNTIME_DIR": runtime}}


@pytest.mark.sluice
def test_socket_of_somebody_else(fake, unprivileged):
    backend = fake()
    os.chmod(backend.path, 0o600)
    log, _ = run_front("path=" + backend.path, **unprivileged)
    assert not has_port(log)
    one_line_says(log, backend.path, "Permission denied")


@pytest.mark.sluice
def test_folder_of_somebody_else(folder, unprivileged):
    """A server that may not make its socket there."""
    path = os.path.join(folder, "s.sock")
    log, _ = run_front("server=1,path=" + path, **unprivileged)
    assert not has_port(log)
    one_line_says(log, path, "Permission denied")


@pytest.mark.sluice
def test_no_rights_are_needed(fake, testpmds, unprivileged):
    """The control: a user without any, who may open the socket."""
    backend = fake()
    os.chmod(backend.path, 0o666)
    front = testpmds(["%s0,path=%s" % (VDEV, backend.path)], front=True, **unprivileged)
    assert front.link_up()
    front.quit()


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace: run devtools/setup")
def test_no_device_of_the_machine_is_opened(new_pair, folder):
    """Every system call of a front end that takes a path, from its start to its end."""
    trace = os.path.join(folder, "trace")
    pair = new_pair(Config("traced", front_wrap=["strace", "-f", "-e", "trace=%file", "-o", trace]))
    pair.wait_link()
    pair.exchange("io", 100, SMALL)
    pair.close()
    with open(trace, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if IS_SLUICE:
        assert "librte_net_sluice.so" in text, "positive control: the trace has what was opened"
    assert re.search(r'"/sys/devices/system/node[^"]*"', text), "positive control: and looked at"
    assert not DEVICES.search(text), DEVICES.search(text).group(0)


@pytest.mark.sluice
def test_a_program_that_opens_dpdk_at_run_time(fake, folder):
    """librte_eal's thread-local variables are then where only slow accesses find them."""
    program, backend = os.path.join(folder, "late_eal"), fake()
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program,
        os.path.join(REPO, "tests", "pmd", "app", "late_eal.c")], check=True)
    eal = re.search(r"librte_eal\.so\S*", subprocess.run(["readelf", "-d", PLUGIN], check=True,
        capture_output=True, text=True).stdout).group(0).rstrip("]")
    run = subprocess.run([program, eal, "--no-pci", "--iova-mode=va", "--in-memory", "--no-telemetry", "-m", "64",
        "-l", "0", "-d", os.path.basename(PLUGIN), "--vdev=net_sluice0,path=" + backend.path], env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    assert run.returncode == 0 and "started" in run.stdout, run.stdout
    assert "GET_FEATURES" in backend.messages, run.stdout


@pytest.mark.sluice
@pytest.mark.parametrize("version", ["21.11.9", "23.07.0", "26.11.0"])
def test_release_that_was_not_tried(folder, version):
    """Configuring stops, and says which releases there are."""
    with open(os.path.join(folder, "libdpdk.pc"), "w", encoding="ascii") as file:
        file.write("Name: DPDK\nDescription: not there\nVersion: %s\nlibdir=%s\nLibs:\n" % (version, folder))
    done = subprocess.run(["meson", "setup", os.path.join(folder, "build"), REPO], capture_output=True, text=True,
        env=dict(os.environ, PKG_CONFIG_PATH=folder), timeout=60, check=False)
    assert done.returncode != 0
    assert re.search("DPDK %s: .*22.11, .*26.07" % re.escape(version), done.stdout), done.stdout
