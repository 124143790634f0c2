#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# dpdk-test has the self-test of the bonding driver's mode 4 (LACP), which makes all its ports by itself. Its cases give the partners'
# state machines, which run by a timer, a number of calls to come to an agreement: whether one of the 8 cases fails, and which (often
# test_mode4_expired), is a matter of time. Here one of up to 8 runs does, with no other port there.

. "$(dirname "$0")/lib.sh"
unpack dpdk dpdk-dev librte-net-bond23 librte-net-ring23

seen="8 of 8 passed"
for _ in $(seq 8); do
	echo link_bonding_mode4_autotest |
		timeout 120 dpdk-test --no-pci --no-huge -m 256 --no-telemetry --file-prefix="finding$$" -l 0 >"$FOLDER/log" 2>&1
	sed -n 's/.*TestCase.*: \(.*\) failed.*/\1 failed/p' "$FOLDER/log"
	grep -q "Tests Executed *: *8" "$FOLDER/log" || seen="no test"
	grep -q "Tests Failed *: *0" "$FOLDER/log" || { seen=${seen/8 of 8 passed/a case failed} && break; }
done
verdict "8 of 8 passed" "$seen" "a case failed"
