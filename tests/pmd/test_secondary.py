# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Ports in secondary processes: what these see, send and receive, what is refused, and what happens when one of the
processes, the back end or the build is another one than before.

SLUICE_TEST_LOOP=SECONDS is how long packets go round in two processes (default: 3)."""
import errno
import glob
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from frames import compare, expected, make, read_pcap
from pair import Config, Pair, check_pool
from processes import (SYMMETRIC_MP, Processes, Program, Secondary, as_installed, eal_args, mempool_drivers, run_tool,
    two_queues)
from refusal import one_line_says
from test_environment import build_shim
from test_rss import ADDRESSES, received, spread
from test_tx_offload import CSUM, spoiled, went_well
from testpmd import BUILD, PLUGIN, REPO, TESTPMD, VDEV, hugetlbfs, is_link_into, lcores, wait_for
from toeplitz import KEY, TABLE, check, even, set_table

pytestmark = pytest.mark.sluice
LOOP_SECONDS = float(os.environ.get("SLUICE_TEST_LOOP", "3"))
LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])


@pytest.fixture
def processes(folder):
    """Starts pairs with a secondary process that end with the test."""
    running = []

    def start(config=None, **how):
        running.append(Processes(folder, config, **how))
        return running[-1]
    yield start
    for pair in running:
        pair.kill()


def exchange(pair, count=400, seed=1, in_order=True):
    """Frames through both queues, of which each is polled by another process; compared byte for byte."""
    sent = [make(count, [60, 1514], seed << 8 | queue) for queue in range(2)]
    pair.second.forward()
    try:
        results = pair.send(sent)
    finally:
        pair.second.stop()
    for frames, result in zip(sent, results):
        compare(*((result, frames) if in_order else (sorted(result), sorted(frames))))


@pytest.fixture
def running(folder):
    """A pair of which the primary process polls all queues"""
    pair = Pair(Config("primary", queues=2, own_files=True), folder)
    yield pair
    pair.kill()


def test_tools_see_what_the_primary_process_sees(running):
    """dpdk-proc-info beside a primary process that has forwarded; its reset is the primary's, too."""
    status, text = run_tool("dpdk-proc-info", running.front.prefix, ["--", "--show-port"])
    assert status == 0 and "driver net_sluice device net_sluice0" in text, text
    assert "Link up at 10 Gbps" in text and running.front.info()["MAC address"] in text, text
    assert re.search(r"rx queue\n.*descriptors 0/256 .*mempool mb_pool_0", text), text
    running.front.cmds("set fwd txonly", "start")
    running.back.cmds("set fwd rxonly", "start")
    wait_for(lambda: running.front.stats()["TX-packets"] > 1000, 10, "packets")
    # Beside a core that forwards.
    status, text = run_tool("dpdk-proc-info", running.front.prefix, ["--", "--stats"])
    assert status == 0 and int(re.search(r"TX-packets: (\d+)", text).group(1)) > 1000, text
    running.front.stop()
    running.back.stop()
    seen = dict(re.findall(r"^(\w+): (\d+)$", run_tool("dpdk-proc-info", running.front.prefix, ["--", "--xstats"])[1], re.M))
    assert {name: str(value) for name, value in running.front.xstats().items()} == seen
    status, text = run_tool("dpdk-proc-info", running.front.prefix, ["--", "--xstats-reset"])
    assert status == 0, text
    assert running.front.stats()["TX-packets"] == 0
    running.front.cmd("set fwd io")
    running.close()


@LAYOUTS
def test_both_processes_forward(processes, packed):
    pair = processes(two_queues(packed_vq=packed))
    exchange(pair)
    # What each has counted is one sum in both.
    for process in (pair.front, pair.second):
        assert process.stats()["RX-packets"] == process.stats()["TX-packets"] == 800
        assert process.xstats()["rx_q1_packets"] == process.xstats()["tx_q1_packets"] == 400
    pair.close()


