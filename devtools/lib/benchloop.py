# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Real loopback: a stock testpmd with net_vhost on one core, one with the driver on another.

Three such pairs live at the same time: A, B, and C, which is a second A for the control; one of them
works, the others stand still. A fixed number of packets goes round between back end and driver, so
nothing can overflow, and at the end all of them must still be there.
"""
import os
import re
import shutil
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "pmd"))
from testpmd import Testpmd, wait_for  # noqa: E402 (found by the line above)
import benchstats  # noqa: E402
import hugepages  # noqa: E402

BURSTS = 4                  # of 32 packets: half of a ring of 256
IMIX = ((64, 7), (594, 4), (1518, 1))       # size and parts; bursts of 8 packets, so that half a ring holds them
IMIX_BURST = 8
# Frames that take several buffers of the usual size on both sides: five, and as many ring entries.
JUMBO = 9000
JUMBO_SEGMENTS = "2000,2000,2000,2000,1000"
JUMBO_BURSTS = 3
JUMBO_ARGS = ["--max-pkt-len=9018", "--enable-scatter"]
# Features (virtio 1.2, 5.1.3 and 6) by which the two drivers may differ here.
DATAPATH = {15: "mrg_rxbuf", 28: "indirect_desc", 29: "event_idx", 32: "version_1", 34: "ring_packed", 35: "in_order"}
CONTROL = {3: "mtu", 5: "mac", 16: "status", 17: "ctrl_vq", 30: "protocol_features"}
FEED = {"rxonly": "txonly", "txonly": "rxonly"}     # the back end's mode; else both forward
SETTLE_S = 0.05
WINDOW_TRIES = 5
PAGES = 200                 # of 2 MiB, that the three pairs take


class Pair:
    """One back end and one driver under test."""

    def __init__(self, name, devargs, folder, cores, args):
        self.name = name
        self.in_flight = 0
        self.folder = tempfile.mkdtemp(dir=folder)
        path = os.path.join(self.folder, "vhost.sock")
        is_sluice = name.startswith("net_sluice")
        self.back = Testpmd(["net_vhost0,iface=%s,queues=1" % path])
        try:
            # The in-tree driver needs single-file segments; so all get them.
            self.front = Testpmd([",".join([name + "0", "path=" + path] + devargs)], args, front=is_sluice,
                                 eal=["--single-file-segments"])
        except BaseException:
            self.back.kill()
            raise
        pin(self.front, cores[1], cores[0])
        pin(self.back, cores[0], cores[1])
        for side in (self.front, self.back):
            side.cmd("set record-core-cycles on")

    def wait_link(self):
        wait_for(lambda: self.front.link_up() and self.back.link_up(), 10, "link of " + self.name)

    def begin(self, mode, size):
        """Packets into the loop."""
        self.front.cmd("set fwd " + mode)
        self.back.cmd("set fwd " + FEED.get(mode, "io"))
        if mode in FEED:
            for side in (self.front, self.back):
                side.cmds("set burst 32", "set txpkts %d" % size)
            return
        mix = {"imix": IMIX, JUMBO: ((JUMBO_SEGMENTS, JUMBO_BURSTS),)}.get(size,
            ((size, BURSTS * 32 // IMIX_BURST),))
        for one, bursts in mix:
            self.back.cmds("set burst %d" % IMIX_BURST, "set txpkts %s" % one, "start tx_first %d" % bursts)
            self.back.stop()
            self.in_flight += bursts * IMIX_BURST
        self.back.cmd("set burst 32")

    def window(self, mode, seconds):
        """(Mpps, cycles of the driver's core per packet, idle share of the back end's core). On a busy machine a
        core may not get to run at all; such a window tells nothing and is done again."""
        for _ in range(WINDOW_TRIES):
            self.front.cmd("start")
            self.back.cmd("start")
            time.sleep(SETTLE_S)
            self.back.cmd("clear fwd stats all")
            begin_back = time.monotonic()
            self.front.cmd("clear fwd stats all")
            begin = time.monotonic()
            time.sleep(seconds)
            text = self.front.cmd("show fwd stats all")
            took = time.monotonic() - begin
            idle = idle_of(self.back.cmd("show fwd stats all"), time.monotonic() - begin_back)
            self.back.stop()
            self.front.stop()
            found = re.search(r"CPU cycles/packet=([\d.]+)", text)
            counts = {way: int(n) for way, n in re.findall(r"([RT]X)-packets: (\d+)", text)}
            packets = counts.get("TX" if mode == "txonly" else "RX", 0)
            if found and packets:
                return packets / took / 1e6, float(found.group(1)), idle
        raise RuntimeError("%s forwarded nothing in mode %s, %d times" % (self.name, mode, WINDOW_TRIES))

    def end(self, mode):
        """Empties the loop; what was put in must come out."""
        if mode in FEED:
            self.front.cmds("set fwd rxonly", "start")
            time.sleep(SETTLE_S)
            self.front.stop()
        want, self.in_flight = self.in_flight, 0
        # The statistics of the port count from its start; those of forwarding from the last clear.
        self.back.cmds("set fwd rxonly", "clear fwd stats all")
        before = self.back.stats()["RX-packets"]
        self.front.cmds("set fwd io", "start")
        self.back.cmd("start")
        try:
            wait_for(lambda: self.back.stats()["RX-packets"] - before >= want, 10, "packets of the loop")
            time.sleep(SETTLE_S)
        finally:
            self.back.stop()
            self.front.stop()
        got = self.back.stats()["RX-packets"] - before
        if mode not in FEED and got != want:
            raise RuntimeError("%s: %d packets in the loop, %d came out" % (self.name, want, got))

    def burst_modes(self):
        return {way: self.front.burst_mode(way + "q") for way in ("rx", "tx")}

    def features(self):
        """What was negotiated, as lib/vhost says in the back end's log."""
        return int(re.findall(r"negotiated Virtio features: 0x([0-9a-f]+)", self.back.log())[-1], 16)

    def kill(self):
        for side in (self.front, self.back):
            side.kill()


