# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""isolation=sealed: the back end has rings and packet buffers, in files that it cannot make smaller, and no address of the
process. The front end is stock testpmd, whose pools are made by the driver's function instead of DPDK's; or its own ones, whose
packets are copied (bounce=1)."""
import ctypes
import fcntl
import os
import signal
import struct
import time

import pytest

from fake_backend import F_RING_PACKED, FEATURES, P_GPA_ADDRESSES, PROTOCOL_FEATURES, FakeBackend, Fault, bits
from frames import SMALL, compare, expected, l4_layers, packet
from pair import Config, check_pool
from processes import Program, run_tool
from puppet import Puppet
from refusal import one_line_says, run_front
from test_environment import build_shim
from test_hostile import moving
from test_live_change import change
from test_map import told
from test_new_memory import P_CONFIGURE_MEM_SLOTS
from test_telemetry import Telemetry
from testpmd import BUILD, MBUFS, VDEV, lcores, wait_for

pytestmark = pytest.mark.sluice
LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
MIB = 1 << 20
# Values of isolation=: pools of testpmd's that are foreign to the port, of plain mbufs and of pinned external buffers.
PLAIN, XBUF = "sealed,bounce=1", "sealed,bounce=1,mrg_rxbuf=0"
HIDING = pytest.mark.parametrize("level", ["sealed", "copy", PLAIN, "scoped"], ids=["sealed", "copy", "foreign", "scoped"])
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2
# Of a buffer for 2176 bytes: an odd number of cache lines.
STEP = 2240
EXAMPLE = os.path.join(BUILD, "app", "examples", "symmetric_mp_sealed")
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    return build_shim(str(tmp_path_factory.mktemp("shim")), "sealed_pools")


def vdev(number, path, packed=1, level="sealed", more=""):
    return "%s%d,path=%s,packed_vq=%d,isolation=%s%s" % (VDEV, number, path, packed, level, more)


@pytest.fixture
def connect(fake, testpmds, shim):
    def start(packed, level="sealed", **how):
        features = FEATURES if packed else FEATURES & ~bits(F_RING_PACKED)
        backend = fake(features=features, **how)
        # Elsewhere than at 4 GiB: two small numbers in a row are no address then.
        front = testpmds([vdev(0, backend.path, packed, level)], front=True, eal=["--base-virtaddr=0x123400000000"], env={"LD_PRELOAD": shim} if level == "sealed" else {})
        wait_for(backend.ready, 5, "negotiation")
        return backend, front
    return start


def maps(pid):
    """What of a process's address space it can use: (begin, end)"""
    found = []
    for line in open("/proc/%d/maps" % pid, encoding="ascii", errors="replace"):
        span, rights = line.split()[:2]
        if rights[:3] != "---":
            found.append(tuple(int(x, 16) for x in span.split("-")))
    return found


