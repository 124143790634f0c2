# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What goes between two interfaces of a guest's kernel that a program of DPDK forwards, each in a network namespace of its
own. The kernel cuts and joins UDP, too, and its vhost-net's workers are threads of the process."""
import concurrent.futures
import os
import random
import re
import struct
import time

import pytest
from scapy.all import IP, TCP as Tcp, Ether, IPv6, Raw

from frames import l4_layers, packet
from kernel import HEADER, NEW_MACHINE, KernelProgram, SystemCalls, close, launch, load, through, up, vdev
from side import Side, send
from test_vm_kernel import test_echo, test_the_interface_is_deleted  # noqa: F401 (here with this kernel)
from test_vm_rx_csum import NEEDS_CSUM, pseudo_sum
from test_vm_tx_offload import spoiled
from testpmd import wait_for

DATA_VALID, GSO_TCPV4, GSO_TCPV6, TCP, MSS = 2, 1, 4, 6, 1448
MEGABYTES = int(os.environ.get("SLUICE_TEST_MEGABYTES", "8"))    # each way and time, of test_tcp_between_namespaces
SECONDS = float(os.environ.get("SLUICE_TEST_TCP_SECONDS", "2"))    # of test_tcp_goes_on
RETRY = "set burst tx delay 1 retry 2000000"
# Segments of up to 64 KiB without checksums from the kernel, which the application asks the other port to complete and cut.
OFFLOADS = ["--rx-offloads=0x1c", "--tx-offloads=0x802c", "--enable-lro"]
WITH_OFFLOADS = ["port stop all"] + ["csum set %s hw %d" % (what, port) for what in ("tcp", "udp") for port in (0, 1)] + [
    "tso set 1448 0", "tso set 1448 1", "port start all", "csum mac-swap off 0", "csum mac-swap off 1", "set fwd csum retry"]
pytestmark = pytest.mark.sluice


@pytest.fixture
def guest(boot):
    return load(boot(NEW_MACHINE))


