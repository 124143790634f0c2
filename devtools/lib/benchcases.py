# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What the sets of devtools/bench measure, what is asked for, and how long it takes."""
import collections

DIFFERENT = ["--allow-different"]
PACKED = ["--a-args", "packed_vq=1", "--b-args", "packed_vq=1"]
SPLIT = ["--a-args", "packed_vq=0", "--b-args", "packed_vq=0"]
NOT_IN_ORDER = ["--a-args", "packed_vq=0,in_order=0", "--b-args", "packed_vq=0,in_order=0"]
BEST = ["--simd", "512", "--b-args", "packed_vq=1,mrg_rxbuf=0,in_order=1,vectorized=1"]
LIKE = ["--hide", "event_idx"]          # the device offers it to neither
NEVER_SLOWER = {"tx": 1.0, "rx": 1.0}

# must: least ratio of a metric; most: of instructions, the most that are allowed. A case with --allow-different
# compares defaults or best settings on purpose, so that its remark is no reason for doubt.
# Of net_null and net_ring, which need no device, the row tells the least that a driver can cost.
Case = collections.namedtuple("Case", "name title options must most quick", defaults=({}, {}, False))
CASES = [
    Case("step-default", "step, defaults", DIFFERENT, {"tx": 4, "rx": 4.5}, quick=True),
    Case("step-packed", "step, packed rings both", PACKED + LIKE, {"tx": 4, "rx": 4.5}, quick=True),
    Case("step-split", "step, split rings both", SPLIT + LIKE, NEVER_SLOWER, quick=True),
    Case("step-not-in-order", "step, split, not in order", NOT_IN_ORDER + LIKE, NEVER_SLOWER, quick=True),
    Case("step-best", "step, 512 bit, against best vector devargs", BEST + DIFFERENT, {"tx": 3, "rx": 3.5},
         quick=True),
    Case("step-q1024", "step, queue 1024", DIFFERENT + ["--queue", "1024"], {"tx": 1, "rx": 5}, quick=True),
    Case("step-burst1", "step, burst 1", DIFFERENT + ["--burst", "1"], {"tx": 1.3, "rx": 1.3}, quick=True),
    Case("step-burst4", "step, burst 4", DIFFERENT + ["--burst", "4"], {"tx": 2, "rx": 2}, quick=True),
    Case("step-n2", "step, device touches header and data", DIFFERENT + ["--model", "n2"], NEVER_SLOWER,
         quick=True),
    Case("step-segs3", "step, Tx of 3 segments", DIFFERENT + ["--segs", "3"], NEVER_SLOWER, quick=True),
    Case("step-segs3-1", "step, Tx of 3 segments, burst 1", DIFFERENT + ["--segs", "3", "--burst", "1"], NEVER_SLOWER),
    Case("step-segs3-unordered", "step, Tx of 3 segments, not in order",
         DIFFERENT + ["--segs", "3", "--hide", "in_order"], NEVER_SLOWER),
    Case("step-9000", "step, 9000 B: Tx of 6 segments, Rx in 5 buffers", DIFFERENT + ["--size", "9000", "--segs", "6"],
         NEVER_SLOWER),
    Case("step-csum", "step, Rx checksum offload on", DIFFERENT + ["--rx-csum"], {"tx": 1, "rx": 3}),
    Case("step-csum-valid", "step, Rx checksum offload, DATA_VALID in each header",
         DIFFERENT + ["--rx-csum", "--data-valid", "--model", "n2"], {"tx": 1, "rx": 3}),
    Case("step-vlan", "step, Tx with a UDP checksum and a VLAN tag", DIFFERENT + ["--packets", "vlan"], {"tx": 3, "rx": 1}),
    Case("step-strip", "step, VLAN tags taken off", DIFFERENT + ["--rx-vlan", "--model", "n2"], {"tx": 1, "rx": 3}),
    Case("step-tso", "step, TSO of 16 KiB in 8 segments",
         DIFFERENT + ["--packets", "tso", "--size", "16384", "--segs", "8"], {"tx": 2, "rx": 1}),
    Case("step-n1", "step, device touches headers", DIFFERENT + ["--model", "n1"], NEVER_SLOWER),
    Case("step-q64", "step, queue 64", DIFFERENT + ["--queue", "64"], NEVER_SLOWER),
    Case("step-q4096", "step, queue 4096", DIFFERENT + ["--queue", "4096"], NEVER_SLOWER),
    Case("step-burst8", "step, burst 8", DIFFERENT + ["--burst", "8"], NEVER_SLOWER),
    Case("step-burst16", "step, burst 16", DIFFERENT + ["--burst", "16"], NEVER_SLOWER),
    Case("step-burst64", "step, burst 64", DIFFERENT + ["--burst", "64"], NEVER_SLOWER),
    Case("step-cold", "step, rings out of the cache", DIFFERENT + ["--cold"], NEVER_SLOWER),
    Case("step-pairs2", "step, 2 queue pairs", DIFFERENT + ["--pairs", "2"], NEVER_SLOWER),
    Case("step-pairs4", "step, 4 queue pairs", DIFFERENT + ["--pairs", "4"], NEVER_SLOWER),
    Case("step-pairs8", "step, 8 queue pairs", DIFFERENT + ["--pairs", "8"], NEVER_SLOWER),
    Case("step-clones", "step, Tx of clones (indirect mbufs)", DIFFERENT + ["--packets", "clones"], NEVER_SLOWER),
    Case("step-shared", "step, Tx of mbufs with a second reference", DIFFERENT + ["--packets", "shared"],
         NEVER_SLOWER),
    Case("step-clones-1", "step, Tx of clones, burst 1", DIFFERENT + ["--packets", "clones", "--burst", "1"],
         NEVER_SLOWER),
    Case("step-clones-2", "step, Tx of clones, burst 2", DIFFERENT + ["--packets", "clones", "--burst", "2"],
         NEVER_SLOWER),
    Case("step-shared-1", "step, Tx of shared mbufs, burst 1",
         DIFFERENT + ["--packets", "shared", "--burst", "1"], NEVER_SLOWER),
    Case("step-pools", "step, Tx of two pools' mbufs in turn", DIFFERENT + ["--packets", "pools"], NEVER_SLOWER),
    Case("step-shuffled", "step, split, device out of order", SPLIT + LIKE + ["--out-of-order"], NEVER_SLOWER),
    Case("step-shuffled-packed", "step, packed, device out of order", PACKED + LIKE + ["--out-of-order"],
         NEVER_SLOWER),
    # The smallest that the in-tree driver takes.
    Case("step-q32", "step, queue 32", DIFFERENT + ["--queue", "32"], NEVER_SLOWER),
    # As many mbufs as the ring has: each refill comes before the application has freed what it got.
    Case("step-dry", "step, Rx pool runs dry", DIFFERENT + ["--rx-mbufs", "256"], NEVER_SLOWER),
    Case("control-null", "control, B is net_null", ["--b", "net_null"]),
    Case("control-ring", "control, B is net_ring", ["--b", "net_ring"]),
    Case("instructions-avx512", "instructions, split, AVX512", ["--instructions", "--simd", "512"] + SPLIT + LIKE,
         most={"tx": 50, "rx": 34}, quick=True),
    Case("instructions-avx2", "instructions, split, AVX2", ["--instructions"] + SPLIT + LIKE,
         most={"tx": 60, "rx": 44}, quick=True),
    Case("cross-n0", "cross-core, defaults", DIFFERENT + ["--mode", "cross"], {"tx": 1.8, "rx": 1.8, "io": 2.4},
         quick=True),
    Case("cross-not-mergeable", "cross-core, not mergeable", DIFFERENT + ["--mode", "cross"] +
         ["--a-args", "mrg_rxbuf=0", "--b-args", "mrg_rxbuf=0"], {"tx": 1, "rx": 1, "io": 1}),
    Case("cross-n1", "cross-core, device touches headers", DIFFERENT + ["--mode", "cross", "--model", "n1"],
         {"tx": 1, "rx": 1, "io": 1}),
    Case("cross-n2", "cross-core, device touches header and data",
         DIFFERENT + ["--mode", "cross", "--model", "n2"], {"tx": 1, "rx": 1, "io": 1}),
    Case("latency-50", "latency, half load", DIFFERENT + ["--mode", "latency", "--load", "50"], {"p99": 1.0},
         quick=True),
    Case("latency", "latency", DIFFERENT + ["--mode", "latency", "--burst", "1,4,32"]),
]

