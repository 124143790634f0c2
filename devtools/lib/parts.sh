# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
# shellcheck shell=bash
#
# The parts that devtools/check and devtools/test are made of, and the way a part is run. Sourced
# after common.sh. A part is a function that prints its log and returns 0, non-zero, or 77 (skipped).

GCC=${GCC:-gcc}
CLANG=${CLANG:-clang}
LOGS=$SLUICE_ROOT/build/logs
FAILED_PARTS=()
# Results of test programs, by run_part: the JUnit files that a part named here, one in a line, are counted.
JUNIT=
PASSED=0 FAILED=0 SKIPPED=0

c_files()
{
	git -C "$SLUICE_ROOT" ls-files -co --exclude-standard -- \
		'drivers/*.[ch]' 'app/*.[ch]' 'tests/*.[ch]' | while read -r f; do
		[ -f "$SLUICE_ROOT/$f" ] && echo "$f"
	done
}

part_format()
{
	cd "$SLUICE_ROOT" || return 1
	c_files | xargs -r clang-format --dry-run -Werror
}

# Comments of C files end by column 100; clang-format sees to code, and long strings are not broken.
part_columns()
{
	cd "$SLUICE_ROOT" || return 1
	c_files | while read -r f; do
		expand -t 8 "$f" | awk -v f="$f" 'length($0) > 100 && (/^ *(\/\*| \*)/ || (/\*\/$/ && !/"/)) {
			print f ":" NR ": " length($0) " columns"; bad = 1 } END { exit bad }' || echo bad
	done | { ! grep -v '^bad$'; }
}

# The licence is in the first line, or in the second one when the first says which interpreter runs it.
part_spdx()
{
	local f first bad=0
	cd "$SLUICE_ROOT" || return 1
	while read -r f; do
		[ -f "$f" ] || continue
		first=$(head -n 1 "$f" | tr -d '\0')
		case $f:$first in
		*:'#!'*) first=$(sed -n 2p "$f") ;;
		*.[ch]:* | *.py:* | *.sh:* | *meson.build:* | *meson_options.txt:*) ;;
		*) continue ;;
		esac
		case $first in
		*SPDX-License-Identifier:*) ;;
		*) echo "$f: no SPDX-License-Identifier in the first line" && bad=1 ;;
		esac
	done < <(git ls-files -co --exclude-standard)
	return $bad
}

part_layers()
{
	"$SLUICE_ROOT/devtools/check-layers"
}

part_states()
{
	"$SLUICE_ROOT/devtools/check-states"
}

