# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Runs sluice-bench of a build folder and reads what it wrote; and what the plug-in tells of itself."""
import collections
import json
import os
import platform
import re
import shutil
import subprocess
import sys

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD") or os.path.join(REPO, "build"))
PLUGIN = os.path.join(BUILD, "drivers", "librte_net_sluice.so")
BENCH = os.path.join(BUILD, "app", "sluice-bench", "sluice-bench")
WANTED = 128                # what the default case takes

sys.path.append(os.path.join(REPO, "devtools", "lib"))
import benchcount  # noqa: E402 (found by the line above)
import hugepages  # noqa: E402
import sysroot  # noqa: E402


def machine():
    """Which the build folder is for, by the ELF header of the plug-in; what is not built is for this one."""
    try:
        with open(PLUGIN, "rb") as file:
            return {62: "x86_64", 183: "aarch64"}[int.from_bytes(file.read(20)[18:], "little")]
    except FileNotFoundError:
        return platform.machine()


MACHINE = machine()
# --simd of each instruction set
WIDTHS = {"x86_64": {"Scalar": 64, "AVX2": 256, "AVX512": 512}, "aarch64": {"Scalar": 64, "NEON": 128}}[MACHINE]
EMULATOR = "qemu-" + MACHINE
COMPILER = {"x86_64": [os.environ.get("CC", "cc").split()[0]], "aarch64": sysroot.COMPILERS["gcc"]}[MACHINE]
LIBRARIES = {"x86_64": "/", "aarch64": sysroot.SYSROOT}[MACHINE]

Path = collections.namedtuple("Path", "isa name")


def has_hugepages():
    return hugepages.nb_free() >= WANTED


def cannot_emulate():
    """"" or why programs of the build folder cannot be counted in an emulator."""
    for path in (LIBRARIES, benchcount.HEADER, shutil.which(EMULATOR) or EMULATOR):
        if not os.path.exists(path):
            return "no %s: run devtools/setup" % path.replace(REPO + os.sep, "")
    return ""


def emulator(counts, plugin=benchcount.SOURCE):
    """What runs a program of the build folder, and counts between its marks into a file."""
    return [EMULATOR, "-cpu", "max", "-L", LIBRARIES, *benchcount.plugin(counts, plugin)]


def run(json_path, *options, in_front=(), seconds=120, **environment):
    """One run, with these variables added; the document that it wrote. Fails with the whole output."""
    command = [os.path.join(REPO, "devtools", "plugin-run"), *in_front, BENCH, "--json", str(json_path)]
    command += [] if has_hugepages() and not in_front else ["--no-huge"]
    command += options
    result = subprocess.run(command, env=dict(os.environ, SLUICE_BUILD=BUILD, **environment), timeout=seconds,
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
    wanted = {"AVX2": {"avx2"}, "AVX512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}}.get(isa, set())
    with open("/proc/cpuinfo", encoding="ascii") as file:
        flags = re.search(r"^flags\s*:(.*)$", file.read(), re.M)
    return wanted <= set(flags.group(1).split() if flags else [])
