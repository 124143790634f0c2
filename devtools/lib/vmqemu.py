# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""One guest: its QEMU process, the agent's line into it, QMP, and a terminal.

Emulated by TCG, never by KVM. Nothing of the host's PCI bus is touched; the only network peers are
UDP sockets on 127.0.0.1 that this process opens and hands over, unless a netdev is given by hand.
"""
import base64
import ctypes
import itertools
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time

import vmfetch
import vmimage
from debpkg import Trouble

FIRST_SLOT = 4
PR_SET_PDEATHSIG = 1
NIC_PROPERTIES = "disable-legacy=on,iommu_platform=on,romfile="
IOMMUS = {
    "intel": ("intel-iommu", {"intremap": "on", "aw-bits": "48"}, "intel_iommu=on"),
    # With pt=on QEMU 10 translates nothing for emulated devices.
    "amd": ("amd-iommu", {"intremap": "on", "pt": "off"}, "amd_iommu=on"),
    "virtio": ("virtio-iommu-pci", {}, "sluice.modules=virtio_iommu"),
    "none": (None, {}, ""),
}
libc = ctypes.CDLL(None)


class GuestDied(Exception):
    """QEMU ended, or the guest did, when it should have gone on."""


class GuestDeadline(Exception):
    """Something did not happen in time."""


def udp_socket():
    """On the loopback, with room for what a busy reader leaves."""
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind(("127.0.0.1", 0))
    for option in (socket.SO_RCVBUF, 33):     # 33: SO_RCVBUFFORCE, which only root may
        try:
            end.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        except OSError:
            pass
    return end


def udp_loop():
    """A socket that is its own peer."""
    end = udp_socket()
    end.connect(end.getsockname())
    return end


def udp_pair():
    """Two sockets that are each other's peer."""
    pair = [udp_socket(), udp_socket()]
    pair[0].connect(pair[1].getsockname())
    pair[1].connect(pair[0].getsockname())
    return pair


class Nic:
    """A virtio-net-pci device. netdev: "peer" (a socket here, .socket), "join" (the next NIC with
    "join" is at the other end), "loop" (what the guest sends comes back), the value of a -netdev option,
    in which %(id)s is the name, or a function of (nic, Vm.inherit) that returns one and may set .socket."""

    def __init__(self, props="", netdev="peer", slot=None, bus=None, bdf=None, bind=True):
        """slot: on the bus, the next free one unless given; bdf: needed on other buses than the first;
        bind: or else the guest's kernel may have it"""
        self.props, self.netdev, self.slot, self.bus, self.bdf = props, netdev, slot, bus, bdf
        self.bind = bind
        self.socket = self.id = None

    def copy(self):
        return Nic(self.props, self.netdev, self.slot, self.bus, self.bdf, self.bind)


def negotiated_features(status):
    """Names in the answer of Vm.virtio_status(), such as VIRTIO_F_RING_PACKED"""
    got = status["guest-features"]
    return {text.split(":")[0] for kind in ("transports", "dev-features") for text in got.get(kind, [])}


