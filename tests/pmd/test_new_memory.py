# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Memory that is first seen when packets are sent, and a back end that takes its time or refuses it.

The applications are app/second_pool.c and, with net_vhost, app/grow_table.c. Nobody waits for the back end but the port's
own thread.
"""
import os
import re
import subprocess

import pytest

from fake_backend import FakeBackend, PROTOCOL_FEATURES, bits
from figures import run_app
from testpmd import PLUGIN, REPO, die_with_parent, environment, wait_for

pytestmark = pytest.mark.sluice
P_CONFIGURE_MEM_SLOTS = 15
SLOTS = pytest.mark.parametrize("slots", [False, True], ids=["table", "slots"])
AT_ONCE = 200000  # microseconds, on a machine that is busy
ROUNDS = int(os.environ.get("SLUICE_TEST_ROUNDS", "6"))


class SecondPool:
    def __init__(self, program, backends, duration):
        self.app = subprocess.Popen([program, "--no-pci", "--iova-mode=va", "--in-memory",
            "--no-telemetry", "--single-file-segments", "-m", "64", "-l", "0", "-d", os.path.basename(PLUGIN)] +
            ["--vdev=net_sluice%d,path=%s" % (i, b.path) for i, b in enumerate(backends)] +
            ["--", str(duration)], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, preexec_fn=die_with_parent, text=True, bufsize=1)
        self.log = ""
        self.read_until(r"^up$")

    def read_until(self, pattern):
        for line in iter(self.app.stdout.readline, ""):
            self.log += line
            if re.search(pattern, line):
                return
        raise AssertionError("it ended early:\n" + self.log)

    def go(self):
        self.app.stdin.write("go\n")

    def results(self):
        """The figures before its end, which waits for another line."""
        self.read_until("^tx_good_packets=")
        return {key: int(value) for key, value in re.findall(r"^(\w+)=(\d+)$", self.log, re.M)}

    def end(self):
        self.go()
        self.log += self.app.communicate(timeout=20)[0]
        assert self.app.returncode == 0, self.log
        assert "missing=0\n" in self.log


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("app") / "second_pool")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libdpdk"], check=True,
        capture_output=True, text=True).stdout.split()
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-DALLOW_EXPERIMENTAL_API", "-o", path, os.path.join(REPO,
        "tests", "pmd", "app", "second_pool.c")] + flags, check=True)
    return path


@pytest.fixture
def run(program):
    apps = []

    def start(backends, duration):
        apps.append(SecondPool(program, backends, duration))
        return apps[-1]
    yield start
    for app in apps:
        app.app.kill()
        app.app.communicate()


def protocol_of(slots):
    return PROTOCOL_FEATURES | (bits(P_CONFIGURE_MEM_SLOTS) if slots else 0)


@pytest.fixture
def other(folder):
    """The back end of a second port."""
    backend = FakeBackend(folder + "/other.sock")
    yield backend
    backend.close()


@SLOTS
def test_shown_at_once(fake, run, slots):
    backend = fake(protocol_features=protocol_of(slots))
    app = run([backend], 300)
    app.go()
    found = app.results()
    assert found["taken_us"] < AT_ONCE and found["burst_us"] < AT_ONCE
    assert found["tx_q0_waiting_packets"] > 0 and found["tx_q0_unmapped_errors"] == 0
    app.end()
    assert backend.error is None


@SLOTS
def test_acknowledged_late(fake, other, run, slots):
    """After two seconds: the packets of the first one wait, those of the others are dropped; no call waits. Then all is
    well, and the port never went down."""
    backend = fake(protocol_features=protocol_of(slots))
    app = run([backend, other], 2000)
    requests = {"SET_MEM_TABLE", "ADD_MEM_REG", "REM_MEM_REG"}
    backend.withheld |= requests
    app.go()
    found = app.results()
    assert all(found[key] < AT_ONCE for key in ("burst_us", "free_known_us", "free_others_us", "hotplug_us"))
    assert 900000 < found["taken_us"] < 1400000, app.log
    assert found["tx_q0_waiting_packets"] > 0 and found["tx_q0_unmapped_errors"] > 0
    assert found["tx_good_packets"] == 0
    count = len(backend.messages)
    backend.withheld.clear()
    if not slots:  # with slots the memory of the pool that ended may be in one that others need
        wait_for(lambda: len(backend.messages) > count, 5, "told about the pool that ended")
    app.end()
    assert backend.messages.count("SET_OWNER") == 1
    assert backend.error is None and other.error is None


def test_never_acknowledged(fake, run):
    """The connection ends, the next one begins; no mbuf is lost."""
    backend = fake()
    app = run([backend], 7000)
    backend.withheld.add("SET_MEM_TABLE")
    app.go()
    wait_for(lambda: backend.messages[-1] == "SET_MEM_TABLE", 5, "asked")
    found = app.results()
    assert found["burst_us"] < AT_ONCE
    assert "it is cut off" in app.log
    backend.withheld.clear()
    wait_for(lambda: backend.messages.count("SET_OWNER") == 2, 10, "connected again")
    app.end()


def test_refused(fake, run):
    """Pools beyond what the back end takes: dropped and counted, the connection stays, and one line says why."""
    backend = fake(protocol_features=protocol_of(True))
    app = run([backend], 1500)
    backend.nack.add("ADD_MEM_REG")
    app.go()
    found = app.results()
    assert found["burst_us"] < AT_ONCE
    assert found["tx_q0_unmapped_errors"] > 0 and found["tx_good_packets"] == 0
    assert len(re.findall("packets from memory at", app.log)) == 1
    app.end()
    assert backend.messages.count("SET_OWNER") == 1
    assert backend.need_reply.count("ADD_MEM_REG") <= 8
    assert backend.error is None


def are_bursts_as_fast(found):
    """Those beside a table that grows as those beside one that does not, which take turns. A wait in a burst would be one more stall
    with each growth; a lock, a lookup or a call in each burst would be in the percentiles. The factor is for what else a
    machine does."""
    return (found["grow_stalled"] < found["still_stalled"] + ROUNDS
        and found["grow_p999_ns"] <= 3 * found["still_p999_ns"] + 1000 and found["grow_p99_ns"] <= 2 * found["still_p99_ns"] + 500)


def test_table_grows_under_traffic(folder):
    """By 128 MiB each time: nothing is lost, and a core that does not use the new pool does not notice. On packed rings:
    with split ones net_vhost wants a notification, a system call, for each 65,536 packets."""
    for attempt in range(2):
        path = os.path.join(folder, "v%d.sock" % attempt)
        found = run_app("grow_table", ["net_vhost0,iface=%s,queues=2,client=1" % path,
            "net_sluice0,path=%s,server=1,queues=2,packed_vq=1" % path], [ROUNDS])
        print(found)
        assert found["grow_grown"] == ROUNDS and found["still_messages"] == 0, found
        for queue in "01":
            assert found["received" + queue] == found["sent" + queue] > 0, found
            assert found["missing" + queue] == found["bad" + queue] == 0, found
        assert found["unreturned"] == 0, found
        assert found["still_bursts"] > 0 and found["grow_bursts"] > 0, found
        assert [found["grow_" + name] for name in ("syscalls", "waits", "misses")] == [0] * 3, found
        if are_bursts_as_fast(found):
            return
    raise AssertionError("bursts are slower while the table grows: %s" % found)
