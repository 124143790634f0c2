# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Debian packages that guests are made of, downloaded and unpacked below .cache/vm/, never installed:
the kernel of the stable release, from its backports, which the machine's own apt may not know, a newer kernel
and a newer QEMU, and from the testing release QEMU 11 with its libraries.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

from debpkg import PrivateApt, Trouble, archives, need, output

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(ROOT, ".cache", "vm")
MIRROR = "http://deb.debian.org/debian"
KERNEL, NEW_KERNEL = "6.1", "6.12"
QEMU_TREE = os.path.join(CACHE, "qemu-backports")
TESTING, TESTING_TREE = "forky", os.path.join(CACHE, "qemu-testing")
LIBRARIES = os.path.join("usr", "lib", "x86_64-linux-gnu")
QEMU_PACKAGES = ["qemu-system-x86", "qemu-system-common", "qemu-system-data"]


def say(text):
    print("vm: " + text, file=sys.stderr, flush=True)


def newest(series):
    """The kernel package of a series that is in the cache, or None."""
    return max(glob.glob(os.path.join(CACHE, "linux-image-%s.*.deb" % series)), default=None,
        key=os.path.getmtime)


def kernel_package(series, depends):
    """Its name, by what apt-cache says of the package linux-image-amd64; or None"""
    found = re.search(r"Depends: (linux-image-%s\.\S+)" % re.escape(series), depends)
    return found and found.group(1)


def stable_kernel():
    """The newest kernel package that the machine's archives offer, downloaded into the cache."""
    need("apt-get", "apt")
    package = kernel_package(KERNEL, output("apt-cache", "depends", "linux-image-amd64"))
    if not package:
        raise Trouble("the archives offer no linux-image-%s for amd64: apt-get update?" % KERNEL)
    say("fetching %s (70 MB, once)" % package)
    for _ in range(3):
        try:
            output("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package, cwd=CACHE)
            return newest(KERNEL)
        except Trouble as error:
            trouble = error
            if os.geteuid() == 0:
                subprocess.run(["apt-get", "-q", "update"], stdout=subprocess.DEVNULL, check=False)
    raise trouble


def backports():
    """(URI, release) of the backports of this Debian, where the machine has Debian itself from"""
    with open("/etc/os-release", encoding="utf-8") as file:
        found = re.search(r"^VERSION_CODENAME=(\w+)", file.read(), re.M)
    if not found:
        raise Trouble("/etc/os-release names no release of Debian")
    name = found.group(1)
    return next((uri for uri, release in archives() if release == name), MIRROR), name + "-backports"


def fetch_from_backports(apt, packages, target):
    say("fetching %s from Debian's backports (once)" % ", ".join(packages))
    apt.download(packages, target)


def fetch_kernel(apt):
    package = kernel_package(NEW_KERNEL, apt.depends("linux-image-amd64"))
    if not package:
        raise Trouble("Debian's backports offer no kernel " + NEW_KERNEL)
    fetch_from_backports(apt, [package], CACHE)


def fetch_qemu(apt):
    tree = QEMU_TREE + ".new"
    shutil.rmtree(tree, ignore_errors=True)
    fetch_from_backports(apt, QEMU_PACKAGES, apt.folder)
    for package in sorted(glob.glob(apt.path("*.deb"))):
        output("dpkg-deb", "-x", package, tree)
    missing = re.findall(r"(\S+) => not found", output("ldd", qemu_program(tree)))
    if missing:
        raise Trouble("the backports' QEMU needs %s, which this machine has not" % ", ".join(missing))
    os.rename(tree, QEMU_TREE)


def qemu_program(tree=QEMU_TREE):
    return os.path.join(tree, "usr", "bin", "qemu-system-x86_64")


def qemu(which):
    """(command, changes of the environment) that start a QEMU: "backports", "testing", or a program's name or path"""
    if which not in ("backports", "testing"):
        return [need(which, "qemu-system-x86")], {}
    tree = QEMU_TREE if which == "backports" else TESTING_TREE
    libraries = os.path.join(tree, LIBRARIES)
    if not os.path.exists(qemu_program(tree)):
        raise Trouble("no QEMU from Debian's %s: run devtools/setup" % which)
    linker = [libraries + "/ld-linux-x86-64.so.2", "--library-path", libraries] if which == "testing" else []
    return (linker + [qemu_program(tree), "-L", tree + "/usr/share/qemu", "-L", "/usr/share/seabios"],
        {"QEMU_MODULE_DIR": libraries + "/qemu"})


def qemu_version(command):
    return re.search(r"version (\S+)", output(*command, "--version")).group(1)


def fetch_testing():
    """40 MB: with its own dynamic linker and libraries, as this machine's are too old."""
    if os.path.exists(qemu_program(TESTING_TREE)):
        return
    say("fetching QEMU of Debian's %s (40 MB, once)" % TESTING)
    new = TESTING_TREE + ".new"
    shutil.rmtree(new, ignore_errors=True)
    with PrivateApt("Debian's " + TESTING, CACHE, [(MIRROR, TESTING)]) as apt:
        apt.unpack_programs(QEMU_PACKAGES, [], new)
    os.rename(new, TESTING_TREE)


def fetch_backports():
    """What is not there yet."""
    os.makedirs(CACHE, exist_ok=True)
    has_qemu, has_kernel = os.path.exists(qemu_program()), newest(NEW_KERNEL)
    if has_qemu and has_kernel:
        return
    with PrivateApt("Debian's backports", CACHE, [backports()]) as apt:
        if not has_qemu:
            fetch_qemu(apt)
        if not has_kernel:
            fetch_kernel(apt)


def main():
    status = 0
    for fetch in (fetch_backports, fetch_testing):
        try:
            fetch()
        except Trouble as error:
            say(str(error))
            status = 1
    sys.exit(status)


if __name__ == "__main__":
    main()
