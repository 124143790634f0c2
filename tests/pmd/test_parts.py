# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""How devtools/test counts: what fails is seen, and runs once more only where tests have real peers."""
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

TESTS = """
import os
import pytest

@pytest.mark.parametrize("nb_failures", %r)
def test_it(nb_failures):
    path = "%s/%%d" %% nb_failures
    open(path, "a").write("x")
    assert os.path.getsize(path) > nb_failures

def test_that_skips():
    pytest.skip("so it is")
"""


def run(tmp_path, function, nb_failures):
    """What a part prints about tests of which each fails so many times before it passes: (status, its lines)"""
    (tmp_path / "test_some.py").write_text(TESTS % (nb_failures, tmp_path))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    script = """. devtools/lib/common.sh && . devtools/lib/parts.sh && LOGS=%s
        run_part some 60 %s build $LOGS/some.xml -n 2 --dist loadfile --rootdir $LOGS $LOGS/test_some.py""" % (tmp_path, function)
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("function, nb_failures, counts, again", [
    ("peers_part", [0, 1], "ok (2 passed, 0 failed, 1 skipped)", 1),
    ("peers_part", [0, 1, 2], "FAILED (2 passed, 1 failed, 1 skipped)", 1),
    ("peers_part", [1, 2, 3, 4], "FAILED (0 passed, 4 failed, 1 skipped)", 0),
    ("pytest_part", [0, 1], "FAILED (1 passed, 1 failed, 1 skipped)", 0),
])
def test_second_tries(tmp_path, function, nb_failures, counts, again):
    status, lines = run(tmp_path, function, nb_failures)
    assert counts in lines[0], lines
    assert status == ("FAILED" in counts)
    assert len([line for line in lines if "once more: " in line and "test_it[1]" in line]) == again, lines
