# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Ports whose other side is the guest's kernel: vhost-net and a tap interface."""
import gzip
import os
import re
import struct

import vmfetch
import vmimage
from guest import BUILD, GuestOther, GuestTestpmd
from machine import Machine
from test_vm_rx_csum import HEADER

PATH = "/dev/vhost-net"
MACHINE = Machine("kernel", {}, iommu="none", terminals=2, add=[os.path.join(BUILD, "tests", "sleeper")])
NEW_MACHINE = Machine("new-kernel", {}, iommu="none", kernel=os.environ.get("SLUICE_TEST_KERNEL", vmfetch.NEW_KERNEL),
    add=[os.path.join(BUILD, "tests", "udp_segments")])

# What the kernel's vhost maps and unmaps, each for one who may reach it (vhost_iotlb).
IOTLB_PROBES = """cd /sys/kernel/tracing
echo 'p:sluice/add vhost_iotlb_add_range_ctx list=%di:x64 start=%si:x64 last=%dx:x64 at=%cx:x64
p:sluice/del vhost_iotlb_map_free list=%di:x64 start=+0x28(%si):x64 last=+0x30(%si):x64 at=+0x40(%si):x64
p:sluice/end vhost_iotlb_free list=%di:x64' >kprobe_events
echo 1 >events/sluice/enable"""
PAGE = 4096


def load(guest):
    guest.vm.check("modprobe -a tun vhost_net; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
    return guest


def vdev(number, iface, devargs="", driver="net_sluice"):
    return ["--vdev", ",".join(filter(None, ["%s%d" % (driver, number), "path=" + PATH, "iface=" + iface, devargs]))]


def launch(guest, ifaces, args=(), devargs="", eal=(), driver="net_sluice", **how):
    """One port for each interface"""
    eal = list(eal) + ["--no-pci"]
    for number, iface in enumerate(ifaces):
        eal += vdev(number, iface, devargs, driver)
    guest.testpmds.append(GuestTestpmd(guest.vm, [], args, eal, **how))
    return guest.testpmds[-1]


class KernelProgram(GuestOther):
    """One port for each interface"""

    def __init__(self, vm, program, *ifaces, args=()):
        self.vm = vm
        self.name = "guest's " + program
        self.start([program, "-l", "0", "--no-telemetry", "--in-memory", "--no-pci", "-d", vmimage.PLUGIN]
            + sum((vdev(number, iface) for number, iface in enumerate(ifaces)), []) + list(args))
        self.wait_log(program + ": ready", 60)


def close(testpmd):
    """Ends a testpmd in order: every mbuf must be back in its pool."""
    testpmd.cmds("port stop all", "port close all")
    available, size = testpmd.pool()
    assert available == size, "%d of %d mbufs are in the pool" % (available, size)
    testpmd.quit(30)


class Counted:
    """Events that the guest's kernel counts while the block runs: {value of a field: how many}"""

    def __init__(self, vm, event, field, condition):
        self.vm, self.event, self.counts = vm, "/sys/kernel/tracing/events/" + event, {}
        self.trigger = "hist:keys=%s if %s" % (field, condition)

    def __enter__(self):
        self.vm.check("echo '%s' >%s/trigger" % (self.trigger, self.event))
        return self.counts

    def __exit__(self, *_):
        text = self.vm.check("cat %s/hist; echo '!%s' >%s/trigger" % (self.event, self.trigger, self.event))
        self.counts.update((name, int(n)) for name, n in re.findall(r"\w+: (?:sys_)?(\w+) .* hitcount: +(\d+)", text))


class SystemCalls(Counted):
    """Those of testpmd's core that forwards: {name: how many}"""

    def __init__(self, testpmd):
        tid = testpmd.vm.check("grep -l rte-worker /proc/%d/task/*/comm | cut -d/ -f5" % testpmd.pid_in_guest()).strip()
        super().__init__(testpmd.vm, "raw_syscalls/sys_enter", "id.syscall", "common_pid==" + tid)


def iotlbs(vm, thread=""):
    """[{page of the device's addresses: page of the process's}] that there were since IOTLB_PROBES, and what each has now"""
    lists = {}
    for what, where, *numbers in re.findall(
            thread + r"-.* (add|del|end): .*list=(\S+)(?: start=(\S+) last=(\S+) at=(\S+))?",
            vm.check("cat /sys/kernel/tracing/trace")):
        have = lists.setdefault(where, {})
        if what == "end":
            have.clear()
            continue
        start, last, at = (int(number, 16) for number in numbers)
        for n in range(start // PAGE, last // PAGE + 1):
            have[n] = n - start // PAGE + at // PAGE
            if what == "del":
                del have[n]
    return list(lists.values())


def pool_pages(testpmd):
    return {page for name, (first, length) in testpmd.memzones().items() if name.startswith("MP_mb_pool_0_")
        for page in range(first // PAGE, (first + length - 1) // PAGE + 1)}


def up(vm, iface, *more):
    vm.check("\n".join(["ip link set dev %s up" % iface] + list(more)))


def echo(vm, iface, count=200, sizes=(60, 61, 128, 1000, 1514), seconds=30):
    """Frames out of the interface; all of them must come back, in order."""
    status, out = vm.run("tap_frames %s %d %d %s" % (iface, count, seconds, " ".join(map(str, sizes))), seconds + 20)
    out = out.decode(errors="replace")
    assert status == 0 and "%d sent, %d came back, 0 were others" % (count, count) in out, out


def through(vm, way, entry, out, made):
    """[(header, frame)] that come out of an interface, of such that go in by another, or the same, one by one; way: see
    guest/tap_through.c"""
    vm.put("/tmp/frames", gzip.compress(b"".join(
        struct.pack("<I", HEADER.size + len(frame)) + header + frame for header, frame in made)))
    status, data = vm.run("gzip -dc </tmp/frames | tap_through %s %s %s" % (way, entry, out))
    assert status == 0, data
    got = []
    while data:
        end = 4 + struct.unpack_from("<I", data)[0]
        got.append((HEADER.unpack_from(data, 4), data[4 + HEADER.size:end]))
        data = data[end:]
    return got


def shown(testpmd):
    """(regions, bytes) of the last table that vhost-net was told"""
    found = re.findall(r"VHOST_SET_MEM_TABLE: (\d+) regions, (\d+) bytes", testpmd.log())
    return tuple(map(int, found[-1]))