def addresses_in(data, spans):
    """Different words of eight bytes that are addresses of a process; at multiples of 8, where C has its fields"""
    words = set(struct.unpack("<%dQ" % (len(data) // 8), data[:len(data) // 8 * 8]))
    return [w for w in words if any(lo <= w < hi for lo, hi in spans)]


def content(region):
    """All of the file, which is what a back end may map"""
    return os.pread(region.fd, region.file_size, 0)


def payloads(stream):
    """Of the messages in what the driver sent"""
    at = 0
    while at < len(stream):
        size = struct.unpack_from("<I", stream, at + 8)[0]
        yield stream[at + 12:at + 12 + size]
        at += 12 + size


@LAYOUTS
@pytest.mark.parametrize("mode", ["io", "mac"])
def test_traffic(new_pair, shim, packed, mode):
    """Over net_vhost, with what comes out compared; and every mbuf accounted for."""
    pair = new_pair(Config("sealed", isolation="sealed", packed_vq=packed, front_wrap=["env", "LD_PRELOAD=" + shim]))
    pair.exchange(mode, 600, SMALL)
    pair.front.cmds("stop", "port stop 0", "port start 0")
    pair.wait_link()
    pair.exchange(mode, 600, SMALL)
    pair.close()


@pytest.mark.parametrize("packed,level,checks", [(0, PLAIN, 0), (1, PLAIN, 0), (1, XBUF, 1)], ids=["split", "packed", "xbuf-checked"])
def test_traffic_of_foreign_pools(new_pair, packed, level, checks):
    """Received and sent packets are copied, those with checksums to be written, too. The device has rings and bounce buffers."""
    pair = new_pair(Config("foreign", isolation=level, packed_vq=packed, in_order=packed, dma_debug=checks, front_eal=["--telemetry"],
        front_args=["--mp-alloc=xbuf"] if level == XBUF else ["--enable-rx-cksum"]))
    front = pair.front
    pair.exchange("macswap", 600, SMALL)
    assert front.xstats()["tx_q0_bounced_packets"] == 600
    # With these testpmd sets the queues up anew.
    good = [packet(number, l4_layers()) for number in range(64)]
    front.cmds("port stop 0", "csum set udp hw 0", "csum set tcp hw 0", "csum set ip hw 0", "port start 0")
    pair.wait_link()
    compare(pair.send([[bytes(p) for p in good]], "csum")[0], [expected(bytes(p), "csum", pair.mac()) for p in good])
    stats = front.xstats()
    assert stats["tx_q0_bounced_packets"] == 64
    assert stats["tx_q0_unmapped_errors"] == stats["tx_q0_waiting_packets"] == stats.get("dma_debug_reports", 0) == 0
    assert "_copy" in front.burst_mode("rxq")
    region, = told(Telemetry(front.prefix))
    assert (region["owner"], region["name"]) == ("coherent", "rings and bounce buffers")
    pair.close()
    assert "are dropped" not in front.log()


def test_sealed_pools_do_not_bounce(new_pair, shim):
    pair = new_pair(Config("asked", isolation="sealed", bounce=1, front_wrap=["env", "LD_PRELOAD=" + shim]))
    pair.exchange("io", 600, SMALL)
    assert pair.front.xstats()["tx_q0_bounced_packets"] == 0
    assert "_copy" not in pair.front.burst_mode("rxq")
    pair.close()


def test_a_foreign_pool_is_refused_where_nothing_is_copied(folder, shim, monkeypatch):
    """The port runs with a sealed pool, and one of its queues is set up with another one."""
    monkeypatch.setenv("LD_PRELOAD", shim)
    with pytest.raises(AssertionError, match="port 1 receive queue 1: with bounce=1 mempool second needs bounce buffers"):
        change(folder, "renew", 1, "isolation=sealed,bounce=1")


@LAYOUTS
def test_only_rings_and_buffers_are_there(connect, packed):
    backend, front = connect(packed)
    assert len(backend.regions) == 2
    rings = [r for r in backend.regions if r.holds(backend.vring_addr[0][0])]
    buffers = [r for r in backend.regions if r not in rings]
    assert len(rings) == 1 and all(rings[0].holds(a) for areas in backend.vring_addr.values() for a in areas)
    # To the byte: the buffers, and no more than to the end of the last huge page.
    size = -(-MBUFS * STEP // (2 * MIB)) * 2 * MIB
    assert [(r.offset, r.size, r.file_size) for r in buffers] == [(0, size, size)]
    assert rings[0].size == rings[0].file_size <= MIB
    front.quit()


@HIDING
def test_no_address_is_in_what_is_shown(connect, level):
    """An mbuf, a mempool, a heap are full of pointers; nothing of the kind lies in the files. The control has them."""
    backend, front = connect(0, level, traffic="echo")
    front.cmds("start tx_first")
    wait_for(lambda: backend.now.traffic is not None and backend.now.traffic.moved > 100, 10, "packets")
    front.cmd("stop")
    spans = maps(front.pid)
    found = {i: len(addresses_in(content(r), spans)) for i, r in enumerate(backend.regions)}
    path = sum(content(r).count(backend.path.encode()) for r in backend.regions)
    if level != "scoped":
        assert sum(found.values()) == 0, found
        assert path == 0
    else:
        assert sum(found.values()) > MBUFS
    front.quit()


@LAYOUTS
@HIDING
def test_no_address_is_on_the_socket(connect, packed, level):
    """From the first byte to the last, restarts included. The control has them: the rings' and the pages' addresses."""
    backend, front = connect(packed, level)
    front.cmds("port stop 0", "port start 0")
    wait_for(lambda: backend.ready() and len(backend.vring_addr) == 2, 5, "negotiation")
    spans = maps(front.pid)
    found = [hex(w) for c in backend.connections for p in payloads(bytes(c.stream)) for w in addresses_in(p, spans)]
    if level != "scoped":
        assert found == []
        # Addresses there are, of the device's own.
        assert all(a >= 1 << 28 for areas in backend.vring_addr.values() for a in areas)
    else:
        assert len(found) > 6
    front.quit()


@pytest.mark.parametrize("level", ["sealed", "copy"])
@pytest.mark.parametrize("more", [bits(P_GPA_ADDRESSES), 0], ids=["offered", "not-offered"])
def test_rings_by_guest_address(connect, level, more):
    """GPA_ADDRESSES is taken where it is offered, and rings and regions go by the addresses of descriptors, with it or not."""
    backend, front = connect(1, level, traffic="echo", protocol_features=PROTOCOL_FEATURES | more)
    assert backend.acked_protocol == PROTOCOL_FEATURES | more
    assert [r.user for r in backend.regions] == [r.device for r in backend.regions]
    assert all(sum(r.device <= a < r.device + r.size for r in backend.regions) == 1
        for areas in backend.vring_addr.values() for a in areas)
    front.cmds("start tx_first")
    wait_for(lambda: backend.now.traffic is not None and backend.now.traffic.moved > 100, 10, "packets")
    front.quit()


@LAYOUTS
def test_files_cannot_be_cut(connect, packed):
    backend, front = connect(packed)
    for region in backend.regions:
        assert region.seals() & SEALS == SEALS
        for size in (0, region.file_size - 4096, region.file_size + 4096):
            with pytest.raises(PermissionError):
                os.ftruncate(region.fd, size)
        with pytest.raises(PermissionError):
            fcntl.fcntl(region.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    front.quit()


def punch(region):
    assert libc.fallocate(region.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, ctypes.c_long(0),
        ctypes.c_long(region.file_size)) == 0, os.strerror(ctypes.get_errno())


@pytest.mark.parametrize("packed,what,level", [(0, "buffers", "sealed"), (1, "buffers", "sealed"), (0, "rings", "sealed"),
    (1, "rings", "sealed"), (1, "rings", "copy,queue_size=1024")], ids=lambda v: str(v).split(",", maxsplit=1)[0])
def test_holes(connect, packed, what, level):
    """The back end takes the pages away, again and again, while packets come and go: the process lives, and what it finds are
    zeroes. Buffers are then packets of zeroes; rings mean nothing any more, and a new connection has new ones. No page is a huge
    one, of which there may be no other."""
    backend, front = connect(packed, level, traffic="echo")
    front.cmds("set burst tx delay 1 retry 1000", "start tx_first")
    wait_for(lambda: backend.now.traffic is not None and backend.now.traffic.moved > 100, 10, "packets")
    victims = [r for r in backend.regions if r.holds(backend.vring_addr[0][0]) == (what == "rings")]
    traffic = backend.now.traffic
    before = traffic.moved
    assert all(os.fstatvfs(r.fd).f_bsize == 4096 for r in backend.regions)
    assert level == "sealed" or victims[0].size > 2 * MIB
    for _ in range(50):
        for region in victims:
            punch(region)
        time.sleep(0.01)
    assert front.process.poll() is None
    front.cmd("stop")
    if what == "buffers":
        assert traffic.moved > before + 100
        assert front.link_up()
    # The script may have found no descriptors any more.
    backend.error = None
    # New rings, of another file.
    front.cmds("port stop 0", "port start 0")
    wait_for(lambda: front.link_up() and backend.ready() and backend.now.traffic is not traffic, 10, "a new start")
    front.cmd("start tx_first")
    wait_for(lambda: backend.now.traffic is not None and backend.now.traffic.moved > 100, 10, "packets")
    front.cmds("stop", "port stop 0")
    check_pool(front)
    front.quit()


@pytest.mark.parametrize("answer", ["accepted", "refused"])
def test_the_table_grows_while_there_are_holes(fake, shim, answer):
    """A pool comes, and the back end takes all other pages away before it answers. Rings that mean nothing fail the port, which
    starts again with both pools, and no mbuf is lost."""
    backend = fake(features=FEATURES & ~bits(F_RING_PACKED), protocol_features=PROTOCOL_FEATURES | bits(P_CONFIGURE_MEM_SLOTS), traffic="echo")
    front = Puppet(env={"LD_PRELOAD": shim})
    try:
        front.open(0, "path=%s,packed_vq=0,isolation=sealed" % backend.path)
        front.wait_up(0)
        front.do("poll", 0, 64)
        moving(front)
        front.do("idle", 0)
        backend.withheld.add("ADD_MEM_REG")
        before = backend.messages.count("ADD_MEM_REG")
        front.do("foreign", 0)
        front.do("poll", 0, 0)
        wait_for(lambda: backend.messages.count("ADD_MEM_REG") > before, 10, "a new region")
        for region in list(backend.regions):
            punch(region)
        # Bursts meet them while the thread of the port waits for the answer.
        time.sleep(0.1)
        backend.faults = [Fault("ADD_MEM_REG", "refuse", connection=0)] * (answer == "refused")
        backend.withheld.clear()
        wait_for(lambda: front.do("xstats", 0)["device_failures"] == 1, 10, "a failed port")
        front.wait_up(0, False)
        front.do("idle", 0)
        front.do("stop", 0)
        front.check_pool(0, 15)
        front.do("start", 0)
        front.wait_up(0)
        front.do("poll", 0, 0)
        moving(front)
        assert backend.messages.count("SET_OWNER") == 2
        front.do("idle", 0)
        front.do("stop", 0)
        front.check_pool(0, 15)
    finally:
        front.kill()


def test_ports_share_a_pool(folder, testpmds, shim):
    """Each back end gets the file of the pool and that of its port's rings, and not the other's rings."""
    backends = [FakeBackend("%s/%d.sock" % (folder, i)) for i in range(2)]
    front = testpmds([vdev(i, b.path) for i, b in enumerate(backends)], front=True, env={"LD_PRELOAD": shim})
    for backend in backends:
        wait_for(backend.ready, 5, "negotiation")
    files = [{os.fstat(r.fd).st_ino for r in b.regions} for b in backends]
    assert [len(f) for f in files] == [2, 2]
    assert len(files[0] & files[1]) == 1
    front.quit()
    for backend in backends:
        backend.close()


@pytest.mark.skipif(not os.path.exists(EXAMPLE), reason="no DPDK examples: run devtools/setup")
def test_an_example_of_dpdk(folder, testpmds):
    """Not a line of it is changed. Packets go in at one port and out at the other."""
    paths = [os.path.join(folder, "v%d.sock" % i) for i in range(2)]
    back = testpmds(["net_vhost%d,iface=%s" % (i, path) for i, path in enumerate(paths)])
    prefix = "sluice_sealed_%d" % os.getpid()
    vdevs = sum([["--vdev", vdev(i, path)] for i, path in enumerate(paths)], [])
    app = Program("symmetric_mp", prefix, [EXAMPLE, "--lcores", lcores(1), "--no-pci", "--iova-mode=va", "--no-telemetry",
        "--file-prefix", prefix, "--in-memory"] + vdevs + ["--", "-p", "3", "--num-procs=1", "--proc-id=0"])
    try:
        app.wait_log("Lcore 0 using ports", 30)
        for port in (0, 1):
            wait_for(lambda p=port: back.link_up(p), 10, "link")
        back.cmds("set fwd io", "start tx_first")
        wait_for(lambda: all(back.stats(p)["RX-packets"] > 1000 for p in (0, 1)), 10, "packets")
        back.cmd("stop")
        app.process.send_signal(signal.SIGINT)
        app.wait_end()
    finally:
        app.kill()


def test_secondary_processes_are_refused(fake, testpmds, shim):
    backend = fake()
    front = testpmds([vdev(0, backend.path)], front=True, own_files=True, env={"LD_PRELOAD": shim})
    wait_for(backend.ready, 5, "negotiation")
    _, text = run_tool("dpdk-proc-info", front.prefix, ["--", "--stats-reset"])
    one_line_says(text, "net_sluice0", "isolation=sealed", "isolation=scoped")
    assert "port 0 cleared" not in text
    front.quit()


def test_stock_pools_are_refused(fake):
    backend = fake()
    log, _ = run_front("path=%s,isolation=sealed" % backend.path)
    one_line_says(log, "isolation=sealed", "rte_pmd_sluice_pktmbuf_pool_create", "bounce=1", "isolation=scoped", "mb_pool_0")
    assert "SET_VRING_ENABLE" not in backend.messages


def test_pinned_pools_of_others_are_refused(fake):
    """testpmd's own pinned buffers lie in EAL's memory, whose files cannot be sealed."""
    backend = fake()
    log, _ = run_front("path=%s,isolation=sealed" % backend.path, ["--mp-alloc=xbuf"])
    one_line_says(log, "isolation=sealed", "rte_pmd_sluice_pktmbuf_pool_create", "mb_pool_0")