def test_rss_in_both_processes(processes):
    """Flows are in their queues, whichever process received them, with one's kit or the other's; a table that changes."""
    config = Config("rss", queues=4, own_files=True, front_args=["--num-procs=2", "--proc-id=0", "--rss-ip"])
    pair = processes(config, args=["--num-procs=2", "--proc-id=1", "--rxq=4", "--txq=4"], eal=["--force-max-simd-bitwidth=64"])
    wait_for(lambda: pair.second.burst_mode("rxq"), 10, "rings in the secondary process")
    modes = [process.burst_mode("rxq") for process in (pair.front, pair.second)]
    assert all("spread" in mode for mode in modes) and "softrss" in modes[1] and "softrss" not in modes[0], modes
    sent = spread(pair, 4)
    got = received(pair, sent, [pair.second])
    check(got, sent, even(4), **ADDRESSES)
    assert {queue for _, _, queue in got} == set(range(4))
    turned = [3 - i % 3 for i in range(TABLE)]
    set_table(pair.front, turned)
    again = received(pair, sent, [pair.second])
    check(again, sent, turned, **ADDRESSES)
    said = [process.cmd("show port 0 rss-hash key") for process in (pair.front, pair.second)]
    assert all(KEY.hex().upper() in text for text in said), said
    # What each got is a sum in both.
    assert [process.xstats()["rx_q3_packets"] for process in (pair.front, pair.second)] == [sum(queue == 3 for *_, queue in got)
        + sum(queue == 3 for *_, queue in again)] * 2
    pair.close()


@LAYOUTS
def test_transmit_offloads(processes, packed):
    """Checksums are left to the port in both processes; each has its own function that looks at what packets ask for."""
    asks = ["--tx-offloads=0x%x" % CSUM]
    config = two_queues(packed_vq=packed, rss="off")
    config.front_args += asks
    pair = processes(config, args=["--num-procs=2", "--proc-id=1", "--rxq=2", "--txq=2"] + asks)
    wrong, right = spoiled(200)
    pair.second.cmds("set burst tx delay 1 retry 2000000", "set fwd csum retry", "start")
    results = pair.send([wrong, wrong], "csum")
    pair.second.stop()
    mac = pair.mac()
    for result in results:
        compare(result, [expected(frame, "csum", mac) for frame in right])
    went_well(pair)
    pair.close()


@pytest.mark.parametrize("devargs,args", [({"isolation": "none"}, ["--single-file-segments"]), ({"isolation": "copy"}, []),
    ({"vectorized": 0}, []), ({"mrg_rxbuf": 0}, []), ({"in_order": 0}, [])], ids=["none", "copy", "scalar", "no-mrg", "no-order"])
def test_kinds_of_rings(processes, devargs, args):
    pair = processes(two_queues(front_eal=args, **devargs))
    exchange(pair)
    pair.close()


def test_functions_are_each_process_s_own(processes):
    """A secondary process that may use other instructions."""
    pair = processes(eal=["--force-max-simd-bitwidth=64"])
    wait_for(lambda: pair.second.burst_mode("rxq"), 10, "rings in the secondary process")
    assert "scalar" in pair.second.cmd("show rxq info 0 1").lower()
    assert "scalar" not in pair.front.cmd("show rxq info 0 1").lower()
    exchange(pair)
    pair.close()


def test_rings_of_another_connection(processes):
    """A back end that restarts, and a port that is stopped and started: both processes have the new rings."""
    pair = processes()
    exchange(pair)
    for seed in (2, 3):
        pair.back.kill()
        wait_for(lambda: not pair.front.link_up(), 10, "link down")
        # No rings: nothing comes, nothing goes, nobody is harmed.
        pair.second.forward()
        time.sleep(0.2)
        pair.second.stop()
        os.unlink(pair.path)  # net_vhost does not listen on it again
        pair.start_back()
        pair.wait_link()
        exchange(pair, seed=seed)
    pair.front.cmds("port stop 0", "port start 0")
    pair.wait_link()
    exchange(pair, seed=4)
    pair.close()


