# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Byte-exact forwarding over a pairwise selection of what a device may offer, an application may ask for
and a machine may be: every two values of any two factors occur together in some case."""
import itertools

import pytest

from allpairs import all_pairs, pairs_of
from frames import SMALL
from guest import exchange
from machine import Machine, negotiated

FACTORS = {
    # The first three first: cases of one guest follow each other.
    "qemu": ["7.2", "10"],
    "iommu": ["intel", "amd"],
    "ring": ["split", "packed"],
    "in_order": ["off", "on"],
    "mrg_rxbuf": ["on", "off"],
    "event_idx": ["on", "off"],
    "indirect_desc": ["on", "off"],
    "size": [16, 64, 256, 1024, 17, 100, 255, 1000],
    "mode": ["io", "mac", "csum"],
    "vectors": ["", "1", "0"],
}
QEMU = {"7.2": "qemu-system-x86_64", "10": "backports"}


def allowed(case):
    """Ring sizes of no power of two are for packed rings, and only the newer QEMU knows in-order."""
    return ((case["ring"] == "packed" or case["size"] & (case["size"] - 1) == 0)
        and (case["in_order"] == "off" or case["qemu"] == "10"))


def name_of(case):
    flags = [("" if case[key] == "on" else "no") + text for key, text in (("in_order", "order"),
        ("mrg_rxbuf", "mrg"), ("event_idx", "event"), ("indirect_desc", "indirect"))]
    interrupt = {"": "msix", "1": "one-vector", "0": "intx"}[case["vectors"]]
    return "-".join(["qemu" + case["qemu"], case["iommu"], case["ring"], *flags, str(case["size"]),
        case["mode"], interrupt])


def props_of(case):
    props = ["packed=" + ("on" if case["ring"] == "packed" else "off"), "rx_queue_size=1024"]
    props += ["%s=%s" % (key, case[key]) for key in ("mrg_rxbuf", "event_idx", "indirect_desc")]
    props += ["in_order=on"] * (case["in_order"] == "on")
    return ",".join(props + ["vectors=" + case["vectors"]] * bool(case["vectors"]))


CASES = sorted(all_pairs(FACTORS, allowed), key=lambda case: list(FACTORS["qemu"]).index(case["qemu"]) * 2
    + FACTORS["iommu"].index(case["iommu"]))
MACHINES = {(qemu, iommu): Machine("pairs-%s-%s" % (qemu, iommu), {name_of(case): props_of(case)
    for case in CASES if (case["qemu"], case["iommu"]) == (qemu, iommu)}, iommu=iommu, qemu=QEMU[qemu])
    for qemu in FACTORS["qemu"] for iommu in FACTORS["iommu"]}


def test_every_pair_occurs():
    """Counted here in another way than the selection does it."""
    for one, other in itertools.combinations(FACTORS, 2):
        for pair in itertools.product(FACTORS[one], FACTORS[other]):
            want = dict(zip((one, other), pair))
            if not allowed({"ring": "packed", "size": 16, "in_order": "off", "qemu": "10", **want}):
                continue
            assert any(want.items() <= case.items() for case in CASES), want
    assert len(CASES) < 30
    assert all(len(pairs_of(case)) == 45 for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_bytes_through(boot, case):
    guest = boot(MACHINES[case["qemu"], case["iommu"]])
    nic, size = name_of(case), case["size"]
    testpmd = guest.testpmd([nic], ["--rxd=%d" % size, "--txd=%d" % min(size, 256)],
        devargs="queue_size=1024")
    assert testpmd.ring_size("rxq", 0) == size and testpmd.ring_size("txq", 0) == min(size, 256)
    negotiated(guest, nic)
    exchange(testpmd, guest.nics[nic], case["mode"], max(200, size + size // 4), SMALL,
        window=min(size, 48) // 2)
    guest.close(testpmd, nic)
