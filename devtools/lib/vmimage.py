# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What a guest boots: Debian's kernel, unpacked but not installed, and an initramfs of this machine's
own programs with their libraries.

The initramfs is two archives that the kernel unpacks one after the other: a big one that changes only
when the machine's packages do, kept in .cache/vm/, and a small one of what is built here, made anew
each time. Neither is compressed: the guest is emulated, and unpacking would take it seconds.
"""
import fcntl
import glob
import hashlib
import lzma
import os
import re
import shutil
import stat
import struct
import subprocess
import sys

import vmvduse
from debpkg import Trouble, need, output
from vmfetch import CACHE, KERNEL, NEW_KERNEL, ROOT, newest, say, stable_kernel

INIT = os.path.join(ROOT, "devtools", "lib", "vm-init.sh")
GUEST_SOURCES = os.path.join(ROOT, "tests", "vm", "guest")
EDU_REGS = os.path.join(ROOT, "app", "dma-tour", "edu_regs.h")
PLUGIN_FOLDER = "/usr/lib/sluice"
VDUSE_FOLDER = "/usr/lib/vduse"
PLUGIN = "librte_net_sluice.so"

# With what they depend on; the guest loads them by modprobe.
MODULES = ["vfio-pci", "vfio_iommu_type1", "uio_pci_generic", "virtio_pci", "virtio_console",
    "virtio_iommu", "virtio_net", "tun", "tap", "veth", "bridge", "vhost_net", "nf_tables", "vduse", "vhost_vdpa", "vdpa_sim_net"]
PROGRAMS = ["dpdk-testpmd", "dpdk-proc-info", "dpdk-pdump", "dpdk-dumpcap", "vdpa"]
# Loaded by glibc itself when a thread is cancelled, so that no library names it.
HIDDEN = [r"libgcc_s\.so\.1"]


# --- the kernel ----------------------------------------------------------------------------------

def extract_vmlinux(bzimage, vmlinux):
    """The ELF file inside: QEMU enters it directly, which saves the guest the unpacking."""
    with open(bzimage, "rb") as file:
        data = file.read()
    # Where it is: Documentation/arch/x86/boot.rst, setup_sects, payload_offset and payload_length.
    offset, length = struct.unpack_from("<II", data, 0x248)
    begin = (data[0x1f1] + 1) * 512 + offset
    payload = data[begin:begin + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        elf = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(b"\x28\xb5\x2f\xfd"):
        # Its last word is the size of what comes out.
        elf = subprocess.run([need("zstd", "zstd"), "-dcq"], input=payload[:-4], check=True,
            stdout=subprocess.PIPE).stdout
    else:
        raise Trouble("%s: neither xz nor zstd inside" % bzimage)
    if elf[:4] != b"\x7fELF":
        raise Trouble("%s: no ELF file inside" % bzimage)
    with open(vmlinux + ".new", "wb") as file:
        file.write(elf)
    os.rename(vmlinux + ".new", vmlinux)


def kernel(series=KERNEL):
    """(vmlinux, folder of its modules). Ubuntu has the modules in a package of their own, linux-modules-SERIES..., beside the other."""
    package = newest(series) or (stable_kernel() if series == KERNEL else None)
    if not package:
        raise Trouble("no kernel %s from Debian's backports: run devtools/setup" % series)
    tree = os.path.join(CACHE, "kernel-" + series)
    made_of = os.path.join(tree, "PACKAGE")
    try:
        with open(made_of, encoding="ascii") as file:
            fresh = file.read() == os.path.basename(package)
    except OSError:
        fresh = False
    if not fresh:
        say("unpacking " + os.path.basename(package))
        shutil.rmtree(tree, ignore_errors=True)
        for part in [package] + glob.glob(os.path.join(CACHE, "linux-modules-%s.*.deb" % series)):
            output("dpkg-deb", "-x", part, tree)
        if os.path.isdir(os.path.join(tree, "usr/lib/modules")):
            shutil.move(os.path.join(tree, "usr/lib/modules"), os.path.join(tree, "lib/modules"))
        shutil.rmtree(os.path.join(tree, "usr"), ignore_errors=True)
        extract_vmlinux(glob.glob(tree + "/boot/vmlinuz-*")[0], os.path.join(tree, "vmlinux"))
        with open(made_of, "w", encoding="ascii") as file:
            file.write(os.path.basename(package))
    return os.path.join(tree, "vmlinux"), glob.glob(tree + "/lib/modules/*")[0]


def module_name(path):
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def read_module(path):
    if path.endswith(".zst"):
        return subprocess.run([need("zstd", "zstd"), "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    with (lzma.open(path) if path.endswith(".xz") else open(path, "rb")) as file:
        return file.read()


def module_closure(folder, wanted):
    """{path: paths it depends on}, as the .modinfo of each module says."""
    files = {module_name(p): p for p in glob.glob(folder + "/kernel/**/*.ko*", recursive=True)}
    todo, found = [name.replace("-", "_") for name in wanted], {}
    while todo:
        path = files.get(todo.pop())
        if path is None or path in found:
            continue        # not there: built into the kernel
        match = re.search(rb"\0depends=([^\0]*)\0", read_module(path))
        names = [n.replace("-", "_") for n in (match.group(1).decode() if match else "").split(",") if n]
        found[path] = [files[n] for n in names]
        todo += names
    return found


def all_needed(path, modules):
    """What modprobe wants in modules.dep: the dependencies' dependencies too, nearest first."""
    order = []
    for other in modules[path]:
        for one in [other] + all_needed(other, modules):
            if one in order:
                order.remove(one)
            order.append(one)
    return order


