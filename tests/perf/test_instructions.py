# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Instructions per packet of each path may not grow by more than 2 percent: see instructions.py."""
import pytest

import bench
import instructions


def test_reference_has_every_path():
    """A row of the path tables that no case measures could grow unseen."""
    cases = instructions.reference()["cases"]
    assert set(cases) == set(instructions.CASES), "renew it: tests/perf/instructions.py --renew"
    counted = [case for case in cases if cases[case] != instructions.UNCOUNTED]
    waiting = {instructions.CASES[case][0] for case in cases if case not in counted}
    met = {bench.Path(*cases[c][way].split()) for c in counted for way in ("tx_path", "rx_path")}
    assert met <= bench.plugin_paths()
    assert {path.isa for path in bench.plugin_paths() - met} <= waiting, "paths without a case: add one to instructions.py, then --renew"


# What isolation=copy may cost a packet of 64 B in each direction.
COPY_MOST = 14


def test_price_of_a_copy():
    """At EAL's default width. The reference is enough: each of its rows is held by test_instructions()."""
    cases, prices = instructions.reference()["cases"], {}
    for case, (isa, *_) in instructions.CASES.items():
        with_copies, without = cases[case], cases.get(case.replace(" copy", ""))
        if isa == "AVX2" and " copy" in case and without:
            prices[case] = max(with_copies[way] - without[way] for way in ("tx", "rx"))
    if not prices:
        pytest.skip("the default width of this machine is another one")
    assert any(case.endswith("Tx ipv4") for case in prices), prices
    assert {case: price for case, price in prices.items() if price > COPY_MOST} == {}


def test_growth_is_noticed():
    then = {"tx": 50.0, "rx": 30.0}
    assert instructions.grown({"tx": 50.9, "rx": 30.5}, then) == []
    assert instructions.grown({"tx": 51.1, "rx": 30.0}, then) == ["tx"]
    assert instructions.grown({"tx": 51.1, "rx": 30.7}, then) == ["tx", "rx"]
    assert instructions.grown({"tx": 51.1, "rx": 30.7}, instructions.UNCOUNTED) == []


def test_checking_ipv4_is_cheap():
    """What software adds to the checksums that the device knows: at most eight instructions per packet in batches on
    x86-64; of packets one by one no more than what a stage of its own took, which checked them so."""
    cases = instructions.reference()["cases"]
    for case in instructions.CHECKED:
        more, plain = cases[case]["rx"], cases[case.rsplit(",", 1)[0]]["rx"]
        has_groups = instructions.CASES[case][0] in ("AVX2", "AVX512") and "burst" not in case
        if more and plain:
            most = 8 if has_groups else 28
            assert more - plain < most + 0.01, "%s: %.2f on top of %.2f" % (case, more - plain, plain)


def test_update_of_a_release_is_compared():
    """A gate that is skipped with the next update of the distribution is none. Another release is another matter."""
    def of(revision, dpdk):
        return instructions.releases(["GCC: (Debian 12.2.0-%s) 12.2.0" % revision], dpdk)
    assert of("14+deb12u1", "22.11.11") == of("14+deb12u2", "22.11.12")
    assert of("14", "22.11.11") != of("14", "23.11.1")
    assert of("14", "22.11.11") != instructions.releases(["GCC: (Debian 13.2.0-1) 13.2.0"], "22.11.11")
    assert instructions.why_not_comparable({"compiler": ["GCC: (x) 0.0.1"], "dpdk": "22.11.11"})


@pytest.mark.parametrize("case", instructions.CASES)
def test_instructions(tmp_path, case):
    isa = instructions.CASES[case][0]
    if not bench.cpu_has(isa):
        pytest.skip("this CPU has no " + isa)
    why = instructions.cannot_count() or instructions.why_not_comparable(instructions.reference())
    if why:
        pytest.skip(why)
    then = instructions.reference()["cases"][case]
    if then == instructions.UNCOUNTED:
        pytest.skip("nobody with such a CPU has renewed the reference since there is this case")
    now = instructions.measure(case, str(tmp_path))
    print("Tx %.2f (%.2f), Rx %.2f (%.2f)" % (now["tx"], then["tx"], now["rx"], then["rx"]))
    assert {k: now[k] for k in ("tx_path", "rx_path")} == {k: then[k] for k in ("tx_path", "rx_path")}
    assert not instructions.grown(now, then), \
        "%s: Tx %.2f instructions per packet, was %.2f; Rx %.2f, was %.2f. If that is meant: " \
        "tests/perf/instructions.py --renew" % (case, now["tx"], then["tx"], now["rx"], then["rx"])


def test_counters_agree(tmp_path):
    """The plug-in counts what the trap flag counts, or what it counted the last time where there is no such flag. Of a
    case in which one lap of the ring is like the other."""
    why = bench.cannot_emulate()
    if why:
        pytest.skip(why)
    by_plugin, other = [instructions.measure("Scalar packed", str(tmp_path), counter)
        for counter in (instructions.by_plugin, instructions.COUNTER)]
    assert by_plugin == other
