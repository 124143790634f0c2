# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A stock testpmd in the guest, driven like one on the host, and the network peer of its port."""
import collections
import os
import re
import shlex
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "pmd"), os.path.join(ROOT, "devtools", "lib")]
import vmimage  # noqa: E402 (found by the line above)
from frames import compare, expected, make  # noqa: E402
from l3fwd import Waking, app_args, counts  # noqa: E402
from test_pools import check  # noqa: E402
from testpmd import Deadline, Testpmd  # noqa: E402

DRIVER = os.environ.get("SLUICE_TEST_PCI", "net_sluice_pci")
IS_SLUICE = DRIVER == "net_sluice_pci"
BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD") or os.path.join(ROOT, "build"))
PLUGIN = os.path.join(BUILD, "drivers", vmimage.PLUGIN)
MBUFS = 4096
# Of tests/pmd/app/pools.c
POOL_STEPS = int(os.environ.get("SLUICE_TEST_POOLS", "80"))
# Frames on their way at a time: fewer than half of the smallest ring hold in any case.
WINDOW = 24


class Ended:
    """Looks like the process of a testpmd that runs elsewhere; its last words carry the status."""
    mark = re.compile(rb"\0<ended (\d+)>")

    def __init__(self, owner):
        self.owner = owner

    def poll(self):
        with self.owner.changed:
            match = self.mark.search(self.owner.text)
        return int(match.group(1)) if match else None

    def wait(self, timeout):
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise self.owner.trouble(Deadline, "still runs after %g s" % timeout)
            time.sleep(0.02)
        return self.poll()


class GuestTestpmd(Testpmd):
    """As its parent, on the guest's terminal. nics: those that it is given; devargs: for each;
    claim: the devarg by which the driver under test takes them; wrap: how a shell runs it; own_files: its
    memory is in files, which another process of DPDK can attach to; lcores: EAL's, and the CPUs of each."""
    line = 0    # of the guest's terminals

    def __init__(self, vm, nics, args=(), eal=(), devargs="", workers=1, claim=IS_SLUICE, wrap="exec %s",
            own_files=False, lcores=None):
        self.vm = vm
        self.name = "guest's"
        cores = ["--lcores", lcores] if lcores else ["-l", ",".join(map(str, range(1 + workers)))]
        command = ["dpdk-testpmd"] + cores + ["--no-telemetry"]
        if not own_files:
            command += ["--in-memory"]
        if IS_SLUICE:
            command += ["-d", vmimage.PLUGIN]
        for nic in nics:
            command += ["-a", ",".join([nic.bdf] + ["sluice=1"] * claim + [devargs] * bool(devargs))]
        command += list(eal) + ["--", "-i", "--no-mlockall", "--no-flush-rx", "--nb-cores=%d" % workers]
        if not any(arg.startswith("--total-num-mbufs") for arg in args):
            command += ["--total-num-mbufs=%d" % MBUFS]
        self.start(command + list(args), wrap)
        try:
            self.wait_prompt(0, 60)
        except Exception:
            self.kill()
            raise

    def start(self, command, wrap="exec %s"):
        """Runs it on the guest's terminal, or on the second one."""
        vm, tty = self.vm, "hvc%d" % self.line
        self.command = shlex.join(command)
        self.text = bytearray()
        self.changed = threading.Condition()
        self.reader = self
        self.terminal = vm.terminals[self.line].end.fileno()
        self.process = Ended(self)
        vm.terminals[self.line].tee = self.receive
        # In no session of its own: the end of a session's leader throws away what was not yet sent.
        vm.put("/tmp/command-" + tty, ("exec " + self.command).encode())
        vm.check("rm -f /tmp/pid; stty -F /dev/%s raw -echo\n"
            "sh -c 'echo $$ >/tmp/pid; exec <>/dev/%s >&0 2>&1; (%s)\n"
            "printf \"\\\\000<ended $?>\"' &\n"
            "while [ ! -s /tmp/pid ]; do usleep 10000; done" % (tty, tty, wrap % ("sh /tmp/command-" + tty)))
        self.shell = int(vm.check("cat /tmp/pid"))

    def receive(self, data):
        with self.changed:
            self.text += data
            self.changed.notify_all()

    def is_alive(self):
        """Of the thread that reads: as long as there is something to read."""
        return self.process.poll() is None

    def join(self, timeout):
        """Nothing to wait for: all was read when the end was."""

    def pid_in_guest(self):
        return int(self.vm.check("cat /proc/%d/task/%d/children" % (self.shell, self.shell)).split()[0])

    def ports(self):
        return [int(n) for n in re.findall(r"^(\d+) +[0-9A-F]{2}:", self.cmd("show port summary all"),
            re.M)]

    def attach(self, nic, devargs="sluice=1"):
        """Whether the port came to be"""
        before = self.ports()
        self.cmd("port attach " + ",".join(filter(None, [nic.bdf, devargs])), 30)
        return len(self.ports()) > len(before)

    def files(self):
        """What the process has open, without numbers: {what: how often}"""
        text = self.vm.check("cd /proc/%d/fd; for f in *; do readlink $f; done" % self.pid_in_guest())
        return collections.Counter(re.sub(r"\d+", "N", line) for line in text.splitlines())

    def memzones(self):
        """{name: (address, length)}"""
        return {name: (int(virt, 16), int(length, 16)) for name, length, virt in re.findall(
            r"name:<([^>]*)>, len:(0x[0-9a-f]+), virt:(0x[0-9a-f]+)", self.cmd("dump_memzone"))}

    def kill(self):
        if self.process.poll() is None:
            self.vm.run("kill -KILL $(cat /proc/%d/task/%d/children)" % (self.shell, self.shell))
            try:
                self.process.wait(20)
            except Deadline:
                pass
        self.clean()

    def clean(self):
        self.vm.terminals[self.line].tee = None

    def mac(self, port=0):
        return bytes.fromhex(self.info(port)["MAC address"].replace(":", ""))


