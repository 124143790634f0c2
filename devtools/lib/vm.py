#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The command line of devtools/vm, which runs this; first with --parse, which ends when the command line was read."""
import argparse
import base64
import fcntl
import glob
import io
import os
import select
import shlex
import shutil
import signal
import struct
import sys
import tarfile
import termios
import threading
import time
import tty

import vmfetch
import vmimage
from debpkg import Trouble
from vmqemu import GuestDeadline, GuestDied, Nic, Vm

DRIVER = os.environ.get("SLUICE_TEST_PCI", "net_sluice_pci")
RESULTS = os.path.join(vmfetch.CACHE, "results")
KEPT = 20
EDU = "0000:00:10.0"
ESCAPE = b"\x1d"            # Ctrl-]
ENDED = b"\x00<ended>"      # ends what a program wrote to the terminal


def parse(what, *words):
    parser = argparse.ArgumentParser(prog="devtools/vm", description="Run things in a QEMU guest with an "
        "IOMMU. Results (console and QEMU logs, and what the guest left in /results) go to a folder.")
    parser.add_argument("--iommu", default="intel", metavar="KIND[,PROPERTY=VALUE...]",
        help="intel (default), amd, virtio or none, and changes of its properties: intel,intremap=off,aw-bits=39")
    parser.add_argument("--nics", type=int, default=2, help="devices, unless --nic is given (default 2)")
    parser.add_argument("--nic", action="append", default=[], metavar="PROPERTIES",
        help="one more device, with these properties of virtio-net-pci ('' for none)")
    parser.add_argument("--netdev", action="append", default=[], metavar="NETDEV",
        help="value of -netdev, without id, for the devices in turn (default: pairs joined to each other)")
    parser.add_argument("--bind", default="vfio-pci", metavar="DRIVER",
        help="the kernel driver that gets the devices (default vfio-pci; none leaves them alone)")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", type=int, default=2048, metavar="MB")
    parser.add_argument("--hugepages", type=int, default=400, metavar="N", help="of 2 MiB (default 400)")
    parser.add_argument("--append", default="", help="more kernel command line")
    parser.add_argument("--qemu", default="qemu-system-x86_64", help="another QEMU; backports, testing: the one from there in Debian")
    parser.add_argument("--kernel", default=vmfetch.KERNEL, choices=[vmfetch.KERNEL, vmfetch.NEW_KERNEL],
        help="the guest's kernel (default %(default)s)")
    parser.add_argument("--qemu-arg", action="append", default=[], metavar="ARG",
        help="one more argument for QEMU, before the devices (repeat it)")
    parser.add_argument("--qmp", metavar="PATH", help="a QMP socket for you")
    parser.add_argument("--trace", action="append", default=[], metavar="PATTERN",
        help="QEMU trace points, such as 'vtd_dmar_fault' or 'virtio_*'; they go to guest_errors.log")
    parser.add_argument("--add", action="append", default=[], metavar="FILE",
        help="a file of this machine for the guest's /usr/bin")
    parser.add_argument("--results", metavar="DIR", help="default: a new one below .cache/vm/results/")
    parser.add_argument("--deadline", type=int, metavar="SECONDS",
        help="end the guest then (default 600; shell and testpmd: none)")
    parser.add_argument("-v", "--verbose", action="store_true", help="also say how long things took")
    # What follows the options belongs to the guest, dashes or not.
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    options.what = what
    if what == "tour":
        options.nics = 0
        options.qemu_arg += ["-device", "edu,addr=" + EDU[-4:-2]]
    if what in ("run", "scenario") and not options.rest:
        parser.error("what should the guest run?")
    return options


def results_folder(path):
    if path:
        return path
    os.makedirs(RESULTS, exist_ok=True)
    for old in sorted(glob.glob(RESULTS + "/2*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return os.path.join(RESULTS, time.strftime("%Y%m%d-%H%M%S-") + str(os.getpid()))


def make_vm(options, props=()):
    kind, *changes = options.iommu.split(",")
    extra = ",".join(props)
    wanted = options.nic or [""] * options.nics
    netdevs = options.netdev + ["join"] * (len(wanted) - len(options.netdev))
    if netdevs.count("join") % 2:
        netdevs[-1] = "peer"        # nobody is there: what is sent is dropped
    nics = [Nic(",".join(filter(None, [p, extra])), n) for p, n in zip(wanted, netdevs)]
    return Vm(results_folder(options.results), nics, iommu=kind,
        iommu_props=dict(change.split("=", 1) for change in changes),
        build=os.environ.get("SLUICE_BUILD"), bind="" if options.bind == "none" else options.bind,
        memory=options.memory, cpus=options.cpus, hugepages=options.hugepages, append=options.append,
        args=options.qemu_arg, trace=options.trace, add=options.add, qemu=options.qemu,
        kernel=options.kernel, qmp_path=options.qmp)


def on_terminal(command, owned):
    """A script that runs a command on the guest's terminal; ENDED there tells that all output came.
    owned: the terminal is its input, and sends it signals."""
    # A session whose leader ends is cut off from its terminal at once: stty waits until all was sent.
    run = "setsid -c sh -c 'sh /tmp/job; status=$?; stty sane; exit $status' </dev/hvc0" if owned \
        else "sh /tmp/job </dev/null"
    return ("cat >/tmp/job <<'%s'\n%s\n%s\n" % ("~~end~of~job~~", command, "~~end~of~job~~")
        + "cd /root; %s >/dev/hvc0 2>&1; status=$?\n" % run
        + "printf '\\000<ended>' >/dev/hvc0; exit $status")


class Tail:
    """Passes on what comes, but for ENDED at the end."""

    def __init__(self):
        self.held = b""

    def __call__(self, data):
        self.held += data
        keep = len(self.held)
        at = self.held.find(ENDED[:1])
        if at >= 0 and ENDED.startswith(self.held[at:at + len(ENDED)]):
            keep = at
        data, self.held = self.held[:keep], self.held[keep:]
        if self.held == ENDED:
            self.held = b""
        while data:
            data = data[os.write(1, data):]


def fetch_results(vm):
    status, data = vm.run("cd /results && [ -n \"$(ls -A)\" ] && tar -c . | gzip -1", 120)
    if status == 0:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(vm.path("guest"))


def batch(vm, command, deadline):
    vm.terminal.tee = Tail()
    status, data = vm.run(on_terminal(command, False), deadline)
    vm.terminal.wait(lambda got: ENDED in got, 10, "the end of the output")
    sys.stderr.buffer.write(data)
    fetch_results(vm)
    return status


def window_size():
    try:
        rows, columns = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))[:2]
    except OSError:
        rows = columns = 0
    return rows or 24, columns or 80


