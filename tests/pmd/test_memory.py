# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What the back end can see: rings and the pool's pages, and nothing else of the process."""
import fcntl
import os

import pytest

from frames import SMALL
from pair import Config
from refusal import one_line_says, run_front
from testpmd import IS_SLUICE, MBUFS, VDEV, hugetlbfs, wait_for

LAYOUTS = pytest.mark.parametrize("packed", [0, 1], ids=["split", "packed"])
MIB = 1 << 20
PAGE = 2 * MIB
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
BIG_POOL = ["--total-num-mbufs=16384"]


def connect(fake, testpmds, devargs="", eal=(), **how):
    backend = fake(**how)
    front = testpmds(["%s0,path=%s%s" % (VDEV, backend.path, devargs)], front=True, eal=eal)
    wait_for(backend.ready, 5, "negotiation")
    return backend, front


def ring_regions(backend):
    """The regions that hold the rings; each address of a ring must lie in one."""
    found = []
    for index, areas in backend.vring_addr.items():
        # Descriptors are 16 bytes each in both ring types, and the largest area.
        for address, length in zip(areas, (16 * backend.vring_num[index], 4, 4)):
            holders = [r for r in backend.regions if r.holds(address, length)]
            assert len(holders) == 1, "ring %d at %#x" % (index, address)
            if holders[0] not in found:
                found.append(holders[0])
    return found


def pool_bytes(front):
    """A lower bound of the pool's memory: its objects."""
    text = front.dump_pool("mb_pool_0")
    size = int(next(line for line in text.splitlines() if "total_obj_size" in line).split("=")[1])
    return MBUFS * size


@LAYOUTS
def test_rings_lie_in_the_memory_table(fake, testpmds, packed):
    backend, front = connect(fake, testpmds, ",packed_vq=%d" % packed)
    assert len(backend.vring_addr) == 2 and ring_regions(backend)
    for region in backend.regions:
        assert region.offset + region.size <= region.file_size
    front.quit()
    assert backend.error is None


@pytest.mark.sluice
@LAYOUTS
def test_only_rings_and_pool_are_shared(fake, testpmds, packed):
    backend, front = connect(fake, testpmds, ",packed_vq=%d" % packed)
    rings = ring_regions(backend)
    others = [region for region in backend.regions if region not in rings]
    pool = pool_bytes(front)
    assert len(backend.regions) <= 8
    assert sum(region.size for region in rings) <= MIB, "rings of 2 x 256 entries"
    assert pool <= sum(region.size for region in others) <= pool + 2 * PAGE
    # A back end can map all of a file, so the files count, not only what the regions say of them.
    files = {os.fstat(region.fd).st_ino: region.file_size for region in backend.regions}
    assert sum(files.values()) < 16 * MIB
    ends = sorted((region.user, region.user + region.size) for region in backend.regions)
    assert all(a[1] <= b[0] for a, b in zip(ends, ends[1:])), "regions overlap"
    front.quit()


@pytest.mark.sluice
@LAYOUTS
def test_the_rings_file_is_sealed(fake, testpmds, packed):
    backend, front = connect(fake, testpmds, ",packed_vq=%d" % packed)
    for region in ring_regions(backend):
        assert region.seals() & SEALS == SEALS
        with pytest.raises(OSError):
            os.ftruncate(region.fd, 0)
    front.quit()


@pytest.mark.parametrize("name", ["f.sock", "longer-than-the-name-of-a-memzone.sock"], ids=["short", "long"])
def test_without_isolation_all_is_shared(fake, testpmds, name):
    """The control for the two above: all of EAL's 64 MiB are there to be seen, whatever the path."""
    backend, front = connect(fake, testpmds, ",isolation=none" if IS_SLUICE else "",
        ["--single-file-segments"] if IS_SLUICE else [], name=name)
    assert sum(region.size for region in backend.regions) >= 64 * MIB
    front.quit()


@pytest.mark.sluice
def test_memory_table_is_the_same_after_restart(fake, testpmds):
    backend, front = connect(fake, testpmds)
    first = sorted((r.size, r.file_size) for r in backend.regions)
    for _ in range(5):
        front.cmds("port stop 0", "port start 0")
    assert sorted((r.size, r.file_size) for r in backend.regions) == first
    front.quit()


@pytest.mark.sluice
def test_more_regions_than_the_back_end_takes(fake):
    """16384 mbufs lie in about twenty pages, each a file: refused with numbers and a remedy."""
    backend = fake()
    log, _ = run_front("path=" + backend.path, BIG_POOL)
    assert "Fail to start port" in log
    one_line_says(log, r"region", r"\b8\b", r"\b(1\d|2\d)\b")
    assert "single-file-segments" in log or "1 GiB" in log or "1G" in log
    assert "SET_VRING_ENABLE" not in backend.messages
    assert backend.error is None


@pytest.mark.sluice
def test_more_regions_than_net_vhost_takes(folder, testpmds):
    path = folder + "/v.sock"
    testpmds(["net_vhost0,iface=" + path])
    log, _ = run_front("path=" + path, BIG_POOL)
    assert "Fail to start port" in log
    one_line_says(log, r"region", r"\b8\b", r"\b(1\d|2\d)\b")


def test_the_remedy_for_too_many_regions(new_pair):
    pair = new_pair(Config("remedy", front_args=BIG_POOL,
        front_eal=["--single-file-segments"] if IS_SLUICE else []))
    pair.exchange("io", 300, SMALL)
    pair.close()


@pytest.mark.skipif(not hugetlbfs(), reason="hugetlbfs is not mounted")
def test_pages_in_hugetlbfs(new_pair):
    """EAL's default memory mode, a file in hugetlbfs for every page, instead of --in-memory."""
    pair = new_pair(Config("files", own_files=True))
    pair.exchange("io", 300, SMALL)
    pair.close()


@pytest.fixture
def no_huge_pages():
    """How to run a program in a group that may have no huge pages of 2 MiB, whatever the machine has."""
    root = next((line.split()[1] for line in open("/proc/mounts") if line.split()[2] == "cgroup2"), None)
    if root is None or "hugetlb" not in open(root + "/cgroup.controllers").read().split():
        pytest.skip("no cgroup v2 with the controller hugetlb")
    group = "%s/sluice_%d" % (root, os.getpid())
    os.mkdir(group)
    try:
        try:
            with open(root + "/cgroup.subtree_control", "w") as file:
                file.write("+hugetlb")
            with open(group + "/hugetlb.2MB.max", "w") as file:
                file.write("0")
        except OSError as error:
            pytest.skip("the controller hugetlb cannot be used: %s" % error)
        yield ["sh", "-c", 'echo $$ > %s/cgroup.procs && exec "$0" "$@"' % group]
    finally:
        wait_for(lambda: not open(group + "/cgroup.procs").read(), 10, "the group is empty")
        os.rmdir(group)


@pytest.mark.sluice
def test_huge_pages_that_are_not_allowed(fake, testpmds, no_huge_pages):
    """Rings of more than a MiB, for which the kernel has huge pages and the group may have none: small ones do."""
    backend = fake()
    front = testpmds(["%s0,path=%s" % (VDEV, backend.path)], front=True, args=["--txd=16384"],
        eal=["--no-huge"], own_files=True, wrap=no_huge_pages)
    wait_for(backend.ready, 5, "negotiation")
    assert sum(region.size for region in ring_regions(backend)) > MIB
    front.quit()
