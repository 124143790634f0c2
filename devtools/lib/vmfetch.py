# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Debian packages that guests are made of, downloaded and unpacked below .cache/vm/, never installed:
the kernel of the stable release, and from its backports a newer kernel and a newer QEMU.

The machine's own apt configuration knows no backports: they are asked for with sources and lists in a
temporary folder. Signatures are checked by apt, with the keyring that Debian installs.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(ROOT, ".cache", "vm")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org/debian"
KERNEL, NEW_KERNEL = "6.1", "6.12"
QEMU_TREE = os.path.join(CACHE, "qemu-backports")
QEMU_PACKAGES = ["qemu-system-x86", "qemu-system-common", "qemu-system-data"]


class Trouble(Exception):
    """Something on this machine is missing or not as expected; the text is for the user."""


def say(text):
    print("vm: " + text, file=sys.stderr, flush=True)


def need(program, package):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Trouble("no %s: run devtools/setup (Debian package %s)" % (program, package))
    return path


def output(*command, cwd=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
        stdin=subprocess.DEVNULL, check=False, text=True)
    if done.returncode:
        raise Trouble("%s: %s" % (" ".join(command), (done.stderr or done.stdout).strip()[-800:]))
    return done.stdout


def newest(series):
    """The kernel package of a series that is in the cache, or None."""
    return max(glob.glob(os.path.join(CACHE, "linux-image-%s.*.deb" % series)), default=None,
        key=os.path.getmtime)


def stable_kernel():
    """The newest kernel package that the machine's archives offer, downloaded into the cache."""
    need("apt-get", "apt")
    found = re.search(r"Depends: (linux-image-%s\.\S+)" % re.escape(KERNEL),
        output("apt-cache", "depends", "linux-image-amd64"))
    if not found:
        raise Trouble("the archives offer no linux-image-%s for amd64: apt-get update?" % KERNEL)
    say("fetching %s (70 MB, once)" % found.group(1))
    for _ in range(3):
        try:
            output("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", found.group(1),
                cwd=CACHE)
            return newest(KERNEL)
        except Trouble as error:
            trouble = error
            if os.geteuid() == 0:
                subprocess.run(["apt-get", "-q", "update"], stdout=subprocess.DEVNULL, check=False)
    raise trouble


class Backports:
    """An apt of its own that knows nothing but the backports of this Debian; in a with statement."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="apt-", dir=CACHE)
        for name in ("parts", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.folder, name))
        self.options = ["-q", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Acquire::Retries=2",
            "-o", "Acquire::http::Timeout=20", "-o", "APT::Get::List-Cleanup=0",
            "-o", "APT::Update::Error-Mode=any", "-o", "APT::Sandbox::User=root"]
        for option, name in (("Etc::sourceparts", "parts"), ("State::lists", "lists"),
                ("Cache", "cache")):
            self.options += ["-o", "Dir::%s=%s" % (option, os.path.join(self.folder, name))]

    def __enter__(self):
        try:
            self.update()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def update(self):
        name, mirror = release_and_mirror()
        if not os.path.exists(KEYRING):
            raise Trouble("no %s: install debian-archive-keyring" % KEYRING)
        with open(os.path.join(self.folder, "parts", "b.sources"), "w", encoding="ascii") as file:
            file.write("Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\nSigned-By: %s\n"
                % (mirror, name, KEYRING))
        self.get("update")

    def get(self, *args, cwd=None):
        try:
            output("apt-get", *self.options, *args, cwd=cwd)
        except Trouble as trouble:
            reason = re.search(r"\bE: (.*)", str(trouble))
            raise Trouble("Debian's backports cannot be fetched: %s"
                % (reason.group(1) if reason else trouble)) from None

    def download(self, names, target):
        say("fetching %s from Debian's backports (once)" % ", ".join(names))
        self.get("download", *names, cwd=target)

    def kernel(self):
        text = output("apt-cache", *self.options, "depends", "linux-image-amd64")
        found = re.search(r"Depends: (linux-image-%s\.\S+)" % re.escape(NEW_KERNEL), text)
        if not found:
            raise Trouble("Debian's backports offer no kernel " + NEW_KERNEL)
        self.download([found.group(1)], CACHE)

    def qemu(self):
        tree = QEMU_TREE + ".new"
        shutil.rmtree(tree, ignore_errors=True)
        self.download(QEMU_PACKAGES, self.folder)
        for package in sorted(glob.glob(self.folder + "/*.deb")):
            output("dpkg-deb", "-x", package, tree)
        missing = re.findall(r"(\S+) => not found", output("ldd", qemu_program(tree)))
        if missing:
            raise Trouble("the backports' QEMU needs %s, which this machine has not" % ", ".join(missing))
        os.rename(tree, QEMU_TREE)


def release_and_mirror():
    """(name of this Debian, URI of the archive from which the machine has it)"""
    with open("/etc/os-release", encoding="utf-8") as file:
        found = re.search(r"^VERSION_CODENAME=(\w+)", file.read(), re.M)
    if not found:
        raise Trouble("/etc/os-release names no release of Debian")
    for line in output("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)",
            "Identifier: Packages").splitlines():
        release, component, uri = line.split()
        if (release, component) == (found.group(1), "main"):
            return release, uri
    return found.group(1), MIRROR


def qemu_program(tree=QEMU_TREE):
    return os.path.join(tree, "usr", "bin", "qemu-system-x86_64")


def qemu(which):
    """(command, changes of the environment) that start a QEMU: "backports", or a program's name or path"""
    if which != "backports":
        return [need(which, "qemu-system-x86")], {}
    if not os.path.exists(qemu_program()):
        raise Trouble("no QEMU from Debian's backports: run devtools/setup")
    return ([qemu_program(), "-L", QEMU_TREE + "/usr/share/qemu", "-L", "/usr/share/seabios"],
        {"QEMU_MODULE_DIR": QEMU_TREE + "/usr/lib/x86_64-linux-gnu/qemu"})


def fetch_backports():
    """What is not there yet."""
    os.makedirs(CACHE, exist_ok=True)
    has_qemu, has_kernel = os.path.exists(qemu_program()), newest(NEW_KERNEL)
    if has_qemu and has_kernel:
        return
    with Backports() as backports:
        if not has_qemu:
            backports.qemu()
        if not has_kernel:
            backports.kernel()


def main():
    try:
        fetch_backports()
    except Trouble as error:
        say(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
