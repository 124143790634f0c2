# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The memory of a port with one pair of queues of 256 is at most half of what it was at 6234b24, and the plug-in does not grow."""
import os

import pytest

import footprint
import instructions

# Bytes when stripped. What makes it grow by more than 2 percent is worth them, and writes the new number here; or it is a copy.
STRIPPED = 602576
HEAPS_THEN, FILES_THEN = 30336, 188416


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="cache lines, and with them private data, are larger")
def test_memory_of_a_port():
    _, heaps, files = footprint.measure([footprint.PLUGIN], 1)[footprint.PLUGIN][0]
    assert 0 < heaps and 0 < files and heaps + files <= (HEAPS_THEN + FILES_THEN) / 2, (heaps, files)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="no number of others was written down")
def test_size_of_the_plugin():
    why = instructions.why_not_comparable(instructions.reference())
    if why:
        pytest.skip(why)
    assert footprint.stripped(footprint.PLUGIN) <= STRIPPED * 1.02
