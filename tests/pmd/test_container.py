# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A front end with no more than a container needs: a user without a capability, namespaces of its own, and of the machine only
what is installed, the plug-in and the folder of the socket (doc/guides/confinement.rst)."""
import os
import shutil
import subprocess

import pytest

from frames import SMALL
from pair import Config, Pair
from testpmd import PLUGIN

NOBODY = 65534
CONTAINER = ("setpriv --reuid {0} --regid {0} --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "
    "bwrap --unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 "
    "--proc /proc --dev /dev --ro-bind /sys /sys").format(NOBODY).split()


def can_be_made():
    return (os.geteuid() == 0 and shutil.which("bwrap") is not None
        and subprocess.run(CONTAINER + ["/usr/bin/true"], capture_output=True, check=False).returncode == 0)


pytestmark = [pytest.mark.sluice, pytest.mark.skipif(not can_be_made(),
    reason="takes root, bubblewrap (devtools/setup tests) and a kernel that lets users make namespaces")]


def status(pid):
    """Of the program that runs in the container which this process made."""
    while True:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
            children = file.read().split()
        if not children:
            break
        pid = int(children[0])
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in file)}


@pytest.mark.parametrize("isolation", ["scoped", "copy"])
def test_without_privileges(folder, isolation):
    """It forwards every byte, with huge pages of which it has no mount."""
    plugin = os.path.join(folder, "plugin")
    os.mkdir(plugin)
    shutil.copy(PLUGIN, plugin)
    for path in (folder, plugin):
        os.chmod(path, 0o755)
    wrap = CONTAINER + ["--bind", folder, folder, "--setenv", "LD_LIBRARY_PATH", plugin]
    pair = Pair(Config("container", front_wrap=wrap, isolation=isolation), folder, backend_first=False)
    try:
        pair.start_back()
        os.chmod(pair.path, 0o666)
        pair.start_front()
        pair.wait_link()
        inside = status(pair.front.pid)
        assert (inside["Name"], int(inside["CapEff"], 16), inside["Uid"].split()[0]) == ("dpdk-testpmd", 0, str(NOBODY))
        pair.exchange("io", 300, SMALL)
        pair.front.quit()
    finally:
        pair.kill()
