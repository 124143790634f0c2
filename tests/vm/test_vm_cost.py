# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What a packet costs in a guest may not grow: instructions by more than 2 percent, and a burst rings at most
once. Counted by a plug-in of QEMU: see cost.py."""
import os

import pytest

import benchcases
import benchcount
import benchguest
import cost
import instructions
from guest import BUILD

pytestmark = [pytest.mark.sluice,
    pytest.mark.skipif(not os.path.exists(benchcount.HEADER), reason="no qemu-plugin.h: run devtools/setup")]
MOST_RINGS_ASLEEP = 0.5


@pytest.fixture(scope="module")
def rows(running):
    running.stop()      # one guest at a time
    return {row["case"]: row for row in benchguest.measure(cost.RESULTS, BUILD, print)}


@pytest.mark.parametrize("case", benchguest.CASES)
def test_like_with_like(rows, case):
    """Both drivers have the ring and the buffers that the case is about."""
    for key in "ab":
        features = rows[case][key]["features"]
        assert "VIRTIO_NET_F_MRG_RXBUF" in features
        assert ("VIRTIO_F_RING_PACKED" in features) == (case == "packed")
        assert not any("IN_ORDER" in name for name in features)


@pytest.mark.parametrize("case", cost.COUNTED)
def test_instructions(rows, case):
    then = cost.reference()
    why = instructions.why_not_comparable(then)
    if why:
        pytest.skip(why)
    then, now = then["cases"][case], cost.figures(rows[case])
    print("Tx %.2f (%.2f), Rx %.2f (%.2f)" % (now["tx"], then["tx"], now["rx"], then["rx"]))
    assert {k: now[k] for k in ("tx_path", "rx_path")} == {k: then[k] for k in ("tx_path", "rx_path")}
    assert not instructions.grown(now, then), "%s: %s, was %s. If that is meant: tests/vm/cost.py --renew" % (
        case, now, then)


@pytest.mark.parametrize("case", benchcases.GUEST_MOST)
def test_promise(rows, case):
    """Of 64 B packets in bursts of 32, as doc/perf.md has it."""
    for way in ("tx", "rx"):
        assert rows[case]["a"][way]["instructions"] <= benchcases.GUEST_MOST[case][way]


@pytest.mark.parametrize("case", benchguest.CASES)
def test_doorbells(rows, case):
    """A transmit burst rings once at most, a receive burst of a ring that is never empty not at all, and nothing
    is ever read from the device."""
    for way in ("tx", "rx"):
        found = rows[case]["a"][way]
        assert found["most_mmio_writes"] <= (way == "tx"), found
        assert found["mmio_reads_per_burst"] == 0, found


def test_doorbells_of_a_sleeping_device(rows):
    """It does not want to be woken; the first burst after it has looked rings, those behind it do not."""
    assert 0 < rows["asleep"]["a"]["tx"]["mmio_writes_per_burst"] <= MOST_RINGS_ASLEEP


def test_other_programs_do_not_count(rows):
    """Here one that takes half of the only CPU, in the middle of a call, too: such calls are kept apart."""
    guest = benchguest.CostGuest(cost.RESULTS, BUILD, ["stock"])
    try:
        guest.vm.check("while :; do :; done >/dev/null 2>&1 &")
        guest.vm.check("marked")
        calls, interrupted = benchcount.last_report(guest.counts, 1)
    finally:
        guest.stop()
    few, many = range(2)
    assert calls[few][0] + interrupted[few][0] == 100
    assert calls[few][1] == calls[few][0] * 1000 > 0
    assert calls[many][0] == 0 and interrupted[many][0] == 3
