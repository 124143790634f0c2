# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""PCI ports in secondary processes. Rings and pools are where all processes have them; the registers by which the device
is notified come from the primary process, and whoever has them keeps the device from being opened by others."""
import base64
import os
import re
import time

import pytest
from scapy.all import IP, UDP, Ether, Raw

import vmimage
from frames import SMALL, compare, make, read_pcap
from guest import GuestOther, GuestTestpmd, Peer, exchange
from machine import Machine
from processes import SYMMETRIC_MP, mempool_drivers
from tap import Tap, usable
from testpmd import TESTPMD, wait_for
from vmqemu import Nic

FLOWS, PER_FLOW = 32, 8
MQ = "mq=on,vectors=6"
# In the order of ports. One can be unplugged.
MACHINE = Machine("secondary", {"packed": Nic(MQ + ",packed=on,page-per-vq=on", Tap(2)),
    "split": Nic(MQ, Tap(2), slot=0, bus="rp0", bdf="0000:01:00.0")}, terminals=2,
    args=["-device", "pcie-root-port,id=rp0,chassis=1,addr=0x10"])
pytestmark = [pytest.mark.sluice, pytest.mark.skipif(not usable(), reason="tap devices take root and /dev/net/tun")]
QUEUES = ["--rxq=2", "--txq=2", "--disable-rss", "--num-procs=2"]
EAL = ["--proc-type=secondary", "--lcores", "4@(0,1),5@(0,1)", "--main-lcore", "4", "--no-telemetry"]
FORWARD = ["set burst tx delay 1 retry 1000", "set fwd io retry", "start"]
GONE = "port 0: the primary process ended, or closed it: nothing is sent or received any more"


class Second(GuestTestpmd):
    """A testpmd on the other terminal. It is not told which devices are the primary process's."""
    line = 1

    def __init__(self, vm, args=("--proc-id=1",)):
        self.vm = vm
        self.name = "guest's secondary"
        self.start(["dpdk-testpmd"] + EAL + ["-d", vmimage.PLUGIN, "--", "-i", "--no-mlockall", "--no-flush-rx",
            "--nb-cores=1"] + QUEUES + list(args))
        try:
            self.wait_prompt(0, 60)
        except Exception:
            self.kill()
            raise

    def wait_rings(self, port=0):
        wait_for(lambda: "Burst mode" in self.cmd("show rxq info %d 0" % port), 10, "rings in the secondary process")


class Tool(GuestOther):
    """Any other secondary process"""

    def __init__(self, vm, _nic, command, ready, line=1):
        self.vm = vm
        self.line = line
        self.name = "guest's " + command[0]
        self.start(command)
        self.wait_log(ready, 60)


@pytest.fixture
def guest(boot):
    """Without the memory of an earlier test's processes, which were killed"""
    guest = boot(MACHINE)
    guest.vm.check("rm -f /dev/hugepages/rtemap_*")
    return guest


def launch(guest, *args):
    guest.testpmds.append(Second(guest.vm, *args))
    guest.testpmds[-1].wait_rings()
    return guest.testpmds[-1]


@pytest.fixture
def processes(guest):
    """processes(nic...): the primary process and a secondary one, each of which polls one of two queues"""
    def start(*nics, args=()):
        first = guest.testpmd(nics, QUEUES + ["--proc-id=0"] + list(args), own_files=True)
        return first, launch(guest)
    return start


@pytest.fixture
def alone(guest):
    """A primary process that polls all queues"""
    return guest.testpmd(["split"], QUEUES[:3], own_files=True)


def make_flows(seed):
    """IPv4/UDP frames that differ in addresses and ports from flow to flow"""
    return [[bytes(Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb") / IP(src="198.18.0.%d" % n, dst="198.19.0.1")
        / UDP(sport=1000 + n, dport=2000) / Raw(frame[42:])) for frame in make(PER_FLOW, SMALL[4:], seed * FLOWS + n)]
        for n in range(1, FLOWS + 1)]


