# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""RSS by software: stock testpmd asks for it, and each queue gets the flows that the redirection table gives it, in
order and with their hash. The back end knows nothing of it."""
import os
import re

import pytest

from frames import SMALL, write_pcap
from pair import Config
from puppet import Obedient
from testpmd import BUILD, PLUGIN, wait_for
from toeplitz import KEY, TABLE, check, even, flows, hash_of, set_table

OTHER_KEY = bytes((7 * i + 1) & 0xff for i in range(40))
# What testpmd's options mean: of which packets ports are hashed, or addresses.
ADDRESSES = {"ports": (), "addresses": True}
UDP = {"ports": (17,), "addresses": False}


def config(name, device=4, queues=4, what=None, **devargs):
    """what: ADDRESSES or UDP; None is testpmd's default, and that is addresses"""
    made = Config(name, queues=device, front_args=["--rxq=%d" % queues], **devargs)
    made.what = what or ADDRESSES
    if what:
        made.front_args += ["--rss-udp" if what is UDP else "--rss-ip"]
    return made


# As many queues of the device as of the application.
MANY = [config("packed-4of4", what=ADDRESSES), config("split-4of4", what=UDP, packed_vq=0), config("asked-4of4", rss="sw")]


def over(configs):
    return pytest.mark.parametrize("shared_pair", configs, indirect=True, ids=lambda c: c.name)


def received(pair, per_queue, others=()):
    """What testpmd prints of each packet that it receives: [(length, hash or None, queue)]. others: more processes
    that poll queues of the port."""
    fronts, back = [pair.front, *others], pair.back
    pair.rewind(per_queue)
    marks = [len(front.log()) for front in fronts]
    for front in fronts:
        front.cmds("set verbose 1", "set fwd rxonly", "start")
    back.cmds("set fwd io", "start")
    want, found = sum(map(len, per_queue)), []

    def seen():
        found[:] = [packet for front, mark in zip(fronts, marks) for packet in re.findall(
            r"length=(\d+) - nb_segs=1(?: - RSS hash=(0x\w+) - RSS queue=0x\w+)?.*?Receive queue=(0x\w+)",
            front.log()[mark:], re.S)]
        return len(found) >= want
    try:
        wait_for(seen, 15, "%d packets" % want)
    finally:
        back.stop()
        for front in fronts:
            front.stop()
            front.cmd("set verbose 0")
    return [(int(length), int(text, 16) if text else None, int(queue, 16)) for length, text, queue in found]


def spread(pair, per_queue, count=240):
    """The same number of frames by each queue of the device."""
    return [flows(count, count * q) for q in range(per_queue)]


@over(MANY)
def test_each_queue_gets_its_flows(shared_pair):
    sent = spread(shared_pair, 4)
    got = received(shared_pair, sent)
    check(got, sent, even(4), **shared_pair.config.what)
    assert all(any(queue == q for _, _, queue in got) for q in range(4))


@over(MANY[:1])
def test_key_and_table_change(shared_pair):
    """While the port is started: the next packets go by the new ones, and both are told."""
    front = shared_pair.front
    sources = shared_pair.config.queues
    sent, what = spread(shared_pair, sources, 120), shared_pair.config.what
    try:
        # testpmd sets the type along with the key.
        front.cmds("port config 0 rss-hash-key ipv4 " + OTHER_KEY.hex(), "port config all rss ip")
        assert OTHER_KEY.hex().upper() in front.cmd("show port 0 rss-hash key")
        check(received(shared_pair, sent), sent, even(4), OTHER_KEY, **what)
        turned = [3 - i % 2 for i in range(TABLE)]
        set_table(front, turned)
        said = front.cmd("show port 0 rss reta 128 (0xffffffffffffffff,0xffffffffffffffff)")
        table = {int(i): int(q) for i, q in re.findall(r"hash index=(\d+), queue=(\d+)", said)}
        assert table == dict(enumerate(turned))
        check(received(shared_pair, sent), sent, turned, OTHER_KEY, **what)
        front.cmd("port config all rss tcp")
        assert "ipv4-tcp" in front.cmd("show port 0 rss-hash")
        check(received(shared_pair, sent), sent, turned, OTHER_KEY, ports=(6,), addresses=False)
    finally:
        front.cmds("port config 0 rss-hash-key ipv4 " + KEY.hex(),
            "port config all rss " + ("udp" if what is UDP else "ip"))
        set_table(front, even(4))


