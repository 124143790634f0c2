# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The Sluice authors
"""The plots of devtools/bench, as SVG and PNG, from the lines of a summary."""
import os

A, B, LIMIT, DOUBT = "#1f6f8b", "#c9a24b", "#b03a2e", "#b8b8b8"


def save(plt, figure, folder, name):
    figure.tight_layout()
    for kind in ("svg", "png"):
        # No date: the same figures give the same file.
        figure.savefig(os.path.join(folder, "%s.%s" % (name, kind)), dpi=110,
                       metadata={"Date": None} if kind == "svg" else None)
    plt.close(figure)


def label_of(line):
    return "%s: %s" % (line["title"], line["metric"])


def draw_ratios(plt, folder, lines):
    """All lines that have a ratio and a limit."""
    lines = [line for line in lines if line.get("must")][::-1]
    if not lines:
        return
    figure, axes = plt.subplots(figsize=(9, 0.26 * len(lines) + 1.4))
    for i, line in enumerate(lines):
        ratio = line["ratio"]
        low, high = ratio["lo95"], ratio["hi95"]
        axes.barh(i, ratio["median"], height=0.7, color=DOUBT if line["doubts"] else A)
        axes.plot([low, high], [i, i], color="black", linewidth=1)
        axes.plot([line["must"]] * 2, [i - 0.4, i + 0.4], color=LIMIT, linewidth=2)
    axes.set_yticks(range(len(lines)), [label_of(line) for line in lines], fontsize=7)
    # An interval of a disturbed line may reach very far.
    axes.set_xlim(0, 1.15 * max(max(line["ratio"]["median"], line["must"]) for line in lines))
    axes.margins(y=0.01)
    axes.set_xlabel("times better than the in-tree driver; black: 95 % interval; red: what is asked for; "
                    "grey: not to be believed", fontsize=8)
    axes.grid(axis="x", alpha=0.3)
    save(plt, figure, folder, "ratios")


def draw_pairs(plt, folder, name, lines, unit, scale="linear"):
    """A beside B, for lines of one unit."""
    lines = [line for line in lines if "a" in line and line.get("unit") == unit][::-1]
    if not lines:
        return
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(lines) + 1.4))
    for i, line in enumerate(lines):
        fade = 0.35 if line["doubts"] else 1.0
        axes.barh(i + 0.2, line["a"], height=0.38, color=A, alpha=fade, label="Sluice" if i == 0 else None)
        axes.barh(i - 0.2, line["b"], height=0.38, color=B, alpha=fade,
                  label="in-tree driver" if i == 0 else None)
    axes.set_yticks(range(len(lines)), [label_of(line) for line in lines], fontsize=7)
    axes.set_xlabel(unit + "; pale: not to be believed", fontsize=8)
    axes.set_xscale(scale)
    if scale == "log":
        axes.set_xlim(left=0.1)     # a bar needs a beginning
    axes.margins(y=0.01)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncol=2, frameon=False)
    save(plt, figure, folder, name)


def draw(source, lines, folder):
    """Says so, and draws nothing, without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        print("no plots: Python has no matplotlib (apt-get install python3-matplotlib)")
        return
    matplotlib.use("Agg")
    # Text stays text: letters as curves make a file of ten times the size.
    matplotlib.rcParams.update({"svg.hashsalt": "sluice", "svg.fonttype": "none"})
    import matplotlib.pyplot as plt
    draw_ratios(plt, folder, lines)

    def of(*starts):
        return [line for line in lines if line["case"].startswith(starts)]
    draw_pairs(plt, folder, "step", [line for line in of("step") if line["metric"] != "poll"], "TSC cycles/packet")
    draw_pairs(plt, folder, "instructions", of("instructions", "guest"), "instructions/packet")
    draw_pairs(plt, folder, "cross-core", of("cross"), "Mpps")
    draw_pairs(plt, folder, "latency", [line for line in of("latency") if line["metric"].startswith("p")], "us",
               "log")
    draw_pairs(plt, folder, "loopback-mpps", of("loopback"), "Mpps")
    draw_pairs(plt, folder, "loopback-cycles", of("loopback"), "TSC cycles/packet")
    print("plots in %s, data in %s" % (os.path.relpath(folder), os.path.relpath(source)))
