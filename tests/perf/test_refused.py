# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What sluice-bench and devtools/bench cannot do they refuse at once, in one line that names option, value and remedy."""
import os
import subprocess

import pytest

import bench

REFUSED = {
    "clones_of_segments": (["--packets", "clones", "--segs", "2"], "--packets clones is for packets of one segment"),
    "clones_with_time": (["--packets", "clones", "--mode", "latency"], "--packets is not for --mode latency"),
    "unknown_packets": (["--packets", "big"], "--packets: 'big' is none of plain, clones, shared, pools"),
    "pool_below_ring": (["--rx-mbufs", "100"], "--rx-mbufs 100 does not fill --pairs 1 of --queue 256"),
    "pool_in_cross": (["--rx-mbufs", "300", "--mode", "cross"], "--rx-mbufs is not for --mode cross"),
    "frame_above_segments": (["--size", "9000", "--segs", "5"], "--size 9000 needs --segs 6 at least"),
    "frame_above_buffers": (["--packets", "tso", "--size", "16384", "--segs", "7"], "--size 16384 needs --segs 8 at least"),
    "frame_above_all": (["--size", "9001", "--segs", "8"], "--size 9001 is for --packets tso, others have 9000"),
    "tags_without_data": (["--rx-vlan"], "--rx-vlan needs --model n2"),
    "ipv4_without_data": (["--rx-ipv4"], "--rx-ipv4 needs --model n2"),
    "frames_in_cross": (["--size", "3000", "--segs", "2", "--mode", "cross"],
        "--size above 1518 is not for --mode cross"),
    "cold_cross": (["--cold", "--mode", "cross"], "--cold is not for --mode cross"),
    "burst_above_queue": (["--queue", "32", "--burst", "64"], "--burst 64 does not fit in --queue 32"),
    "ring_split": (["--queue", "256,100"],
        "--queue 100: net_virtio_user with split rings takes powers of two, as 64 or 128; others with packed_vq=1"),
    "ring_split_of_a": (["--queue", "48", "--b", "net_null", "--a", "net_sluice,x=1,packed_vq=0"],
        "--queue 48: net_sluice with split rings takes powers of two, as 32 or 64"),
    "ring_split_at_last": (["--queue", "48", "--b", "net_null", "--a", "net_sluice,packed_vq=1", "--a-args",
        "packed_vq=0"], "--queue 48: net_sluice with split rings"),
    "ring_hidden": (["--queue", "96", "--b-args", "packed_vq=1", "--hide", "ring_packed"],
        "--queue 96: net_sluice with split rings takes powers of two, as 64 or 128\n"),
    "ring_small": (["--queue", "16", "--burst", "4"], "--queue 16: net_virtio_user takes 32 at least"),
    "ring_packed": (["--queue", "100", "--b-args", "packed_vq=1"],
        "--queue 100: net_virtio_user takes multiples of 16 below 128, as 96 or 112"),
    "pci_times": (["--a", "0000:00:04.0,sluice=1"], "a PCI device is for --instructions and --marks"),
    "pci_cross": (["--a", "0000:00:04.0,sluice=1", "--marks", "--mode", "cross"],
        "--a 0000:00:04.0,sluice=1 has no null device: it is not for --mode cross"),
    "control_cross": (["--b", "net_null", "--mode", "cross"],
        "--b net_null has no null device: it is not for --mode cross"),
    "mode": (["--mode", "sideways"], "--mode: 'sideways' is none of step, cross, latency"),
    "instructions_cross": (["--instructions", "--mode", "cross"], "--instructions is not for --mode cross"),
    "marks_latency": (["--marks", "--mode", "latency"], "--marks is not for --mode latency"),
    "load_step": (["--load", "50"], "--load is not for --mode step"),
    "window_step": (["--window", "50"], "--window is not for --mode step"),
    "segments_cross": (["--segments", "5", "--mode", "cross"], "--segments is not for --mode cross"),
    "device_core_step": (["--device-core", "0"], "--device-core is not for --mode step"),
    "one_core": (["--core", "0", "--device-core", "0", "--mode", "cross"],
        "--core 0 and --device-core 0 are the same: --mode cross needs two"),
    "no_such_core": (["--core", "1023"], "--core: core 1023 is none of those we may use"),
    "not_a_number": (["--queue", "100x"], "--queue: '100x' is not a number of 4 to 32768"),
    "octal": (["--burst", "0x10"], "--burst: '0x10' is not a number of 1 to 512"),
    "empty_list": (["--queue", ","], "--queue: empty list"),
    "model": (["--model", "n0,n7"], "--model: 'n7' is none of n0, n1, n2"),
    "simd": (["--simd", "100"], "--simd: '100' is none of 64, 128, 256, 512"),
    "hide": (["--hide", "bogus"], "--hide: 'bogus' is no feature; known: csum "),
    "no_driver": (["--a", ""], "--a: '' names no vdev driver"),
    "digits": (["--b", "77,x=1"], "--b: '77,x=1' names no vdev driver"),
    "own_path": (["--a-args", "packed_vq=1,path=/x"], "--a-args: leave path= out: the bench has its own device"),
    "own_ring": (["--b", "net_virtio_user,queue_size=512"], "--b: leave queue_size= out: --queue says it"),
    "own_queues": (["--b-args", "queues=2"], "--b-args: leave queues= out: --pairs says it"),
    "unknown": (["--frob", "3"], "--frob: no such option, or not in this form; --help lists them"),
    "short": (["-x"], "-x: no such option"),
    "ambiguous": (["--d"], "--d: no such option"),
    "switch_with_value": (["--cold=1"], "--cold=1: no such option, or not in this form"),
    "no_value": (["--queue"], "--queue needs a value; --help lists them"),
    "word": (["foo"], "'foo' is no option (EAL's come after --)"),
    "json": (["--json", "/no/such/folder/x.json"], "--json: /no/such/folder/x.json: No such file or directory"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    options, text = REFUSED[name]
    command = [os.path.join(bench.REPO, "devtools", "plugin-run"), bench.BENCH, *options]
    done = subprocess.run(command, env=dict(os.environ, SLUICE_BUILD=bench.BUILD), timeout=20,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 2, done.stdout
    assert done.stdout.startswith("sluice-bench: " + text)
    assert done.stdout.count("\n") == 1, done.stdout


def test_option_of_eal():
    """EAL tells itself, at length; the last line says whose option it was."""
    command = [os.path.join(bench.REPO, "devtools", "plugin-run"), bench.BENCH, "--b", "net_null", "--", "--frob"]
    done = subprocess.run(command, env=dict(os.environ, SLUICE_BUILD=bench.BUILD), timeout=20,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == \
        "sluice-bench: EAL did not start (Invalid argument): the reason is above; after -- came: --frob"


@pytest.mark.parametrize("args", [["frob"], [""], ["quick", "full"], ["--quick"]])
def test_sets_refused(args):
    """Before anything is built or measured."""
    done = subprocess.run([os.path.join(bench.REPO, "devtools", "bench"), *args], timeout=20,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == "bench: '%s': no such set; quick, full or guest; --help says more\n" % " ".join(args)