def interactive(vm, command):
    """This terminal becomes the guest's until the command ends, or Ctrl-] ends the guest."""
    rows, columns = window_size()
    vm.check("stty -F /dev/hvc0 sane rows %d cols %d" % (rows, columns))
    status = [130]
    vm.terminal.tee = Tail()

    def job():
        try:
            status[0] = vm.run(on_terminal(command, True), 1 << 30)[0]
        except (GuestDied, OSError):
            pass
        finally:
            os.write(wake[1], b"x")
    wake = os.pipe()
    saved = termios.tcgetattr(0) if os.isatty(0) else None
    threading.Thread(target=job, daemon=True).start()
    try:
        if saved:
            tty.setraw(0)
        watched = [0, wake[0]]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if wake[0] in ready:
                break
            data = os.read(0, 4096)
            if ESCAPE in data:
                break
            if data:
                vm.terminal.end.sendall(data)
            else:
                watched = [wake[0]]     # input ended: wait until the program does
                vm.terminal.end.sendall(b"\x04")
    finally:
        if saved:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
    return status[0]


def testpmd_command(vm, args):
    devargs = ",sluice=1" if DRIVER == "net_sluice_pci" else ""
    command = ["dpdk-testpmd", "-l", "0,1"]
    if vm.has_plugin and devargs:
        command += ["-d", vmimage.PLUGIN]
    for nic in vm.nics:
        command += ["-a", nic.bdf + devargs]
    return command + ["--", "-i", "--no-mlockall", "--nb-cores=1", "--total-num-mbufs=8192"] + args


def tour_command(vm, args):
    """dma-tour on the edu device, its picture among the results."""
    if not os.path.exists(os.path.join(vm.build, "app", "dma-tour", "dma-tour")):
        raise Trouble("dma-tour is not built in %s (meson configure -Dapps=true)" % vm.build)
    if not any(arg.startswith("--svg") for arg in args):
        args = ["--svg", "/results/dma-tour.svg"] + args
    # What cannot be bound is for dma-tour to explain.
    return "vm_bind vfio-pci %s; exec %s" % (EDU, shlex.join(["dma-tour"] + args))


def split_rest(options):
    """(properties of devices, words for what runs in the guest)"""
    rest = options.rest
    if options.what != "testpmd":
        return [], rest[1:] if rest[:1] == ["--"] else rest
    cut = rest.index("--") if "--" in rest else len(rest)
    for prop in rest[:cut]:
        if "=" not in prop:
            raise Trouble("%s: a property is PROPERTY=VALUE" % prop)
    return rest[:cut], rest[cut + 1:]


def use(vm, what, rest, seconds):
    """Does in the guest what was asked for; the exit status."""
    if what == "run":
        # One word is shell, as with ssh; several are a command and its arguments.
        return batch(vm, rest[0] if len(rest) == 1 else shlex.join(rest), seconds)
    if what == "scenario":
        with open(rest[0], encoding="utf-8") as file:
            text = base64.b64encode(file.read().encode()).decode()
        return batch(vm, "echo %s | base64 -d >/tmp/scenario; sh /tmp/scenario %s" % (text,
            shlex.join(rest[1:])), seconds)
    if what == "tour":
        status = batch(vm, tour_command(vm, rest), seconds)
        vmimage.say("pictures and logs are in " + vm.path("guest"))
        return status
    if what == "shell":
        return interactive(vm, "cd /root; exec sh -l")
    return interactive(vm, shlex.join(testpmd_command(vm, rest)))


def work(options):
    begin = time.monotonic()
    props, rest = split_rest(options)
    vm = make_vm(options, props)
    timer = None
    seconds = options.deadline or (None if options.what in ("shell", "testpmd") else 600)
    if seconds:
        timer = threading.Timer(seconds, vm.overdue)
        timer.daemon = True
        timer.start()
    try:
        vmfetch.say("a guest boots, in about half a minute")
        vm.start()
        if options.verbose:
            vmfetch.say("booted in %.1f s, results in %s" % (vm.boot_seconds, vm.results))
        return use(vm, options.what, rest, seconds)
    except (GuestDied, GuestDeadline):
        if vm.was_overdue:
            vmfetch.say("not done after %d s\n%s" % (seconds, vm.logs()))
            return 124
        raise
    finally:
        if timer:
            timer.cancel()
        vm.stop()
        if options.verbose:
            vmfetch.say("%.1f s in all" % (time.monotonic() - begin))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if sys.argv[1] == "--parse":
        parse(*sys.argv[2:])
        return
    options = parse(*sys.argv[1:])
    try:
        sys.exit(work(options))
    except (Trouble, GuestDied, GuestDeadline, OSError) as error:
        vmfetch.say(str(error))
        sys.exit(125)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