def test_rings_end_under_a_core_that_polls(processes):
    """The other process's core is in its bursts all the time while back ends come and go."""
    pair = processes()
    pair.second.forward()
    for _ in range(5):
        pair.back.kill()
        wait_for(lambda: not pair.front.link_up(), 10, "link down")
        os.unlink(pair.path)
        pair.start_back()
        pair.wait_link()
    pair.second.stop()
    exchange(pair, seed=9)
    assert "core stays" not in pair.front.log()
    pair.close()


def test_queues_end_under_a_core_that_polls(processes):
    """A configuration that fails takes the queues away, and ethdev's tables of them, for which another comes; larger rings take
    other queues."""
    pair = processes()
    pair.second.forward()
    for size in (128, 64, 256, 512, 64):
        pair.front.cmds("port stop 0", "port config 0 loopback 1", "port start 0")
        pair.front.wait_log("there is no loopback", 5)
        pair.front.cmds("port config all rxd %d" % size, "port config all txd %d" % size, "port config 0 loopback 0", "port start 0")
        pair.wait_link()
        assert pair.second.process.poll() is None, pair.second.log()[-2000:]
    pair.second.stop()
    exchange(pair, seed=10)
    pair.close()


def test_calls_that_change_something_are_refused(processes):
    pair = processes()
    for command, what in [("port config mtu 0 1400", "MTU"), ("mac_addr set 0 02:00:00:00:00:07", "MAC address")]:
        pair.second.cmd(command)
        one_line_says(pair.second.log(), r"port 0: to set the %s is for the primary process" % what, "do it there")
    assert pair.front.info()["MTU"] == "1500" and not pair.front.info()["MAC address"].endswith("00:07")
    pair.second.cmds("set promisc 0 on", "set allmulti 0 on", "set promisc 0 off", "set allmulti 0 off")
    for command, what in [("port 0 rxq 1 stop", "start or stop a queue"), ("port config 0 rss reta (3,1)", "set the redirection table"),
            ("port config all rss udp", "set RSS"), ("set link-down port 0", "set the link"),
            ("mac_addr add 0 02:00:00:00:00:08", "add a MAC address")]:
        before = len(pair.second.log())
        pair.second.cmd(command)
        one_line_says(pair.second.log()[before:], r"port 0: to %s is for the primary process" % what, "do it there")
        assert pair.second.log()[before:].count("sluice: ") == 1
    same = ["MAC address", "Link status", "Link speed", "MTU", "Max possible RX queues", "Max possible number of RXDs per queue",
        "Maximum configurable length of RX packet", "Device error handling mode"]
    ours, its = pair.front.info(), pair.second.info()
    assert {key: ours[key] for key in same} == {key: its[key] for key in same}
    exchange(pair)
    pair.close()


def test_calls_that_ethdev_half_does_itself(processes):
    """Whatever the driver says to them, ethdev has changed what all processes share, or taken the burst functions away: it
    has to refuse them before that."""
    pair, address = processes(), "02:00:00:00:00:08"
    pair.front.cmd("mac_addr add 0 " + address)
    for line in ("port stop 0", "port start 0"):
        pair.front.cmd(line)
        meddler = Program("meddler", pair.front.prefix, [os.path.join(BUILD, "tests", "meddler")]
            + eal_args(pair.front.prefix, 8, 1) + ["--", address], {"LD_PRELOAD": " ".join(mempool_drivers(TESTPMD))})
        try:
            assert meddler.wait_end(20) == 0, meddler.log()
        finally:
            meddler.kill()
        results = dict(re.findall(r"^meddler: (\w+) (-?\d+)$", meddler.log(), re.M))
        assert results.pop("polled") == "0" and "not ready" not in meddler.log(), meddler.log()
        assert len(results) == 7 and set(results.values()) == {str(-errno.ENOTSUP)}, results
    pair.wait_link()
    assert address in pair.front.cmd("show port 0 macs") and "strip off" in pair.front.cmd("show port info 0")
    exchange(pair)
    pair.close()


