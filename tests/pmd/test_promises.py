# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What a port says that it can do it does, and what it cannot do it refuses: sizes of frames, of rings, modes."""
import os
import re
import struct

import pytest

from fake_backend import F_IN_ORDER, F_MRG_RXBUF, FEATURES, PROTOCOL_FEATURES, Connection, FakeBackend, bits
from frames import compare, make, read_pcap
from l3fwd import Other
from pair import Config
from refusal import has_port, one_line_says, run_front
from testpmd import BUILD, VDEV, wait_for

pytestmark = pytest.mark.sluice
ASKER = os.path.join(BUILD, "tests", "asker")
EINVAL, ENOTSUP = -22, -95
F_MTU, P_CONFIG = 3, 9
layouts = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
NO_MRG = FEATURES & ~bits(F_MRG_RXBUF)


class TellingConnection(Connection):
    def on_get_config(self, payload, _fds):
        config = struct.pack("<6sHHH", bytes(6), 1, 1, self.backend.mtu)
        return payload[:12] + config.ljust(len(payload) - 12, b"\0")


class Telling(FakeBackend):
    """Has a configuration space with an MTU."""
    kind = TellingConnection
    mtu = 1500


@pytest.fixture
def telling(folder):
    running = []

    def start(mtu, features=FEATURES):
        backend = type("Mtu%d" % mtu, (Telling,), {"mtu": mtu})(os.path.join(folder, "t.sock"),
            features=features | bits(F_MTU), protocol_features=PROTOCOL_FEATURES | bits(P_CONFIG))
        running.append(backend)
        return backend
    yield start
    for backend in running:
        backend.close()


def ask(path):
    asker = Other(ASKER, "%s0,path=%s,queues=2" % (VDEV, path))
    try:
        status = asker.wait_end(30)
        log = asker.log()
        assert status == 0, "it ended with %d:\n%s" % (status, log)
        return log, dict((key, int(value)) for key, value in re.findall(r"^asker: (\w+)=(-?\d+)", log, re.M))
    finally:
        asker.kill()


def test_what_is_not_done_is_refused(fake):
    """Modes that nothing here honours, and queues that were not set up."""
    log, answers = ask(fake().path)
    for what in ("rx_dcb", "rx_dcb_rss", "rx_vmdq"):
        assert answers[what] == ENOTSUP, what
    one_line_says(log, "port 0", r"rxmode\.mq_mode=0x[0-9a-f]+", "DCB", "RTE_ETH_MQ_RX_NONE")
    for what in ("tx_dcb", "tx_vmdq"):
        assert answers[what] == ENOTSUP, what
    one_line_says(log, "port 0", r"txmode\.mq_mode=0x[0-9a-f]+", "VMDq", "RTE_ETH_MQ_TX_NONE")
    assert answers["loopback"] == ENOTSUP
    one_line_says(log, "port 0", "lpbk_mode=1", "use 0")
    assert answers["rss"] == answers["none"] == 0, "the flag of RSS changes nothing that anybody relies on"
    assert answers["rx_deferred"] == answers["tx_deferred"] == answers["clean_not_started"] == 0
    assert answers["clean_not_set_up"] == answers["monitor_not_set_up"] == EINVAL
    assert answers["rx_status_not_set_up"] == answers["tx_status_not_set_up"] == EINVAL
    assert answers["start_without_rx_1"] == answers["start_without_tx_1"] == EINVAL
    one_line_says(log, "port 0: receive queue 1", "not set up", "rte_eth_rx_queue_setup", "configure 1")
    one_line_says(log, "port 0: transmit queue 1", "not set up", "rte_eth_tx_queue_setup", "configure 1")
    for what in ("rx_0", "tx_0", "rx_1", "tx_1", "start", "stats", "stop", "close"):
        assert answers[what] == 0, what
    assert answers["has_xstats"] == 1


def refusing(front, line, *patterns):
    text = front.cmd(line)
    one_line_says(text, *patterns)


