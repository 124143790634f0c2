# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What is told to who looks from outside: telemetry of ports and queues, and trace points."""
import glob
import json
import os
import socket

import pytest

from pair import Config
from testpmd import IS_SLUICE, wait_for

pytestmark = pytest.mark.skipif(not IS_SLUICE, reason="this driver's own")


class Telemetry:
    """As dpdk-telemetry.py does it"""

    def __init__(self, prefix):
        base = os.environ.get("XDG_RUNTIME_DIR", "/tmp") if os.geteuid() else "/var/run"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.connect(os.path.join(base, "dpdk", prefix, "dpdk_telemetry.v2"))
        self.socket.recv(1024)

    def __call__(self, command):
        self.socket.send(command.encode())
        return json.loads(self.socket.recv(65536))[command.split(",")[0]]


@pytest.fixture
def pair(new_pair, folder):
    return new_pair(Config("telemetry", queues=2, front_eal=["--telemetry", "--trace=pmd.net.sluice.*",
        "--trace-dir=" + folder]))


def test_port_and_queue(pair):
    ask = Telemetry(pair.front.prefix)
    assert ask("/sluice/port") == [0]
    port = ask("/sluice/port,0")
    assert port["state"] == "LIVE" and port["transport"] == "vhost-user" and port["failure"] == "none"
    assert port["device"] == "path=" + pair.path and port["rx_queues"] == port["tx_queues"] == 2
    assert port["rx_burst"].startswith("Sluice ") and port["virtqueues"] == 4
    stats = pair.front.xstats()
    assert (port["memory_regions"], port["memory_bytes"]) == (stats["dma_maps"], stats["dma_bytes"])
    assert int(port["features"], 16) & ~int(port["offered_features"], 16) == 0
    pair.exchange("io", 100)
    for vq, (way, number) in enumerate([("rx", 0), ("tx", 0), ("rx", 1), ("tx", 1)]):
        queue = ask("/sluice/queue,0,%d" % vq)
        assert (queue["direction"], queue["queue"]) == (way, number)
        assert queue["state"] == "RUNNING" and queue["size"] >= 64 and queue["free"] <= queue["size"]
        assert queue["packets"] == pair.front.xstats()["%s_q%d_packets" % (way, number)] > 0
    pair.front.cmds("stop", "port stop 0")
    assert ask("/sluice/port,0")["state"] == "READY"
    assert ask("/sluice/queue,0,1")["state"] == "STOPPED"
    pair.front.cmd("port close 0")
    assert "no port of this driver" in ask("/sluice/port,0")["error"]


def test_bad_parameters(pair):
    ask = Telemetry(pair.front.prefix)
    for text in ("x", "-1", "0x0", "0,1", "0 ", " 0", "18446744073709551616", "+0"):
        assert "the parameter is the number of a port" in ask("/sluice/port," + text)["error"], text
    for text in ("1", "32", "65535", "4294967296", "18446744073709551615"):
        assert "no port of this driver" in ask("/sluice/port," + text)["error"], text
    for text in ("0", "0,", ",0", "0,x", "0,1,2", "a,b", "0,-1", ""):
        assert "the parameters are a port and a virtqueue" in ask("/sluice/queue," + text)["error"], text
    for text in ("0,4", "0,65536", "0,65537", "0,18446744073709551615"):
        assert "no queue at that virtqueue" in ask("/sluice/queue," + text)["error"], text
    assert ask("/sluice/port,0")["state"] == "LIVE"


def test_trace(pair, folder):
    pair.front.cmds("port stop 0", "port start 0")
    pair.wait_link()
    port = Telemetry(pair.front.prefix)("/sluice/port,0")
    paths = [port["rx_burst"], port["tx_burst"]]
    pair.back.kill()
    wait_for(lambda: not pair.front.link_up(), 10, "the link without a back end")
    pair.front.cmds("port stop 0")
    pair.front.quit()
    metadata, = glob.glob(os.path.join(folder, "**", "metadata"), recursive=True)
    with open(metadata, encoding="ascii", errors="replace") as file:
        names = file.read()
    for name in ("start", "stop", "connect", "disconnect", "live", "failure", "command"):
        assert '"pmd.net.sluice.%s"' % name in names, name
    events = b""
    for channel in glob.glob(os.path.join(os.path.dirname(metadata), "channel*")):
        with open(channel, "rb") as file:
            events += file.read()
    for path in paths:
        assert events.count(path[:31].encode() + b"\0") == 2 * paths.count(path), "not two starts with %s" % path