LOOP_QUICK = [("io", 64)]
LOOP_FULL = [(mode, 64) for mode in ("io", "mac", "macswap", "csum", "rxonly", "txonly")] + \
    [("io", size) for size in (128, 256, 512, 1024, 1518, 9000, "imix")]
LOOP_MUST = {("io", 64): {"mpps": 1.0, "cycles": 1.7}, ("mac", 64): {"mpps": 1.0, "cycles": 1.7}}
LOOP_ELSE = {"mpps": 1.0, "cycles": 1.0}
LOOP_DRIVERS = (("net_sluice", []), ("net_virtio_user", []))

# Blocks and restarts of a mode. Restarts are multiples of three: every side is created first once.
SIZES = {
    "quick": {"step": (6, 3), "cross": (3, 3), "latency": (5, 3), "loop": (6, 1, 0.2)},
    "full": {"step": (12, 3), "cross": (6, 3), "latency": (6, 3), "loop": (4, 3, 0.3)},
}

# Of a PCI port: most instructions per packet, and doorbells per burst.
GUEST_ELSE = {"tx_doorbells": 1, "rx_doorbells": 0}
GUEST_MOST = {"stock": dict(GUEST_ELSE, tx=65, rx=45), "packed": dict(GUEST_ELSE, tx=68, rx=45)}

# What a restart, and each of its blocks, takes on a quiet machine, in seconds.
RESTART_S = {"step": 1.3, "cross": 2, "latency": 2}
BLOCK_S = {"step": 0.06, "cross": 1.5, "latency": 0.4}
INSTRUCTIONS_S = 4
LOOP_START_S, LOOP_WINDOW_S = 10, 0.25
GUEST_S = 45
LOADS = 3                   # of a latency case that names none
SLOWEST = 2                 # a case that takes so many times longer, and a while more, is given up
SLACK_S = 45


def mode_of(case):
    return case.options[case.options.index("--mode") + 1] if "--mode" in case.options else "step"


def seconds_of(case, which):
    """What a case should take."""
    if "--instructions" in case.options:
        return INSTRUCTIONS_S
    mode = mode_of(case)
    rows = LOADS if mode == "latency" and "--load" not in case.options else 1
    for option in ("--burst", "--queue", "--model", "--load", "--pairs"):
        if option in case.options:
            rows *= case.options[case.options.index(option) + 1].count(",") + 1
    blocks, restarts = SIZES[which][mode]
    return rows * restarts * (RESTART_S[mode] + blocks * BLOCK_S[mode])


def loop_seconds(cases, which):
    blocks, restarts, seconds = SIZES[which]["loop"]
    groups = 1 + any(size == 9000 for _, size in cases)
    return restarts * (groups * LOOP_START_S + len(cases) * blocks * 8 * (seconds + LOOP_WINDOW_S))