def test_rings_in_memory_of_eal_stay_while_a_core_hangs(processes):
    """Otherwise it would write, when it goes on, into what is somebody else's by then. The next port has the name, too;
    what dma_debug=1 noted of the queue is not taken for its own."""
    pair = processes(two_queues(isolation="none", dma_debug=1, front_eal=["--single-file-segments"]))
    pair.second.forward()
    for _ in range(50):
        pair.second.suspend()
        pair.front.cmds("port stop 0")
        if "core stays in a burst" in pair.front.log():
            break
        pair.second.process.send_signal(signal.SIGCONT)
        pair.front.cmds("port start 0")
        pair.wait_link()
    else:
        pytest.fail("the process was never stopped within a burst")
    rings = re.compile(r"^Zone \d+: name:<path=[^>]*?(?: \((\d+)\))?>", re.M)
    assert rings.findall(pair.front.cmd("dump_memzone")) == [""]
    pair.front.cmds("port close 0")
    assert rings.findall(pair.front.cmd("dump_memzone")) == [""]
    pair.second.process.kill()
    pair.second.kill()
    pair.front.cmds("port attach " + pair.config.vdev(pair.path).replace(VDEV + "0", VDEV + "1"), "port start all")
    assert sorted(rings.findall(pair.front.cmd("dump_memzone"))) == ["", "2"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_a_secondary_process_ends_and_another_one_comes(processes, how):
    pair = processes()
    exchange(pair)
    pair.second.interrupt(how)
    pair.second.process.wait(10)
    pair.second.kill()
    pair.second = Secondary(pair.front)
    exchange(pair, seed=2)
    pair.close()


@pytest.fixture
def hanging(folder, fake, testpmds):
    """(primary process, secondary one whose core hangs in a kick of transmit queue 1): the back end wants kicks."""
    running = []

    def second(front, **how):
        running.append(Secondary(front, **how))
        running[-1].cmd("set fwd txonly")
        return running[-1]
    front = testpmds(["%s0,path=%s,queues=2" % (VDEV, fake(queue_num=2).path)], front=True, own_files=True,
        args=["--rxq=2", "--txq=2", "--num-procs=2", "--proc-id=0"])
    hung = second(front, env={"LD_PRELOAD": build_shim(folder, "hang_in_kick"), "HANG_WHEN": folder})
    wait_for(lambda: "Burst mode" in hung.cmd("show txq info 0 1"), 10, "rings in the secondary process")
    hung.cmd("start")
    wait_for(lambda: hung.xstats()["tx_q1_kicks"] == 1, 10, "a kick")
    yield front, hung, second
    for process in running:
        process.kill()


def sends(front, process, queue):
    before = front.xstats()["tx_q%d_packets" % queue]
    process.cmds("set fwd txonly", "start")
    try:
        wait_for(lambda: front.xstats()["tx_q%d_packets" % queue] > before, 5, "packets of queue %d" % queue)
    finally:
        process.stop()


def test_a_secondary_process_dies_in_a_burst(hanging):
    """Its queue is parked and counted, the rest of the port goes on, and a start makes all of it work again."""
    front, hung, second = hanging
    hung.process.kill()
    front.wait_log(r"secondary process %d ended inside of a burst of transmit queue 1: it is parked with about 32 buffers"
        % hung.pid)
    sends(front, front, 0)
    other = second(front)
    other.cmds("start", "stop")
    assert front.xstats()["tx_q1_packets"] == 0, "a queue that is parked"
    begin = time.monotonic()
    front.cmd("port stop 0")
    assert time.monotonic() - begin < 5
    # Those of the ring are counted. What the core had in its hands and in its cache nobody knows.
    assert front.xstats()["stranded_buffers"] == 32
    front.cmd("port start 0")
    wait_for(front.link_up, 10, "link")
    wait_for(lambda: "Burst mode" in other.cmd("show txq info 0 1"), 10, "rings in the secondary process")
    sends(front, other, 1)
    sends(front, front, 0)
    other.quit()
    front.quit()


def test_a_secondary_process_that_hangs_keeps_its_queue(hanging):
    """A stop does not wait for it, and gives nothing back until it ends."""
    front, hung, second = hanging
    begin = time.monotonic()
    front.cmd("port stop 0")
    assert time.monotonic() - begin < 6
    front.wait_log("a core stays in a burst of virtqueue 3")
    assert front.xstats()["stranded_buffers"] == 0
    hung.process.kill()
    front.wait_log("all cores left their bursts")
    assert front.xstats()["stranded_buffers"] == 32
    front.cmd("port start 0")
    wait_for(front.link_up, 10, "link")
    other = second(front)
    wait_for(lambda: "Burst mode" in other.cmd("show txq info 0 1"), 10, "rings in the secondary process")
    sends(front, other, 1)
    other.quit()
    front.quit()


def test_a_port_is_closed_while_a_secondary_process_hangs(hanging):
    """Its core goes on some day, in memory that is nobody else's."""
    front, hung, _ = hanging
    front.cmds("port stop 0", "port close 0")
    front.wait_log("a core is still in a burst of virtqueue 3: the queue's memory is not given back")
    hung.process.kill()
    hung.process.wait(10)
    front.quit()


def test_the_primary_process_is_killed(folder):
    """While the other one forwards: its bursts return 0, control calls -EIO, in a line, and the link is down."""
    pair = Pair(two_queues(), folder)
    orphan = None
    try:
        pair.back.cmd("set portlist 0")
        pair.front.cmds("set fwd io retry", "start")
        orphan = Program("orphan", pair.front.prefix, [os.path.join(BUILD, "tests", "orphan")]
            + eal_args(pair.front.prefix, 4, 1), {"LD_PRELOAD": " ".join(mempool_drivers(TESTPMD))})
        pair.back.cmd("start tx_first")
        orphan.wait_log("forwards", 20)
        pair.front.process.kill()
        assert orphan.wait_end(20) == 0, orphan.log()
        said = re.findall("^orphan: .*", orphan.log(), re.M)
        assert said == ["orphan: 19 calls, 2000 bursts, 0 packets, link 0"], orphan.log()
        said = re.findall("sluice: .*", orphan.log())
        assert said == ["sluice: port 0: the primary process ended, or closed it: nothing is sent or received any more"], said
    finally:
        if orphan is not None:
            orphan.kill()
        pair.kill()


def other_build(folder):
    """The same plug-in with another build ID"""
    text = subprocess.run(["readelf", "-n", PLUGIN], check=True, capture_output=True, text=True).stdout
    ident = bytes.fromhex(re.search(r"Build ID: (\w+)", text).group(1))
    with open(PLUGIN, "rb") as file:
        data = file.read()
    assert data.count(ident) == 1
    # Not in /tmp: EAL refuses what others may write.
    place = os.path.join(os.path.dirname(PLUGIN), "other-%d" % os.getpid())
    os.makedirs(place, exist_ok=True)
    path = os.path.join(place, os.path.basename(PLUGIN))
    with open(path, "wb") as file:
        file.write(data.replace(ident, bytes(reversed(ident))))
    return path


def test_another_build(running):
    plugin = other_build(running.folder)
    try:
        status, text = run_tool("dpdk-proc-info", running.front.prefix, ["--", "--stats-reset"], plugin=plugin)
    finally:
        shutil.rmtree(os.path.dirname(plugin))
    one_line_says(text, "net_sluice0", "another build of the driver", "same plug-in")
    assert "port 0 cleared" not in text, (status, text)
    running.exchange()
    running.close()


def test_a_port_that_is_left_alone_comes(processes, fake):
    """One that a process has no use for comes and goes in the others."""
    pair = processes()
    pair.front.cmd("port attach %s1,path=%s,isolation=sealed" % (VDEV, fake().path))
    assert pair.front.info(1)["Device name"] == "net_sluice1"
    one_line_says(pair.second.log(), "net_sluice1", "isolation=sealed", "leaves it alone")
    assert "Invalid port 1" in pair.second.cmd("show port info 1")
    assert "detached" in pair.front.cmd("port detach 1")
    exchange(pair)
    pair.close()


def test_a_port_of_the_secondary_process_itself(running):
    """There is none: the primary process has all ports."""
    second = Secondary(running.front, eal=["--vdev", "%s7,path=%s" % (VDEV, running.path)])
    try:
        one_line_says(second.log(), "net_sluice7: the primary process has no such port", "--vdev")
    finally:
        second.quit()
    running.exchange()
    running.close()


def test_a_port_comes_and_goes_while_a_secondary_process_sleeps(processes, fake):
    pair = processes()
    peer = fake()
    pair.front.cmd("port attach %s1,path=%s,queues=2" % (VDEV, peer.path))
    assert pair.second.info(1)["Device name"] == "net_sluice1"
    pair.front.cmd("port start 1")
    wait_for(lambda: pair.second.link_up(1), 10, "link of the new port")
    # The number of addresses testpmd takes from its own table, in which the second one has nothing of this port.
    ours, its = [{key: value for key, value in process.info(1).items() if not re.search("Devargs|number of MAC|Firmware", key)}
        for process in (pair.front, pair.second)]
    assert ours == its
    pair.front.cmds("port stop 1", "port detach 1")
    assert "Invalid port 1" in pair.second.cmd("show port info 1")
    exchange(pair)
    pair.close()


def test_the_primary_process_closes_the_port(processes):
    """Without a word to the others, as some applications do."""
    pair = processes()
    exchange(pair)
    pair.front.cmds("port stop 0", "port close 0")
    pair.second.wait_log("port 0: the primary process ended, or closed it")
    check_pool(pair.front)
    # And then takes it away.
    assert "Invalid port 0" not in pair.second.cmd("show port info 0")
    pair.front.cmd("device detach %s0" % VDEV)
    assert "Invalid port 0" in pair.second.cmd("show port info 0")
    pair.second.quit()
    pair.front.quit()


@pytest.fixture(name="visitor")
def visitor_fixture(folder):
    """The program"""
    program = os.path.join(folder, "visitor")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libdpdk"], check=True, capture_output=True,
        text=True).stdout.split()
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-DALLOW_EXPERIMENTAL_API", "-o", program,
        os.path.join(REPO, "tests", "pmd", "app", "visitor.c")] + flags, check=True)
    return program