@over(MANY[:1])
def test_restart(shared_pair):
    """What waits in queues that nobody polls goes back to its pool, and a port that starts again spreads again."""
    front, back = shared_pair.front, shared_pair.back
    sources = shared_pair.config.queues
    shared_pair.rewind(spread(shared_pair, sources))
    front.cmds("set fwd rxonly", "start")
    back.cmds("set fwd io", "start")
    front.stop()
    back.stop()
    front.cmds("port stop 0", "port start 0")
    shared_pair.wait_link()
    sent = spread(shared_pair, sources)
    check(received(shared_pair, sent), sent, even(4), **shared_pair.config.what)


@over(MANY[:1])
def test_what_is_no_ip_stays(shared_pair):
    """Frames without anything to hash go through the queue that the back end has for them."""
    shared_pair.exchange("io", 400, SMALL)


def rules_made(front, *rules):
    for rule in rules:
        assert "created" in front.cmd("flow create 0 ingress " + rule)


@over(MANY[:1])
def test_flow_rules(shared_pair):
    """Each frame comes back by the queue to which a rule or the redirection table sends it, or not at all."""
    front, back = shared_pair.front, shared_pair.back
    sent = spread(shared_pair, 4, 183)
    shared_pair.rewind(sent)
    front.cmds("set fwd io retry", "start")
    back.cmd("start")
    try:
        assert "validated" in front.cmd("flow validate 0 ingress pattern eth / end actions queue index 3 / end")
        for _ in range(20):  # under traffic
            rules_made(front, "pattern eth / ipv4 / end actions queue index 2 / end")
            front.cmd("flow flush 0")
    finally:
        back.stop()
        front.stop()
    try:
        rules_made(front, "pattern eth / ipv4 / udp dst is 53 / end actions queue index 1 / end",
            "pattern eth / ipv6 dst is 2001:db8::1 / tcp / end actions drop / count / end",
            "priority 1 pattern eth / ipv4 src spec 192.0.2.0 src mask 255.255.255.240 / end actions queue index 3 / end",
            "priority 2 pattern eth type is 0x0806 / end actions drop / end")
        listed = front.cmd("flow list 0")
        assert re.search(r"^1\s+0\s+0\s+i--\s+ETH IPV6 TCP => DROP COUNT", listed, re.M), listed
        want, dropped, counted = [[] for _ in range(4)], 0, 0
        for frame in (frame for frames in sent for frame in frames):
            kind, value = frame[12:14], hash_of(frame, **ADDRESSES)
            if kind == b"\x86\xdd" and frame[20] == 6 or kind == b"\x08\x06":
                dropped += 1
                counted += kind == b"\x86\xdd"
            elif kind == b"\x08\x00" and frame[23] == 17:
                want[1].append(frame)
            elif kind == b"\x08\x00" and frame[29] < 16:
                want[3].append(frame)
            else:
                want[value % TABLE % 4].append(frame)
        assert dropped > counted > 0
        got = shared_pair.send(sent, dropped=dropped)
        for queue in range(4):
            assert sorted(got[queue]) == sorted(want[queue]), queue
        stats = front.cmd("show port xstats 0")
        assert sum(map(int, re.findall(r"rx_q\d_flow_dropped_packets: (\d+)", stats))) == dropped
        assert "hits: %d" % counted in front.cmd("flow query 0 1 count")
        assert "flow rules" in front.burst_mode("rxq")
        front.cmds("flow destroy 0 rule 2", "flow flush 0")
        assert "flow rules" not in front.burst_mode("rxq")
    finally:
        front.cmd("flow flush 0")
    check(received(shared_pair, sent), sent, even(4), **shared_pair.config.what)


@over([config("off", rss="off"), Config("one-queue")])
def test_flow_rules_are_refused(shared_pair):
    """With the reason, and what it would take."""
    said = shared_pair.front.cmd("flow create 0 ingress pattern eth / end actions drop / end")
    assert "RSS by software" in said and "rss=sw" in said, said


