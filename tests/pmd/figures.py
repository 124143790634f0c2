# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Applications that have both ends of a socket, do one thing, and print figures."""
import os
import re
import subprocess

from testpmd import BUILD, PLUGIN, die_with_parent, environment


def run_app(name, vdevs, args):
    """{name: number} of what it printed, after an end without errors"""
    done = subprocess.run([os.path.join(BUILD, "tests", name), "--no-pci", "--iova-mode=va", "--in-memory", "--no-telemetry",
        "--single-file-segments", "-m", "256", "-l", "0,1", "-d", os.path.basename(PLUGIN)] +
        ["--vdev=" + vdev for vdev in vdevs] + ["--"] + [str(arg) for arg in args], env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=die_with_parent, text=True, timeout=120)
    assert done.returncode == 0 and "dma_debug: " not in done.stdout, done.stdout[-3000:]
    return {key: int(value) for key, value in re.findall(r"\b(\w+)=(-?\d+)\b", done.stdout)}