def visit(pair, program, *args):
    return Program("visitor", pair.front.prefix, [program] + eal_args(pair.front.prefix, 4, 1) + ["--", *args])


def test_a_pool_of_the_secondary_process(folder, visitor):
    """The device sees it when its first packets come; they wait for that, and none is lost."""
    pair = Pair(two_queues(front_eal=["--single-file-segments"]), folder)
    guest = None
    try:
        pair.back.cmds("set fwd rxonly", "start")
        pair.front.cmd("start")
        guest = visit(pair, visitor, "2000")
        assert guest.wait_end(30) == 0, guest.log()
        assert "sent=2000 missing=0" in guest.log(), guest.log()
        wait_for(lambda: pair.back.stats()["RX-packets"] == 2000, 10, "packets at the back end")
        assert pair.front.xstats()["tx_q1_unmapped_errors"] == 0
        assert pair.front.xstats()["tx_q1_waiting_packets"] > 0
        pair.front.cmd("stop")
        pair.close()
    finally:
        if guest is not None:
            guest.kill()
        pair.kill()


def test_a_pool_is_freed_in_the_secondary_process(folder, visitor):
    """While the back end has packets of it, which is an error of the application that nobody else sees."""
    pair, guest = Pair(two_queues(front_eal=["--single-file-segments"]), folder), None
    try:
        guest = visit(pair, visitor, "100", "free")
        assert guest.wait_end(30) == 0, guest.log()
        assert "sent=100 freed" in guest.log(), guest.log()
        assert guest.log().count("sluice: port 0: mempool visitor is freed while 100 of its buffers are in use") == 1, guest.log()
    finally:
        if guest is not None:
            guest.kill()
        pair.kill()