part_scripts()
{
	local f bad=0
	cd "$SLUICE_ROOT" || return 1
	for f in .ci/run devtools/* devtools/lib/*; do
		case $(head -n 1 "$f" 2>/dev/null):$f in
		'#!/bin/bash:'* | *.sh) bash -n "$f" || bad=1 ;;
		esac
	done
	return $bad
}

# unit_tests DIR [OPTION...]: what `meson test` has in a build folder.
unit_tests()
{
	local rc
	rm -f "$1/meson-logs/testlog.junit.xml"
	meson test --no-rebuild --print-errorlogs --timeout-multiplier 2 -C "$@" </dev/null
	rc=$?
	if [ -f "$1/meson-logs/testlog.junit.xml" ]; then
		JUNIT=$1/meson-logs/testlog.junit.xml
	elif [ $rc = 0 ]; then
		echo "there are no unit tests in $1" && rc=77
	fi
	return $rc
}

# pytest_part BUILD JUNIT [FILE...]: stock testpmd against net_vhost, with the plug-in of a build folder.
pytest_part()
{
	local build=$1 junit=$2
	shift 2
	rm -f "$junit"
	JUNIT=$junit
	cd "$SLUICE_ROOT" &&
		SLUICE_BUILD=$build "$PYTHON" -m pytest -o cache_dir="$junit.cache" --junitxml="$junit" "${@:-tests/pmd}"
}

# peers_part BUILD JUNIT [FILE...]: pytest_part for tests whose other half is a program or a guest that no one here wrote, on
# a machine that may be busy. Up to three tests that failed run once more, one at a time, and the summary names them. With
# sanitizers there is no second try: what they report may be rare, and is a fault each time.
peers_part()
{
	local rc=0 build=$1 first=$2 again=${2%.xml}-again.xml
	pytest_part "$@" --cache-clear || rc=$?
	[ $rc = 1 ] && [ "$("$PYTHON" "$SLUICE_ROOT/devtools/lib/junit.py" "$first" | cut -d ' ' -f 2)" -le 3 ] || return $rc
	echo "===== once more: what failed ====="
	shift 2
	rc=0
	pytest_part "$build" "$again" "$@" -o cache_dir="$first.cache" -n 0 --last-failed \
		--last-failed-no-failures none || rc=$?
	JUNIT=$first$'\n'$again
	return $rc
}

# Tests that look at no time but to bounds of seconds, the longest files first. Two run at once where there are hugepages
# for both: a test waits most of the time, for a testpmd that starts or ends.
PMD_PAIRS="secondary applications canary lifecycle deadlines hostile handshake forward sizes packages queues rx_csum tx_offload
sealed rss server pool queries promises lro debug cleanup limits many devargs ptypes ovs memory bonding top vlan
copy readme map examples config layers plugin passt telemetry fwd environment pools release container
any_order parts programs setup into_dpdk"

pmd_pairs()
{
	local files nb=1
	# shellcheck disable=SC2086 # words
	files=$(printf 'tests/pmd/test_%s.py ' $PMD_PAIRS)
	[ "$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)" -lt 512 ] || nb=2
	# shellcheck disable=SC2086 # words
	peers_part "$@" -n $nb --dist loadfile $files
}

# Those that look at microseconds and CPU time. Suricata takes the newer DPDK.
pmd_alone()
{
	# shellcheck disable=SC2046,SC2086 # words
	peers_part "$@" $(printf -- '--ignore=tests/pmd/test_%s.py ' $PMD_PAIRS suricata) tests/pmd
}

# Files of guests that take longest: who begins one of them at the end works alone.
VM_FIRST="interrupt vhost_user privilege filter kernel_traffic pairs tour forward secondary refusal tx_offload kernel queues
lifecycle numa device vdpa rss fallback"

guests()
{
	local files
	cd "$SLUICE_ROOT" || return 1
	# shellcheck disable=SC2086 # words
	files=$(printf '%s\n' $(printf 'tests/vm/test_vm_%s.py ' $VM_FIRST) tests/vm/test_*.py | awk '!/_cost/ && !seen[$0]++')
	# shellcheck disable=SC2086 # words
	peers_part "$@" -n 2 --dist loadfile $files
}

# The same with a sanitized plug-in: the runtime must be the first library of a program that is not
# sanitized itself. Leaks that such a program leaves at its end are not this driver's.
sanitized_pytest_part()
{
	LD_PRELOAD=$("$GCC" -print-file-name=libasan.so)
	export LD_PRELOAD ASAN_OPTIONS=detect_leaks=0
	pytest_part "$@"
}

# tsan_part FUNCTION [ARGS...]: programs go on after a report, so the reports count, not only the tests.
tsan_part()
{
	local rc reports
	rm -f "$LOGS"/tsan-report.*
	export TSAN_OPTIONS=log_path=$LOGS/tsan-report:suppressions=$SLUICE_ROOT/tests/tsan.supp:history_size=7
	"$@"
	rc=$?
	for reports in "$LOGS"/tsan-report.*; do
		[ -f "$reports" ] || continue
		cat "$reports"
		[ $rc != 0 ] || rc=1
	done
	return $rc
}

# What has no vectors is the same C as on this machine, where it was tested.
neon_unit_tests()
{
	export SLUICE_UNIT_ROWS=NEON
	unit_tests "$@"
}

tsan_unit_tests() { tsan_part unit_tests "$1" --suite threads; }

# The sanitizer makes everything slow: times are not what is tested.
tsan_pytest_part()
{
	export SLUICE_TEST_TOOLS=$SLUICE_BUILD SLUICE_TEST_NOISE=1000 SLUICE_TEST_SLACK=8 SLUICE_TEST_RESTARTS=12
	tsan_part pytest_part "$@"
}

# The targets of tests/fuzz alone: a plug-in cannot be linked like this.
fuzz_tree()
{
	local dir=$1
	shift
	TARGETS=fuzz build_tree "$dir" "$CLANG" --buildtype=debugoptimized -Doptimization=1 -Dapps=false -Dfuzz=true "$@"
}

# fuzz_one DIR TARGET: as many inputs as a quiet core runs in 10 seconds, in a fresh folder the same ones each time; or for
# $SLUICE_FUZZ_SECONDS. What was new is kept in the build folder, and the next run begins with it.
fuzz_one()
{
	local corpus=$1/corpus/$2 log=$1/found/$2.log rc=0 limit=-runs=40000
	case $2 in
	devargs) limit=-runs=300000 ;;
	packets) limit=-runs=16000 ;;
	pci) limit=-runs=80000 ;;
	esac
	[ -z "${SLUICE_FUZZ_SECONDS-}" ] || limit=-max_total_time=$SLUICE_FUZZ_SECONDS
	mkdir -p "$corpus" "$1/found"
	"$1/tests/fuzz/fuzz_$2" -seed=1 "$limit" -max_len=1024 -len_control=20 \
		-timeout=20 -print_final_stats=1 -artifact_prefix="$1/found/$2-" "$corpus" >"$log" 2>&1 || rc=$?
	echo "===== $2: exit status $rc ====="
	grep -v -E '^#[0-9]+.*(NEW|REDUCE|pulse|RELOAD)|NEW_FUNC|^"' "$log" | tail -n 60
	return $rc
}

fuzz_targets()
{
	local target
	local -a targets=()
	for target in "$1"/tests/fuzz/fuzz_*; do
		[ ! -x "$target" ] || [ -d "$target" ] || targets+=("${target##*/fuzz_}")
	done
	[ ${#targets[@]} -gt 0 ] || return 1
	export -f fuzz_one
	printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} "$BASH" -c 'fuzz_one "$1" "$2"' fuzz "$1" {}
}

