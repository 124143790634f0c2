# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""testpmd of another release of a distribution, which this machine's C library is too old for: unpacked from its
packages, with all libraries that it needs, the dynamic linker among them. ABI: the number in the names of DPDK's libraries.
"""
import glob
import os
import re
import shutil

from debpkg import Trouble, output

PROGRAM = "usr/bin/dpdk-testpmd"


def drivers(abi):
    """Loaded by name, so that no program says that it needs them."""
    return ["librte_%s.so.%d" % (name, abi) for name in ("bus_vdev", "mempool_ring", "net_vhost")]


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", path))


def find(root, library):
    found = glob.glob(os.path.join(root, "usr", "lib*", "**", library), recursive=True)
    if not found:
        raise Trouble("%s: not in the packages of DPDK" % library)
    return os.path.realpath(found[0])


def unpack(apt, root, abi, more=()):
    """The program, all libraries that it may want, and more packages, below root"""
    apt.unpack_programs(["dpdk-dev", *more], [name.split(".")[0].replace("_", "-") + str(abi) for name in drivers(abi)], root)


def gather(root, target, abi, more=()):
    """The program and more ones, the drivers, and the libraries that they need, into one folder"""
    programs = [os.path.join(root, program) for program in (PROGRAM, *more)]
    found, todo = {}, drivers(abi) + [name for program in programs for name in needed(program)]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = find(root, name)
            todo += needed(found[name])
    for name, path in found.items():
        shutil.copy(path, os.path.join(target, name))
    for program in programs:
        shutil.copy(program, target)