def test_more_secondary_processes(processes):
    """Two with the number of the same queue: one gets nothing while the other one is inside. So they take turns, each with
    packets of its own to be sent again, and nothing is lost."""
    pair = processes()
    third = Secondary(pair.front, first=8)
    try:
        third.forward()
        exchange(pair, in_order=False)
        third.stop()
    finally:
        third.kill()
    exchange(pair, seed=2)
    pair.close()


def capture(pair, tool, is_ready, files):
    """What the tool has written of an exchange in a primary process that forwards all the time. is_ready: what it says when the
    primary process has set the callbacks."""
    tool.wait_log(is_ready, 20)
    pair.exchange()
    wait_for(lambda: all(os.path.getsize(name) > 600 * 1514 for name in files), 10, "packets in the files")
    tool.process.send_signal(signal.SIGINT)
    tool.wait_end(20)


def test_pdump(running):
    """DPDK's dpdk-pdump: the primary process copies what it forwards into the tool's memory."""
    files = [os.path.join(running.folder, way + ".pcap") for way in ("rx", "tx")]
    # The tool's own ports, which the primary process gets to see, would not let it start any more.
    running.front.cmds("set fwd io retry", "start")
    tool = Program("pdump", running.front.prefix, ["dpdk-pdump"] + eal_args(running.front.prefix, 8, 1) + ["--", "--pdump",
        "port=0,queue=*,rx-dev=%s,tx-dev=%s" % tuple(files)], {"LD_PRELOAD": " ".join(mempool_drivers(TESTPMD))})
    try:
        capture(running, tool, r"core \(8\), capture for", files)
    finally:
        tool.kill()
    # What is sent in a second try is captured again.
    assert len(read_pcap(files[0])) == 1200 <= len(read_pcap(files[1]))
    running.front.quit()