def idle_of(text, seconds):
    """The share of its time in which a core moved no packet, by testpmd's count of the cycles in which it did. One that
    transmits what it makes itself is never idle."""
    found = re.search(r"CPU cycles/packet=.*\(\w+ cycles=(\d+) .* at (\d+) MHz", text)
    return max(0.0, 1 - int(found.group(1)) / (int(found.group(2)) * 1e6 * seconds)) if found else 1.0


def names_of(features):
    return ",".join(DATAPATH.get(bit) or CONTROL.get(bit) or "bit%d" % bit for bit in range(64) if features >> bit & 1)


def remark_of(a, b):
    """Of sluice-bench: which features of the control plane differ, does not matter."""
    differ = (a ^ b) & ~sum(1 << bit for bit in CONTROL)
    return "A and B negotiated DIFFERENT features" if differ else None


def pin(side, worker_core, other_core):
    """Its worker to one core, everything else to the other one."""
    for task in os.listdir("/proc/%d/task" % side.pid):
        with open("/proc/%d/task/%s/comm" % (side.pid, task), encoding="ascii") as file:
            is_worker = "worker" in file.read()
        os.sched_setaffinity(int(task), {worker_core if is_worker else other_core})


def start(drivers, folder, order, args):
    """The three pairs: A, B, C (a second A), created in that order; args: of the drivers' testpmds."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    pairs = [None] * 3
    try:
        for i in order:
            name, devargs = drivers[i % 2 if i < 2 else 0]
            pairs[i] = Pair(name, devargs, folder, cores, args)
        for pair in pairs:
            pair.wait_link()
    except BaseException:
        stop(pairs)
        raise
    return pairs


def stop(pairs):
    for pair in pairs:
        if pair is not None:
            pair.kill()


def block(pairs, mode, seconds):
    """A B B A and A C C A; (a, b, control a, control c) of each metric, and of the back end's idle share."""
    means = []
    for one, other in ((0, 1), (0, 2)):
        values = [pairs[i].window(mode, seconds) for i in (one, other, other, one)]
        means.append([[(values[0][k] + values[3][k]) / 2, (values[1][k] + values[2][k]) / 2] for k in range(3)])
    return [tuple(means[0][k] + means[1][k]) for k in range(3)]


def measure_case(pairs, mode, size, nb_blocks, seconds):
    for pair in pairs:
        pair.begin(mode, size)
    blocks = [block(pairs, mode, seconds) for _ in range(nb_blocks)]
    for pair in pairs:
        pair.end(mode)
    return blocks


def measure(cases, drivers, nb_restarts, nb_blocks, seconds, say, until):
    """Rows as sluice-bench writes them; drivers: (name, list of devargs) of A and of B; until: when to give up,
    of the monotonic clock."""
    if len(os.sched_getaffinity(0)) < 2:
        raise RuntimeError("the loopback needs two cores")
    nb_free = hugepages.nb_free()
    if nb_free < PAGES:
        raise RuntimeError("the loopback needs %d free hugepages, there are %d: SLUICE_HUGEPAGES=256 devtools/setup"
            % (PAGES, nb_free))
    blocks = {case: [] for case in cases}
    ports = {}
    steps = [(restart, jumbo) for restart in range(nb_restarts) for jumbo in (False, True)]
    nb_done = 0
    for restart, jumbo in steps:
        mine = [case for case in cases if (case[1] == JUMBO) == jumbo]
        if not mine:
            continue
        folder = tempfile.mkdtemp(prefix="sluice-bench-")
        pairs = ()
        try:
            pairs = start(drivers, folder, [(i + restart) % 3 for i in range(3)], JUMBO_ARGS if jumbo else [])
            ports.update(dict.fromkeys(mine, [(pair.burst_modes(), pair.features()) for pair in pairs[:2]]))
            for case in mine:
                if time.monotonic() > until:
                    raise RuntimeError("not done in time: is the machine too busy?")
                say("loopback %s %s, restart %d/%d" % (*case, restart + 1, nb_restarts),
                    nb_done / (nb_restarts * len(cases)))
                blocks[case].append(measure_case(pairs, *case, nb_blocks, seconds))
                nb_done += 1
        finally:
            stop(pairs)
            shutil.rmtree(folder, ignore_errors=True)
    return [row(case, blocks[case], drivers, ports[case]) for case in cases]


def row(case, groups, drivers, ports):
    """ports: burst modes and features of A and of B"""
    def values(k):
        return [[list(block[k]) for block in group] for group in groups]
    sides = [{"vdev": ",".join([name] + devargs), "rx_mode": mode["rx"], "tx_mode": mode["tx"],
              "feature_names": names_of(features)} for (name, devargs), (mode, features) in zip(drivers, ports)]
    return {"mode": case[0], "size": case[1], "complete": True, "remark": remark_of(ports[0][1], ports[1][1]),
            "too_few_blocks": benchstats.too_few(groups), "a": sides[0], "b": sides[1],
            "metrics": {"mpps": dict(benchstats.metric(values(0), "Mpps", True), **benchstats.idle(values(2))),
                        "cycles": benchstats.metric(values(1), "TSC cycles/packet", False)}}
