# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""A process that may open too few files, or has too little memory: each failure of ours says what it was."""
import re

import pytest

from refusal import has_port, run_front
from testpmd import VDEV, Testpmd

pytestmark = pytest.mark.sluice
OURS = re.compile(r"^(?:sluice|dmap): .*$", re.M)


def run_limited(path, nb_files):
    """(log, whether it came to its end). EAL panics where it has too few."""
    front = Testpmd(["%s0,path=%s" % (VDEV, path)], front=True, interactive=False,
        wrap=["prlimit", "--nofile=%d" % nb_files])
    try:
        status = front.wait_end(30)
        return front.log(), status == 0
    finally:
        front.kill()


def test_too_few_files(fake):
    """With room for one more file each time: every step of ours that opens one fails once."""
    backend, failures = fake(), 0
    for limit in range(12, 80):
        log, is_good = run_limited(backend.path, limit)
        lines = OURS.findall(log)
        if is_good and has_port(log) and not lines:
            break
        if not lines:
            continue    # EAL, or the dynamic linker, had too few before it came to us
        failures += 1
        assert any("Too many open files" in line and "probe failed" not in line for line in lines), (limit, lines)
    assert is_good and failures >= 3, (failures, log[-2000:])


@pytest.mark.parametrize("vdev_args", ["queue_size=32768,queues=8", "queue_size=32768"])
def test_too_little_memory(fake, vdev_args):
    """EAL may not grow: rings or queues do not fit."""
    for megabytes in (16, 18, 20, 24):
        log, status = run_front("path=%s,%s" % (fake().path, vdev_args), memory=megabytes,
            args=["--total-num-mbufs=600"], eal=["--legacy-mem"])
        lines = OURS.findall(log)
        if "Cannot allocate" in log or "no memory" in log or status != 0:
            assert lines and any(re.search("Cannot allocate memory|no memory left", line) for line in lines) \
                or "mbuf pool" in log, (megabytes, log[-1500:])
