# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""dma-tour on QEMU's edu device. What it says of itself is compared with those who do not know of it: the
kernel's trace of IOMMU maps and of interrupts, and QEMU's trace of IOMMU faults."""
import os
import re
import subprocess
import xml.etree.ElementTree

import pytest

from guest import BUILD
from machine import Machine

PROGRAM = os.path.join(BUILD, "app", "dma-tour", "dma-tour")
TRACE = "/sys/kernel/tracing"
PAGE = 4096
EDU, WIDE, PAIR = "0000:00:10.0", "0000:00:11.0", "0000:01:01.0"
DEVICES = ["-device", "edu,addr=0x10", "-device", "edu,addr=0x11,dma_mask=0xffffffffffffffff",
    # Behind a bridge for old devices there is one group for all.
    "-device", "pcie-pci-bridge,id=bridge,addr=0x12", "-device", "edu,bus=bridge,addr=0x1",
    "-device", "edu,bus=bridge,addr=0x2"]
INTEL = Machine("tour", {}, trace=["vtd_dmar_fault"], args=DEVICES)
AMD = Machine("tour-amd", {}, iommu="amd", args=DEVICES[:2])
NO_IOMMU = Machine("tour-no-iommu", {}, iommu="none", args=DEVICES[:2])

PHASES = ["prepare", "request", "response", "transfer", "complete", "post-process"]
TRANSFERS = ["Memory -> device: coherent memory, completion by polling",
    "Device -> memory: coherent memory, completion by polling",
    "Memory -> device: a packet, streaming, completion by interrupt",
    "Device -> memory: a packet, streaming, completion by interrupt"]
EVENT = re.compile(r" (map|unmap): IOMMU: iova=(0x\w+) - (0x\w+) (?:paddr=(0x\w+))?")
FAULT = re.compile(r"^vtd_dmar_fault sid (0x\w+) fault \d+ addr (0x\w+) write (\d)", re.M)

pytestmark = pytest.mark.skipif(not os.path.exists(PROGRAM), reason="dma-tour is not built in " + BUILD)


def tour(guest, *args, status=0, before="", device=EDU):
    """Output of the program, with --no-color; device is bound first."""
    if device:
        guest.vm.check("vm_bind vfio-pci " + device)
        before += "ulimit -l unlimited; "
        args = ("--device", device) + args
    got, data = guest.vm.run("%sexec dma-tour --no-color %s 2>&1" % (before, " ".join(args)), 120)
    text = data.decode()
    assert got == status, "status %d, not %d:\n%s" % (got, status, text)
    return text


def parts(text):
    """{title: its lines}"""
    found = {}
    for part in re.split(r"^\d+\. ", text, flags=re.M)[1:]:
        title, *lines = part.splitlines()
        found[title] = lines
    return found


def phases(lines):
    """The phases that a part tells, in its order: (name, text)"""
    found = [re.match(r"   (%s) +(.*)" % "|".join(PHASES), line) for line in lines]
    return [match.groups() for match in found if match]


def checks(text):
    return re.findall(r"^ {19}(ok|WRONG) +(.*)$", text, re.M)


def svg_of(guest, path):
    return xml.etree.ElementTree.fromstring(guest.vm.check("cat " + path))


def mappings(svg):
    """{page of Z: page of Y} of a picture"""
    found = {}
    for item in svg.iter("{http://www.w3.org/2000/svg}g"):
        if item.get("class") != "mapping":
            continue
        z, y = int(item.get("data-z"), 16), int(item.get("data-y"), 16)
        for off in range(0, int(item.get("data-len")), PAGE):
            assert (z + off) // PAGE not in found, "one page twice"
            found[(z + off) // PAGE] = (y + off) // PAGE
    return found


def last_mapped(trace):
    """{page of IOVA: page of physical memory} after the last map event; and after all events"""
    now, then = {}, {}
    for kind, begin, end, paddr in EVENT.findall(trace):
        pages = range(int(begin, 16) // PAGE, int(end, 16) // PAGE)
        for number, page in enumerate(pages):
            if kind == "map":
                assert page not in now, "mapped twice"
                now[page] = int(paddr, 16) // PAGE + number
            else:
                now.pop(page, None)
        if kind == "map":
            then = dict(now)
    return then, now


@pytest.fixture
def traced(boot):
    """The guest, while the kernel traces maps and VFIO's interrupts."""
    guest = boot(INTEL)
    guest.vm.check("cd %s; echo 8192 >buffer_size_kb; echo >trace\n"
        "echo 'name ~ \"vfio*\"' >events/irq/irq_handler_entry/filter\n"
        "for e in iommu/map iommu/unmap irq/irq_handler_entry; do echo 1 >events/$e/enable; done" % TRACE)
    yield guest
    if guest.vm.process.poll() is None:
        guest.vm.check("cd %s; for e in iommu/map iommu/unmap irq/irq_handler_entry; do\n"
            "echo 0 >events/$e/enable; done" % TRACE)


