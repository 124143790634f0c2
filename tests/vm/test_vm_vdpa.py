# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A vDPA device as the peer: VDUSE, whose server is net_vhost of a newer DPDK.

    tap_frames -> tap0 -> vhost-net -> port 0 forwards -> port 1 -> vhost-vdpa -> VDUSE -> net_vhost sends back
"""
import os
import re
import time

import pytest

import vmfetch
import vmimage
from guest import BUILD, MBUFS, POOL_STEPS, GuestPools, GuestTestpmd
from kernel import IOTLB_PROBES, PAGE, close, echo, iotlbs, pool_pages, up, vdev
from machine import Machine
from test_environment import build_shim
from test_vm_kernel import KernelSleeper
from testpmd import wait_for

PATH = "/dev/vhost-vdpa-0"
MACHINE = Machine("vdpa", {}, iommu="none", kernel=vmfetch.NEW_KERNEL, terminals=2, has_vduse=True,
    add=[os.path.join(BUILD, "tests", name) for name in ("sleeper", "pools")])
FORWARD = ["set burst tx delay 1 retry 2000000", "set fwd io retry", "start"]
pytestmark = pytest.mark.sluice


class Server(GuestTestpmd):
    """testpmd with net_vhost as VDUSE devices, which send back what they get"""
    line = 1

    def __init__(self, vm, devices):
        self.vm, self.devices = vm, devices
        self.name = "VDUSE server"
        at = vmimage.VDUSE_FOLDER
        drivers = ["-d%s/librte_%s.so.25" % (at, name) for name in ("bus_vdev", "mempool_ring", "net_vhost")]
        self.start([at + "/ld-linux-x86-64.so.2", "--library-path", at, at + "/dpdk-testpmd", "-l0,1",
            "--no-telemetry", "--in-memory", "--no-pci", *drivers]
            + ["--vdev=net_vhost%d,iface=/dev/vduse/%s,queues=1" % item for item in enumerate(devices)]
            + ["--", "-i", "--no-mlockall", "--no-flush-rx", "--total-num-mbufs=4096", "--port-topology=loop"])
        self.wait_prompt(0, 60)
        for device in devices:
            vm.check("vdpa dev add name %s mgmtdev vduse" % device)
        self.cmds(*FORWARD)

    def end(self):
        for device in self.devices:
            self.vm.check("vdpa dev del " + device)
        self.stop()
        self.quit(30)


@pytest.fixture
def guest(boot):
    guest = boot(MACHINE)
    guest.vm.check("modprobe -a tun vhost_net vduse vhost_vdpa; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
    return guest


def serve(guest, *devices):
    guest.testpmds.append(Server(guest.vm, devices))
    return guest.testpmds[-1]


def node(vm, device):
    return "/dev/" + vm.check("ls /sys/bus/vdpa/devices/%s | grep vhost-vdpa" % device).strip()


def plain_device(vm, kind, name):
    """One whose server is guest/vduse_plain.c"""
    vm.check("vduse_plain %s %s >/tmp/%s &" % (kind, name, name))
    wait_for(lambda: vm.run("grep ready /tmp/%s" % name)[0] == 0, 10, "a %s device" % kind)
    vm.check("vdpa dev add name %s mgmtdev vduse" % name)


def launch(guest):
    eal = ["--no-pci"] + vdev(0, "tap0") + ["--vdev", "net_sluice1,path=" + PATH]
    guest.testpmds.append(GuestTestpmd(guest.vm, [], eal=eal))
    t = guest.testpmds[-1]
    assert len(t.ports()) == 2, t.log()
    up(guest.vm, "tap0")
    wait_for(lambda: t.link_up(0) and t.link_up(1), 10, "links")
    t.cmds(*FORWARD)
    return t


def exchange(guest, t, count=100, iface="tap0", port=1):
    """Every frame went by the device, there and back."""
    before = t.stats(port)
    echo(guest.vm, iface, count)
    after = t.stats(port)
    assert [after[key] - before[key] for key in ("RX-packets", "TX-packets")] == [count, count], (before, after)


def reached(vm):
    """The pages that the device reaches, as vhost-vdpa and VDUSE have them in the kernel; both must agree"""
    one, other = (set(lists) for lists in iotlbs(vm, "sluice-ask"))
    assert one == other
    return one


def test_one_pair(guest):
    """Frames, what the device reaches meanwhile, refusals beside it, and a device that is taken away."""
    server, vm = serve(guest, "vd0"), guest.vm
    vm.check(IOTLB_PROBES)
    t = launch(guest)
    files = t.files()
    for last in (False, True):
        exchange(guest, t)
        pool = pool_pages(t)
        got = reached(vm)
        assert pool < got and t.xstats(1)["dma_bytes"] == len(got) * PAGE
        assert len(got - pool) < 64, "rings have %d pages" % len(got - pool)
        t.cmds("stop", "port stop 1")
        assert not reached(vm)
        if not last:
            t.cmds("port start 1", "start")
            wait_for(lambda: t.link_up(1), 10, "link")
    vm.check("ln -s /dev/null /dev/vhost-vdpa-8")
    plain_device(vm, "block", "block0")
    for path, said in ((PATH, "another process or port has the device"),
            ("/dev/vhost-vdpa-1", "the device is of virtio's kind 2"),
            ("/dev/vhost-vdpa-9", "No such file or directory: load the module"),
            ("/dev/vhost-vdpa-8", "not a device of vhost-vdpa")):
        t.cmd("port attach net_sluice9,path=" + path)
        assert "path=%s: %s" % (path, said) in t.log() or "path=%s: Device or resource busy: %s" % (path, said) in t.log()
    assert t.files() == files
    vm.check("vdpa dev del block0; killall vduse_plain")
    t.cmds("port start 1", "start")
    wait_for(lambda: t.link_up(1), 10, "link")
    # The kernel waits until the port lets the device go.
    server.end()
    t.wait_log("failed: the device is gone", 10)
    # Upon which testpmd closes it, and goes on with the other one.
    t.wait_log("packet forwarding with retry - ports=1 ", 10)
    assert len(re.findall("is gone", t.log())) == 1, t.log()
    t.stop()
    assert PATH not in "".join(t.files())
    close(t)


CONFIG_PROBES = """cd /sys/kernel/tracing
echo 'p:config/told vduse_dev_irq_inject' >>kprobe_events
echo 'p:config/read vduse_vdpa_get_config' >>kprobe_events
echo 1 >events/config/enable"""


def test_link_changes(guest):
    """The device tells of a change by an interrupt, behind which its configuration is read: at once, not with the look of each second."""
    vm = guest.vm
    vm.check(CONFIG_PROBES)
    plain_device(vm, "net", "plain0")
    guest.testpmds.append(GuestTestpmd(vm, [], eal=["--no-pci", "--vdev", "net_sluice0,path=" + node(vm, "plain0")]))
    t = guest.testpmds[-1]
    wait_for(t.link_up, 10, "link")
    events = t.log().count("link state change event")
    for times in range(1, 7):
        vm.check("echo >/sys/kernel/tracing/trace; killall -USR1 vduse_plain")
        wait_for(lambda n=events + times: t.log().count("link state change event") >= n, 10, "event %d" % times)
        assert t.link_up() == (times % 2 == 0)
        seen = re.findall(r" (\d+\.\d+): (told|read): ", vm.check("cat /sys/kernel/tracing/trace"))
        told = [float(at) for at, what in seen if what == "told"]
        assert len(told) == 1, seen
        assert min(float(at) for at, what in seen if what == "read" and float(at) > told[0]) - told[0] < 0.2, seen
    vm.check("echo 0 >/sys/kernel/tracing/events/config/enable")
    t.quit(30)
    vm.check("vdpa dev del plain0; killall vduse_plain")


def test_rx_interrupts(guest):
    """A core that sleeps whenever it finds nothing; no wake is lost."""
    server = serve(guest, "vd2")
    sleeper = KernelSleeper(guest.vm, "sleeper", args=["--vdev", "net_sluice0,path=" + PATH])
    guest.testpmds.append(sleeper)
    server.cmds("stop", "start tx_first")
    wait_for(lambda: server.stats()["RX-packets"] > 1000, 20, "packets")
    seen = sleeper.quit()
    assert seen["wakes"] > 0 and seen["lost"] == 0, seen
    server.end()


@pytest.mark.parametrize("kinds,devargs", [("s", "isolation=sealed"), ("exs", "isolation=copy")]
    [:None if POOL_STEPS >= 1000 else 1], ids=["sealed", "copy"][:None if POOL_STEPS >= 1000 else 1])
def test_pools_come_and_go(guest, kinds, devargs):
    """Shared by a port of the kernel's and one of the device: nothing is left, in the process or in the kernel, and what comes back is
    what was sent. Not with scoped: the server forgets nothing that the kernel unmaps (see the guide); test_vm_simulator.py has that."""
    device = "vd2-" + devargs[-4:]
    server, vm = serve(guest, device), guest.vm
    path = node(vm, device)
    guest.testpmds.append(GuestPools(vm, ["--no-pci"] + vdev(0, "tap0", devargs)
        + ["--vdev", ",".join(filter(None, ["net_sluice1,path=" + path, devargs]))], kinds))
    up(vm, "tap0")
    guest.testpmds[-1].run(2)
    server.end()


@pytest.mark.parametrize("level", ["sealed", "copy"])
def test_no_buffer_lies_in_two_maps(guest, tmp_path, level):
    """The server maps each by itself. Without a cache all buffers of a pool have their turn, and all of more than 2 MiB of bounce
    buffers."""
    device = "vd3-" + level
    server, vm = serve(guest, device), guest.vm
    with open(build_shim(str(tmp_path), "sealed_pools"), "rb") as shim:
        vm.put("/tmp/sealed_pools.so", shim.read())
    devargs = "isolation=" + level
    eal = ["--no-pci"] + vdev(0, "tap0", devargs) + ["--vdev=net_sluice1,path=%s,%s" % (node(vm, device), devargs)]
    guest.testpmds.append(GuestTestpmd(vm, [], ["--mbcache=0", "--rxd=1024", "--txd=1024"], eal=eal,
        wrap="export LD_PRELOAD=/tmp/sealed_pools.so; exec %s"))
    t = guest.testpmds[-1]
    up(vm, "tap0")
    wait_for(lambda: t.link_up(0) and t.link_up(1), 10, "links")
    t.cmds(*FORWARD)
    echo(vm, "tap0", MBUFS + 500, (1514, 1400), 120)
    t.stop()
    close(t)
    server.end()


def memory_files(vm, pid):
    """{(device, inode): (name, numbers of the pages where it lies)} of the memory files that a process has mapped"""
    found = {}
    for begin, end, file, name in re.findall(r"^(\w+)-(\w+) rw-s \w+ (\S+ \d+) +/memfd:(.*) \(deleted\)$",
            vm.check("cat /proc/%d/maps" % pid), re.M):
        found.setdefault(file, (name, set()))[1].update(range(int(begin, 16) // PAGE, int(end, 16) // PAGE))
    return found


def holds(vm, pid, where, word):
    """Is it in those parts of the process's memory whose lines in /proc/PID/maps have an expression?"""
    return vm.check("cd /proc/%d; grep -E '%s' maps | cut -d' ' -f1 | tr - ' ' | while read begin end; do\n"
        "dd if=mem bs=%d skip=$((0x$begin / %d)) count=$(((0x$end - 0x$begin) / %d)) 2>/dev/null; done | strings | grep -cF '%s' || true"
        % (pid, where, PAGE, PAGE, PAGE, word)).strip() != "0"


