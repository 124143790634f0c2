#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A newer DPDK that nobody has to build, below .cache/dpdk-RELEASE/: Ubuntu's packages, because their archive also keeps the source
that they were made from, and with it the headers for drivers, which no package has. Nothing is installed.

    usr/        headers, libraries and libdpdk.pc to build Sluice with; also by a compiler that is older than their C library
    source/     VERSION and the headers for drivers: for meson's -Ddpdk_src
    run/        testpmd with net_vhost, Suricata, and all libraries that they need
    testpmd     runs it, with the dynamic linker of the packages
    suricata/   what Suricata is configured with
"""
import glob
import hashlib
import os
import re
import shutil
import sys
import tarfile
import urllib.request

import dpdkpkg
from debpkg import PrivateApt, Trouble, fetch_or_say, output
from vmfetch import ROOT

MIRROR, RELEASE, ABI = "http://archive.ubuntu.com/ubuntu", "resolute", 26
TREE = os.path.join(ROOT, ".cache", "dpdk-" + RELEASE)
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


def download(path, sha256, target):
    """A file of the archive"""
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(MIRROR + "/" + path, timeout=20) as answer, open(target, "wb") as file:
            while data := answer.read(1 << 20):
                digest.update(data)
                file.write(data)
    except OSError as error:
        raise Trouble("%s/%s: %s" % (MIRROR, path, error)) from None
    if digest.hexdigest() != sha256:
        raise Trouble("%s/%s has another SHA-256 than is known" % (MIRROR, path))


def keyring(folder):
    package = os.path.join(folder, "keyring.deb")
    download(KEYRING_PACKAGE, KEYRING_SHA256, package)
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
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"^prefix=.*", "prefix=${pcfiledir}/../../..", text, flags=re.M)
        text = re.sub(r"^(Requires|Libs)\.private:.*\n", "", text, flags=re.M)
        with open(os.path.join(libraries, "pkgconfig", os.path.basename(path)), "w", encoding="utf-8") as file:
            file.write(text)


def copy_source(apt, new):
    """The headers of just the version that the packages have"""
    (digest, path), = [file for file in apt.source("dpdk") if ".orig.tar" in file[1]]
    archive = apt.path("source.tar.xz")
    download(path, digest, archive)
    with tarfile.open(archive) as tar:
        top = tar.next().name
        wanted = tuple("%s/%s" % (top, name) for name in SOURCES)
        tar.extractall(apt.path("source"), [member for member in tar if member.name.startswith(wanted)])
    shutil.move(apt.path("source/" + top), os.path.join(new, "source"))


def fetch():
    """What is not there yet."""
    if os.path.isdir(os.path.join(TREE, "suricata")):
        return
    new = TREE + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(os.path.join(new, "run"))
    with PrivateApt("DPDK of Ubuntu's " + RELEASE, new, [(MIRROR, RELEASE)], keyring=keyring(new),
            kinds={"deb": "main universe", "deb-src": "main"}) as apt:
        root = apt.path("root")
        dpdkpkg.unpack(apt, root, ABI, ["libdpdk-dev", "suricata"])
        dpdkpkg.gather(root, os.path.join(new, "run"), ABI, ["usr/bin/suricata"])
        shutil.move(os.path.join(root, "etc/suricata"), new)
        copy_prefix(root, new)
        copy_source(apt, new)
    os.unlink(os.path.join(new, "keyring.deb"))
    shutil.rmtree(os.path.join(new, "keyring"))
    with open(os.path.join(new, "testpmd"), "w", encoding="utf-8") as file:
        file.write(TESTPMD % " ".join('-d "$run/%s"' % name for name in dpdkpkg.drivers(ABI)))
    os.chmod(os.path.join(new, "testpmd"), 0o755)
    shutil.rmtree(TREE, ignore_errors=True)
    os.rename(new, TREE)


if __name__ == "__main__":
    fetch_or_say(fetch, say)
