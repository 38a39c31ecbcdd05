"""Which images are learnt, tested and scored, as far as files and folders tell it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from harness.benchmarks.base import NAMES, SPLITS, Problem, Split
from harness.benchmarks.openmmlab.labels import judged_by
from harness.benchmarks.openmmlab.sources import Annotations, Source

_CHOOSING = frozenset(
    ("type", "data_root", "data_prefix", "ann_file", "img_suffix", "seg_map_suffix", "reduce_zero_label", "ignore_index", "with_label",
     "pipeline", "test_mode", "metainfo", "classes", "filter_cfg", "bbox_file", "lazy_init", "serialize_data", "max_refetch",
     "backend_args", "return_classes", "data_mode")
)  # fmt: skip
"""Options of datasets that are understood here; any other may choose some of the images."""


def shared(found: list[Source], annotations: Annotations) -> Iterator[Problem]:
    """Images of two splits."""
    of: dict[Split, set[str]] = {split: set() for split in SPLITS}
    for source in found:
        of[source.split] |= _images(source, annotations)
    for one, other in combinations(SPLITS, 2):
        if both := of[one] & of[other]:
            what = f"{len(both)} of the {len(of[other])} {NAMES[other]} images are {NAMES[one]} images, too, e.g. {min(both)}"
            mend = f"give the two other files or folders (ann_file, data_prefix), and each image to one; {other} numbers are too good"
            yield Problem(f"{other}_dataloader", what, mend, fatal=False)


def _images(source: Source, annotations: Annotations) -> set[str]:
    """Paths of the images of a dataset, without the suffix that its class adds; none where only the class knows them."""
    if not source.whole or not source.config.keys() <= _CHOOSING:
        return set()
    if names := annotations.names(source.annotation):
        return {os.path.normpath(source.images / name) for name in names.values()}
    listed = source.toolbox == "mmseg" or (source.toolbox, source.kind) == ("mmpretrain", "CustomDataset")
    if not listed or (source.annotation is not None and source.annotation.suffix == ".json"):
        return set()
    if source.annotation is not None:
        try:
            lines = source.annotation.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return set()
        labelled = source.toolbox == "mmpretrain" and source.config.get("with_label") is not False
        lines = [line.strip().rsplit(" ", 1)[0] if labelled else line.strip() for line in lines]
        return {os.path.normpath(source.images / line) for line in lines if line}
    suffix = source.config.get("img_suffix", "")
    walked = os.walk(source.images, followlinks=True)
    return {os.path.join(base, name) for base, _, names in walked for name in names if name.endswith(suffix) and name[:1] != "."}


def scored(config: dict[str, Any], found: list[Source], annotations: Annotations) -> Iterator[Problem]:
    """Images of a split that its ``CocoMetric`` takes for others, or does not know, and such that it counts and nobody tests."""
    for split in ("val", "test"):
        mine = [source for source in found if source.split == split]
        files = [source.annotation for source in mine]
        shown = {number: name for file in files for number, name in annotations.names(file).items()}
        for file in judged_by(config, split) if shown else ():
            known = annotations.names(file)
            if not known:
                continue
            strange = [number for number, name in shown.items() if number not in known or _last(known[number]) != _last(name)]
            where, them = f"{split}_evaluator", " and ".join(str(one) for one in dict.fromkeys(files) if one)
            if strange:
                there = f"'{known[strange[0]]}'" if strange[0] in known else "nothing"
                what = f"{len(strange)} of the {len(shown)} images of {them} are others in its ann_file, {file}"
                what += f", e.g. image {strange[0]} is '{shown[strange[0]]}' and {there} there"
                yield Problem(where, what, f"write ann_file='{them}', which {split}_dataloader reads; boxes were scored on other images")
            elif any(source.config.get("indices") is not None for source in mine) or len(known) > len(shown):
                rest = f"{len(known) - len(shown)} of" if len(known) > len(shown) else "also those among"
                what = f"it counts {rest} the {len(known)} images of its ann_file, {file}, that {split}_dataloader does not show"
                yield Problem(where, what, "write a file of the tested images alone, and name it in both; scores are too low", fatal=False)


def _last(name: str) -> str:
    return Path(name.replace("\\", "/")).name
