# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""devtools/into-dpdk, on a folder that looks like a DPDK source tree. Whether it builds there takes a real one."""
import os
import re
import runpy
import subprocess

import pytest

from testpmd import REPO

pytestmark = pytest.mark.sluice
COMMON = "std_deps = ['eal']\ndrivers = [\n        'cpt',\n        'dpaax',\n        'ionic',\n]\n"
NET = "\n\ndrivers = [\n        'af_packet',\n        'intel/cpfl',  # after idpf\n        'sfc',\n        'softnic',\n" \
    "        'zxdh',\n]\nstd_deps = ['ethdev']\n"
INDEX = "Drivers\n=======\n\n.. toctree::\n    :maxdepth: 1\n    :numbered:\n\n    overview\n    sfc_efx\n    softnic\n"


def write(tree, path, text):
    path = os.path.join(tree, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def files(tree):
    """Relative path -> contents"""
    found = {}
    for folder, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                found[os.path.relpath(path, tree)] = file.read()
    return found


@pytest.fixture
def tree(folder):
    write(folder, "VERSION", "26.07.0\n")
    write(folder, "drivers/common/meson.build", COMMON)
    write(folder, "drivers/net/meson.build", NET)
    write(folder, "doc/guides/nics/index.rst", INDEX)
    return folder


def into(tree, *options):
    done = subprocess.run([os.path.join(REPO, "devtools", "into-dpdk"), *options, tree], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
    return done.returncode, done.stdout


def test_lists_and_files(tree):
    """Each list has one entry more, in its place, and nothing else of it is touched; a second time nothing changes."""
    write(tree, "drivers/net/sluice/left_over.c", "of an older one\n")
    assert into(tree)[0] == 0
    once = files(tree)
    assert once["drivers/common/meson.build"] == COMMON.replace("        'dpaax'", "        'dmap',\n        'dpaax'")
    assert once["drivers/net/meson.build"] == NET.replace("        'softnic'", "        'sluice',\n        'softnic'")
    assert once["doc/guides/nics/index.rst"] == INDEX.replace("    softnic", "    sluice\n    softnic")
    for path in ("drivers/common/dmap/meson.build", "drivers/net/sluice/meson.build", "doc/guides/nics/sluice.rst",
            "doc/guides/nics/features/sluice.ini", "drivers/compat/sluice_compat.h"):
        with open(os.path.join(REPO, path), encoding="utf-8") as file:
            assert once[path] == file.read(), path
    assert "drivers/net/sluice/left_over.c" not in once
    assert into(tree)[0] == 0
    assert files(tree) == once


def test_every_source_is_there(tree):
    """What the two meson.build name, they have beside them."""
    assert into(tree)[0] == 0
    for driver in ("drivers/common/dmap", "drivers/net/sluice"):
        path = os.path.join(tree, driver)
        with open(os.path.join(path, "meson.build"), encoding="utf-8") as file:
            named = re.findall(r"'(\S+\.c)'", file.read())
        there = [os.path.relpath(os.path.join(folder, name), path) for folder, _, names in os.walk(path)
            for name in names if name.endswith(".c")]
        assert sorted(named) == sorted(there)


def test_complaints():
    """What DPDK's checks say is counted by kinds; a kind that is not accepted is none of them."""
    program = runpy.run_path(os.path.join(REPO, "devtools", "into-dpdk"))
    complaints = program["complaints"]
    text = "### a subject\n\nERROR:SPACING: x\nWARNING:LONG_LINE: x\nCHECK:CAMELCASE: x\n" \
        "      them to the maintainer, see CHECKPATCH in MAINTAINERS.\nWarning in drivers/x.c:\nUsing compilers pragma is not allowed\n"
    assert complaints(text) == ["SPACING", "LONG_LINE", "Using compilers pragma is not allowed"]
    assert complaints("### a subject\n\nWarning in drivers/x.c:\nUsing rte_panic/rte_exit\n") == ["Using rte_panic/rte_exit"]
    assert complaints("") == [] and "LONG_LINE" not in program["ACCEPTED"]


@pytest.mark.parametrize("version", ["22.11.11", "26.11.0-rc1", "1.8.0"])
def test_release_with_another_build(tree, version):
    write(tree, "VERSION", version + "\n")
    before = files(tree)
    status, text = into(tree)
    assert status == 1 and re.search(r"DPDK %s, .*25\.11 or 26\.07\n$" % re.escape(version), text), text
    assert files(tree) == before


@pytest.mark.parametrize("path,text,says", [
    ("VERSION", None, "has no file VERSION"),
    ("drivers/net/meson.build", None, "drivers/net/meson.build: No such file"),
    ("drivers/net/meson.build", "project('x')\n", "drivers/net/meson.build has no list"),
    ("doc/guides/nics/index.rst", "", "index.rst has no list"),
])
def test_no_dpdk(tree, path, text, says):
    """Refused in one line before anything is written."""
    os.unlink(os.path.join(tree, path))
    if text is not None:
        write(tree, path, text)
    before = files(tree)
    status, output = into(tree)
    assert status == 1 and says in output and len(output.splitlines()) == 1, output
    assert files(tree) == before


def test_usage(tree):
    before = files(tree)
    assert into(tree, "--nonsense")[0] == 2
    assert files(tree) == before
