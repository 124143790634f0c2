# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Every program that a person may start answers --help, and refuses what it does not know."""
import glob
import os
import re
import subprocess

import pytest

from testpmd import BUILD, REPO, environment

pytestmark = pytest.mark.sluice
PROGRAMS = ["dma-tour", "sluice-bench", "sluice-fwd", "sluice-map", "sluice-top"]


def application(name):
    script = os.path.join(REPO, "app", name, name)
    return script if os.path.exists(script) else os.path.join(BUILD, "app", name, name)


# Scripts, and measuring programs beside the tests.
SCRIPTS = [path for path in glob.glob(os.path.join(REPO, "devtools", "*")) if os.path.isfile(path)] + [
    path for path in glob.glob(os.path.join(REPO, "tests", "*", "*.py")) if os.access(path, os.X_OK)]
EACH = pytest.mark.parametrize("path", [application(name) for name in PROGRAMS] + sorted(SCRIPTS), ids=os.path.basename)


def run(path, *words):
    if not os.path.exists(path):
        pytest.skip("this build has no " + os.path.basename(path))
    return subprocess.run([path, *words], cwd=REPO, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=30, check=False)


@EACH
def test_help(path):
    """At length, and nothing is done: what would have been done takes longer, or says less."""
    done = run(path, "--help")
    assert done.returncode == 0, done.stderr
    assert os.path.basename(path) in done.stdout and len(done.stdout.splitlines()) > 3, done.stdout


@EACH
def test_unknown_options(path):
    """The option is named, or what is missing; without a stack of calls, and with what to do next."""
    done = run(path, "--frob")
    assert done.returncode != 0, done.stdout
    assert any(word in done.stdout + done.stderr for word in ("--frob", "are required:")), done.stderr
    assert "Traceback" not in done.stderr and re.search("--help|usage:", done.stderr), done.stderr


def test_docs_names_a_folder_that_cannot_be_made():
    done = run(os.path.join(REPO, "devtools", "docs"), "/dev/null/docs")
    assert done.returncode != 0 and done.stderr.startswith("docs: /dev/null/docs: "), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_vm_builds_nothing_for_unknown_options(folder):
    build = os.path.join(folder, "build")
    done = subprocess.run([os.path.join(REPO, "devtools", "vm"), "run", "--frob"], env=dict(environment(), SLUICE_BUILD=build),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and "--frob" in done.stderr and not os.path.exists(build), done.stderr


@pytest.mark.parametrize("words, refused", [(["22.04"], "22.04"), (["24.11", "nowhere"], "nowhere"), (["."], r"\.")])
def test_matrix_takes_releases_and_folders(words, refused):
    """All words are looked at before anything is fetched or built, and the answer says what there is."""
    done = run(os.path.join(REPO, "devtools", "matrix"), *words)
    assert done.returncode == 1 and not done.stdout, done.stdout
    assert re.fullmatch(r"matrix: %s: neither .* \(23\.11 24\.11 25\.11\), .*VERSION.*libdpdk\.pc.*\n" % refused, done.stderr), done.stderr


def test_manual_pages_have_the_options():
    """Those that --help lists, of programs whose options are their own"""
    for name in set(PROGRAMS) - {"sluice-fwd"}:
        text = run(application(name), "--help").stdout
        with open(os.path.join(REPO, "doc", "man", name + ".1"), encoding="utf-8") as file:
            page = set(re.findall(r"(?<!-)--[\w-]+", file.read().replace("\\-", "-")))
        options = {word.strip(",:[]").split("=")[0] for word in text.split() if word.startswith(("--", "[--"))} - {"--"}
        assert options and not options - page, name
