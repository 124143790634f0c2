# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""devtools/release, in a clone: what it refuses, and what it makes."""
import os
import subprocess
import tarfile

import pytest

from testpmd import REPO

pytestmark = pytest.mark.sluice
VERSION = "91.2.3"


@pytest.fixture
def clone(folder):
    path = os.path.join(folder, "sluice")
    if subprocess.run(["git", "clone", "-q", "--shared", REPO, path], capture_output=True, check=False).returncode != 0:
        pytest.skip("not a git repository")

    def run(*command):
        names = {"GIT_%s_%s" % (who, what): "test@example.invalid" for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")}
        done = subprocess.run(command, cwd=path, capture_output=True, text=True, timeout=60, check=False,
            env=dict(os.environ, LC_ALL="C", **names))
        return done.returncode, done.stdout + done.stderr
    return run


def test_what_is_not_ready_is_refused(clone):
    status, said = clone("devtools/release", "-n", VERSION)
    assert status != 0
    for file in ("meson.build", "NEWS.md", "debian/changelog"):
        assert "%s " % file in said, said
    assert clone("git", "tag") == (0, "")
    assert clone("devtools/release", "1.0")[0] != 0
    assert clone("devtools/release")[0] != 0


def test_prepared_and_released(clone):
    assert clone("devtools/release", "-p", VERSION)[0] == 0
    status, said = clone("devtools/release", VERSION)
    assert status != 0 and "uncommitted" in said, said
    assert clone("git", "commit", "-q", "-a", "-m", "version")[0] == 0
    status, said = clone("devtools/release", "-n", VERSION)
    assert status == 0 and "can be released" in said, said
    assert clone("git", "tag") == (0, ""), "a check tags nothing"

    status, said = clone("devtools/release", VERSION)
    assert status == 0, said
    assert clone("git", "tag") == (0, "v%s\n" % VERSION)
    assert "Sluice " + VERSION in clone("git", "cat-file", "tag", "v" + VERSION)[1]
    with tarfile.open(os.path.join(clone("pwd")[1].strip(), "build", "sluice-%s.tar.xz" % VERSION)) as archive:
        assert "sluice-%s/meson.build" % VERSION in archive.getnames()

    status, said = clone("devtools/release", "-n", VERSION)
    assert status != 0 and "there already" in said, said
    status, said = clone("devtools/release", "-n", "90.0.0")
    assert status != 0 and "above 90.0.0" in said, said