def check_flows(got, flows):
    """All is there, byte for byte, each flow in its order."""
    assert len(got) == sum(map(len, flows)), len(got)
    for sent in flows:
        compare([frame for frame in got if frame[34:36] == sent[0][34:36]], sent)


def exchange_in_both(nic, first, second, seed=1):
    """Flows through both queues, of which each process polls one."""
    flows = make_flows(seed)
    peer = Peer(nic)
    peer.drain()
    before = first.xstats()
    for process in (first, second):
        process.cmds(*FORWARD)
    got = peer.echo([frame for turn in zip(*flows) for frame in turn])
    for process in (second, first):
        process.stop()
    check_flows(got, flows)
    after = first.xstats()
    came = {name: after[name] - before[name] for name in after if re.match(r"[rt]x_q\d_packets|tx_q1_kicks", name)}
    assert came["rx_q0_packets"] + came["rx_q1_packets"] == len(got), came
    assert came["rx_q0_packets"] == came["tx_q0_packets"] > 0 and came["rx_q1_packets"] == came["tx_q1_packets"] > 0, came
    # The secondary process has told the device by its own mapping of the registers.
    assert came["tx_q1_kicks"] > 0, came
    # What each has counted is one sum in both.
    assert second.xstats()["rx_q1_packets"] == after["rx_q1_packets"]


def close(guest, first, second, nic, stranded=0):
    second.quit(30)
    guest.close(first, nic, stranded=stranded)


@pytest.mark.parametrize("nic", ["split", "packed"])
def test_both_processes_forward(guest, processes, nic):
    """Also with the rings of another run, and with a queue that the device has forgotten and gets anew."""
    first, second = processes(nic)
    exchange_in_both(guest.nics[nic], first, second)
    maps = second.vm.check("grep -c vfio-device /proc/%d/maps" % second.pid_in_guest()).split()
    files = second.files()
    # A page for all queues, or one for each; and no descriptor of the device stays.
    assert maps == ["1"] and "anon_inode:[vfio-device]" not in files and "anon_inode:[vfio-device]" in first.files()
    # Under a core that polls.
    second.cmds(*FORWARD)
    first.cmds("port stop 0", "port start 0")
    second.stop()
    second.wait_rings()
    exchange_in_both(guest.nics[nic], first, second, 2)
    second.cmds(*FORWARD)
    first.cmds("port 0 txq 1 stop", "port 0 rxq 1 stop", "port 0 txq 1 start", "port 0 rxq 1 start")
    second.stop()
    exchange_in_both(guest.nics[nic], first, second, 3)
    assert "core stays" not in first.log()
    close(guest, first, second, nic)


def run_info(guest, *args):
    return guest.vm.check("dpdk-proc-info --no-telemetry -d %s -- %s" % (vmimage.PLUGIN, " ".join(args)))


def test_tools_see_what_the_primary_process_sees(guest, alone):
    alone.cmds("set fwd txonly", "start")
    wait_for(lambda: alone.stats()["TX-packets"] > 100, 20, "packets")
    # Beside a core that forwards.
    text = run_info(guest, "--show-port")
    assert "driver net_sluice_pci device %s " % guest.nics["split"].bdf in text, text
    assert alone.info()["MAC address"].lower() in text and "Link up" in text, text
    alone.stop()
    seen = dict(re.findall(r"^(\w+): (\d+)$", run_info(guest, "--xstats"), re.M))
    assert {name: str(value) for name, value in alone.xstats().items()} == seen
    run_info(guest, "--xstats-reset")
    assert alone.stats()["TX-packets"] == 0
    guest.close(alone, "split")


def test_calls_that_change_something_are_refused(guest, processes):
    first, second = processes("split")
    for command, what in [("port config mtu 0 1400", "to set the MTU"), ("port 0 rxq 1 stop", "to start or stop a queue"),
            ("set promisc 0 off", "to change what is received")]:
        before = len(second.log())
        second.cmd(command)
        assert "port 0: %s is for the primary process" % what in second.log()[before:]
        assert second.log()[before:].count("sluice: ") == 1
    exchange_in_both(guest.nics["split"], first, second)
    close(guest, first, second, "split")


