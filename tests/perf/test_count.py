# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The plug-in of QEMU counts what one thread executes between its marks, whatever the others do."""
import os
import subprocess

import pytest

import bench
import benchcount

PROGRAM = """
    #include <pthread.h>
    #include "marks.h"

    static volatile unsigned int nb_turns;

    static void *other(void *arg)
    {
        %s
        for (;;)
            nb_turns++;
        return arg;
    }

    int main(void)
    {
        pthread_t thread;

        pthread_create(&thread, NULL, other, NULL);
        while (nb_turns == 0)
            ;
        for (int i = 0; i < 100; i++) {
            const unsigned int before = nb_turns;

            MARKS_PUT(MARK_BEGIN);
            __asm__ volatile(".rept 1000\\nnop\\n.endr");
            MARKS_PUT(MARK_END);
            MARKS_PUT(MARK_KEEP + 1);
            while (nb_turns == before)
                ;
        }
        MARKS_PUT(MARK_REPORT);
        return 0;
    }
"""


def run(folder, of_other):
    source, program, counts = folder / "marks.c", folder / "marks", folder / "counts"
    source.write_text(PROGRAM % of_other)
    subprocess.run([*bench.COMPILER, "-O2", "-pthread", "-I", os.path.dirname(benchcount.MARKS), "-o", program, source],
        check=True)
    done = subprocess.run([*bench.emulator(counts), program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done, counts


pytestmark = pytest.mark.skipif(bench.cannot_emulate() != "", reason=bench.cannot_emulate())


def test_other_threads_do_not_count(tmp_path):
    done, counts = run(tmp_path, "")
    assert done.returncode == 0, done.stdout
    nothing = [0, 0, 0, 0, 0]
    assert benchcount.last_report(counts, 1) == ([nothing, [100, 100 * 1000, 0, 0, 0], nothing, nothing, nothing], [nothing] * 5)


def test_two_at_a_time_end_the_run(tmp_path):
    done, counts = run(tmp_path, "MARKS_PUT(MARK_BEGIN);")
    assert done.returncode == 1
    assert "a begin mark between the marks of CPU 1" in done.stdout
    assert counts.read_text() == ""
