# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The progress bar of devtools/bench: by the seconds that the parts should take."""
import sys
import time

WIDTH = 30


class Progress:
    def __init__(self, total):
        self.total, self.sum, self.begin = total, 0.0, time.monotonic()
        self.is_terminal = sys.stderr.isatty()

    def show(self, title, part=0.0):
        """What runs now; part: seconds of it that are done."""
        share = min(1.0, (self.sum + part) / self.total)
        took = time.monotonic() - self.begin
        # The machine's own pace, once there is one.
        left = took / share - took if share > 0.05 else self.total - self.sum
        text = "[%-*s] %3d %%, %d:%02d, about %d:%02d left: %s" % (WIDTH, "#" * int(share * WIDTH),
            100 * share, *divmod(int(took), 60), *divmod(int(left), 60), title)
        if self.is_terminal:
            text = "\r\033[K" + text
        print(text, end="" if self.is_terminal else "\n", file=sys.stderr, flush=True)

    def done(self, seconds):
        self.sum += seconds

    def end(self):
        if self.is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