def test_sealed_and_copy_until_the_server_is_killed(guest, tmp_path):
    """Two ports of either kind with either level. Page by page, the kernel has the files of a port's rings, of a sealed one that of
    the pool, too, at addresses that are none of the process's. The server of the devices has mapped no other file of it; no heap is
    in there; nor has anybody what a port had that stopped. Then the server ends: the kernel waits for its answers, and the port does
    not. It is stopped in time, what the device has is parked until the kernel has closed it."""
    server, vm = serve(guest, "vd4", "vd5"), guest.vm
    with open(build_shim(str(tmp_path), "sealed_pools"), "rb") as shim:
        vm.put("/tmp/sealed_pools.so", shim.read())
    vm.check(IOTLB_PROBES)
    nodes = [node(vm, "vd4"), node(vm, "vd5")]
    eal = ["--no-pci"]
    for n, level in enumerate(("isolation=copy", "isolation=sealed")):
        eal += vdev(2 * n, "tap%d" % n, level) + ["--vdev=net_sluice%d,path=%s,%s" % (2 * n + 1, nodes[n], level)]
    guest.testpmds.append(GuestTestpmd(vm, [], eal=eal, wrap="export LD_PRELOAD=/tmp/sealed_pools.so; exec %s"))
    t = guest.testpmds[-1]
    up(vm, "tap0", "ip link set dev tap1 up")
    wait_for(lambda: all(t.link_up(n) for n in range(4)), 10, "links")
    t.cmds(*FORWARD)
    for n in range(2):
        exchange(guest, t, 60, "tap%d" % n, 2 * n + 1)
    pid = t.pid_in_guest()
    memory = memory_files(vm, pid)
    pages = dict(memory.values())
    copy, sealed = [[pages["iface=tap%d" % n], pages["path=" + nodes[n]]] for n in range(2)]
    want = copy + [rings | pages["mb_pool_0"] for rings in sealed]
    tables = [table for table in iotlbs(vm) if table]
    assert all(set(table.values()) in want and min(table) == (256 << 20) // PAGE and not set(table) & set(table.values()) for table in tables)
    assert all(any(set(table.values()) == one for table in tables) for one in want)
    assert [t.xstats(n)["dma_bytes"] for n in range(4)] == [len(one) * PAGE for one in want]
    its = set(memory) & set(memory_files(vm, server.pid_in_guest()))
    assert {memory[file][0] for file in its} == {"path=" + nodes[0], "path=" + nodes[1], "mb_pool_0"}
    # A word that the heap has.
    assert holds(vm, pid, r"\[heap\]", nodes[0]), "control"
    assert not holds(vm, pid, "|".join(file.replace(" ", " +") for file in its), nodes[0])
    t.cmds("stop", "port stop 0", "port stop 1")
    assert all(set(table.values()) in want[2:] for table in iotlbs(vm) if table)
    vm.check("echo 5 >/sys/class/vduse/vd5/msg_timeout")
    server.kill()
    begin = time.monotonic()
    t.cmd("port stop 3")
    assert time.monotonic() - begin < 4
    t.wait_log("VHOST_VDPA_SET_STATUS: no answer in time", 1)
    t.cmd("port stop 2")
    wait_for(lambda: nodes[1] not in "".join(t.files()), 15, "the kernel")
    close(t)
