# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What is needed to build for aarch64, and to run what was built: Debian's arm64 packages of DPDK and of
what it needs, unpacked below .cache/aarch64/ and never installed, and meson's cross files.

The machine's own apt and dpkg learn nothing of the other architecture: apt is asked with a configuration,
lists and a status file in a temporary folder. The version is that of the DPDK which is installed here, because the
driver headers are.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

from vmimage import Trouble, need, output

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

CONFIGURATION = """\
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Retries "2";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{folder}/parts";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"""

CROSS = """\
[binaries]
c = {c}
ar = 'aarch64-linux-gnu-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-aarch64-static', '-L', '{sysroot}']

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


class Arm64Apt:
    """An apt for a machine of the other architecture on which nothing is installed; in a with statement."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="apt-", dir=CACHE)
        for name in ("parts", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.folder, name))
        self.conf = os.path.join(self.folder, "apt.conf")
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(folder=self.folder))
        with open(os.path.join(self.folder, "status"), "w", encoding="ascii"):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, *args):
        return output("apt-get", "-q", "-y", "-c", self.conf, *args)

    def use_archives(self):
        """Debian's among those that this machine is configured for."""
        found = output("apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(RELEASE) main",
            "Identifier: Packages", "Component: main")
        entries = re.findall(r"^Debian (.*)$", found, re.M)
        if not entries:
            raise Trouble("this machine's apt has lists of no Debian archive: apt-get update")
        with open(os.path.join(self.folder, "parts", "debian.list"), "w", encoding="ascii") as file:
            for entry in entries:
                file.write("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s\n" % entry)
        self.get("update")

    def download(self, wanted):
        """These packages and all that they need; their files."""
        self.get("--download-only", "--no-install-recommends", "install", *wanted)
        return sorted(glob.glob(os.path.join(self.folder, "cache", "archives", "*.deb")))


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


def packages(apt, version):
    say("fetching DPDK %s for arm64, and what it needs (70 MB, once)" % version)
    apt.use_archives()
    try:
        return apt.download(["%s=%s" % (name, version) for name in DPDK] + OTHERS)
    except Trouble as error:
        if re.search(r"E: Version '.*' for '.*' was not found", str(error)):
            raise Trouble("the archives have no DPDK %s for arm64: bring this machine's packages up to date"
                % version) from error
        raise


def fetch(version):
    new = SYSROOT + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    try:
        with Arm64Apt() as apt:
            for package in packages(apt, version):
                unpack(package, new)
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
        need("qemu-aarch64-static", "qemu-user-static")
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