def test_a_secondary_process_is_killed(guest, processes):
    first, second = processes("packed")
    second.cmds(*FORWARD)
    second.kill()
    third = launch(guest)
    stranded = 0
    # A matter of time. Then all of its ring is lost, and counted when the port stops.
    if "ended inside of a burst" in first.log():
        first.cmd("port stop 0")
        stranded = first.xstats()["stranded_buffers"]
        assert 0 < stranded <= first.log().count("ended inside of a burst") * 256
        first.cmd("port start 0")
        third.wait_rings()
    exchange_in_both(guest.nics["packed"], first, third)
    close(guest, first, third, "packed", stranded)


def test_ports_come_and_go(guest, processes):
    first, second = processes("split")
    split, packed = guest.nics["split"], guest.nics["packed"]
    for seed in (1, 2):
        assert first.attach(packed), first.log()[-2000:]
        assert second.info(1)["Device name"] == packed.bdf + "_sluice"
        first.cmd("port start 1", 30)
        second.wait_rings(1)
        first.cmd("port stop 1")
        assert "detached" in first.cmd("port detach 1", 30), first.log()[-2000:]
        assert "Invalid port 1" in second.cmd("show port info 1")
        exchange_in_both(split, first, second, seed)
    # Closed without a word to others, and opened again.
    first.cmds("port stop 0", "port close 0")
    second.wait_log(GONE)
    assert "detached" in first.cmd("device detach " + split.bdf, 30)
    assert first.attach(split), first.log()[-2000:]
    first.cmd("port start 0", 30)
    second.kill()
    third = launch(guest)
    exchange_in_both(split, first, third, 3)
    close(guest, first, third, "split")


def fetch(guest, path, folder):
    """A file of the guest's, here"""
    here = os.path.join(folder, os.path.basename(path))
    with open(here, "wb") as file:
        file.write(base64.b64decode(guest.vm.check("base64 " + path)))
    return here


def captured(guest, first, tool):
    """What goes through a primary process that forwards while a tool looks"""
    flows = make_flows(5)
    peer = Peer(guest.nics["split"])
    peer.drain()
    check_flows(peer.echo([frame for turn in zip(*flows) for frame in turn]), flows)
    first.stop()
    # The tool takes packets from a ring, and may be behind.
    sizes = []

    def is_all():
        time.sleep(1)
        sizes.append(guest.vm.check("cat /tmp/c*.pcap* | wc -c"))
        return sizes[-1] != "0\n" and sizes[-1:] == sizes[-2:-1]
    wait_for(is_all, 30, "packets in a file, and no more of them")
    tool.quit()
    return FLOWS * PER_FLOW


# Both tools ask for small pools: EAL gives all processes five seconds to map new memory, and an emulated CPU clears it.


def preload():
    """Processes that share mempools need the same drivers of these in the same order."""
    return "LD_PRELOAD=" + " ".join(mempool_drivers(TESTPMD))


def test_pdump(guest, alone, tmp_path):
    # The tool's own ports, which the primary process gets to see, would not let it start any more.
    alone.cmds(*FORWARD)
    tool = guest.program(Tool, "split", ["env", preload(), "dpdk-pdump"] + EAL + ["-d", vmimage.PLUGIN, "--", "--pdump",
        "port=0,queue=*,rx-dev=/tmp/c.pcap,tx-dev=/tmp/ctx.pcap,total-num-mbufs=4095"], r"capture for")
    count = captured(guest, alone, tool)
    assert len(read_pcap(fetch(guest, "/tmp/c.pcap", tmp_path))) == count
    guest.vm.check("rm /tmp/c*.pcap")
    alone.quit(30)


