# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""sluice-top, beside a stock testpmd: what it shows is what the port counted."""
import os
import re
import signal
import subprocess

import pytest

from pair import Config
from testpmd import IS_SLUICE, REPO, wait_for

pytestmark = pytest.mark.skipif(not IS_SLUICE, reason="this driver's own")
TOP = os.path.join(REPO, "app", "sluice-top", "sluice-top")


def top(*args):
    done = subprocess.run([TOP, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.fixture
def pair(new_pair):
    return new_pair(Config("top", queues=2, front_eal=["--telemetry"]))


def test_the_command_of_the_readme(pair):
    with open(os.path.join(REPO, "README.md"), encoding="utf-8") as file:
        program, *args = re.search(r"^(app/sluice-top/.*)", file.read(), re.M).group(1).split()
    assert os.path.join(REPO, program) == TOP
    status, text, said = top(*[pair.front.prefix if arg == "front" else arg for arg in args], "--once")
    assert (status, said) == (0, "") and text.startswith("port 0 "), text


def test_once(pair):
    pair.exchange("io", 100)
    status, text, said = top("-p", pair.front.prefix, "-1")
    assert (status, said) == (0, "")
    assert re.search(r"^port 0  vhost-user  path=%s  LIVE$" % re.escape(pair.path), text, re.M), text
    xstats = pair.front.xstats()
    for way in ("rx", "tx"):
        for queue in range(2):
            packets = re.search(r"^  %s %d +RUNNING +\d+ +\d+ +(\d+) " % (way, queue), text, re.M).group(1)
            assert int(packets) == xstats["%s_q%d_packets" % (way, queue)] > 0


def test_reasons(pair):
    """Why packets are not sent stands below the queues."""
    text = top("-p", pair.front.prefix, "-1")[1]
    assert "ring_full" not in text, text
    pair.front.cmds("set fwd txonly", "start")
    wait_for(lambda: re.search(r"^  tx_q1_ring_full_packets: [1-9]", top("-p", pair.front.prefix, "-1")[1], re.M), 10, "a reason")


def test_prometheus(pair):
    """Every line is a type or a sample, each metric is in one place, and the values are the port's."""
    pair.exchange("io", 100)
    status, text, said = top("--file-prefix", pair.front.prefix, "--prometheus")
    assert (status, said) == (0, "")
    samples, seen, types = {}, [], []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            types.append(line.split()[2])
            continue
        name, labels, value = re.fullmatch(r'(sluice_\w+)\{((?:\w+="[^"]*",?)+)\} (\d+)', line).groups()
        labels = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        assert labels.pop("device") == "path=" + pair.path and labels.pop("port") == "0"
        samples[name, tuple(sorted(labels.items()))] = int(value)
        if name not in seen[-1:]:
            seen.append(name)
    assert types == seen and len(set(seen)) == len(seen)
    xstats = pair.front.xstats()
    assert samples["sluice_port_live", ()] == 1
    assert samples["sluice_port_memory_bytes", ()] == xstats["dma_bytes"]
    for queue in range(2):
        assert samples["sluice_queue_packets_total", (("direction", "rx"), ("queue", str(queue)))] \
            == xstats["rx_q%d_packets" % queue] > 0
    assert samples["sluice_xstat", (("name", "tx_q1_packets"),)] == xstats["tx_q1_packets"]


def test_rates_and_the_end(folder, testpmds):
    """Traffic shows as a rate; SIGINT ends it, and so does the end of the application, with a line that says so."""
    path = os.path.join(folder, "v.sock")
    back = testpmds(["net_vhost0,client=0,iface=" + path])
    front = testpmds(["net_sluice0,path=" + path], front=True, eal=["--telemetry"])
    wait_for(back.link_up, 10, "a link")
    front.cmds("set fwd io", "start")
    back.cmds("set fwd io", "start tx_first")
    shown = [os.path.join(folder, "top%d" % n) for n in range(2)]
    programs = []
    try:
        for name in shown:
            with open(name, "w", encoding="utf-8") as file:
                programs.append(subprocess.Popen([TOP, "-p", front.prefix, "-i", "0.5"], stdout=file, stderr=file))
        for name in shown:
            wait_for(lambda n=name: re.search(r"^  rx 0 +RUNNING +\d+ +\d+ +[1-9]\d* ", read(n), re.M), 10, "a rate")
        programs[0].send_signal(signal.SIGINT)
        assert programs[0].wait(10) == 0
        front.quit()
        assert programs[1].wait(10) == 1
        assert "has the application ended?" in read(shown[1])
    finally:
        for program in programs:
            program.kill()
            program.wait()


def test_refused():
    status, text, said = top("-p", "nobody", "-1")
    assert (status, text) == (1, "")
    assert re.fullmatch(r"sluice-top: .*nobody/dpdk_telemetry.v2: .*--file-prefix=nobody.*\n", said), said
    assert top("--nonsense")[0] == 2
    for interval in ("0", "-1", "x", "nan", "3601"):
        assert top("-i", interval)[0] == 2, interval
    status, text, _ = top("--help")
    assert status == 0 and "--prometheus" in text
