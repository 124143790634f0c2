# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""No indirect call in the body of a burst function: calls.py says what counts."""
import shutil
import subprocess

import pytest

import bench
import calls
import sysroot

# What the rule must allow: the shape of DPDK's mempool inlines, and a switch.
ALLOWED = {
    "mempool": """
        struct op { long pad[14]; int (*put)(void *); long more; };
        extern struct op rte_mempool_ops_table[];
        int sluice_tx_burst_x(int *pool, void *m)
        { return pool[22] > 15 ? -1 : rte_mempool_ops_table[pool[22]].put(m) + 1; }""",
    # So many cases that each compiler makes a table.
    "switch": "int sluice_tx_burst_x(int n, int *a) { switch (n) { %s } return 0; }" % " ".join(
        "case %d: a[%d] = n * %d; return a[%d];" % (i, i * 7 % 5, i + 3, i * 3 % 8) for i in range(24)),
    "direct": """
        static __attribute__((noinline)) int other(int n) { return n * n; }
        int sluice_rx_burst_x(int n) { return other(n) + 1; }""",
    "slow_way": """
        static __attribute__((noinline)) int other(int (*f)(int), int n) { return f(n) * n; }
        int sluice_rx_burst_x(int (*f)(int), int n) { return other(f, n) + 1; }""",
    # A check in DPDK's inline functions.
    "panic": """
        void __rte_panic(const char *where, const char *fmt, ...) __attribute__((cold, noreturn));
        int sluice_rx_burst_x(unsigned int n) { if (n > 15) __rte_panic("x", "%u", n); return n + 1; }""",
    "elsewhere": """
        int helper(int (**f)(int), int n) { return f[n](n) + 1; }""",
}

REFUSED = {
    "pointer": "int sluice_rx_burst_x(int (*f)(int), int n) { return f(n) + 1; }",
    "in_struct": """
        struct ops { long pad[15]; int (*f)(int); };
        int sluice_rx_burst_x(struct ops *o, int n) { return o->f(n) + 1; }""",
    "tail": "int sluice_rx_burst_x(int (*f)(int), int n) { return f(n); }",
    "other_table": """
        struct op { long pad[15]; int (*put)(void *); };
        extern struct op some_ops_table[];
        int sluice_tx_burst_x(int n, void *m) { return some_ops_table[n].put(m) + 1; }""",
    # One way to the call comes from the table, the other does not.
    "half": """
        struct op { long pad[15]; int (*put)(void *); };
        extern struct op rte_mempool_ops_table[];
        int sluice_tx_burst_x(int n, void *m, struct op *mine)
        { struct op *o = n ? &rte_mempool_ops_table[n] : mine; return o->put(m) + 1; }""",
    # The body is in another function, which this one ends in.
    "parts": """
        static __attribute__((noinline)) int many(int (*f)(int), int n) { return f(n) * n; }
        int sluice_rx_burst_x(int (*f)(int), int n) { return n < 8 ? n : many(f, n); }""",
    "library": "int puts(const char *); int sluice_rx_burst_x(const char *s) { return puts(s) + 1; }",
    "global": "extern int (*hook)(int); int sluice_rx_burst_x(int n) { return hook(n) + 1; }",
}


# Completions, and odd packets, are functions of their own, and of the body still.
REFUSED["completions"] = "int sluice_tx_collect_x(int (*f)(int), int n) { return f(n) + 1; }"
REFUSED["odd_packets"] = "int sluice_tx_rest_x(int (*f)(int), int n) { return f(n) + 1; }"
# What DPDK's rte_memcpy() is on aarch64; on x86-64 it is inline code.
(ALLOWED if bench.MACHINE == "aarch64" else REFUSED)["copy"] = """
    #include <string.h>
    int sluice_tx_burst_x(void *a, void *b, long n) { memcpy(a, b, n); return n + 1; }"""


COMPILERS = {"x86_64": {"gcc": ["gcc"], "clang": ["clang"]}, "aarch64": sysroot.COMPILERS}[bench.MACHINE]


def compiled(folder, compiler, code):
    if shutil.which(COMPILERS[compiler][0]) is None:
        pytest.skip("there is no " + compiler)
    source, library = folder / "x.c", folder / "x.so"
    source.write_text(code)
    subprocess.run([*COMPILERS[compiler], "-O2", "-fPIC", "-shared", "-o", library, source], check=True)
    return str(library)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ALLOWED)
def test_rule_allows(tmp_path, compiler, name):
    assert calls.check(compiled(tmp_path, compiler, ALLOWED[name]))[2] == []


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", REFUSED)
def test_rule_refuses(tmp_path, compiler, name):
    bad = calls.check(compiled(tmp_path, compiler, REFUSED[name]))[2]
    assert len(bad) == 1, bad


def test_plugin():
    names, nb_mempool, bad = calls.check(bench.PLUGIN)
    # Every row of the path tables is a function that was looked at.
    for path in bench.plugin_paths():
        same = [p for p in bench.plugin_paths() if p.name == path.name]
        found = [n for n in names if n in ("sluice_rx_burst_" + path.name, "sluice_tx_burst_" + path.name)]
        assert len(found) >= len(same), "%s: %d functions for %d rows" % (path.name, len(found), len(same))
    assert bench.plugin_paths()
    assert not bad, "\n".join(bad)
    # The loops are among what was looked at: DPDK's inline functions are in them.
    assert nb_mempool > 0
    for part in ("rx_work", "tx_few", "tx_many", "tx_collect", "tx_rest"):
        assert any(n.startswith("sluice_%s_" % part) for n in names), part