@over([config("off", rss="off")])
def test_off(shared_pair):
    """Accepted, and the back end chooses the queue."""
    got = received(shared_pair, spread(shared_pair, 4, 60))
    assert [sum(queue == q for _, _, queue in got) for q in range(4)] == [60] * 4
    assert "RSS spreads nothing: rss=off" in shared_pair.front.log()
    assert "spread" not in shared_pair.front.burst_mode("rxq")


@over([Config("one-queue")])
def test_who_asks_for_nothing(shared_pair):
    """One queue: the burst function is that of the path alone."""
    mode = shared_pair.front.burst_mode("rxq")
    assert mode and "hash" not in mode and "spread" not in mode


class Reader(Obedient):
    """rss_reader.c: one transmit queue, and more receive queues than the back end has. testpmd has as many of both."""

    def __init__(self, path, queues, polled=None, updates=0, packed=1):
        super().__init__(os.path.join(BUILD, "tests", "rss_reader"), args=[str(queues), str(polled or queues),
            str(updates)], eal=["-d", os.path.basename(PLUGIN), "-m", "64",
            "--vdev", "net_sluice0,path=%s,packed_vq=%d" % (path, packed)])

    def packets(self):
        return [(int(length), int(value, 16) or None, int(queue)) for queue, value, length
            in re.findall(r"^packet (\d+) (0x\w+) (\d+)$", self.log(), re.M)]

    def end(self):
        """Every buffer is back, also those that waited for a queue that nobody polled."""
        self.tell("")
        assert self.wait_end() == 0, self.log()[-2000:]
        assert re.search(r"updates, 0 missing, 0$", self.log(), re.M), self.log()[-2000:]


class Source:
    """A back end with one queue pair; it sends what it is told to."""

    def __init__(self, folder, testpmds):
        self.path, self.pcap = os.path.join(folder, "v.sock"), os.path.join(folder, "in.pcap")
        write_pcap(self.pcap, [])
        self.start(testpmds)

    def start(self, testpmds):
        self.back = testpmds(["net_vhost0,iface=%s,queues=1,client=0" % self.path,
            "net_pcap0,rx_pcap=%s,tx_pcap=%s" % (self.pcap, self.pcap + ".out")])
        self.back.cmds("set burst tx delay 1 retry 2000000", "set fwd io retry")

    def send(self, frames):
        write_pcap(self.pcap, frames)
        wait_for(self.back.link_up, 10, "a front end")
        self.back.cmds("stop", "port stop 1", "port start 1", "start")


@pytest.fixture
def source(folder, testpmds):
    return Source(folder, testpmds)


@pytest.mark.parametrize("queues,packed", [(2, 1), (4, 1), (7, 0)])
def test_one_queue_of_the_device(source, queues, packed):
    """The back end fills one queue, all are served, and a thousand updates of the table lose nothing."""
    reader = Reader(source.path, queues, updates=1000, packed=packed)
    try:
        sent = flows(900)
        source.send(sent)
        wait_for(lambda: len(reader.packets()) >= len(sent), 20, "%d packets" % len(sent))
        reader.wait_log("rss_reader: updated", 20)
        got = reader.packets()
        check(got, [sent], even(queues), **UDP)
        assert len({queue for _, _, queue in got}) > queues // 2
        reader.end()
    finally:
        reader.kill()


def test_a_queue_that_nobody_polls(source):
    """The others get all of theirs; what waits goes back at the stop."""
    reader = Reader(source.path, 4, polled=3)
    try:
        sent = flows(600)
        source.send(sent)
        table = even(4)
        mine = [f for f in sent if hash_of(f, **UDP) is None or table[hash_of(f, **UDP) % TABLE] != 3]
        wait_for(lambda: len(reader.packets()) >= len(mine), 20, "%d packets" % len(mine))
        check(reader.packets(), [mine], table, **UDP)
        reader.end()
    finally:
        reader.kill()


def test_the_back_end_comes_again(source, testpmds):
    reader = Reader(source.path, 4)
    try:
        for turn in range(2):
            sent = flows(300, 300 * turn)
            source.send(sent)
            want = 300 * (turn + 1)
            wait_for(lambda: len(reader.packets()) >= want, 20, "%d packets" % want)
            check(reader.packets()[-300:], [sent], even(4), **UDP)
            if turn == 0:
                source.back.kill()
                os.unlink(source.path)
                source.start(testpmds)
        reader.end()
    finally:
        reader.kill()
