# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""DPDK's packages of a distribution, unpacked. ABI: the number in the names of DPDK's libraries.

testpmd of another release, which this machine's C library is too old for, gets all libraries that it needs, the dynamic
linker among them. Compilers of this machine get a libdpdk.pc; and as a program:

    dpdkpkg.py LIBRARIES INSTALLED ABI     the same for a folder of unpacked libraries whose shared ones are installed in another
"""
import glob
import os
import re
import shutil
import sys

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


def relocate(libraries):
    """What libdpdk.pc says is true of where it is now; without what only static linking takes."""
    for path in glob.glob(os.path.join(libraries, "pkgconfig", "libdpdk*.pc")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"^prefix=.*", "prefix=${pcfiledir}/../../..", text, flags=re.M)
        text = re.sub(r"^(Requires|Libs)\.private:.*\n", "", text, flags=re.M)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def link_installed(libraries, installed, abi):
    """No linker falls back to static libraries, for there are none."""
    for path in glob.glob(os.path.join(libraries, "librte_*")):
        os.unlink(path)
        if path.endswith(".so"):
            os.symlink(os.path.join(installed, "%s.%s" % (os.path.basename(path), abi)), path)


if __name__ == "__main__":
    relocate(sys.argv[1])
    link_installed(*sys.argv[1:])
