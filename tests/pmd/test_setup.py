# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""devtools/setup, twice in one tree: devtools/package and devtools/demo start one as well. And what it does for the demo."""
import fcntl
import glob
import os
import platform
import shutil
import subprocess

import pytest

from testpmd import REPO


# What apt and dpkg do and say on a machine on which no DPDK is installed, or, with the file "all", all of it.
APT = """#!/bin/sh
echo "$*" >>{0}/asked
case " $* " in
*" download "*) cp {0}/debs/*.deb . ;;
*" dpdk "*) touch {0}/all ;;
esac
"""
QUERY = """#!/bin/sh
case $DPKG_ADMINDIR,$* in
,*dpdk*) test -e {0}/all || exit 1 ;;
,*) ;;
*) exec /usr/bin/dpkg-query "$@" ;;
esac
echo installed
"""
PC = "prefix=/usr\nName: DPDK\nDescription: DPDK\nVersion: 22.11.0\nRequires.private: none\nCflags: -I${prefix}/include/dpdk\n"


def make_tree(folder):
    tree = os.path.join(folder, "tree")
    shutil.copytree(os.path.join(REPO, "devtools"), os.path.join(tree, "devtools"))
    return tree


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, mode)


def make_package(folder, name, depends):
    control = "Package: %s\nVersion: 22.11.0-1\nArchitecture: all\nMaintainer: nobody\nDepends: %s\nDescription: none\n"
    write(os.path.join(folder, name, "DEBIAN", "control"), control % (name, depends))
    subprocess.run(["dpkg-deb", "-b", name, "debs/%s_1_all.deb" % name], cwd=folder, check=True, capture_output=True)


@pytest.fixture(name="without_dpdk")
def without_dpdk_fixture(folder):
    """The environment of a machine whose apt has two small packages"""
    triplet = platform.machine() + "-linux-gnu"
    libraries = os.path.join(folder, "libdpdk-dev", "usr", "lib", triplet)
    for name in ("debs", "archives", "pc", "dpdk-dev/usr/bin"):
        os.makedirs(os.path.join(folder, name))
    shutil.copy("/bin/true", os.path.join(folder, "dpdk-dev/usr/bin/dpdk-testpmd"))
    write(os.path.join(libraries, "pkgconfig", "libdpdk.pc"), PC)
    write(os.path.join(folder, "libdpdk-dev/usr/include/dpdk/ethdev_driver.h"), "")
    write(os.path.join(libraries, "librte_eal.a"), "")
    os.symlink("librte_eal.so.23", os.path.join(libraries, "librte_eal.so"))
    make_package(folder, "dpdk-dev", "libdpdk-dev (>= 22), python3, librte-eal23 (>= 22)")
    make_package(folder, "libdpdk-dev", "librte-eal23 (= 22)")
    write(os.path.join(folder, "bin", "apt-get"), APT.format(folder), 0o755)
    write(os.path.join(folder, "bin", "dpkg-query"), QUERY.format(folder), 0o755)
    write(os.path.join(folder, "apt.conf"), 'Dir::Cache::archives "%s/archives";\n' % folder)
    env = {name: value for name, value in os.environ.items() if name != "PKG_CONFIG_PATH"}
    return dict(env, PATH=folder + "/bin:" + os.environ["PATH"], APT_CONFIG=folder + "/apt.conf", PKG_CONFIG_LIBDIR=folder + "/pc",
        SLUICE_HUGEPAGES="0")