def test_phases_in_order(boot):
    text = tour(boot(INTEL))
    told = parts(text)
    assert list(told)[3:7] == TRANSFERS, list(told)
    for title in TRANSFERS:
        found = phases(told[title])
        assert [name for name, _ in found] == PHASES, title
        said = dict(found)
        to_memory, by_irq = title.startswith("Device"), "interrupt" in title
        assert ("device -> memory" if to_memory else "memory -> device") in said["transfer"]
        assert said["complete"].startswith("interrupt: 1 MSI" if by_irq else "polling: bit 0"), title
        assert ("dmap_map_mbuf()" in said["prepare"]) == by_irq
        assert ("dmap_unmap()" in said["post-process"]) == by_irq
        kernel = [line for line in told[title] if "| in a kernel: " in line]
        assert len(kernel) == 4, "prepare, request, complete and post-process have a counterpart"
    all_checks = checks(text)
    assert [what for verdict, what in all_checks if verdict != "ok"] == []
    for proof in ("1000 bytes are those that went to the device", "the other 3096 bytes of the page are"
            " untouched", "1500 bytes are those of the packet that went out", "128 bytes before and 548"
            " behind are untouched", "register 0x08 reads 3628800"):
        assert proof in [what for _, what in all_checks], proof
    assert text.splitlines()[-1] == \
        "15 transfers, 3 of them refused; 2 interrupts; %d checks, 0 wrong" % len(all_checks)
    bounce = told["Memory out of the device's reach: a bounce buffer, and sync"]
    assert [name for name, _ in phases(bounce)] == PHASES[:5] + ["post-process"] + PHASES[1:]
    assert "the CPU sees nothing of it yet" in "\n".join(bounce)
    assert "\033" not in text


def test_three_addresses(boot):
    """X, Y and Z differ, Z is within reach of the device, and the offset in a page is the same in all."""
    text = tour(boot(INTEL))
    found = re.findall(r"^   (.{16})X 0x(\w+) +Y 0x(\w+) +Z 0x(\w+) ", text, re.M)
    assert len(found) == 8, found
    for name, *numbers in found:
        x, y, z = (int(number, 16) for number in numbers)
        assert len({x, y, z}) == 3 and len({x % PAGE, y % PAGE, z % PAGE}) == 1, name
        assert z < 1 << 28, name
    assert re.search(r"dmap_add_external\(\) refuses:\n +dmap: %s: 4096 bytes at device address 0x\w+: "
        r"the device drives addresses up to 0xfffffff only" % EDU, text)


def test_picture_is_what_the_kernel_mapped(traced):
    text = tour(traced, "--svg", "/tmp/tour.svg")
    trace = traced.vm.check("cat %s/trace" % TRACE, 60)
    assert not re.search(r"LOST.*EVENTS", trace), "the trace is not complete"
    svg = svg_of(traced, "/tmp/tour.svg")
    then, now = last_mapped(trace)
    assert then, "positive control: the kernel traces maps"
    assert mappings(svg) == then
    assert not now, "maps are left at the end"
    assert "0 entries of the IOMMU are left" in text
    words = " ".join("".join(item.itertext()) for item in svg.iter("{http://www.w3.org/2000/svg}text"))
    for name in ("packet pool", "commands", "answers", "canary", "registers", "packet out", "packet in",
            "IOMMU", "0x8000000"):
        assert name in words, name
    assert len(re.findall(r"irq_handler_entry: .*name=vfio", trace)) == 2, "interrupts"


