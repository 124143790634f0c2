# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The guest's kernel as the peer: vhost-net and a tap interface, as made by the port, and as made before."""
import re
import struct
import time

import pytest

from guest import GuestSleeper, with_checksums
from kernel import (Counted, HEADER, IOTLB_PROBES, MACHINE, PAGE, PATH, KernelProgram, close, echo, iotlbs, launch, load, pool_pages,
    shown, through, up)
from test_vm_secondary import QUEUES as SECONDARY_QUEUES, Second
from testpmd import wait_for

BUSYLOOP_TIMEOUT = "4008af23"     # VHOST_SET_VRING_...
# A burst that meets the reclaim of an idle queue takes nothing, for as long as an emulated machine may make that.
FORWARD = ["set burst tx delay 1 retry 2000000", "set fwd io retry", "start"]
pytestmark = pytest.mark.sluice


@pytest.fixture
def guest(boot):
    return load(boot(MACHINE))


def test_echo(guest):
    """What the kernel sends comes back to it, through rings of a port that stops and starts between."""
    t = launch(guest, ["tap0"])
    assert not t.link_up(), "the interface is down"
    up(guest.vm, "tap0")
    wait_for(t.link_up, 10, "link")
    t.cmds(*FORWARD)
    echo(guest.vm, "tap0")
    t.cmds("stop", "port stop 0", "port start 0")
    wait_for(t.link_up, 10, "link")
    t.cmd("start")
    echo(guest.vm, "tap0")
    t.stop()
    stats = t.stats()
    assert stats["RX-packets"] == stats["TX-packets"] == 400, stats
    assert t.xstats()["device_failures"] == 0
    close(t)
    assert guest.vm.run("ip link show dev tap0")[0] != 0, "the interface is left"


@pytest.mark.parametrize("devargs", ["", "idle_reclaim=0", "isolation=copy"])
def test_a_silent_queue_gives_its_buffers_back(guest, devargs):
    """100 ms after the last packet only the receive ring has mbufs; with idle_reclaim=0 the transmit ring has some, too.
    Those of a copy are back before."""
    size = 64
    t = launch(guest, ["tap0"], ["--mbcache=0", "--rxd=%d" % size, "--txd=%d" % size],
        ",".join(filter(None, ["queue_size=%d" % size, devargs])))
    up(guest.vm, "tap0")
    wait_for(t.link_up, 10, "link")
    t.cmds("set fwd txonly", "start")
    wait_for(lambda: t.stats()["TX-packets"] > 1000, 20, "packets")
    t.stop()
    time.sleep(1)       # on a machine that is emulated
    available, mbufs = t.pool()
    assert (mbufs - available <= size) == (devargs != "idle_reclaim=0"), "%d mbufs are out" % (mbufs - available)
    close(t)