def test_dumpcap(folder, monkeypatch):
    """DPDK's dpdk-dumpcap, which takes no options of EAL: it finds the plug-in as it is installed, and the primary process by
    its default name."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", folder)
    place = tempfile.mkdtemp(dir=BUILD)
    os.mkdir(os.path.join(folder, "none"))
    old = {file for mount in hugetlbfs() for file in glob.glob(mount + "/rtemap_*")}
    running, tool, file = None, None, os.path.join(folder, "c.pcapng")
    try:
        running = Pair(Config("primary", queues=2, own_files=True, front_eal=["--file-prefix", "rte"]), folder)
        running.front.cmds("set fwd io retry", "start")
        tool = Program("dumpcap", "rte", as_installed(["dpdk-dumpcap", "-i", "0", "-w", file], place),
            {"SYSFS_PCI_DEVICES": os.path.join(folder, "none"), "LD_PRELOAD": " ".join(mempool_drivers(TESTPMD))})
        capture(running, tool, "Packets captured: 0", [file])
        found = re.search(r"received/dropped on interface 'net_sluice0': (\d+)/(\d+) ", tool.log())
        assert found, tool.log()[-500:]
        # Each second try to send is one more, and only with many of them the tool cannot keep up.
        captured, dropped = int(found.group(1)), int(found.group(2))
        assert captured >= 2400 or captured + dropped > 4096, tool.log()[-500:]
        running.front.quit()
    finally:
        if tool is not None:
            tool.kill()
        if running is not None:
            running.kill()
        for mount in hugetlbfs():
            for left in set(glob.glob(mount + "/rtemap_*")) - old:
                os.unlink(left)
        shutil.rmtree(place)


def go_round(back, seconds):
    """Packets are in a loop: back ends give back what they get. How many have come to it."""
    back.cmd("start tx_first")
    time.sleep(seconds)
    return back.stats(0)["RX-packets"]


def wait_still(process, port=0):
    readings = []

    def still():
        readings.append(process.stats(port))
        return len(readings) > 2 and readings[-1] == readings[-2]
    wait_for(still, 10, "quiet")
    return readings[-1]


def test_nothing_is_lost_in_a_loop(processes):
    """A fixed population of packets, two processes with four queues each."""
    # They are one flow, which RSS would give one queue.
    config = Config("loop", queues=8, own_files=True, rss="off", front_args=["--num-procs=2", "--proc-id=0"])
    pair = processes(config, args=["--num-procs=2", "--proc-id=1", "--rxq=8", "--txq=8"])
    pair.back.cmds("set portlist 0", "set fwd io retry")
    pair.front.cmds("set fwd io retry", "start")
    pair.second.forward()
    came = go_round(pair.back, LOOP_SECONDS)
    pair.second.stop()
    pair.front.stop()
    ours, its = pair.front.stats(), wait_still(pair.back)
    print("%d packets in %g s" % (came, LOOP_SECONDS), ours, its)
    by_queue = pair.front.xstats()
    assert all(by_queue["rx_q%d_packets" % queue] > 1000 for queue in range(8)), by_queue
    # All of them wait in the receive rings of the front end now.
    assert its["TX-packets"] - ours["RX-packets"] == 8 * 32
    assert ours["RX-packets"] == ours["TX-packets"] == its["RX-packets"]
    pair.close()


def eventfds(pid):
    """How many a process has open"""
    folder = "/proc/%d/fd/" % pid
    return sum(is_link_into(folder + name, "anon_inode:[eventfd]") for name in os.listdir(folder))


@pytest.mark.skipif(not os.path.exists(SYMMETRIC_MP), reason="no DPDK examples: run devtools/setup")
def test_symmetric_mp(folder, testpmds):
    """DPDK's example: two processes, each with a queue of both ports, from one to the other. It asks for RSS, and the flows are
    many, so both have some."""
    paths = [os.path.join(folder, "v%d.sock" % i) for i in range(2)]
    back = testpmds(["net_vhost%d,iface=%s,queues=2" % (i, path) for i, path in enumerate(paths)],
        args=["--rxq=2", "--txq=2", "--txonly-multi-flow"])
    prefix = "sluice_sym_%d" % os.getpid()
    vdevs = sum([["--vdev", "%s%d,path=%s,queues=2" % (VDEV, i, path)] for i, path in enumerate(paths)], [])
    common = ["--no-pci", "--iova-mode=va", "--no-telemetry", "--file-prefix", prefix, "-d", os.path.basename(PLUGIN),
        "--single-file-segments"]
    running = []
    try:
        for i, eal in enumerate([["--proc-type=primary", "--lcores", lcores(1)] + vdevs,
                eal_args(prefix, 4, 1)[:5]]):
            running.append(Program("symmetric_mp", prefix, [SYMMETRIC_MP] + eal + common
                + ["--", "-p", "3", "--num-procs=2", "--proc-id=%d" % i]))
            running[-1].wait_log("Lcore %d using ports" % (4 * i), 30)
        # The second process drops what a burst leaves, so it has to have its rings: of each port four eventfds to kick and one.
        wait_for(lambda: eventfds(running[1].pid) == 1 + 2 * 5, 10, "rings in the second process")
        for port in (0, 1):
            wait_for(lambda p=port: back.link_up(p), 10, "link")
        back.cmd("set fwd io retry")
        came = go_round(back, 3)
        for process in reversed(running):
            process.process.send_signal(signal.SIGINT)
            process.wait_end()
        sums = [re.findall(r"Port (\d): RX - (\d+), TX - (\d+), Drop - (\d+)", process.log()) for process in running]
        print(came, sums)
        for lines in sums:
            assert len(lines) == 2 and all(int(line[1]) > 100 and line[3] == "0" for line in lines), sums
    finally:
        for process in running:
            process.kill()
        for mount in hugetlbfs():
            for file in glob.glob(os.path.join(mount, prefix + "map_*")):
                os.unlink(file)
        shutil.rmtree(os.path.join(os.environ.get("RUNTIME_DIRECTORY", "/var/run"), "dpdk", prefix), ignore_errors=True)
