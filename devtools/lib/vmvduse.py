# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A server for VDUSE, which DPDK 22.11 has not: testpmd with net_vhost of Debian 13, and the libraries that they need,
its dynamic linker among them, below .cache/vm/vduse/. The newest packages of that release, as of kernel and QEMU.
"""
import glob
import os
import re
import shutil
import sys

from debpkg import PrivateApt, Trouble, output
from vmfetch import CACHE, MIRROR, say

RELEASE = "trixie"
TREE = os.path.join(CACHE, "vduse")
PROGRAM = "usr/bin/dpdk-testpmd"
# Loaded by name, so that no program says that it needs them.
DRIVERS = ["librte_%s.so.25" % name for name in ("bus_vdev", "mempool_ring", "net_vhost")]


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", path))


def find(root, library):
    found = glob.glob(os.path.join(root, "usr", "lib*", "**", library), recursive=True)
    if not found:
        raise Trouble("%s: not in what Debian's %s has of DPDK" % (library, RELEASE))
    return os.path.realpath(found[0])


def unpack(apt, root):
    """The program, and all libraries that it may want; 25 MB to download"""
    apt.unpack_programs(["dpdk-dev"], [d[:-6].replace("_", "-") + "25" for d in DRIVERS], root)


def gather(root):
    """{name: file} of the libraries that program and drivers need, and those need"""
    found, todo = {}, DRIVERS + needed(os.path.join(root, PROGRAM))
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = find(root, name)
            todo += needed(found[name])
    return found


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
        unpack(apt, root)
        for name, path in gather(root).items():
            shutil.copy(path, os.path.join(new, name))
        shutil.copy(os.path.join(root, PROGRAM), new)
    os.rename(new, TREE)


def main():
    try:
        fetch()
    except Trouble as error:
        say(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
