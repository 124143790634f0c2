# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What is needed to build for aarch64, and to run what was built: Debian's arm64 packages of DPDK and of
what it needs, unpacked below .cache/aarch64/, and meson's cross files. The version is that of the DPDK which is
installed here, because the driver headers are.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

from debpkg import PrivateApt, Trouble, archives, need, output

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(ROOT, ".cache", "aarch64")
SYSROOT = os.path.join(CACHE, "root")
MADE_OF = os.path.join(CACHE, "PACKAGE")
DPDK = ["libdpdk-dev", "dpdk-dev"]
OTHERS = ["libc6-dev", "libnuma-dev", "libcmocka-dev"]

# Of the packages: what is compiled with, linked to, loaded, and the program that the tests run.
PARTS = ["./lib/*", "./usr/lib/aarch64-linux-gnu/*", "./usr/include/*", "./usr/bin/dpdk-testpmd"]
# Big, and nothing uses them.
LEFT_OUT = ["*/librte_*.a", "*/python3*", "*/perl*"]

CROSS = """\
[binaries]
c = {c}
ar = 'aarch64-linux-gnu-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-aarch64', '-L', '{sysroot}']

[properties]
sys_root = '{sysroot}'
pkg_config_libdir = '{sysroot}/usr/lib/aarch64-linux-gnu/pkgconfig'

[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'armv8-a'
endian = 'little'
"""
COMPILERS = {
    "gcc": ["aarch64-linux-gnu-gcc", "--sysroot=" + SYSROOT],
    "clang": ["clang", "--target=aarch64-linux-gnu", "--sysroot=" + SYSROOT],
}


def say(text):
    print("aarch64: " + text, file=sys.stderr, flush=True)


def installed_version():
    return output("dpkg-query", "-W", "-f", "${Version}", DPDK[0]).strip()


def unpack(package, tree):
    """A part of a package. Most have nothing that matches most of the patterns, which tar calls an error."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as reader:
        done = subprocess.run(["tar", "-x", "-C", tree, "--wildcards", "--keep-directory-symlink"]
            + ["--exclude=" + p for p in LEFT_OUT] + PARTS, stdin=reader.stdout, check=False,
            stderr=subprocess.PIPE, text=True)
    # The ends of a pipe may differ when tar stops early; what it says is what counts.
    bad = [line for line in done.stderr.splitlines()
        if not line.endswith(("Not found in archive", "Exiting with failure status due to previous errors"))]
    if reader.returncode or bad:
        raise Trouble("%s: %s" % (os.path.basename(package), "; ".join(bad) or "cannot be unpacked"))


def fetch_packages(version, tree):
    """And unpacks them."""
    say("fetching DPDK %s for arm64, and what it needs (70 MB, once)" % version)
    sources = archives()
    if not sources:
        raise Trouble("this machine's apt has lists of no Debian archive: apt-get update")
    wanted = ["%s=%s" % (name, version) for name in DPDK] + OTHERS
    try:
        with PrivateApt("DPDK for arm64", CACHE, sources, "arm64") as apt:
            for package in apt.download_with_needs(wanted):
                unpack(package, tree)
    except Trouble as error:
        if re.search(r"Version '.*' for '.*' was not found", str(error)):
            raise Trouble("the archives have no DPDK %s for arm64: bring this machine's packages up to date"
                % version) from error
        raise


def fetch(version):
    new = SYSROOT + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    try:
        fetch_packages(version, new)
        shutil.rmtree(SYSROOT, ignore_errors=True)
        os.rename(new, SYSROOT)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    with open(MADE_OF, "w", encoding="ascii") as file:
        file.write(version)


def is_there(version):
    try:
        with open(MADE_OF, encoding="ascii") as file:
            return file.read() == version and os.path.isdir(SYSROOT)
    except OSError:
        return False


def write_cross_files():
    for name, command in COMPILERS.items():
        with open(os.path.join(CACHE, name + ".ini"), "w", encoding="utf-8") as file:
            file.write(CROSS.format(c=command, sysroot=SYSROOT))


def remove_cross_files():
    """What lies there no longer fits; without these files nobody tries."""
    for file in glob.glob(os.path.join(CACHE, "*.ini")):
        os.unlink(file)


def main():
    try:
        need("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
        need("qemu-aarch64", "qemu-user")
        os.makedirs(CACHE, exist_ok=True)
        version = installed_version()
        if not is_there(version):
            remove_cross_files()
            fetch(version)
        write_cross_files()
    except Trouble as error:
        say(" ".join(str(error).split()))
        sys.exit(1)


if __name__ == "__main__":
    main()
