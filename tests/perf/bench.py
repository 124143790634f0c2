# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Runs sluice-bench of a build folder and reads what it wrote; and what the plug-in tells of itself."""
import collections
import json
import os
import re
import subprocess

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD") or os.path.join(REPO, "build"))
PLUGIN = os.path.join(BUILD, "drivers", "librte_net_sluice.so")
BENCH = os.path.join(BUILD, "app", "sluice-bench", "sluice-bench")
HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
WANTED = 128                # what the default case takes
WIDTHS = {"Scalar": 64, "AVX2": 256, "AVX512": 512}     # of --simd

Path = collections.namedtuple("Path", "isa name")


def has_hugepages():
    try:
        with open(HUGEPAGES, encoding="ascii") as file:
            return int(file.read()) >= WANTED
    except OSError:
        return False


def run(json_path, *options, seconds=60):
    """One run; the document that it wrote. Fails with the whole output."""
    command = [os.path.join(REPO, "devtools", "plugin-run"), BENCH, "--json", str(json_path)]
    command += [] if has_hugepages() else ["--no-huge"]
    command += options
    result = subprocess.run(command, env=dict(os.environ, SLUICE_BUILD=BUILD), timeout=seconds,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert result.returncode == 0, "%s: status %d\n%s" % (" ".join(command), result.returncode,
        result.stdout)
    with open(json_path, encoding="utf-8") as file:
        return json.load(file)


def plugin_paths():
    """The rows of the path tables, by the names in the plug-in: what burst_mode_get can answer."""
    with open(PLUGIN, "rb") as file:
        names = re.findall(rb"Sluice (\w+) ((?:split|packed)\w*)\0", file.read())
    return {Path(isa.decode(), name.decode()) for isa, name in names}


def cpu_has(isa):
    """Mirrors sluice_path.c."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        flags = re.search(r"^flags\s*:(.*)$", file.read(), re.M).group(1).split()
    return {"Scalar": True, "AVX2": "avx2" in flags,
        "AVX512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= set(flags)}[isa]
