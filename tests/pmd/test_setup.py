# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""devtools/setup, twice in one tree: devtools/package and devtools/demo start one as well."""
import fcntl
import os
import shutil
import subprocess

import pytest

from testpmd import REPO


def test_one_at_a_time(folder):
    """The tree has the packages and driver headers of this one, to which nothing may be added."""
    if subprocess.run([os.path.join(REPO, "devtools", "setup"), "-q", "-n", "plugin"], timeout=60, check=False).returncode:
        pytest.skip("something is missing: run devtools/setup plugin")
    tree = os.path.join(folder, "tree")
    os.makedirs(os.path.join(tree, "devtools", "lib"))
    for name in ("devtools/setup", "devtools/lib/common.sh"):
        shutil.copy(os.path.join(REPO, name), os.path.join(tree, name))
    if os.path.isdir(os.path.join(REPO, ".sdk")):
        os.symlink(os.path.join(REPO, ".sdk"), os.path.join(tree, ".sdk"))
    other = os.open(tree, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        env = dict(os.environ, SLUICE_HUGEPAGES="0")
        command = ["timeout", "60", os.path.join(tree, "devtools", "setup"), "plugin"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=env) as setup:
            assert setup.stdout.readline() == f"setup: waits for another one in {tree}\n"
            assert setup.poll() is None
            fcntl.flock(other, fcntl.LOCK_UN)
            text = setup.stdout.read()
        assert setup.returncode == 0 and text.endswith("setup: everything is there\n"), text
        # A look alone waits for nobody.
        fcntl.flock(other, fcntl.LOCK_EX)
        subprocess.run([command[2], "-n", "plugin"], timeout=60, check=True, env=env)
    finally:
        os.close(other)
