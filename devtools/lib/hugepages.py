# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""Hugepages of 2 MiB."""

FREE = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"


def nb_free():
    """How many nobody uses; none on a machine without them."""
    try:
        with open(FREE, encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return 0