def test_refused_as_qemu_says(boot):
    guest = boot(INTEL)
    guest.vm.check("sleep 6")       # the kernel tells ten faults in five seconds
    before = len(guest.vm.read("guest_errors.log"))
    text = tour(guest)
    faults = {(int(address, 16) // PAGE * PAGE, int(write)) for sid, address, write in
        FAULT.findall(guest.vm.read("guest_errors.log")[before:]) if int(sid, 16) == 0x80}
    assert faults == {(0x8000000, 1), (0x8000000, 0), (0x100000, 1)}
    told = "\n".join(parts(text)["What is not mapped"])
    logged = re.findall(r"kernel's log +DMAR: \[DMA (\w+) .*fault addr (0x\w+)", told)
    assert logged == [("Write", "0x8000000"), ("Read", "0x8000000"), ("Write", "0x100000")], told
    order = ["Positive control", "the write changed the page", "the read brought the page's bytes",
        "Unmapped", "write refused: the canary is untouched", "read refused: 0 of 256 bytes",
        "write refused: the page is untouched", "How a program can tell"]
    places = [told.find(what) for what in order]
    assert -1 not in places and places == sorted(places), places


def test_a_device_without_limits_uses_virtual_addresses(boot):
    text = tour(boot(INTEL), "--dma-bits", "64", device=WIDE)
    found = re.findall(r"^   (commands|answers|packet \w+) +X (0x\w+) +Y 0x\w+ +Z (0x\w+) ", text, re.M)
    assert len(found) == 7 and all(x == z for _, x, z in found), found
    assert "dmap_add_external() maps it" in text


def test_a_wrong_limit_is_found_out(boot):
    """The checks can fail: a device with fewer address lines than the program was told."""
    text = tour(boot(INTEL), "--dma-bits", "64", status=1)
    assert ("WRONG", "1000 bytes are those that went to the device") in checks(text)
    assert re.search(r"[1-9]\d* wrong$", text)


def test_amd_iommu(boot):
    text = tour(boot(AMD), "--svg", "/tmp/tour.svg")
    assert checks(text) and all(verdict == "ok" for verdict, _ in checks(text))
    assert mappings(svg_of(boot(AMD), "/tmp/tour.svg"))


# --- refusals: each says what is wrong, and the cure; with status 3, but for what only fails later --

def test_no_edu_device():
    """On this machine; ends before EAL starts."""
    done = subprocess.run([PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=60, check=False)
    assert done.returncode == 3 and not done.stdout
    assert re.fullmatch(r"dma-tour: no edu device \(PCI 1234:11e8\).*-device edu,addr=0x10.*"
        r"intel-iommu,intremap=on.*devtools/vm tour.*\n", done.stderr), done.stderr


@pytest.mark.parametrize("args,message", [(["--dma-bits", "7"], "--dma-bits 7: a number from 22 to 64"),
    (["--nonsense"], "unrecognized option"), (["now"], "now: not an option")])
def test_bad_arguments(args, message):
    done = subprocess.run([PROGRAM] + args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=60, check=False)
    assert done.returncode == 2 and message in done.stderr and "--help" in done.stderr


def test_no_iommu(boot):
    text = tour(boot(NO_IOMMU), device=None, status=3)
    assert re.search(EDU + ": the device is in no IOMMU group.*intel_iommu=on", text)


def test_not_bound(boot):
    guest = boot(INTEL)
    guest.vm.check("vm_bind uio_pci_generic " + EDU)
    text = tour(guest, "--device", EDU, device=None, status=3)
    assert re.search("driver is uio_pci_generic, not vfio-pci: bind it .*-b vfio-pci " + EDU, text)


def test_shared_group(boot):
    guest = boot(INTEL)
    guest.vm.check("vm_bind vfio-pci 0000:01:02.0")
    text = tour(guest, device=PAIR, status=3)
    assert re.search(PAIR + r": shares IOMMU group \d+ with 0000:01:02.0", text)


def test_busy_group(boot):
    guest = boot(INTEL)
    guest.vm.check("vm_bind vfio-pci " + EDU)
    holder = guest.vm.check("sleep 1000 <>/dev/vfio/$(basename $(readlink /sys/bus/pci/devices/%s/"
        "iommu_group)) >/dev/null 2>&1 & echo $!" % EDU).strip()
    try:
        # Not bound anew, which would make a new group.
        assert "another program" in tour(guest, "--device", EDU, device=None, status=3)
    finally:
        guest.vm.check("kill %s; usleep 100000" % holder)


def test_iova_mode_pa(boot):
    assert "IOVA mode PA" in tour(boot(INTEL), "--", "--iova-mode=pa", status=3)


def test_no_hugepages(boot):
    guest = boot(INTEL)
    path = "/proc/sys/vm/nr_hugepages"
    before = guest.vm.check("cat %s; echo 0 >%s" % (path, path)).strip()
    try:
        assert re.search("EAL did not start .*hugepages", tour(guest, status=3))
    finally:
        guest.vm.check("echo %s >%s" % (before, path))


def test_picture_cannot_be_written(boot):
    text = tour(boot(INTEL), "--svg", "/nowhere/tour.svg", status=1)
    assert "dma-tour: --svg /nowhere/tour.svg: No such file or directory" in text
