"""Label maps of mmseg's ``BaseSegDataset``: which images it finds by their suffix, and what the values of their maps mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.benchmarks.base import Problem
from harness.benchmarks.openmmlab.known import bare
from harness.benchmarks.openmmlab.labels import shifts
from harness.benchmarks.openmmlab.sources import Source
from harness.images import search
from harness.texts import few

_LOOKED_AT = 40
"""Maps of a split whose values are looked at, evenly over its list; all of them where those hold one class alone."""
_IGNORED = 255
"""Value that mmseg's losses and metrics leave out unless told otherwise."""


def problems(config: dict[str, Any], found: list[Source]) -> Iterator[Problem]:
    """Images that the suffix leaves out, and values that are no class, or ignored where a class is meant."""
    for source in found:
        if (source.toolbox, source.kind) == ("mmseg", "BaseSegDataset") and source.images.is_dir():
            names, untold = _images(source)
            if untold is not None:
                yield untold
            steps = [bare(step.get("type", "")) for step in source.config.get("pipeline") or () if isinstance(step, dict)]
            if source.names and "LoadAnnotations" in steps:
                # a step of somebody's own may make other values of them
                yield from _values(source, names, source.names, _ignored(config, source), fatal="custom_imports" not in config)


def _images(source: Source) -> tuple[list[str], Problem | None]:
    """Images relative to their folder and without the suffix; and what is wrong with those of other suffixes."""
    suffix = source.config.get("img_suffix", ".jpg")
    if source.annotation is not None and not source.annotation.is_dir():
        try:
            return [line.strip() for line in source.annotation.read_text(encoding="utf-8").splitlines() if line.strip()], None
        except (OSError, ValueError):  # of which the reader, or mmseg, tells
            return [], None
    every = [file.relative_to(source.images).as_posix() for file in search(source.images).files]
    if (told := _folder_of_maps(source)) == source.images:
        every = [name for name in every if not name.endswith(source.config.get("seg_map_suffix", ".png"))]
    names = [name.removesuffix(suffix) for name in every if name.endswith(suffix)]
    others = [name for name in every if not name.endswith(suffix)]
    # a longer suffix chooses among images that are meant to lie there, such as those of one camera
    if not others or told is None or (names and suffix[:1] != "."):
        return names, None
    what = f"{len(others)} of its {len(every)} images do not end in '{suffix}', its img_suffix, and are left out, e.g. {min(others)}"
    mend = "write them all in one kind, or join a dataset with another img_suffix for them"
    if not names:
        mend = f"write img_suffix='{Path(others[0]).suffix}'"
    return names, Problem(str(source.images), what, mend, fatal=not names)


def _folder_of_maps(source: Source) -> Path | None:
    prefix = source.config.get("data_prefix")
    told = prefix.get("seg_map_path") if isinstance(prefix, dict) else None
    return source.below(told) if isinstance(told, str) else None


def _ignored(config: dict[str, Any], source: Source) -> set[int]:
    """Values that somebody leaves out: the dataset, or an evaluator, which tells it of the model's loss, too."""
    told = [config.get(f"{split}_evaluator") or [] for split in ("val", "test")]
    some = [source.config, *(one for listed in told for one in ([listed] if isinstance(listed, dict) else listed))]
    return {_IGNORED} | {one["ignore_index"] for one in some if isinstance(one.get("ignore_index"), int)}


def _values(source: Source, names: list[str], classes: list[str], ignored: set[int], *, fatal: bool) -> Iterator[Problem]:
    folder = _folder_of_maps(source)
    if folder is None or len(classes) < 2 or not names:
        return
    suffix = source.config.get("seg_map_suffix", ".png")
    files = [folder / f"{name}{suffix}" for name in names]
    few_of_them = files[:: -(-len(files) // _LOOKED_AT)]
    held: set[int] = set()
    strange: dict[int, Path] = {}
    looked = {*few_of_them}
    for number, file in enumerate([*few_of_them, *(file for file in files if file not in looked)]):
        shown = held - ignored
        if number >= len(few_of_them) and (len(shown) > 1 or _IGNORED not in held):
            break
        values = _held(file)
        if values is None:
            what, mend = "it is in colours, and mmseg reads numbers of classes", "write label maps of one band, or with a palette"
            yield Problem(str(file), what, mend, fatal=fatal)
            return
        if shifts(source):
            values = {_IGNORED if value in (0, _IGNORED) else value - 1 for value in values}
        held |= values
        strange = {value: file for value in values if value >= len(classes) and value not in ignored} | strange
    shown = held - ignored
    if len(shown) == 1 and _IGNORED in held and not strange:
        what = f"only '{classes[shown.pop()]}' counts in its label maps, and scores are perfect: all else is {_IGNORED}, which is ignored"
        mend = f"write the numbers of the classes, 0 to {len(classes) - 1}"
        if shifts(source):
            mend = f"write reduce_zero_label=False if 0 is a class in the files, or {mend}"
        yield Problem(str(folder), what, mend, fatal=fatal)
    elif strange:
        value, file = min(strange.items())
        what = f"values of label maps are neither a class, 0 to {len(classes) - 1}, nor ignored: {few(sorted(strange))}"
        what += f", e.g. {value} in {os.path.relpath(file, folder)}"
        yield Problem(str(folder), what, f"write numbers of classes, and {_IGNORED} where pixels do not count", fatal=False)


def _held(file: Path) -> set[int] | None:
    """The values of a map as mmseg reads them; nothing of one that cannot be read, ``None`` of one in colours."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(file) as image:
            values = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return set()
    return None if values.ndim > 2 else {*np.unique(values.astype(np.uint8)).tolist()}