class GuestOther(GuestTestpmd):
    """A program with EAL on the guest's terminal that is no testpmd; SIGINT ends it."""

    def __init__(self, vm, program, nic, ready, args=(), cores=1, devargs="sluice=1"):
        self.vm = vm
        self.name = "guest's " + program
        self.start([program, "-l", ",".join(map(str, range(cores))), "--no-telemetry", "--in-memory", "-d", vmimage.PLUGIN,
            "-a", nic.bdf + "," + devargs] + list(args))
        self.wait_log(ready, 60)

    def cpu_ticks(self, lcore=0):
        pid = self.pid_in_guest()
        fields = self.vm.check("cat /proc/%d/task/%d/stat" % (pid, pid)).rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def quit(self, timeout=30):
        self.vm.check("kill -INT %d" % self.pid_in_guest())
        status = self.wait_end(timeout)
        self.clean()
        assert status == 0, self.log()[-3000:]


class GuestL3fwd(Waking, GuestOther):
    """With queues of its device that have a core each"""

    def __init__(self, vm, nic, queues=1):
        super().__init__(vm, "l3fwd-power", nic, "entering main interrupt loop", ["--"] + app_args(queues),
            queues)


class GuestSleeper(GuestOther):
    """tests/pmd/sleeper.c"""

    def __init__(self, vm, nic):
        super().__init__(vm, "sleeper", nic, "sleeper: ready")

    def quit(self, timeout=30):
        """What it counted."""
        super().quit(timeout)
        return counts(self.log())


class GuestPools(GuestTestpmd):
    """tests/pmd/app/pools.c with ports that EAL's arguments make"""

    def __init__(self, vm, eal, kinds):
        self.vm = vm
        self.name = "guest's pools"
        self.start(["pools", "-l", "0", "--no-telemetry", "--in-memory", "-d", vmimage.PLUGIN] + list(eal) + ["--", kinds, str(POOL_STEPS)])
        self.wait_log("pools: ready", 60)

    def run(self, ports):
        os.write(self.terminal, b"go\n")
        status = self.wait_end(120 + POOL_STEPS)
        self.clean()
        assert status == 0, self.log()[-3000:]
        check(self.log(), ports, POOL_STEPS)


class Peer:
    """The other end of a device's netdev, dgram or a tap: a datagram is a frame."""

    def __init__(self, nic):
        self.socket = nic.socket
        self.socket.settimeout(0.2)

    def drain(self):
        """What an earlier test left."""
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(70000)
        except BlockingIOError:
            pass
        self.socket.settimeout(0.2)

    def echo(self, frames, seconds=60, window=WINDOW):
        """Sends frames, never more than window ahead of what came back; what came back."""
        got, sent = [], 0
        end = time.monotonic() + seconds
        while len(got) < len(frames):
            while sent < len(frames) and sent - len(got) < window:
                self.socket.send(frames[sent])
                sent += 1
            try:
                got.append(self.socket.recv(70000))
            except socket.timeout:
                if time.monotonic() > end:
                    break
        return got


def with_checksums(count, sizes, seed, port=1000):
    """(IPv4/UDP frames whose checksums are wrong, the same frames with right ones)"""
    from scapy.all import IP, UDP, Ether, Raw
    wrong, right = [], []
    for frame in make(count, sizes, seed):
        good = Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb") / IP(src="192.0.2.1",
            dst="192.0.2.2") / UDP(sport=port, dport=2000) / Raw(frame[14:max(len(frame) - 28, 22)])
        right.append(bytes(good))
        good[UDP].chksum, good[IP].chksum = 0x1234, 0x4321
        wrong.append(bytes(good))
    return wrong, right


def exchange(testpmd, nic, mode="io", count=400, sizes=(60, 1514), seed=1, window=WINDOW):
    """Frames from the peer through the guest's port and back, compared byte by byte. In csum mode testpmd
    repairs checksums, in software: a dgram peer offers no checksum offload."""
    peer = Peer(nic)
    peer.drain()
    mac = testpmd.mac()
    before = testpmd.stats()
    frames = want = make(count, list(sizes), seed)
    if mode == "csum":
        frames, want = with_checksums(count, list(sizes), seed)
    testpmd.cmds("set fwd " + mode, "start")
    try:
        got = peer.echo(frames, window=window)
    finally:
        testpmd.stop()
    after = testpmd.stats()
    assert len(got) == count, "%d of %d frames came back; port %s" % (len(got), count, after)
    compare(got, [expected(frame, mode, mac) for frame in want])
    delta = {key: after[key] - before[key] for key in after}
    size = sum(map(len, frames))
    for way in ("RX", "TX"):
        assert delta[way + "-packets"] == count and delta[way + "-bytes"] == size, delta
    assert delta["RX-errors"] == delta["TX-errors"] == 0, delta
    return delta