@pytest.mark.skipif(os.geteuid() or not os.path.exists("/etc/debian_version"), reason="takes root and Debian")
def test_demo_without_dpdk(folder, without_dpdk):
    """Headers and testpmd are unpacked, what testpmd depends on is installed; again nothing is done; and when all is installed,
    nothing of it is left."""
    tree = make_tree(folder)
    unpacked, asked = os.path.join(tree, ".cache", "dpdk"), os.path.join(folder, "asked")

    def setup(part):
        return subprocess.run([tree + "/devtools/setup", "-q", part], env=without_dpdk, stdin=subprocess.DEVNULL, timeout=60,
            check=True, capture_output=True, text=True).stdout

    assert "it is in .cache/dpdk/" in setup("demo")
    with open(asked, encoding="ascii") as file:
        download, install = file.read().splitlines()
    assert download.endswith("download dpdk-dev libdpdk-dev")
    assert install.endswith("--mark-auto python3 librte-eal23 libbsd-dev librte-net-vhost23 librte-net-virtio23")
    assert sorted(os.listdir(os.path.join(folder, "archives"))) == ["dpdk-dev_1_all.deb", "libdpdk-dev_1_all.deb"]
    library, = glob.glob(unpacked + "/usr/lib/*/librte_*")
    assert os.readlink(library) == os.path.dirname(library)[len(unpacked):] + "/librte_eal.so.23"
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk"], check=True, capture_output=True, text=True,
        env=dict(without_dpdk, PKG_CONFIG_PATH=os.path.dirname(library) + "/pkgconfig")).stdout
    assert os.path.samefile(flags.strip()[2:], unpacked + "/usr/include/dpdk")
    os.makedirs(os.path.join(tree, "build", "demo"))
    assert setup("demo") == "" and os.path.exists(os.path.join(tree, "build", "demo"))
    installed = PC.replace("prefix=/usr", "prefix=%s/libdpdk-dev/usr" % folder).replace("Requires.private: none\n", "")
    write(os.path.join(folder, "pc", "libdpdk.pc"), installed)
    write(os.path.join(folder, "all"), "")
    setup("demo")
    assert not os.path.exists(unpacked) and not os.path.exists(os.path.join(tree, "build", "demo"))


def test_demo_by_its_name(folder):
    """What is missing for the demo is fetched by the demo's name, whatever part has it."""
    if subprocess.run(["pkg-config", "--exists", "libdpdk"], check=False).returncode:
        pytest.skip("there is no DPDK")
    said = subprocess.run([make_tree(folder) + "/devtools/setup", "-n", "demo"], timeout=60, check=False, capture_output=True,
        env=dict(os.environ, SLUICE_HUGEPAGES="99999"), text=True).stdout
    assert "devtools/setup demo reserves 99999" in said and "devtools/setup plugin" not in said, said


def test_one_at_a_time(folder):
    """The tree has the packages and driver headers of this one, to which nothing may be added."""
    if subprocess.run([os.path.join(REPO, "devtools", "setup"), "-q", "-n", "plugin"], timeout=60, check=False).returncode:
        pytest.skip("something is missing: run devtools/setup plugin")
    tree = os.path.join(folder, "tree")
    os.makedirs(os.path.join(tree, "devtools", "lib"))
    for name in ("devtools/setup", "devtools/lib/common.sh"):
        shutil.copy(os.path.join(REPO, name), os.path.join(tree, name))
    if os.path.isdir(os.path.join(REPO, ".sdk")):
        os.symlink(os.path.join(REPO, ".sdk"), os.path.join(tree, ".sdk"))
    other = os.open(tree, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        env = dict(os.environ, SLUICE_HUGEPAGES="0")
        command = ["timeout", "60", os.path.join(tree, "devtools", "setup"), "plugin"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=env) as setup:
            assert setup.stdout.readline() == f"setup: waits for another one in {tree}\n"
            assert setup.poll() is None
            fcntl.flock(other, fcntl.LOCK_UN)
            text = setup.stdout.read()
        assert setup.returncode == 0 and text.endswith("setup: everything is there\n"), text
        # A look alone waits for nobody.
        fcntl.flock(other, fcntl.LOCK_EX)
        subprocess.run([command[2], "-n", "plugin"], timeout=60, check=True, env=env)
    finally:
        os.close(other)