# Building for aarch64 and running it by QEMU; devtools/lib/sysroot.py made what it takes.
AARCH64=$SLUICE_ROOT/.cache/aarch64

has_cross() { [ -f "$AARCH64/gcc.ini" ]; }

no_cross()
{
	echo "there is nothing to build with for aarch64: devtools/setup says why"
	return 77
}

# cross_tree DIR COMPILER [MESON OPTION...]
cross_tree()
{
	local dir=$1 file=$AARCH64/$2.ini
	shift 2
	build_tree "$dir" "$GCC" --cross-file "$file" "$@"
}

# pytest_part with a front end that is stock testpmd for aarch64; the back end is this machine's.
cross_pytest_part()
{
	export SLUICE_TEST_FRONT="qemu-aarch64 -L '$AARCH64/root' '$AARCH64/root/usr/bin/dpdk-testpmd'"
	peers_part "$@"
}

# A newer DPDK in packages; devtools/lib/newerdpdk.py made what it takes.
has_newer() { [ -d "$NEWER/suricata" ]; }

no_newer()
{
	echo "there is no newer DPDK: devtools/setup says why"
	return 77
}

# The plug-in alone: what is a program links with libraries that want a newer C library than this machine's.
newer_tree()
{
	local -x PKG_CONFIG_PATH
	PKG_CONFIG_PATH=$(dpdk_pc "$NEWER/usr")
	TARGETS=drivers/librte_net_sluice.so build_tree "$1" "$GCC" -Dtests=false -Dapps=false -Ddpdk_src="$NEWER/source"
}

suricata_part()
{
	export SLUICE_TEST_NEWER=$NEWER
	peers_part "$@" tests/pmd/test_suricata.py
}

# in_root ROOT FUNCTION [ARGS...]: with the programs, compilers and libraries of a root folder, which sees the same sources and
# devices as this machine.
in_root()
{
	local root=$1 rc=0
	shift
	bwrap --bind "$root" / --dev-bind /dev /dev --proc /proc --ro-bind /sys /sys --tmpfs /tmp --tmpfs /run --dir /root \
		--ro-bind /etc/passwd /etc/passwd --ro-bind /etc/group /etc/group \
		--bind "$SLUICE_ROOT" "$SLUICE_ROOT" --chdir "$SLUICE_ROOT" --die-with-parent --cap-add ALL \
		--clearenv --setenv HOME /root --setenv PATH /usr/sbin:/usr/bin --setenv LC_ALL C \
		bash -c '. "$0/devtools/lib/common.sh" && . "$0/devtools/lib/parts.sh" && "$@"' "$SLUICE_ROOT" "$@" || rc=$?
	[ "$1" != unit_tests ] || JUNIT=$2/meson-logs/testlog.junit.xml
	return $rc
}

# packages_of_dpdk RELEASE: fetched, with a root folder.
packages_of_dpdk()
{
	"$PYTHON" "$SLUICE_ROOT/devtools/lib/newerdpdk.py" "$1" root
}

