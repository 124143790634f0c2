# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A server for VDUSE, which DPDK 22.11 has not: testpmd with net_vhost of Debian 13, and the libraries that they need,
its dynamic linker among them, below .cache/vm/vduse/. The newest packages of that release, as of kernel and QEMU.
"""
import os
import shutil

import dpdkpkg
from debpkg import PrivateApt, fetch_or_say
from vmfetch import CACHE, MIRROR, say

RELEASE = "trixie"
TREE = os.path.join(CACHE, "vduse")
ABI = 25


def fetch():
    """What is not there yet."""
    if os.path.isdir(TREE):
        return
    say("fetching the VDUSE server of Debian's %s (once)" % RELEASE)
    os.makedirs(CACHE, exist_ok=True)
    new = TREE + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    with PrivateApt("Debian's " + RELEASE, CACHE, [(MIRROR, RELEASE)]) as apt:
        root = apt.path("root")
        dpdkpkg.unpack(apt, root, ABI)      # 25 MB to download
        dpdkpkg.gather(root, new, ABI)
    os.rename(new, TREE)


if __name__ == "__main__":
    fetch_or_say(fetch, say)