def test_what_the_kernel_reaches(guest):
    """As vhost has it: rings, and the pages of the pool; nothing after a stop. There are more pages than vhost takes regions.
    What is asked for beside is asked for each ring that starts."""
    vm = guest.vm
    vm.check(IOTLB_PROBES)
    t = launch(guest, ["tap0"], ["--total-num-mbufs=70000"], "busy_poll_us=50", eal=["--log-level=pmd.net.sluice:debug"])
    up(vm, "tap0")
    wait_for(t.link_up, 10, "link")
    pool = pool_pages(t)
    regions, length = shown(t)
    table, = [set(table.values()) for table in iotlbs(vm) if table]
    assert pool < table and len(table) * PAGE == length == t.xstats()["dma_bytes"]
    assert regions <= 64 < len({page // 512 for page in pool})
    assert len(table - pool) <= (2 << 20) // PAGE + 16, "%d pages are in no pool" % len(table - pool)
    t.cmds(*FORWARD)
    echo(vm, "tap0", 50)
    t.stop()
    t.cmd("port stop 0")
    assert shown(t) == (0, 0) and not any(iotlbs(vm))
    with Counted(vm, "syscalls/sys_enter_ioctl", "cmd.hex", "cmd==0x" + BUSYLOOP_TIMEOUT) as requests:
        t.cmd("port start 0")
    assert shown(t) == (regions, length) and requests == {BUSYLOOP_TIMEOUT: 2}, requests
    t.cmd("start")
    echo(vm, "tap0", 50)
    t.stop()
    close(t)


def test_the_interface_is_deleted(guest):
    """Under traffic: one event, upon which testpmd closes the port; every mbuf is back, no descriptor is left, and nobody
    made the interface again."""
    t = launch(guest, ["tap0"])
    without = t.files()
    up(guest.vm, "tap0")
    wait_for(t.link_up, 10, "link")
    t.cmds(*FORWARD[:-1], "start tx_first")
    guest.vm.check("ip link del dev tap0")
    t.wait_log("failed: the device is gone", 10)
    t.wait_log("Now total ports is 0", 10)
    assert len(re.findall("is gone", t.log())) == 1, t.log()
    assert "connected" not in t.log() and guest.vm.run("ip link show dev tap0")[0] != 0
    available, size = t.pool()
    assert available == size, "%d of %d mbufs are in the pool" % (available, size)
    assert not any(name in t.files() for name in (PATH, "/dev/net/tun")) and t.files() < without
    t.cmd("port attach net_sluice1,path=%s,iface=tap0" % PATH)
    assert t.ports()
    close(t)


class KernelSleeper(KernelProgram, GuestSleeper):
    """What it counted is what its end returns."""


def test_rx_interrupts(guest):
    """A core that sleeps whenever it finds nothing; no wake is lost."""
    sleeper = KernelSleeper(guest.vm, "sleeper", "tap0")
    guest.testpmds.append(sleeper)
    up(guest.vm, "tap0")
    echo(guest.vm, "tap0", 100)
    frames = [(HEADER.pack(0, 0, 0, 0, 0, 0), frame) for frame in with_checksums(100, (60, 1514), 1)[1]]
    assert len(through(guest.vm, "send", "tap0", "tap0", frames)) == len(frames)
    seen = sleeper.quit()
    assert seen["packets"] == 200 and seen["wakes"] > 20 and seen["lost"] == 0, seen


LINK_PROBES = """cd /sys/kernel/tracing
echo 'p:link/told rtmsg_ifinfo' >>kprobe_events
echo 'p:link/look tun_chr_ioctl' >>kprobe_events
echo 1 >events/link/enable"""


def looks_at_once(vm):
    """Has the port looked at the interface when the kernel told of it, and not with the look of each second?"""
    seen = re.findall(r" sluice-0-.* (\d+\.\d+): look: | (\d+\.\d+): told: ", vm.check("cat /sys/kernel/tracing/trace"))
    told = min(float(told) for _, told in seen if told)
    return any(told < float(look) < told + 0.2 for look, _ in seen if look)


def test_down_up_rename_and_mtu(guest):
    # With idle_reclaim it would look all the time.
    t = launch(guest, ["tap0"], devargs="idle_reclaim=0")
    vm = guest.vm
    vm.check(LINK_PROBES)
    up(vm, "tap0")
    t.cmds(*FORWARD)
    for down, name in ((False, "tap0"), (True, "tap0"), (True, "renamed"), (True, "renamed")):
        if down:
            old = vm.check("ls /sys/class/net | grep -e tap0 -e renamed").strip()
            events = t.log().count("link state change event")
            vm.check("echo >/sys/kernel/tracing/trace; ip link set dev %s down" % old)
            wait_for(lambda n=events: t.log().count("link state change event") > n, 5, "event")
            assert looks_at_once(vm) and not t.link_up()
            vm.check("[ %s = %s ] || ip link set dev %s name %s" % (old, name, old, name))
        up(vm, name)
        wait_for(t.link_up, 5, "link")
        echo(vm, name, 50)
    vm.check("ip link set dev renamed mtu 1000")
    echo(vm, "renamed", 50, (60, 1014))
    assert t.xstats()["device_failures"] == 0
    t.stop()
    # The port's MTU is the interface's from the next start on, or when it is set, as its address is.
    t.cmds("port stop 0", "port start 0")
    assert vm.check("cat /sys/class/net/renamed/mtu").strip() == "1500"
    wait_for(t.link_up, 5, "link")
    t.cmd("start")
    echo(vm, "renamed", 50)
    for mtu, mac in ((1200, "02:00:00:00:12:00"), (1500, "02:00:00:00:15:00")):
        t.cmds("port config mtu 0 %d" % mtu, "mac_addr set 0 " + mac)
        assert vm.check("cd /sys/class/net/renamed; cat mtu address").split() == [str(mtu), mac]
        assert t.info()["MAC address"].lower() == mac
        echo(vm, "renamed", 50, (60, mtu + 14))
    t.cmds("stop", "port stop 0", "port start 0")
    assert vm.check("cat /sys/class/net/renamed/address").strip() == mac
    close(t)


def test_another_namespace(guest):
    """The interface moves while it is in use; its state is seen there, too."""
    t = launch(guest, ["tap0"])
    vm = guest.vm
    pid = vm.check("unshare -n sleep 1000 </dev/null >/dev/null 2>&1 & echo $!").strip()
    wait_for(lambda: vm.run("[ $(readlink /proc/%s/ns/net) != $(readlink /proc/self/ns/net) ]" % pid)[0] == 0, 10, "a namespace")
    vm.check("ip link set dev tap0 netns %s; nsenter -t %s -n ip link set dev tap0 up" % (pid, pid))
    wait_for(t.link_up, 5, "link")
    t.cmds(*FORWARD)
    out = vm.check("nsenter -t %s -n tap_frames tap0 100 30 60 1514" % pid, 50)
    assert "100 came back, 0 were others" in out, out
    # Whoever has the name now is another one.
    vm.check("tap_make tap0 0")
    t.cmd("port config mtu 0 1400")
    assert vm.check("cat /sys/class/net/tap0/mtu; ip link del tap0").strip() == "1500"
    vm.check("nsenter -t %s -n ip link set dev tap0 down" % pid)
    wait_for(lambda: not t.link_up(), 5, "link down")
    # The end of a namespace is that of what was made in software in it.
    vm.check("kill " + pid)
    t.wait_log("failed: the device is gone", 10)
    t.wait_log("Now total ports is 0", 10)
    close(t)


def test_killed(guest):
    """What a process leaves when it is killed: not the interface that it made, but one that it joined, of whose queues it had
    one; and nothing that its successor stumbles over."""
    vm = guest.vm
    for make in ("true", "tap_make tap0 0 multi_queue"):
        vm.check(make)
        t = launch(guest, ["tap0"])
        up(vm, "tap0")
        wait_for(t.link_up, 10, "link")
        t.cmds(*FORWARD[:-1], "start tx_first")
        echo(vm, "tap0", 50)
        t.kill()
        if make == "true":
            wait_for(lambda: vm.run("ip link show dev tap0")[0] != 0, 10, "the end of the interface")
    wait_for(lambda: vm.check("cat /sys/class/net/tap0/carrier").strip() == "0", 10, "an interface without queues")
    vm.check(make + "; ip link del tap0")


def test_without_privileges(guest):
    """A user who owns the interface needs nothing else; what takes more is said in a line."""
    vm = guest.vm
    vm.check("tap_make own0 1000; tap_make other0 1001; chmod 0666 %s /dev/net/tun; chmod 1777 /tmp" % PATH)
    mac = vm.check("cat /sys/class/net/own0/address").strip()
    t = launch(guest, ["own0"], eal=["--single-file-segments"], wrap="exec as_user 1000 %s")
    assert "CapEff:\t0000000000000000" in vm.check("cat /proc/%d/status" % t.pid_in_guest())
    assert t.info()["MAC address"].lower() == mac
    up(vm, "own0")
    wait_for(t.link_up, 10, "link")
    t.cmds(*FORWARD)
    echo(vm, "own0")
    t.stop()
    for iface, said in (("none0", "making it needs CAP_NET_ADMIN"), ("other0", "another user's")):
        t.cmd("port attach net_sluice9,path=%s,iface=%s" % (PATH, iface))
        assert re.search("iface=%s: .*%s" % (iface, said), t.log()), t.log()
    close(t)
    assert vm.check("cat /sys/class/net/own0/address").strip() == mac
    vm.check("ip link del own0; ip link del other0; chmod 0600 %s /dev/net/tun" % PATH)


def test_refusals(guest):
    """One line with key, value and cure; the same descriptors as before, and no interface."""
    vm = guest.vm
    vm.check("tap_make one0 0")
    user = launch(guest, ["tap0"])
    files = user.files()
    for args, said in (
            ("iface=lo", "iface=lo: an interface of another kind"),
            ("iface=tap0", "iface=tap0: the interface is in use"),
            ("iface=one0,queues=2", "iface=one0: queues=2, and the interface has one"),
            ("iface=new0,busy_poll_us=1001", "'busy_poll_us=1001'; allowed: 0 to 1000 microseconds"),
            ("iface=0123456789abcdef", "bad device argument 'iface=0123456789abcdef'"),
            ("iface=new0,queues=127,queue_size=4,server=1", "'server=1' is for sockets")):
        before = len(user.log())
        user.cmd("port attach net_sluice9,path=%s,%s" % (PATH, args))
        lines = [line for line in user.log()[before:].splitlines() if line.startswith("sluice")
            and "probe failed" not in line]
        assert len(lines) == 1 and said in lines[0], (args, lines)
        assert user.files() == files, args
    before = len(user.log())
    user.cmd("port attach net_sluice9,path=/dev/null,iface=new0")
    assert "path=/dev/null: a character device, and not the one of vhost-net" in user.log()[before:]
    vm.check("mv %s /dev/away" % PATH)
    user.cmd("port attach net_sluice9,path=%s,iface=new0" % PATH)
    assert re.search("path=%s: .*: load the module: modprobe vhost_net" % PATH, user.log()), user.log()
    user.cmds("port stop 0", "port start 0")
    vm.check("mv /dev/away %s" % PATH)
    assert user.files() == files and user.xstats()["device_failures"] == 0
    assert vm.run("ip link show dev new0")[0] != 0
    vm.check("ip link del one0")
    close(user)


@pytest.mark.parametrize("queues", [2, 4])
def test_queues(guest, queues):
    """Flows over all queues, fewer queues used than the interface has, and back."""
    is_made = queues == 2
    guest.vm.check("tap_make tap0 0 multi_queue" if is_made else "true")
    t = launch(guest, ["tap0"], ["--rxq=%d" % queues, "--txq=%d" % queues, "--disable-rss"], "queues=%d" % queues)
    up(guest.vm, "tap0")
    wait_for(t.link_up, 10, "link")
    t.cmds(*FORWARD)
    echo(guest.vm, "tap0", 100)
    t.cmds("stop", "port stop 0", "port config all rxq 1", "port config all txq 1", "port start 0", "start")
    wait_for(t.link_up, 10, "link")
    echo(guest.vm, "tap0", 100)
    t.stop()
    assert t.xstats()["device_failures"] == 0
    close(t)
    assert (guest.vm.run("ip link del tap0")[0] == 0) == is_made


def test_secondary_process(guest):
    """Each process polls one of two queues, also when the port was started anew, and in place of one that was killed."""
    vm = guest.vm
    first = launch(guest, ["tap0"], SECONDARY_QUEUES + ["--proc-id=0"], "queues=2", own_files=True)
    up(vm, "tap0")
    for _ in range(2):
        wait_for(first.link_up, 10, "link")
        second = Second(vm)
        guest.testpmds.append(second)
        second.wait_rings()
        first.cmds(*FORWARD)
        second.cmds(*FORWARD)
        first.cmds("stop", "port stop 0", "port start 0", "start")
        wait_for(first.link_up, 10, "link")
        second.wait_rings()
        before = first.xstats()
        frames = with_checksums(64, (60, 1514), 1)[1]
        frames = [frame[:34] + struct.pack(">H", 1000 + number) + frame[36:] for number, frame in enumerate(frames)]
        got = through(vm, "send", "tap0", "tap0", [(HEADER.pack(0, 0, 0, 0, 0, 0), frame) for frame in frames])
        assert [frame for _, frame in got] == frames
        stats = first.xstats()
        for name in ("rx_q0_packets", "tx_q0_packets", "rx_q1_packets", "tx_q1_packets", "tx_q1_kicks"):
            assert stats[name] > before[name], (name, stats)
        second.stop()
        second.kill()
    first.stop()
    close(first)
    vm.check("rm -f /dev/hugepages/rtemap_*")
