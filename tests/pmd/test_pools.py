# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Mempools of all kinds that come and go under traffic (app/pools.c), shared by two ports, in any order: all is as before."""
import os
import re
import subprocess

import pytest

from fake_backend import F_RING_PACKED, FEATURES, PROTOCOL_FEATURES, FakeBackend, bits
from test_new_memory import P_CONFIGURE_MEM_SLOTS
from testpmd import BUILD, PLUGIN, VDEV, die_with_parent, environment, wait_for

pytestmark = pytest.mark.sluice
# SLUICE_TEST_POOLS=5000 makes and ends a thousand pools.
ROUNDS = int(os.environ.get("SLUICE_TEST_POOLS", "1000"))


def check(text, ports, rounds):
    """What app/pools.c printed"""
    found = {key: int(value) for key, value in re.findall(r"\b(\w+)=(-?\d+)\b", text)}
    assert "pools: end" in text and "dma_debug: " not in text, text[-3000:]
    left = {key: found[key] for key in ("maps", "fds", "locked", "pinned", "dma_maps", "dma_bytes", "unreturned")}
    assert set(left.values()) == {0}, left
    assert found["made"] > rounds / 6 and found["sent"] > 3 * rounds and found["wrong"] == 0, found
    assert re.findall(r"unmapped=(\d+) failures=(\d+)", text) == [("0", "0")] * ports, text


@pytest.mark.parametrize("kinds,devargs", [("exs", "packed_vq=1,dma_debug=1"), ("exs", "packed_vq=0"),
    ("s", "packed_vq=1,isolation=sealed"), ("exs", "packed_vq=0,isolation=copy")], ids=["scoped", "split", "sealed", "copy"])
def test_pools_come_and_go(folder, kinds, devargs):
    """A back end that is told tables, and one that is told differences. At the end both have what they had at first."""
    backends = [FakeBackend("%s/%d.sock" % (folder, i), features=FEATURES if "packed_vq=1" in devargs else FEATURES & ~bits(F_RING_PACKED),
        protocol_features=PROTOCOL_FEATURES | bits(P_CONFIGURE_MEM_SLOTS) * i, traffic="echo") for i in (0, 1)]
    with subprocess.Popen([os.path.join(BUILD, "tests", "pools"), "--no-pci", "--iova-mode=va", "--in-memory", "--no-telemetry", "-m", "64",
            "-l", "0", "-d", os.path.basename(PLUGIN)] + ["--vdev=%s%d,path=%s,%s" % (VDEV, i, b.path, devargs) for i, b in
            enumerate(backends)] + ["--", kinds, str(ROUNDS)], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, preexec_fn=die_with_parent, text=True) as app:
        try:
            wait_for(lambda: all(b.connections and b.ready() for b in backends), 20, "negotiation")
            before = [sorted((r.user, r.size) for r in b.regions) for b in backends]
            text = app.communicate("go\n", 60 + ROUNDS / 20)[0]
        finally:
            app.kill()
    assert app.returncode == 0, text[-3000:]
    check(text, 2, ROUNDS)
    assert [b.error for b in backends] == [None, None]
    assert sorted((r.user, r.size) for r in backends[0].regions) == before[0]
    for backend in backends:
        backend.close()