@layouts
def test_frames_above_a_buffer_without_scatter(new_pair, packed):
    """The application did not ask for chains: an MTU that needs them is refused, whether the port runs or not, and what
    the device spreads over buffers is dropped and counted, not handed over."""
    pair = new_pair(Config("noscatter", packed_vq=packed, front_args=["--rxd=256"]))
    front = pair.front
    says = ("port 0 receive queue 0", "MTU 9000", "9014 bytes", "mempool mb_pool_0", "2048 bytes",
        "RTE_ETH_RX_OFFLOAD_SCATTER", "--enable-scatter")
    refusing(front, "port config mtu 0 9000", *says)
    front.cmd("port stop 0")
    refusing(front, "port config mtu 0 9000", *says)
    front.cmd("port start 0")
    pair.wait_link()
    assert front.info()["MTU"] == "1500"
    assert "Scattered Rx: off" in text_of_queue(front)
    frames = make(60, [60, 4000, 1514, 9000, 2048, 2060])
    before = pair.rewind([frames])
    fitting = [frame for frame in frames if len(frame) <= 2048]
    front.cmds("set fwd io retry", "start")
    pair.back.cmd("start")
    wait_for(lambda: pair.back.stats(1)["TX-packets"] - before >= len(fitting), 10, "what fits")
    pair.back.stop()
    front.stop()
    compare(read_pcap(pair.pcap("out", 0)), fitting)
    stats, xstats = front.stats(), front.xstats()
    assert stats["RX-errors"] == xstats["rx_q0_scatter_errors"] == len(frames) - len(fitting) > 0
    assert stats["RX-packets"] == len(fitting)
    pair.close()


def text_of_queue(front):
    return re.sub(" +", " ", front.cmd("show rxq info 0 0").replace("RX scattered packets", "Scattered Rx"))


def test_scatter_is_told(new_pair):
    pair = new_pair(Config("scatter", front_args=["--enable-scatter"]))
    assert "Scattered Rx: on" in text_of_queue(pair.front)
    pair.front.cmd("port config mtu 0 9000")
    assert pair.front.info()["MTU"] == "9000"
    pair.close()


@layouts
def test_refused_at_start_without_scatter(fake, packed):
    log, status = run_front("path=%s,packed_vq=%d" % (fake().path, packed),
        ["--max-pkt-len=9018", "--mbuf-size=2176"])
    assert has_port(log) and status != 0
    one_line_says(log, "port 0 receive queue 0", "MTU 9000", "9014 bytes", "2048 bytes", "--enable-scatter")


def test_device_without_mergeable_buffers(fake, testpmds):
    """What was negotiated counts, not what was asked for: the device would drop what is larger."""
    log, status = run_front("path=%s" % fake(features=NO_MRG).path, ["--max-pkt-len=9018", "--mbuf-size=2176"])
    assert has_port(log) and status != 0
    one_line_says(log, "port 0 receive queue 0", "MTU 9000", "2048 bytes", "larger buffers", "MRG_RXBUF")
    front = testpmds(["%s0,path=%s" % (VDEV, fake(features=NO_MRG).path)], front=True)
    for line in ("port stop 0", "port start 0"):
        refusing(front, "port config mtu 0 2035", "port 0 receive queue 0", "MTU 2035", "2048 bytes", "MRG_RXBUF")
        front.cmd(line)
    front.cmd("port config mtu 0 2034")
    assert front.info()["MTU"] == "2034"
    front.quit()


def limits(front):
    text = front.cmd("show port info 0")
    return {way: tuple(int(re.search("%s number of %sDs per queue: (\\d+)" % (what, way), text).group(1))
        for what in ("Min possible", "Max possible")) for way in ("RX", "TX")}


@pytest.mark.parametrize("packed,rxd,txd,rings", [(0, 1024, 512, (1024, 512)), (1, 1024, 512, (1024, 512)),
    (0, 300, 4, (512, 4)), (1, 300, 2000, (300, 2000))])
def test_rings_as_large_as_asked_for(new_pair, packed, rxd, txd, rings):
    """Without queue_size the application decides; net_virtio_user would have cut that to 256 without a word."""
    pair = new_pair(Config("rings", packed_vq=packed, front_args=["--rxd=%d" % rxd, "--txd=%d" % txd,
        "--burst=%d" % min(32, txd - 1)]))
    assert (pair.front.ring_size("rxq", 0), pair.front.ring_size("txq", 0)) == rings
    assert limits(pair.front) == {"RX": (4, 32768), "TX": (4, 32768)}
    pair.exchange("io", 2500, [60, 200])
    pair.front.cmds("port stop 0", "port start 0")
    pair.wait_link()
    pair.exchange("io", 2500, [60, 200])
    pair.close()


def test_rings_of_the_default_size(new_pair):
    pair = new_pair(Config("default"))
    assert pair.front.ring_size("rxq", 0) == pair.front.ring_size("txq", 0) == 256
    pair.close()


