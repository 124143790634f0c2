# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A process that may open too few files, or has too little memory: each failure of ours says what it was."""
import os
import re

import pytest

from refusal import has_port, one_line_says
from testpmd import VDEV, Testpmd

pytestmark = pytest.mark.sluice
OURS = re.compile(r"^(?:sluice|dmap): .*$", re.M)


def run_limited(path, limit, eal=()):
    """(log, whether it came to its end). EAL panics where it has too little."""
    front = Testpmd(["%s0,path=%s" % (VDEV, path)], front=True, interactive=False, wrap=["prlimit", limit], eal=eal,
        own_files="--no-huge" in eal)
    try:
        status = front.wait_end(30)
        return front.log(), status == 0
    finally:
        front.kill()


def reasons(limits, reason, *how):
    """How many of the runs failed by us. Each of them must say why, and the last one must not fail."""
    failures = 0
    for limit in limits:
        log, is_good = run_limited(how[0].path, limit, *how[1:])
        lines = OURS.findall(log)
        if is_good and has_port(log) and not lines:
            return failures
        if not lines:
            continue    # EAL, or the dynamic linker, had too little before it came to us
        failures += 1
        assert any(re.search(reason, line) and "probe failed" not in line for line in lines), (limit, lines)
    raise AssertionError(log[-2000:])


def test_too_few_files(fake):
    """With room for one more file each time: every step of ours that opens one fails once."""
    assert reasons(["--nofile=%d" % nb for nb in range(12, 80)], "Too many open files", fake()) >= 3


def test_too_little_address_space(fake):
    """With a little more of it each time"""
    assert reasons(["--as=%d" % (megabytes << 20) for megabytes in range(100, 600, 2)],
        "Cannot allocate memory|Resource temporarily unavailable|no memory left", fake(), ["--no-huge"]) >= 1


def test_too_many_ports(folder):
    """One more than DPDK has room for; the others are there."""
    front = Testpmd(["%s%d,path=%s,server=1" % (VDEV, i, os.path.join(folder, str(i))) for i in range(33)], front=True,
        args=["--disable-device-start", "--portmask=1"])
    try:
        one_line_says(front.log(), "%s32: no ethdev port: there are 32 already" % VDEV)
    finally:
        front.kill()