# --- archives ------------------------------------------------------------------------------------

class Archive:
    """An initramfs in cpio's "newc" format."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.made = set()

    def entry(self, name, mode, data=b"", device=(0, 0)):
        name = name.strip("/")
        if name in self.made:
            return
        self.made.add(name)
        encoded = name.encode() + b"\0"
        fields = [len(self.made), mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0]
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
        self.file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def folder(self, name):
        parts = name.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            self.entry("/".join(parts[:depth]), stat.S_IFDIR | 0o755)

    def link(self, name, target):
        self.folder(os.path.dirname(name) or "/tmp")
        self.entry(name, stat.S_IFLNK | 0o777, target.encode())

    def put(self, name, data, mode=0o644):
        self.folder(os.path.dirname(name) or "/tmp")
        self.entry(name, stat.S_IFREG | mode, data)

    def copy(self, path, name=None):
        """A file under the name that it has here; links stay links, to the very same file."""
        name = name or real_folder(path)
        if os.path.islink(path):
            target = os.readlink(path)
            self.link(name, target)
            self.copy(os.path.join(os.path.dirname(real_folder(path)), target))
            return
        with open(path, "rb") as file:
            self.put(name, file.read(), stat.S_IMODE(os.stat(path).st_mode))

    def close(self):
        self.made.clear()
        self.entry("TRAILER!!!", 0)
        self.file.write(b"\0" * (-self.file.tell() % 512))
        self.file.close()


def real_folder(path):
    """path with the links of its folders (as /lib to /usr/lib), but not its own, resolved."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def libraries(files):
    """The shared libraries that programs and libraries need, and the dynamic linker."""
    text = output("ldd", *files)
    missing = sorted(set(re.findall(r"(\S+) => not found", text)))
    if missing:
        raise Trouble("%s: needed by DPDK's programs and not installed" % ", ".join(missing))
    return sorted(set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", text, re.M)))


def find_library(name):
    """Where the dynamic linker finds a library; name is a regular expression."""
    match = re.search(r"^\s*%s \(.*x86-64.*\) => (\S+)$" % name,
        output(need("ldconfig", "libc-bin"), "-p"), re.M)
    if not match:
        raise Trouble("no %s on this machine" % name)
    return match.group(1)


def base_files():
    testpmd = need("dpdk-testpmd", "dpdk-dev")
    programs = [p for name in PROGRAMS for p in [shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")] if p]
    eal = find_library(r"librte_eal\.so\.\d+")
    plugins = glob.glob(os.path.dirname(os.path.realpath(eal)) + "/dpdk/pmds-*/*.so.*")
    if not plugins:
        raise Trouble("no DPDK drivers beside %s" % eal)
    assert testpmd in programs
    return programs, sorted(plugins) + [find_library(name) for name in HIDDEN]


def base_archive(series=KERNEL):
    """(vmlinux, path of the big archive), made unless those of the same files are there"""
    os.makedirs(CACHE, exist_ok=True)
    with open(os.path.join(CACHE, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # others may want it at the same time
        return make_base_archive(series)


def make_base_archive(series):
    vmlinux, modules_folder = kernel(series)
    busybox = "/bin/busybox"
    if not os.path.exists(busybox) or "INTERP" in output("readelf", "-l", busybox):
        raise Trouble("no static busybox: run devtools/setup (Debian package busybox-static)")
    programs, plugins = base_files()
    modules = module_closure(modules_folder, MODULES)
    digest = hashlib.sha256(repr(MODULES).encode())
    for path in [busybox, __file__, modules_folder] + programs + plugins:
        info = os.stat(path)
        digest.update(("%s %d %d\n" % (path, info.st_mtime_ns, info.st_size)).encode())
    path = os.path.join(CACHE, "base-%s-%s.cpio" % (series, digest.hexdigest()[:16]))
    if os.path.exists(path):
        return vmlinux, path
    say("building the initramfs for kernel " + series)
    for old in glob.glob(os.path.join(CACHE, "base-%s-*.cpio*" % series)):
        os.unlink(old)
    archive = Archive(path + ".new")
    for name in ("bin", "sbin", "lib", "lib64"):
        archive.folder("/usr/" + name)
        archive.link(name, "usr/" + name)
    archive.copy(busybox, "/usr/bin/busybox")
    for applet in output(busybox, "--list").split():
        archive.link("/usr/bin/" + applet, "busybox")
    for file in programs + plugins + libraries(programs + plugins):
        archive.copy(file)
    release = os.path.basename(modules_folder)
    names = {p: os.path.relpath(p, modules_folder).removesuffix(".xz").removesuffix(".zst") for p in modules}
    for module in modules:
        archive.put("/usr/lib/modules/%s/%s" % (release, names[module]), read_module(module))
    archive.put("/usr/lib/modules/%s/modules.dep" % release, "".join("%s: %s\n" % (names[p],
        " ".join(names[d] for d in all_needed(p, modules))) for p in sorted(modules)).encode())
    archive.close()
    os.rename(path + ".new", path)
    return vmlinux, path


def vduse_archive():
    """Path of an archive with the VDUSE server, for guests that are to have it"""
    path = os.path.join(CACHE, "vduse.cpio")
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(vmvduse.TREE):
        archive = Archive(path + ".new")
        for file in sorted(glob.glob(vmvduse.TREE + "/*")):
            archive.copy(file, os.path.join(VDUSE_FOLDER, os.path.basename(file)))
        archive.close()
        os.rename(path + ".new", path)
    return path


def compiled(name, source, headers, *options):
    """Path in the cache of what a C file makes, compiled when it is older than what it is made of."""
    path = os.path.join(CACHE, name)
    if not os.path.exists(path) or os.path.getmtime(path) < max(map(os.path.getmtime, [source] + headers)):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        new = "%s.%d" % (path, os.getpid())     # others may want it at the same time
        output(os.environ.get("CC", "gcc"), "-std=gnu11", "-Wall", "-Wextra", "-Werror", *options,
            "-o", new, source)
        os.rename(new, path)
    return path


def guest_tools():
    """Small C programs of the tests, static"""
    return [compiled(os.path.join("tools", os.path.basename(source)[:-2]), source, [EDU_REGS], "-O1", "-static",
        "-I", os.path.dirname(EDU_REGS)) for source in sorted(glob.glob(GUEST_SOURCES + "/*.c"))]


def overlay_archive(path, build, add=()):
    """What belongs to one run: init, the plug-in and programs of a build folder, further files.
    True if the plug-in was there."""
    plugin = os.path.join(build, "drivers", PLUGIN)
    has_plugin = os.path.exists(plugin)
    archive = Archive(path)
    with open(INIT, "rb") as file:
        archive.put("init", file.read(), 0o755)
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "results", "etc"):
        archive.folder(name)
    archive.link("/var/run", "../run")
    archive.put("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    archive.put("/etc/group", b"root:x:0:\n")
    built = [p for p in glob.glob(os.path.join(build, "app", "*", "*"))
        if os.path.isfile(p) and os.access(p, os.X_OK) and not p.endswith(".so")]
    for file in built + guest_tools() + list(add):
        with open(file, "rb") as opened:
            archive.put("/usr/bin/" + os.path.basename(file), opened.read(), 0o755)
    for file in libraries(built) if built else []:
        archive.copy(file)
    if has_plugin:
        with open(plugin, "rb") as file:
            archive.put(os.path.join(PLUGIN_FOLDER, PLUGIN), file.read(), 0o755)
        for file in libraries([plugin]):
            archive.copy(file)
    archive.close()
    return has_plugin


def main():
    """Prepares all that does not depend on the build; says what had to be done."""
    try:
        base_archive()
        if newest(NEW_KERNEL):
            base_archive(NEW_KERNEL)
    except Trouble as error:
        say(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
