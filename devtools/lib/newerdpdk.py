#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A newer DPDK that nobody has to build, below .cache/dpdk-RELEASE/: Ubuntu's packages, because their archive also keeps the source
that they were made from, and with it the headers for drivers, which no package has. Nothing is installed.

    usr/        headers, libraries and libdpdk.pc to build Sluice with; also by a compiler that is older than their C library
    source/     VERSION and the headers for drivers: for meson's -Ddpdk_src
    run/        testpmd with net_vhost, and all libraries that they need
    testpmd     runs it, with the dynamic linker of the packages
    suricata/   what Suricata, which is in run/, is configured with; of the release that it is tried with
    root/       only when asked for: the same packages with their own compilers, to build and run programs in

    newerdpdk.py RELEASE         that release
    newerdpdk.py RELEASE root    with root/
    newerdpdk.py --list          the releases whose packages are known
"""
import glob
import hashlib
import os
import platform
import shutil
import sys
import tarfile
import urllib.request

import dpdkpkg
from debpkg import PrivateApt, Trouble, fetch_or_say, need, output
from vmfetch import ROOT

# Releases of Ubuntu move to the second one when their support has ended.
MIRRORS = ["http://archive.ubuntu.com/ubuntu", "http://old-releases.ubuntu.com/ubuntu"]
# Of each release of DPDK: the release of Ubuntu that has it, the number in the names of its libraries, applications that tests want.
PACKAGED = {"23.11": ("noble", 24, []), "24.11": ("questing", 25, []), "25.11": ("resolute", 26, ["suricata"])}
# What devtools/matrix runs in root/: a shell, compilers, and what the build and the tests want.
TOOLS = ["bash", "dash", "coreutils", "findutils", "grep", "sed", "mawk", "gcc", "libc6-dev", "clang", "meson", "ninja-build", "pkg-config",
    "libnuma-dev", "libcmocka-dev", "libdpdk-dev"]
# What apt checks all else with.
KEYRING_PACKAGE = "pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1build1_all.deb"
KEYRING_SHA256 = "c377ccf26964f4c206c05c0bc7adb708e031beb919bb9a0ff63af983d064cd66"
SOURCES = ["VERSION", "lib/ethdev/", "lib/eal/include/", "drivers/bus/pci/", "drivers/bus/vdev/"]
TESTPMD = """#!/bin/sh
run=$(dirname "$0")/run
exec "$run/ld-linux-x86-64.so.2" --library-path "$run${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$run/dpdk-testpmd" %s "$@"
"""


def say(text):
    print("newer DPDK: " + text, file=sys.stderr, flush=True)


def mirror_of(name):
    """The one that has a release of Ubuntu"""
    trouble = []
    for mirror in MIRRORS:
        try:
            with urllib.request.urlopen("%s/dists/%s/InRelease" % (mirror, name), timeout=20):
                return mirror
        except OSError as error:
            trouble.append("%s: %s" % (mirror, error))
    raise Trouble("Ubuntu's %s cannot be fetched: %s" % (name, "; ".join(trouble)))


def download(url, sha256, target):
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=20) as answer, open(target, "wb") as file:
            while data := answer.read(1 << 20):
                digest.update(data)
                file.write(data)
    except OSError as error:
        raise Trouble("%s: %s" % (url, error)) from None
    if digest.hexdigest() != sha256:
        raise Trouble("%s has another SHA-256 than is known" % url)


def keyring(folder):
    package = os.path.join(folder, "keyring.deb")
    download(MIRRORS[0] + "/" + KEYRING_PACKAGE, KEYRING_SHA256, package)
    output("dpkg-deb", "-x", package, os.path.join(folder, "keyring"))
    return os.path.join(folder, "keyring", "usr/share/keyrings/ubuntu-archive-keyring.gpg")


def copy_prefix(root, new):
    """What compilers and linkers read"""
    libraries = os.path.join(new, "usr/lib/x86_64-linux-gnu")
    shutil.copytree(os.path.join(root, "usr/include"), os.path.join(new, "usr/include"), symlinks=True)
    os.makedirs(os.path.join(libraries, "pkgconfig"))
    shutil.copytree(os.path.join(root, "usr/lib/x86_64-linux-gnu/dpdk"), os.path.join(libraries, "dpdk"), symlinks=True)
    for path in glob.glob(os.path.join(root, "usr/lib/x86_64-linux-gnu/lib*.so*")):
        shutil.copy(path, libraries, follow_symlinks=False)
    for path in glob.glob(os.path.join(root, "usr/lib/x86_64-linux-gnu/pkgconfig/libdpdk*.pc")):
        shutil.copy(path, os.path.join(libraries, "pkgconfig"))
    dpdkpkg.relocate(libraries)


def copy_source(apt, mirror, new):
    """The headers of just the version that the packages have"""
    (digest, path), = [file for file in apt.source("dpdk") if ".orig.tar" in file[1]]
    archive = apt.path("source.tar.xz")
    download(mirror + "/" + path, digest, archive)
    with tarfile.open(archive) as tar:
        top = tar.next().name
        wanted = tuple("%s/%s" % (top, name) for name in SOURCES)
        tar.extractall(apt.path("source"), [member for member in tar if member.name.startswith(wanted)])
    shutil.move(apt.path("source/" + top), os.path.join(new, "source"))


def private_apt(release, mirror, new):
    os.makedirs(new)
    return PrivateApt("DPDK %s of Ubuntu's %s" % (release, PACKAGED[release][0]), new, [(mirror, PACKAGED[release][0])],
        keyring=keyring(new), kinds={"deb": "main universe", "deb-src": "main"})


def remove_keyring(new):
    os.unlink(os.path.join(new, "keyring.deb"))
    shutil.rmtree(os.path.join(new, "keyring"))


def fetch_tree(release, tree):
    """All but root/"""
    ubuntu, abi, applications = PACKAGED[release]
    new, mirror = tree + ".new", mirror_of(ubuntu)
    shutil.rmtree(new, ignore_errors=True)
    with private_apt(release, mirror, new) as apt:
        root = apt.path("root")
        os.makedirs(os.path.join(new, "run"))
        dpdkpkg.unpack(apt, root, abi, ["libdpdk-dev", *applications])
        dpdkpkg.gather(root, os.path.join(new, "run"), abi, ["usr/bin/" + name for name in applications])
        for name in applications:
            shutil.move(os.path.join(root, "etc", name), new)
        copy_prefix(root, new)
        copy_source(apt, mirror, new)
    remove_keyring(new)
    with open(os.path.join(new, "testpmd"), "w", encoding="utf-8") as file:
        file.write(TESTPMD % " ".join('-d "$run/%s"' % name for name in dpdkpkg.drivers(abi)))
    os.chmod(os.path.join(new, "testpmd"), 0o755)
    shutil.rmtree(tree, ignore_errors=True)
    os.rename(new, tree)


def fetch_root(release, root):
    """A root folder to run programs in. Packages are unpacked and not configured: what builds Sluice has no need of that."""
    new = root + ".new"
    shutil.rmtree(new, ignore_errors=True)
    with private_apt(release, mirror_of(PACKAGED[release][0]), new) as apt:
        for name in ("bin", "sbin", "lib", "lib64"):
            os.makedirs(os.path.join(new, "usr", name))
            os.symlink("usr/" + name, os.path.join(new, name))
        for package in apt.download_with_needs(TOOLS):
            output("dpkg-deb", "-x", package, new)
    remove_keyring(new)
    os.rename(new, root)


def fetch(release, more=""):
    """What is not there yet."""
    if release not in PACKAGED:
        raise Trouble("%s: the releases whose packages are known are %s" % (release, ", ".join(PACKAGED)))
    if platform.machine() != "x86_64":
        raise Trouble("the packages that are known are for x86-64")
    need("apt-get", "apt")
    tree = os.path.join(ROOT, ".cache", "dpdk-" + release)
    if not all(os.path.isdir(os.path.join(tree, name)) for name in ["source", *PACKAGED[release][2]]):
        say("fetching packages of DPDK %s and their source (60 to 75 MB)" % release)
        fetch_tree(release, tree)
    root = os.path.join(tree, "root")
    if more == "root" and not os.path.isdir(root):
        say("fetching compilers for DPDK %s (190 MB)" % release)
        fetch_root(release, root)


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print(*PACKAGED)
    else:
        fetch_or_say(lambda: fetch(*sys.argv[1:]), say)
