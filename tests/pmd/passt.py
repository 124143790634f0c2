# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""passt, a user-mode TCP/IP stack that is a vhost-user back end, and network namespaces for both of its sides. It is Debian
13's package (Debian 12's serves no vhost-user): unpacked below .cache/, with its own libc."""
import ctypes
import glob
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from testpmd import REPO, die_with_parent, wait_for

sys.path.insert(0, os.path.join(REPO, "devtools", "lib"))
from debpkg import PrivateApt, Trouble, output  # noqa: E402

RELEASE = "trixie"
TREE = os.path.join(REPO, ".cache", "passt")
LIBRARIES = os.path.join(TREE, "usr", "lib", "x86_64-linux-gnu")
CLONE_NEWNET = 0x40000000
# The addresses of its guest, and of the gateway, under which the guest finds 127.0.0.1 of the host.
GUEST, GATEWAY = "192.0.2.2", "192.0.2.1"
GATEWAY_MAC = "9a:55:9a:55:9a:55"
libc = ctypes.CDLL(None, use_errno=True)


def lacks():
    """What keeps it from running here, or None; fetches it (4 MB) unless it is there."""
    if os.uname().machine != "x86_64":
        return "passt is fetched for x86_64 only"
    if not shutil.which("ip"):
        return "no ip: run devtools/setup tests"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "no /dev/net/tun"
    try:
        Namespace().close()
        fetch()
    except OSError as error:
        return "no network namespace can be made: %s" % error
    except Trouble as error:
        return str(error)
    return None


def fetch():
    if os.path.isdir(TREE):
        return
    os.makedirs(os.path.dirname(TREE), exist_ok=True)
    new = TREE + ".new"
    shutil.rmtree(new, ignore_errors=True)
    with PrivateApt("Debian's passt", os.path.dirname(TREE), [("http://deb.debian.org/debian", RELEASE)]) as apt:
        apt.download(["passt", "libc6"], apt.folder)
        for file in glob.glob(apt.path("*.deb")):
            output("dpkg-deb", "-x", file, new)
    os.rename(new, TREE)


class Namespace:
    """A thread in a network namespace of its own: what it opens and starts is there, and its processes end with it."""

    def __init__(self):
        self.thread = ThreadPoolExecutor(1)
        try:
            self.run(self.enter)
            self.ip("link set lo up")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def enter():
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def run(self, function, *args, **kwargs):
        return self.thread.submit(function, *args, **kwargs).result()

    def ip(self, *commands):
        for command in commands:
            self.run(subprocess.run, ["ip"] + command.split(), check=True, timeout=10)

    def close(self):
        self.thread.shutdown()


class Passt:
    """A server at path, in a namespace that stands for a host: its own address is the guest's, too. forward: a TCP port of the
    host that is the guest's"""

    def __init__(self, folder, forward):
        self.path = os.path.join(folder, "passt.sock")
        self.log_path = os.path.join(folder, "passt.log")
        self.forward = forward
        self.process = None
        os.chmod(folder, 0o777)  # it is user nobody when it opens its socket
        self.host = Namespace()
        # An interface with a route makes it believe in an outside.
        self.host.ip("tuntap add out mode tap", "addr add %s/24 dev out" % GUEST, "link set out up",
            "route add default via %s dev out" % GATEWAY)
        self.host.run(self.allow_ping)
        self.start()

    @staticmethod
    def allow_ping():
        with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as file:
            file.write("0 2147483647")

    def start(self):
        for path in glob.glob(self.path + "*"):
            os.unlink(path)
        with open(self.log_path, "ab") as log:
            # Its build for AVX2 is what it runs instead of itself where it can; as the program of a loader it cannot.
            self.process = self.host.run(subprocess.Popen, [LIBRARIES + "/ld-linux-x86-64.so.2", "--library-path", LIBRARIES,
                TREE + "/usr/bin/passt", "--vhost-user", "--foreground", "--ipv4-only", "--socket", self.path,
                "--tcp-ports", "127.0.0.1/%d" % self.forward, "--dns", "none"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=die_with_parent)
        wait_for(lambda: os.path.exists(self.path), 10, "passt's socket")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process is not None:
            self.kill()
        self.host.close()
