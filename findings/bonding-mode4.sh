#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
#
# dpdk-test has the self-test of the bonding driver's mode 4 (LACP), which makes all its ports by itself. Its case
# test_mode4_expired has one of the partners fall silent for long_timeout_ms, and a few calls more, and expects the frames to say then
# that it is expired. It fails, with no other port there.

. "$(dirname "$0")/lib.sh"
unpack dpdk dpdk-dev librte-net-bond23 librte-net-ring23

seen=$(echo link_bonding_mode4_autotest |
	timeout 120 dpdk-test --no-pci --no-huge -m 256 --no-telemetry --file-prefix="finding$$" -l 0 2>&1 |
	tee "$FOLDER/log" | sed -n 's/.*Tests \(Passed\|Executed\) *: *\([0-9]*\).*/\2 \1,/p; s/.*TestCase.*\] : \(.*\) failed.*/\1 failed,/p' |
	sort | tr '\n' ' ')
verdict "8 Executed, 8 Passed," "${seen% }" "7 Passed, 8 Executed, test_mode4_expired failed,"
