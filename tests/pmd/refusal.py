# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Front ends that must be refused: run to their end, and what their log must say."""
import re

from testpmd import VDEV, Testpmd

DEADLINE = 20


def run_front(devargs, args=(), deadline=DEADLINE, **how):
    """Runs a front end until it ends by itself; (log, exit status). devargs may be empty."""
    vdev = VDEV + "0" + ("," + devargs if devargs else "")
    front = Testpmd([vdev], front=True, args=args, interactive=False, **how)
    try:
        status = front.wait_end(deadline)
        assert status >= 0, "ended by signal %d:\n%s" % (-status, front.log())
        return front.log(), status
    finally:
        front.kill()


def has_port(log):
    return "No probed ethernet devices" not in log


def one_line_says(log, *patterns):
    """One line must match every pattern: a message split over lines helps nobody who greps."""
    for line in log.splitlines():
        if all(re.search(pattern, line, re.I) for pattern in patterns):
            return
    raise AssertionError("no line says all of %s:\n%s" % (patterns, log))
