# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""sluice-map, and what it asks for: the memory that a device reaches, beside a stock testpmd."""
import os
import re
import runpy
import subprocess
import xml.etree.ElementTree

import pytest

from pair import Config
from test_telemetry import Telemetry
from testpmd import IS_SLUICE, REPO

pytestmark = pytest.mark.skipif(not IS_SLUICE, reason="this driver's own")
MAP = os.path.join(REPO, "app", "sluice-map", "sluice-map")
PAGE = 2 << 20


def run_map(*args):
    done = subprocess.run([MAP, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def pair(new_pair):
    return new_pair(Config("map", queues=2, front_eal=["--telemetry"]))


def told(ask):
    answer = ask("/sluice/dma/regions,0")
    return [answer["region_%d" % n] for n in range(answer["regions"])]


def test_regions_are_what_the_device_reaches(pair):
    """Pages of testpmd's pool and the rings: as much as the port counts, and the pool as the program's maps have it."""
    ask = Telemetry(pair.front.prefix)
    regions, stats = told(ask), ask("/sluice/dma/stats,0")
    assert {r["owner"] + r["name"] for r in regions} == {"mempoolmb_pool_0", "coherent"}
    assert all(r["is_shown"] and r["rights"] == "read and write" for r in regions)
    assert sum(r["length"] for r in regions) == stats["reachable_bytes"] == pair.front.xstats()["dma_bytes"]
    assert stats["regions"] == len(regions) and stats["maps"] == pair.front.xstats()["dma_maps"]
    assert stats["eal_bytes"] == 64 << 20 > stats["reachable_bytes"]
    pool = [r for r in regions if r["owner"] == "mempool"]
    with open("/proc/%d/smaps" % pair.front.pid, encoding="ascii") as file:
        huge = [tuple(int(n, 16) for n in match) for match in
            re.findall(r"^([0-9a-f]+)-([0-9a-f]+) [^\n]*\n(?:\w+: [^\n]*\n)*?KernelPageSize: +2048 kB", file.read(), re.M)]
    for region in pool:
        start = int(region["virtual"], 16)
        assert region["device"] == region["virtual"] and start % PAGE == region["length"] % PAGE == 0
        assert any(low <= start and start + region["length"] <= high for low, high in huge), region
        if os.geteuid() == 0:
            assert int(region["physical"], 16) % PAGE == 0 and int(region["physical"], 16) != start
    # Both rings of a pair are full of buffers to receive into.
    inflight = ask("/sluice/dma/inflight,0")
    assert inflight["rx_q0"] == inflight["rx_q1"] == ask("/sluice/queue,0,0")["size"] and inflight["tx_q0"] == 0


def test_a_stopped_port_shows_nothing(pair):
    ask = Telemetry(pair.front.prefix)
    pair.front.cmd("port stop 0")
    assert told(ask) and not any(r["is_shown"] for r in told(ask))
    assert set(ask("/sluice/dma/inflight,0").values()) == {0}
    assert "nothing yet" in run_map("-p", pair.front.prefix)[1]
    pair.front.cmd("port close 0")
    assert run_map("-p", pair.front.prefix)[:2] == (0, "the application has no Sluice port\n")


def test_bad_parameters(pair):
    ask = Telemetry(pair.front.prefix)
    for text in ("", ",x", ",-1", ",0,x", ",0,1,2", ",0x0"):
        assert "the parameters are a port, and" in ask("/sluice/dma/regions" + text)["error"], text
    for command in ("stats", "inflight"):
        assert "the parameter is the number of a port" in ask("/sluice/dma/%s" % command)["error"]
        assert "no port of this driver" in ask("/sluice/dma/%s,7" % command)["error"]
    assert "no port of this driver" in ask("/sluice/dma/regions,7")["error"]
    answer = ask("/sluice/dma/regions,0,99999999999999999999")
    assert "error" in answer
    assert [key for key in ask("/sluice/dma/regions,0,4294967296") if key.startswith("region_")] == []


def test_the_command_of_the_readme(pair, folder):
    """The same in a terminal and as a picture, whose boxes are the regions in three address spaces."""
    with open(os.path.join(REPO, "README.md"), encoding="utf-8") as file:
        program, *args = re.search(r"^(app/sluice-map/.*)", file.read(), re.M).group(1).split()
    assert os.path.join(REPO, program) == MAP
    args = [pair.front.prefix if arg == "front" else arg for arg in args]
    status, text, said = run_map(*args)
    assert (status, said) == (0, "")
    regions = told(Telemetry(pair.front.prefix))
    for region in regions:
        assert re.search(r"%s +%s +%s +%s +\S+ \wiB +read and write" % (region["name"] or "coherent", region["virtual"],
            region["physical"], region["device"]), text), text
    assert re.search(r"reaches \S+ MiB of the 64.0 MiB .*\n  \[#+\.+\]\n", text), text
    path = os.path.join(folder, "map.svg")
    assert run_map(*args, "--svg", path) == (0, "", "")
    boxes = xml.etree.ElementTree.parse(path).getroot().findall("{http://www.w3.org/2000/svg}rect[@stroke]")
    assert len(boxes) == 3 * len(regions)


def test_a_port_is_closed_meanwhile():
    """After any of the questions; the other one is shown as ever."""
    tool = runpy.run_path(MAP)
    region = {"virtual": "0x1000", "physical": "unknown", "device": "0x1000", "length": 4096, "rights": "read", "owner": "coherent",
        "name": "", "is_shown": 1}
    answers = {"/sluice/port": {"transport": "vhost_user", "device": "path=/x", "state": "LIVE"},
        "/sluice/dma/stats": {"reachable_bytes": 4096, "eal_bytes": 1 << 20},
        "/sluice/dma/inflight": {"rx_q0": 256}, "/sluice/dma/regions": {"port_id": 0, "regions": 1, "region_0": region}}

    def run(nb_answers):
        asked = []

        def ask(command):
            name, *numbers = command.split(",")
            if not numbers:
                return [0, 1]
            asked.append(numbers[0])
            is_gone = numbers[0] == "0" and asked.count("0") > nb_answers
            return {"error": "no port of this driver has that number"} if is_gone else dict(answers[name])
        return tool["table"](tool["read"](ask))
    for nb_answers in range(5):
        titles = [line for line in run(nb_answers) if line.startswith("port ")]
        assert [title.split()[1] for title in titles] == (["0", "1"] if nb_answers > 2 else ["1"]), nb_answers


def test_refused(pair, folder):
    status, text, said = run_map("-p", pair.front.prefix, "--svg", os.path.join(folder, "x.svg"), "--port", "5")
    assert (status, text) == (1, "") and "--port=5: the Sluice ports of the application are [0]" in said
    status, _, said = run_map("-p", pair.front.prefix, "--svg", os.path.join(folder, "none", "x.svg"))
    assert status == 1 and said.startswith("sluice-map: ") and "none/x.svg" in said
    status, text, said = run_map("-p", "nobody")
    assert (status, text) == (1, "") and "--file-prefix=nobody" in said
    assert run_map("--nonsense")[0] == run_map("-i", "0")[0] == 2
    status, text, _ = run_map("--help")
    assert status == 0 and "--svg" in text