def test_dumpcap(guest, alone):
    """It has no options of EAL: it finds the plug-in where it is installed, and the port by itself."""
    alone.cmds(*FORWARD)
    guest.vm.check("ln -s %s/%s /usr/lib/*-linux-gnu/dpdk/pmds-*/" % (vmimage.PLUGIN_FOLDER, vmimage.PLUGIN))
    try:
        tool = guest.program(Tool, "split", ["env", preload(), "dpdk-dumpcap", "-i", "0", "-s", "1600", "-w", "/tmp/c.pcapng"],
            "Capturing on")
        count = captured(guest, alone, tool)
    finally:
        guest.vm.check("rm -f /usr/lib/*-linux-gnu/dpdk/pmds-*/%s /tmp/c*.pcap*" % vmimage.PLUGIN)
    found = re.search(r"received/dropped on interface '%s_sluice': (\d+)/0 " % guest.nics["split"].bdf, tool.log())
    assert found and int(found.group(1)) >= 2 * count, tool.log()[-500:]
    alone.quit(30)


def symmetric(guest):
    """DPDK's example: two processes, each with a queue of both ports, from one to the other"""
    running = []
    eal = [["-l", "1", "--proc-type=primary"] + sum([["-a", nic.bdf + ",sluice=1"] for nic in guest.nics.values()], []),
        ["-l", "0", "--proc-type=secondary"]]
    for i in (0, 1):
        running.append(guest.program(Tool, "split", ["symmetric_mp"] + eal[i] + ["--no-telemetry", "-d", vmimage.PLUGIN, "--",
            "-p", "3", "--num-procs=2", "--proc-id=%d" % i], "Lcore . using ports", i))
    # The rings are on their way to the second process, which drops what a burst leaves. It does not say when it has them.
    time.sleep(2)
    return running


def sums(process):
    """[(port, received, sent, dropped)] at its end"""
    process.vm.check("kill -INT %d" % process.pid_in_guest())
    process.wait_end(30)
    return [tuple(map(int, line)) for line in re.findall(r"Port (\d): RX - (\d+), TX - (\d+), Drop - (\d+)", process.log())]


@pytest.mark.skipif(not os.path.exists(SYMMETRIC_MP), reason="no DPDK examples: run devtools/setup")
def test_symmetric_mp(guest):
    running = symmetric(guest)
    flows = make_flows(9)
    peers = [Peer(guest.nics[name]) for name in ("packed", "split")]
    for peer in peers:
        peer.drain()
        peer.socket.settimeout(10)
    came = []
    for turn in zip(*flows):
        for frame in turn:
            peers[0].socket.send(frame)
        came += [peers[1].socket.recv(70000) for _ in turn]
    check_flows(came, flows)
    said = [sums(process) for process in running[::-1]]
    # What came by the first port went by the second.
    assert all(len(ports) == 2 and ports[0][1] == ports[1][2] > 0 for ports in said), said
    assert sum(ports[0][1] for ports in said) == len(came), said


@pytest.mark.skipif(not os.path.exists(SYMMETRIC_MP), reason="no DPDK examples: run devtools/setup")
def test_the_primary_process_is_killed(guest):
    """Another one has the devices at once, although the secondary process lives on, and polls."""
    first, second = symmetric(guest)
    first.kill()
    for port in (0, 1):
        second.wait_log("port %d: the primary process ended, or closed it: nothing is sent or received any more" % port)
    again = guest.testpmd(["packed", "split"])
    again.cmd("set portlist 0")
    exchange(again, guest.nics["packed"], count=100)
    assert second.process.poll() is None and second.log().count("sluice: ") == 2, second.log()[-2000:]
    sums(second)
    guest.close(again, "packed", "split")


def test_the_device_is_unplugged(guest, processes):
    """The kernel lets it go only when nobody has any of it mapped."""
    first, second = processes("packed", "split", args=["--hot-plug"])
    second.wait_rings(1)
    second.cmds(*FORWARD)
    guest.vm.qmp("device_del", id="nic1")

    def is_deleted():
        guest.vm.qmp("query-status")    # events come with answers
        return any(event["event"] == "DEVICE_DELETED" for event in guest.vm.qmp.events)
    wait_for(is_deleted, 60, "the end of the device")
    wait_for(lambda: first.ports() == [0], 10, "the end of the port")
    second.stop()
    for process in (first, second):
        process.cmd("set portlist 0")
    exchange_in_both(guest.nics["packed"], first, second)
    second.quit(30)
    first.kill()