# The folder of libdpdk.pc below a prefix; nothing when there is none.
dpdk_pc()
{
	local pc
	for pc in "$1"/lib*/pkgconfig/libdpdk.pc "$1"/lib/*/pkgconfig/libdpdk.pc; do
		[ -f "$pc" ] && dirname "$pc" && return
	done
}

# A program that is testpmd of the DPDK in a prefix.
dpdk_wrapper()
{
	local lib
	lib=$(dirname "$(dpdk_pc "$1")")
	cat <<-END
		#!/bin/sh
		LD_LIBRARY_PATH=$lib:\$LD_LIBRARY_PATH exec $1/bin/dpdk-testpmd "\$@"
	END
}

# dpdk_tree SOURCE PREFIX: what Sluice and its tests use of a DPDK, installed.
dpdk_tree()
{
	[ -z "$(dpdk_pc "$2")" ] || return 0
	# Debian's elftools belong to Debian's interpreter.
	export PATH=/usr/bin:$PATH
	meson setup "$2.build" "$1" --prefix="$2" --buildtype=release --default-library=shared -Dplatform=generic \
		-Dtests=false -Denable_docs=false -Denable_driver_sdk=true -Denable_apps=test-pmd \
		-Denable_drivers=bus/pci,bus/vdev,mempool/ring,net/vhost,net/virtio,net/null,net/ring,net/pcap &&
		ninja -C "$2.build" install
}

# exchange BUILD FRONT BACK: devtools/demo between two testpmds.
exchange()
{
	SLUICE_BUILD=$1 SLUICE_TEST_FRONT=$2 SLUICE_TESTPMD=$3 "$PYTHON" "$SLUICE_ROOT/devtools/lib/demo.py" 3
}

# instructions BUILD: beside the reference, which is of the release that is tested in full. Another compiler's are only shown.
instructions()
{
	SLUICE_BUILD=$1 "$PYTHON" "$SLUICE_ROOT/tests/perf/instructions.py"
}

# run_part NAME SECONDS FUNCTION [ARGS...]
# One line per part, which begins with it; the log only when it failed. The part runs in a shell of its own below a
# deadline, so that nothing can hang and no process of it stays behind.
run_part()
{
	local name=$1 seconds=$2 log rc=0 begin=$SECONDS p f s files again=
	shift 2
	mkdir -p "$LOGS"
	log=$LOGS/${name//[^a-z0-9]/-}.log
	JUNIT=
	printf '%-32s ' "$name"
	timeout -k 10 "$seconds" "$BASH" -c '
		. "$1/devtools/lib/common.sh" && . "$1/devtools/lib/parts.sh" || exit 1
		junit=$2 && rm -f "$junit" && shift 2
		"$@"; rc=$?
		[ -z "$JUNIT" ] || echo "$JUNIT" >"$junit"
		exit $rc' part "$SLUICE_ROOT" "$log.junit" "$@" >"$log" 2>&1 </dev/null || rc=$?
	[ ! -f "$log.junit" ] || JUNIT=$(cat "$log.junit")

	p=0 f=0 s=0
	if [ -n "$JUNIT" ]; then
		mapfile -t files <<<"$JUNIT"
		{ read -r p f s; again=$(cat); } < <("$PYTHON" "$SLUICE_ROOT/devtools/lib/junit.py" "${files[@]}" 2>>"$log")
		p=${p:-0} f=${f:-0} s=${s:-0}
		# A program that died after its last result, or no results at all, is a failure too.
		[ $rc = 0 ] || [ "$f" -gt 0 ] || f=1
	elif [ $rc = 0 ]; then
		p=1
	elif [ $rc = 77 ]; then
		s=1
	else
		f=1
	fi
	PASSED=$((PASSED + p)) FAILED=$((FAILED + f)) SKIPPED=$((SKIPPED + s))

	local verdict="ok" counts=""
	[ -z "$JUNIT" ] || counts=" ($p passed, $f failed, $s skipped)"
	[ $rc != 77 ] || [ "$f" -gt 0 ] || verdict=skipped
	[ "$f" = 0 ] || verdict=FAILED
	case $rc in 124 | 137) [ "$verdict" = FAILED ] && verdict="FAILED: not done after $seconds s" ;; esac
	printf '%s%s, %d s\n' "$verdict" "$counts" $((SECONDS - begin))
	[ -z "$again" ] || sed 's/^/  passed when it ran once more: /' <<<"$again"
	if [ "$f" -gt 0 ]; then
		FAILED_PARTS+=("$name")
		echo "----- the end of ${log#"$SLUICE_ROOT"/} -----"
		tail -n "${SLUICE_LOG_LINES:-60}" "$log"
		echo "-----"
		return 1
	fi
}

# The parts that need no compiler.
run_static_parts()
{
	run_part format 60 part_format
	run_part columns 60 part_columns
	run_part spdx 60 part_spdx
	run_part layers 60 part_layers
	run_part states 30 part_states
	run_part scripts 30 part_scripts
	run_part "documents and code" 30 "$SLUICE_ROOT/devtools/check-docs"
	run_part documentation 120 "$SLUICE_ROOT/devtools/docs" "$LOGS/docs"
}
