# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""What Sphinx is told: devtools/docs builds the guide, the design and the figures as HTML."""
project = "Sluice"
copyright = "2026, The Sluice authors"
extensions = ["myst_parser"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["man"]
myst_heading_anchors = 2  # links to sections, as on a forge
html_theme = "alabaster"
html_theme_options = {"page_width": "60em", "description": "DPDK poll-mode driver for virtio-net devices"}