def test_queue_size_is_a_limit(fake, testpmds):
    """It is what the port says, and ethdev refuses what is more."""
    log, status = run_front("path=%s,queue_size=256" % fake().path, ["--rxd=1024"])
    assert has_port(log) and status != 0
    one_line_says(log, "nb_rx_desc", "1024", "<= 256")
    front = testpmds(["%s0,path=%s,queue_size=512" % (VDEV, fake().path)], front=True)
    assert limits(front) == {"RX": (4, 512), "TX": (4, 512)}
    assert front.ring_size("rxq", 0) == front.ring_size("txq", 0) == 512
    front.quit()


def longest(front):
    return int(front.info()["Maximum configurable length of RX packet"])


@pytest.mark.parametrize("told,largest,first", [(1450, 1450, 1450), (9000, 9000, 9000), (65535, 65517, 65517)])
def test_mtu_of_the_device(telling, testpmds, told, largest, first):
    """Before the first start it is the device's, and so is the limit, up to what the driver receives."""
    front = testpmds(["%s0,path=%s" % (VDEV, telling(told).path)], front=True,
        args=["--disable-device-start", "--enable-scatter"])
    assert front.info()["MTU"] == str(first)
    assert longest(front) == largest + 18
    front.cmd("port start 0")
    assert front.info()["MTU"] == str(min(1500, told))
    text = front.cmd("port config mtu 0 %d" % largest)
    assert "fail" not in text.lower() and front.info()["MTU"] == str(largest), text
    text = front.cmd("port config mtu 0 %d" % (largest + 1))
    assert front.info()["MTU"] == str(largest), text
    front.quit()


def test_device_that_takes_less_than_the_one_before(telling, testpmds):
    """What it drops is not sent into the void: a port that runs waits, and none starts with such an MTU."""
    backend = telling(1500)
    front = testpmds(["%s0,path=%s" % (VDEV, backend.path)], front=True)
    backend.close()
    telling(1400)
    front.wait_log("MTU 1500 are too large for the back end")
    assert not front.link_up()
    front.cmd("port stop 0")
    front.wait_log("%s: connected" % backend.path)
    one_line_says(front.cmd("port start 0"), "port 0", "MTU 1500", "back end drops", "larger than 1400")
    front.cmd("port config mtu 0 1400")
    front.cmd("port start 0")
    assert front.info()["MTU"] == "1400" and front.link_up()
    front.quit()


def test_no_mtu_is_told(fake, testpmds):
    front = testpmds(["%s0,path=%s" % (VDEV, fake().path)], front=True, args=["--disable-device-start"])
    assert front.info()["MTU"] == "1500"
    assert longest(front) == 65535
    front.quit()


def test_speed_that_nobody_tells(fake, testpmds):
    """Applications compute with it."""
    front = testpmds(["%s0,path=%s" % (VDEV, fake().path)], front=True)
    assert front.info()["Link speed"] == "10 Gbps"
    front.quit()


def test_harmless_wishes(fake, testpmds):
    front = testpmds(["%s0,path=%s" % (VDEV, fake().path)], front=True)
    for line in ("set promisc 0 off", "set allmulti 0 off", "set promisc 0 on", "set allmulti 0 on",
            "set stat_qmap rx 0 0 0", "set stat_qmap tx 0 0 0"):
        text = front.cmd(line)
        assert not re.search("error|fail|diag|support", text, re.I), text
    text = front.cmd("set stat_qmap rx 0 0 3")
    one_line_says(text, "port 0", "receive queue 0", "number 3", "own number")
    front.quit()


def test_order_of_statistics(fake, testpmds):
    """What is of the port, then errors, then the rest: telemetry shows the first 256."""
    front = testpmds(["%s0,path=%s,queues=4" % (VDEV, fake(features=FEATURES & ~bits(F_IN_ORDER)).path)], front=True,
        args=["--rxq=4", "--txq=4"])
    names = list(front.xstats())
    ours = names[names.index("device_failures"):]
    assert ours[:11] == ["device_failures", "device_connects", "tx_lost_packets", "rx_lost_packets",
        "unacked_buffers", "stranded_buffers", "announced_packets", "path_changes", "dma_maps", "dma_bytes",
        "dma_debug_reports"]
    are_errors = [name.endswith("_errors") for name in ours[11:]]
    assert are_errors == sorted(are_errors, reverse=True) and True in are_errors and False in are_errors
    front.quit()