class Line:
    """A line into the guest: a thread reads it, whoever wants waits for what comes."""

    def __init__(self, end):
        self.end = end
        self.data = bytearray()
        self.changed = threading.Condition()
        self.tee = None
        self.closed = False
        self.reader = threading.Thread(target=self.read_all, daemon=True)
        self.reader.start()

    def read_all(self):
        while not self.closed:
            try:
                data = self.end.recv(65536)
            except OSError:
                data = b""
            with self.changed:
                self.data += data
                self.closed = not data
                if self.tee and data:
                    self.tee(data)
                self.changed.notify_all()

    def wait(self, condition, seconds, what):
        """Waits until condition(data) gives something; its value."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                value = condition(self.data)
                if value:
                    return value
                if self.closed:
                    raise GuestDied("the guest ended; waited for " + what)
                left = end - time.monotonic()
                if left <= 0:
                    raise GuestDeadline("%s: not within %g s" % (what, seconds))
                self.changed.wait(min(left, 1))


class Qmp:
    def __init__(self, end):
        self.file = end.makefile("rwb")
        end.settimeout(30)
        self.lock = threading.Lock()
        self.events = []
        while "QMP" not in self.receive():      # the greeting; before it comes what a former QEMU said last
            pass
        self("qmp_capabilities")

    def receive(self):
        try:
            line = self.file.readline()
        except OSError as error:
            raise GuestDied("QMP: %s" % error) from None
        if not line:
            raise GuestDied("QEMU ended")
        return json.loads(line)

    def __call__(self, command, **arguments):
        with self.lock:
            self.file.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
            self.file.flush()
            while True:
                answer = self.receive()
                if "event" in answer:
                    self.events.append(answer)
                elif "error" in answer:
                    raise Trouble("QMP %s: %s" % (command, answer["error"]["desc"]))
                else:
                    return answer["return"]


class Vm:
    def __init__(self, results, nics=(), iommu="intel", iommu_props=None, build=None, bind="vfio-pci",
            memory=2048, cpus=2, hugepages=400, append="", machine="", args=(), trace=(), add=(),
            qemu="qemu-system-x86_64", kernel=vmfetch.KERNEL, qmp_path=None, terminals=1,
            has_vduse=False, moves=False):
        """moves: the guest may migrate(). Who reads its lines waits until the deadline then when QEMU dies."""
        self.results = os.path.abspath(results)
        os.makedirs(self.results, exist_ok=True)
        self.nics = list(nics)
        self.build = build or os.path.join(vmfetch.ROOT, "build")
        self.fds, self.process, self.ids = [], None, itertools.count(1)
        self.agent, self.terminals = None, [None] * terminals
        self.lock = threading.Lock()
        self.boot_seconds, self.was_overdue = None, False
        self.append, self.bind, self.moves = append, bind, moves
        vmlinux, base = vmimage.base_archive(kernel)
        program, self.environment = vmfetch.qemu(qemu)
        initrd = self.path("initrd")
        self.has_plugin = vmimage.overlay_archive(initrd + ".own", self.build, add)
        self.join_archives(initrd, base, *([vmimage.vduse_archive()] if has_vduse else []), initrd + ".own")
        self.lines = {"agent": "virtserialport"}
        self.lines.update(("terminal%d" % n, "virtconsole") for n in range(terminals))
        self.ends = {name: socket.socketpair() for name in list(self.lines) + ["qmp"]}
        self.command = (program + ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-name", "sluice,process=sluice-vm",
            "-M", "q35,kernel-irqchip=split" + machine, "-accel", "tcg,thread=multi",
            "-cpu", "max", "-smp", str(cpus), "-m", str(memory), "-kernel", vmlinux,
            "-initrd", initrd]
            + self.iommu_args(iommu, iommu_props or {}) + self.line_args(qmp_path) + list(args)
            + list(itertools.chain(*map(self.nic_args, range(len(self.nics)))))
            + ["-d", "guest_errors", "-D", self.path("guest_errors.log")]
            + list(itertools.chain(*(["-trace", pattern] for pattern in trace)))
            + ["-append", " ".join(self.cmdline(iommu, hugepages).split())])

    @property
    def terminal(self):
        return self.terminals[0]

    def path(self, name):
        return os.path.join(self.results, name)

    @staticmethod
    def join_archives(target, *parts):
        with open(target, "wb") as out:
            for part in parts:
                with open(part, "rb") as file:
                    left = os.fstat(file.fileno()).st_size
                    while left:
                        left -= os.sendfile(out.fileno(), file.fileno(), None, left)
        os.unlink(parts[-1])

    def cmdline(self, iommu, hugepages):
        nics = ",".join(nic.bdf for nic in self.nics if nic.bind)
        return ("console=ttyS0 loglevel=5 panic=-1 mitigations=off nokaslr init_on_alloc=0 random.trust_cpu=on "
            "cryptomgr.notests no_timer_check rcupdate.rcu_expedited=1 %s iommu=nopt iommu.strict=1 "
            "hugepages=%d sluice.terminals=%d %s %s %s" % (IOMMUS[iommu][2], hugepages, len(self.terminals),
            "sluice.nics=" + nics if nics else "", "sluice.bind=" + self.bind if self.bind else "",
            self.append))

    def inherit(self, end):
        self.fds.append(end)
        os.set_inheritable(end.fileno(), True)
        return end.fileno()

    def line_args(self, qmp_path):
        args = ["-chardev", "file,id=console,path=" + self.path("console.log"),
            "-serial", "chardev:console"]
        # Without iommu_platform: it bypasses the IOMMU, so that what is seen there is the NICs'.
        args += ["-device", "virtio-serial-pci,id=lines,addr=0x3,disable-legacy=on,romfile="]
        for number, (name, kind) in enumerate(self.lines.items()):
            args += ["-chardev", "socket,id=%s,fd=%d" % (name, self.inherit(self.ends[name][1])),
                "-device", "%s,chardev=%s,nr=%d" % (kind, name, number + 1)]
        args += ["-chardev", "socket,id=qmp,fd=%d" % self.inherit(self.ends["qmp"][1]),
            "-mon", "chardev=qmp,mode=control"]
        if qmp_path:
            args += ["-qmp", "unix:%s,server=on,wait=off" % qmp_path]
        return args

    @staticmethod
    def iommu_args(kind, changes):
        """Before every device that it serves."""
        device, props, _ = IOMMUS[kind]
        if not device:
            return []
        props = dict(props, **changes)
        return ["-device", ",".join([device] + ["%s=%s" % item for item in props.items()])]

    def nic_args(self, index):
        nic = self.nics[index]
        nic.id = "n%d" % index
        slot = FIRST_SLOT + index if nic.slot is None else nic.slot
        if nic.bdf is None:
            nic.bdf = "0000:00:%02x.0" % slot
        if nic.netdev == "peer":
            nic.socket, theirs = udp_pair()
            netdev = "dgram,id=%s,local.type=fd,local.str=%d" % (nic.id, self.inherit(theirs))
        elif nic.netdev == "loop":
            nic.socket = udp_loop()
            netdev = "dgram,id=%s,local.type=fd,local.str=%d" % (nic.id, self.inherit(nic.socket))
            nic.socket = "handed over"
        elif nic.netdev == "join":
            if nic.socket is None:
                other = next(n for n in self.nics[index + 1:] if n.netdev == "join")
                nic.socket, other.socket = udp_pair()
            netdev = "dgram,id=%s,local.type=fd,local.str=%d" % (nic.id, self.inherit(nic.socket))
            nic.socket = "handed over"
        elif callable(nic.netdev):
            netdev = "%s,id=%s" % (nic.netdev(nic, self.inherit), nic.id)
        else:
            netdev = nic.netdev % {"id": nic.id} if "%(id)s" in nic.netdev else \
                "%s,id=%s" % (nic.netdev, nic.id)
        device = ["virtio-net-pci", "netdev=" + nic.id, "id=nic%d" % index, "addr=0x%x" % slot,
            NIC_PROPERTIES] + (["bus=" + nic.bus] if nic.bus else []) + [nic.props] * bool(nic.props)
        return ["-netdev", netdev, "-device", ",".join(device)]

    # --- life ----------------------------------------------------------------------------------

    def start(self, seconds=90):
        """Boots; returns when the agent is ready."""
        with open(self.path("command"), "w", encoding="utf-8") as file:
            file.write("\n".join(self.command) + "\n")
        begin = time.monotonic()
        self.spawn(self.command, "wb")
        if not self.moves:
            self.close_fds()
        self.agent, *self.terminals = [Line(self.ends[name][0]) for name in self.lines]
        try:
            self.qmp = Qmp(self.ends["qmp"][0])
            self.agent.wait(lambda data: b"READY" in data and data.endswith(b"\n"), seconds, "boot")
        except (GuestDied, GuestDeadline, Trouble) as error:
            try:        # its lines close a moment before it has a status
                status = "ended with status %d" % self.process.wait(1)
            except subprocess.TimeoutExpired:
                status = "runs"
            self.kill()
            raise type(error)("%s; QEMU %s\n%s" % (error, status, self.logs())) from None
        self.boot_seconds = time.monotonic() - begin
        return self

    def spawn(self, command, mode):
        """mode: of the file that takes what QEMU says"""
        def dies_with_parent():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with open(self.path("qemu.log"), mode) as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, pass_fds=[end.fileno() for end in self.fds], start_new_session=True,
                env=dict(os.environ, **self.environment), preexec_fn=dies_with_parent)

    def close_fds(self):
        for end in self.fds:
            end.close()

    def wait_migration(self, seconds):
        end = time.monotonic() + seconds
        while True:
            status = self.qmp("query-migrate").get("status")
            if status == "completed":
                return
            if status in ("failed", "cancelled") or time.monotonic() > end:
                raise Trouble("migration: %s, %g s allowed\n%s" % (status, seconds, self.logs()))
            time.sleep(0.05)

    def migrate(self, seconds=60):
        """Writes the state of the guest to a file, and lets it go on in another QEMU, which reads that."""
        state = self.path("state")
        self.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self.qmp("migrate", uri="exec:cat >" + shlex.quote(state))
        self.wait_migration(seconds)
        self.qmp("quit")
        self.process.wait(10)
        self.spawn(self.command + ["-incoming", "defer"], "ab")
        self.qmp = Qmp(self.ends["qmp"][0])
        self.qmp("migrate-incoming", uri="exec:cat " + shlex.quote(state))
        self.wait_migration(seconds)
        os.unlink(state)

    def logs(self, size=3000):
        """The ends of what QEMU and the guest's kernel said."""
        text = ""
        for name in ("qemu.log", "guest_errors.log", "console.log"):
            data = self.read(name)[-size:]
            if data:
                text += "--- %s ---\n%s\n" % (name, data)
        return text

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def run(self, script, seconds=60):
        """Runs a script in the guest; (exit status, its output as bytes)."""
        with self.lock:
            number = next(self.ids)
            with self.agent.changed:
                self.agent.data.clear()
            text = base64.b64encode(script.encode())
            self.agent.end.sendall(b"%d %d %s\n" % (number, seconds, text))
            head = re.compile(rb"DONE %d (\d+) (\d+)\n" % number)

            def whole(data):
                match = head.search(data)
                if match and len(data) - match.end() >= int(match.group(2)):
                    return int(match.group(1)), bytes(data[match.end():match.end()
                        + int(match.group(2))])
                return None
            try:
                return self.agent.wait(whole, seconds + 30, "answer to: " + script[:200])
            except (GuestDied, GuestDeadline) as error:
                raise type(error)("%s\n%s" % (error, self.logs())) from None

    def check(self, script, seconds=60):
        """The output of a script that must end with status 0, as text."""
        status, data = self.run(script, seconds)
        text = data.decode(errors="replace")
        if status:
            raise AssertionError("in the guest, status %d: %s\n%s" % (status, script, text[-4000:]))
        return text

    def virtio_status(self, nic):
        """What QEMU knows about a device: features, status, whether the driver broke it."""
        return self.qmp("x-query-virtio-status",
            path="/machine/peripheral/%s/virtio-backend" % nic.id.replace("n", "nic"))

    def put(self, path, data):
        """A small file into the guest."""
        self.check("base64 -d >%s <<'END'\n%s\nEND\n" % (path, base64.b64encode(data).decode()))

    def stop(self):
        """Ends the guest at once: nothing in it is worth a shutdown."""
        if self.process and self.process.poll() is None:
            try:
                self.qmp("quit")
                self.process.wait(10)
            except (GuestDied, Trouble, OSError, ValueError, subprocess.TimeoutExpired):
                pass
        self.kill()

    def overdue(self):
        """For a timer: whoever waits for the guest gets GuestDied."""
        self.was_overdue = True
        if self.process and self.process.poll() is None:
            self.process.kill()

    def kill(self):
        """Never fails, and leaves nothing behind."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        self.close_fds()
        for line in [self.agent] + self.terminals:
            if line:
                line.reader.join()      # or it would read from whatever gets its socket's number next
        for pair in self.ends.values():
            pair[0].close()
        for nic in self.nics:
            if isinstance(nic.socket, socket.socket):
                nic.socket.close()
        if os.path.exists(self.path("initrd")):
            os.unlink(self.path("initrd"))
