"""A history as a picture: seeds, means, and where the mean changed."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.history.versions import History


def draw(history: History, file: Path) -> None:
    """Write the picture; the file's ending is its format.

    Raises:
        OSError: the file cannot be written.
        ValueError: an ending of no known format.
    """
    from matplotlib.figure import Figure

    versions = history.versions
    figure = Figure(figsize=(max(6.0, 1.5 + 0.6 * len(versions)), 4.0), layout="constrained")
    panel = figure.subplots()
    for index, version in enumerate(versions):
        panel.plot([index] * len(version.values), version.values, ".", color="grey", alpha=0.6)
    starts = [index for index, version in enumerate(versions) if not version.comparable]
    for start, end in zip(starts, [*starts[1:], len(versions)], strict=True):
        panel.plot(range(start, end), [version.mean for version in versions[start:end]], "o-", color="C0")
        if start:
            panel.axvline(start - 0.5, color="black", linewidth=0.8)
    for change in history.changes:
        color = "C2" if history.better(change) else "C3"
        panel.axvline(change.at - 0.5, color=color, linestyle="--")
        panel.annotate(
            f"{change.after - change.before:+.3g}",
            (change.at - 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            color=color,
            ha="center",
            va="bottom",
        )
    labels = [f"{version.day[:10]}\n{version.revisions[-1] if version.revisions else version.name}" for version in versions]
    panel.set_xticks(range(len(versions)), labels, rotation=60, fontsize=7, ha="right")
    panel.set_ylabel(f"{history.spec.metric} {history.spec.unit}".strip())
    panel.set_title(f"{history.method} on {history.benchmark}", pad=18)
    figure.savefig(file, dpi=120)