class Forwarder:
    """A testpmd with tap0 and tap1, and what the kernel has behind them."""

    def __init__(self, guest, offloads=False, ifaces=("tap0", "tap1"), **how):
        self.testpmd = launch(guest, ifaces, OFFLOADS if offloads else [], **how)
        self.testpmd.cmds("set record-burst-stats on", RETRY, *(WITH_OFFLOADS if offloads else ["set fwd io retry"]), "start")
        self.sides = [Side(guest.vm, "tap0", "192.0.2.1"), Side(guest.vm, "tap1", "192.0.2.2")]
        wait_for(lambda: self.testpmd.link_up(0) and self.testpmd.link_up(1), 10, "links")

    def both_ways(self, streams, megabytes=MEGABYTES):
        here, there = self.sides
        begin = time.monotonic()
        send(here, there, 5001, megabytes // streams, streams)
        send(there, here, 5001, megabytes // streams, streams)
        print("%d MB each way in %.1f s" % (megabytes, time.monotonic() - begin))

    def end(self):
        close(self.testpmd)
        for side in self.sides:
            side.end()


@pytest.mark.parametrize("offloads", [False, True], ids=["plain", "offloads"])
def test_tcp_between_namespaces(guest, offloads):
    """One stream and eight, bit by bit. No packet is counted wrong, and the core that forwards asks the kernel for nothing
    but to look at a ring, once for a burst at most."""
    forwarder = Forwarder(guest, offloads)
    t, sides = forwarder.testpmd, forwarder.sides
    with SystemCalls(t) as calls:
        out = sides[0].run("ping -c 5 -i 0.1 -w 30 " + sides[1].address)
        assert "5 packets received, 0% packet loss" in out, out
        for streams in (1, 8):
            forwarder.both_ways(streams)
    stats = [t.xstats(port) for port in (0, 1)]
    before = len(t.log())
    t.stop()
    bursts = sum(map(int, re.findall(r"TX-bursts : (\d+)", t.log()[before:])))
    for port in (0, 1):
        assert not [name for name, n in stats[port].items() if "error" in name and n], stats[port]
        assert stats[port]["device_failures"] == 0
        assert stats[port]["rx_q0_packets"] == stats[1 - port]["tx_q0_packets"]
        assert (stats[port]["rx_q0_lro_packets"] > 100) == offloads, stats[port]
    kicks = [sum(port["%s_q0_kicks" % way] for port in stats) for way in ("tx", "rx")]
    assert 0 < kicks[0] <= bursts and set(calls) == {"write"} and calls["write"] <= sum(kicks), (kicks, bursts, calls)
    forwarder.end()


def test_tcp_goes_on(guest):
    """One stream with checksums that are left open, for as long as is asked: it never stands still, and each byte is right."""
    forwarder = Forwarder(guest, offloads=True)
    vm, (here, there) = guest.vm, forwarder.sides
    vm.check("dd if=/dev/urandom of=/tmp/sent bs=1M count=1 2>/dev/null; rm -f /tmp/idle /tmp/again /tmp/end /tmp/told\n"
        "mkfifo /tmp/idle /tmp/again")
    again = "while [ ! -e /tmp/end ]; do cat /tmp/sent; done 2>/dev/null"
    there.run("(%s) >/tmp/again & (nc -l -p 5001 <>/tmp/idle | cmp - /tmp/again; echo $?) >/tmp/told 2>&1 &" % again)
    wait_for(lambda: ":1389 " in there.run("cat /proc/net/tcp /proc/net/tcp6"), 10, "a listening nc")
    here.run("(%s) | nc %s 5001 >/dev/null 2>&1 &" % (again, there.address))
    longest, packets, last = 0, 0, time.monotonic()
    end = last + SECONDS
    while time.monotonic() < end or not packets:
        before = packets
        wait_for(lambda: there.packets()["rx"] > before + 1, 20, "packets")
        packets, now = there.packets()["rx"], time.monotonic()
        longest, last = max(longest, now - last), now
        assert not vm.check("cat /tmp/told"), vm.check("cat /tmp/told")
    print("%d packets in %g s, the longest pause %.2f s" % (packets, SECONDS, longest))
    # Whoever is ahead of the other ends; what differs by then is the length alone.
    vm.check("touch /tmp/end")
    wait_for(lambda: vm.check("cat /tmp/told"), 60, "the end")
    assert "differ" not in vm.check("cat /tmp/told")
    for port in (0, 1):
        stats = forwarder.testpmd.xstats(port)
        assert not [name for name, n in stats.items() if "error" in name and n], stats
    forwarder.testpmd.stop()
    forwarder.end()


def test_changes_under_traffic(guest):
    """One stream, bit by bit, while its interfaces are down, renamed, given another MTU and address, and while its ports stop
    and start."""
    forwarder = Forwarder(guest, offloads=True)
    vm, t, (here, there) = guest.vm, forwarder.testpmd, forwarder.sides
    vm.check("dd if=/dev/urandom of=/tmp/sent bs=1M count=24 2>/dev/null; rm -f /tmp/idle /tmp/same; mkfifo /tmp/idle")
    there.run("(nc -l -p 5001 <>/tmp/idle | cmp - /tmp/sent && >/tmp/same) >/dev/null 2>&1 &")
    wait_for(lambda: ":1389 " in there.run("cat /proc/net/tcp /proc/net/tcp6"), 10, "a listening nc")
    here.run("nc %s 5001 </tmp/sent >/dev/null 2>&1 &" % there.address)
    for change in (
            lambda: here.run("ip link set tap0 mtu 1000"),
            lambda: t.cmds("port config mtu 0 1400", "mac_addr set 0 02:00:00:00:00:77"),
            lambda: there.run("ip link set tap1 down; ip link set tap1 up"),
            lambda: here.run("ip link set tap0 down; ip link set tap0 name other0; ip link set other0 up"),
            lambda: t.cmds("stop", "port stop all", "port start all", "start")):
        before = there.packets()["rx"]
        change()
        wait_for(lambda: there.packets()["rx"] > before + 20 or vm.run("[ -e /tmp/same ]")[0] == 0, 30, "packets")
    wait_for(lambda: vm.run("[ -e /tmp/same ]")[0] == 0, 60, "the end of the file")
    assert t.xstats(0)["device_failures"] == t.xstats(1)["device_failures"] == 0
    t.stop()
    forwarder.end()


def test_beside_net_virtio_user(guest):
    """A port of each driver in one process"""
    forwarder = Forwarder(guest, ifaces=["tap0"], eal=vdev(1, "tap1", driver="net_virtio_user"))
    forwarder.both_ways(1, 2)
    forwarder.testpmd.stop()
    forwarder.end()


def send_paced_bursts(t, nb=5):
    """32 packets each to both interfaces, long after what was sent last: the kernel sleeps, and one system call wakes it."""
    t.cmd("set fwd rxonly")
    before = [t.xstats(port) for port in (0, 1)]
    with SystemCalls(t) as calls:
        for _ in range(nb):
            t.cmds("start tx_first", "stop")
    sent = [{name: n - then[name] for name, n in t.xstats(port).items()} for port, then in enumerate(before)]
    # A burst that meets the control thread, which looks for what an idle queue has to give back, takes nothing.
    assert all(0 < port["tx_q0_kicks"] <= nb and port["tx_q0_packets"] in (32 * nb - 32, 32 * nb) for port in sent), sent
    # For each time that EAL has the thread work it reads once, and answers.
    kicks = calls.pop("write") - calls.pop("read")
    assert kicks == sum(port["tx_q0_kicks"] + port["rx_q0_kicks"] for port in sent) and not calls, (kicks, calls, sent)


def test_system_calls(guest):
    """With many streams at most two thirds of what net_virtio_user makes of the same, in the same guest; with a burst now
    and then, one for each."""
    calls = {}
    for driver in ("net_sluice", "net_virtio_user"):
        forwarder = Forwarder(guest, driver=driver)
        with SystemCalls(forwarder.testpmd) as counts:
            send(*forwarder.sides, 5001, 1, 8)
        calls[driver] = sum(counts.values())
        forwarder.testpmd.stop()
        if driver == "net_sluice":
            send_paced_bursts(forwarder.testpmd)
        forwarder.end()
    print("system calls for 8 MB: %s" % calls)
    assert 0 < 3 * calls["net_sluice"] <= 2 * calls["net_virtio_user"], calls


def l4_of(frame):
    """(where its header starts, where the checksum is in it, the addresses, the protocol)"""
    start, addresses, proto = (34, frame[26:34], frame[23]) if frame[12] == 8 else (54, frame[22:54], frame[20])
    return start, 16 if proto == TCP else 6, addresses, proto


def partial(frame):
    """The same frame with a checksum that is left open: what stands in its place is the sum of the pseudo header."""
    start, offset, addresses, proto = l4_of(frame)
    left = bytearray(frame)
    struct.pack_into(">H", left, start + offset, pseudo_sum(addresses, proto, len(frame) - start))
    return bytes(left)


def needs(frame, flags=NEEDS_CSUM, gso=0, size=0):
    """The header of one"""
    start, offset, _, proto = l4_of(frame)
    head = start + (20 if proto == TCP else 8)
    return HEADER.pack(flags, gso, head if gso else 0, size, start, offset)


def completed(header, frame):
    """As it is on the wire: a checksum that is left open is filled in."""
    flags, _, _, _, start, offset = header
    if not flags & NEEDS_CSUM:
        return frame
    whole = bytearray(frame)
    data = frame[start:] + b"\0" * (len(frame) - start & 1)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    struct.pack_into(">H", whole, start + offset, ~total & 0xffff or 0xffff)
    return bytes(whole)


# What the header that the kernel receives says of a checksum, the frame behind it, and what the port says of it then.
HEADERS = {
    "right": (lambda right: (HEADER.pack(0, 0, 0, 0, 0, 0), right), "GOOD"),
    "wrong": (lambda right: (HEADER.pack(0, 0, 0, 0, 0, 0), spoiled(right)), "UNKNOWN"),
    "left open": (lambda right: (needs(right), partial(right)), "NONE"),
    "valid": (lambda right: (HEADER.pack(DATA_VALID, 0, 0, 0, 0, 0), right), "GOOD"),
    "both": (lambda right: (needs(right, NEEDS_CSUM | DATA_VALID), partial(right)), "NONE")}


@pytest.mark.parametrize("how", ["not asked for", "told", "completed"])
def test_checksums(guest, how):
    """UDP and TCP over IPv4 and IPv6, with checksums that are right, wrong and left open, by way of a bridge, whose GRO looks
    at some, to a port that does not ask for them, tells of them, completes them; against scapy."""
    vm = guest.vm
    t = launch(guest, ["tap0", "tap1"], OFFLOADS if how == "told" else ["--rx-offloads=0xc"] if how == "completed" else [],
        "complete_csum=1" if how == "completed" else "")
    vm.check("modprobe bridge; tap_make in0 0; brctl addbr bridge0; brctl addif bridge0 in0; brctl addif bridge0 tap0\n"
        "echo 0 >/proc/sys/net/ipv4/igmp_link_local_mcast_reports\n"
        "for name in in0 bridge0 tap0 tap1; do ip link set dev $name up; done")
    wait_for(lambda: t.link_up(0) and t.link_up(1), 10, "links")
    right = [bytes(packet(number, l4_layers())) for number in range(8)]
    made = [make(frame) for make, _ in HEADERS.values() for frame in right]
    t.cmds(RETRY, *(WITH_OFFLOADS if how == "told" else ["set fwd io retry"]), "set verbose 1", "start")
    got = through(vm, "receive", "in0", "tap1", made)
    t.stop()
    assert len(got) == len(made)
    told = re.findall(r"ol_flags: .*?RTE_MBUF_F_RX_L4_CKSUM_(\w+)", t.log())
    for number, (header, frame) in enumerate(got):
        name = list(HEADERS)[number // len(right)]
        want = right[number % len(right)]
        if name == "wrong" and how != "told":       # nobody repairs it
            want = made[number][1]
        assert completed(header, frame) == want, (name, number, header, frame.hex())
        assert (header[0] == NEEDS_CSUM) == (how == "told"), (name, header)
        flag = {"not asked for": "UNKNOWN", "told": HEADERS[name][1],
            "completed": HEADERS[name][1].replace("NONE", "GOOD")}[how]
        assert told[number] == flag, (name, number, told)
    close(t)
    vm.check("ip link del in0; ip link del bridge0")


def send_the_longest(guest, t):
    """65,549 bytes, IP's 65,535 behind an Ethernet header. The kernel cuts them on the way to the port; testpmd joins what a
    burst has of them, and the other interface gets in one piece what was sent."""
    mss, head = 1000, Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb") / IP(src="192.0.2.1", dst="192.0.2.2") / Tcp(
        sport=7, dport=7, flags="A")
    want = bytes(head / Raw(random.Random(1).randbytes(65549 - len(head))))
    pieces = -(-(len(want) - len(head)) // MSS)
    # testpmd has something cut if the first of what it joins was long enough for that.
    t.cmds("port stop 1", "csum set ip hw 1", "tso set %d 1" % mss, "port start 1", "set burst 64", "set port 0 gro on",
        "set port 0 ptype_mask 0xfff")
    wait_for(lambda: t.link_up(1), 10, "link")
    before = [t.xstats(port) for port in (0, 1)]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        got = pool.submit(through, guest.vm, "send", "tap0", "tap1", [(needs(want, NEEDS_CSUM, GSO_TCPV4, MSS), partial(want))])
        wait_for(lambda: " %d\n" % pieces in t.cmd("show port 0 rxq 0 desc used count"), 10, "%d pieces" % pieces)
        t.cmd("start")
        [(header, frame)] = got.result()
    t.stop()
    assert completed(header, frame) == want, (len(frame), header)
    assert (header[1], header[3]) == (GSO_TCPV4, mss), header
    for port, name, count in ((0, "rx_q0_packets", pieces), (1, "tx_q0_packets", 1)):
        assert t.xstats(port)[name] - before[port][name] == count, (name, t.xstats(port), before)


def test_sizes(guest):
    """60 to 65,535 bytes, more than which the kernel cuts before an interface sends it: as frames up to the MTU, which the
    interface has from the port, and above it as segments that were never cut."""
    t = launch(guest, ["tap0", "tap1"], OFFLOADS + ["--max-pkt-len=9018"])
    up(guest.vm, "tap0", "ip link set dev tap1 up")
    assert guest.vm.check("cat /sys/class/net/tap0/mtu /sys/class/net/tap1/mtu").split() == ["9000", "9000"]
    wait_for(lambda: t.link_up(0) and t.link_up(1), 10, "links")
    t.cmds(RETRY, *WITH_OFFLOADS, "start")
    made, right = [], []
    for number, size in enumerate((60, 61, 1514, 1515, 9014, 4096, 16384, 65534, 65535)):
        # The first five are one frame, and those behind are in segments.
        has_segments = number >= 5
        layers = IP(src="192.0.2.1", dst="192.0.2.2"), IPv6(src="2001:db8::1", dst="2001:db8::2")
        for layer, gso in zip(layers, (GSO_TCPV4, GSO_TCPV6)) if size > 100 else [(layers[0], GSO_TCPV4)]:
            head = Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb") / layer / Tcp(sport=number, dport=7)
            payload = random.Random(number).randbytes(251) * (1 + size // 251)
            right.append(bytes(head / Raw(payload[:size - len(head)])))
            made.append((needs(right[-1], NEEDS_CSUM, *((gso, MSS) if has_segments else (0, 0))), partial(right[-1])))
    got = through(guest.vm, "send", "tap0", "tap1", made)
    t.stop()
    assert len(got) == len(made), (len(got), t.xstats(0), t.xstats(1))
    for number, ((header, frame), want) in enumerate(zip(got, right)):
        assert completed(header, frame) == want, (number, len(want), len(frame), header)
        has_segments = len(want) - header[4] - 20 > MSS
        assert (header[1] != 0, header[3]) == (has_segments, MSS if has_segments else 0), (number, len(want), header)
    send_the_longest(guest, t)
    for port in (0, 1):
        stats = t.xstats(port)
        assert not [name for name, n in stats.items() if "error" in name and n], stats
    close(t)


@pytest.mark.parametrize("args", [[], ["--", "vxlan"]], ids=["plain", "vxlan"])
def test_udp_segments(guest, args):
    """A bridge between two ports has packets of up to 64 KiB from one, and the other gets them in segments of 1,448 bytes: the
    kernel cuts them and makes their checksums, in a tunnel those of the outer headers, too."""
    vm = guest.vm
    if args and tuple(map(int, re.findall(r"\d+", vm.check("uname -r"))[:2])) < (6, 17):
        pytest.skip("Linux before 6.17 makes no segments in tunnels of what a tap gets: SLUICE_TEST_KERNEL")
    program = KernelProgram(vm, "udp_segments", "tap0", "tap1", args=args)
    guest.testpmds.append(program)
    vm.check("modprobe bridge; brctl addbr bridge0; brctl addif bridge0 tap0; brctl addif bridge0 tap1\n"
        "for name in tap0 tap1 bridge0; do ip link set dev $name up; done")
    wait_for(lambda: vm.check("cat /sys/class/net/bridge0/brif/*/state").split() == ["3", "3"], 10, "a bridge that forwards")
    os.write(program.terminal, b"\n")
    assert program.wait_end(60) == 0, program.log()
    # 2, 3, 12 and 46 segments by IPv4 and by IPv6
    assert "udp_segments: 8 packets, 126 segments" in program.log(), program.log()
    vm.check("ip link del bridge0")
