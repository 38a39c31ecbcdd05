"""What labels mean in the splits of a config: the toolboxes count classes anew in each split, by what they find there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from harness.benchmarks.base import NAMES, Problem
from harness.benchmarks.openmmlab.known import bare
from harness.benchmarks.openmmlab.sources import Annotations, Source
from harness.texts import few


def as_text(found: list[Source]) -> Iterator[Problem]:
    """Names of classes that are one text for want of a comma, and no file: each letter would be a class."""
    for source in found:
        if isinstance(told := source.classes, str) and not os.path.isfile(told):
            what = f"metainfo names its classes by the text '{told}', of which each letter would be one"
            yield Problem(f"{source.split}_dataloader", what, f"write a tuple, which a single name wants a comma for: classes=('{told}',)")


def of_folders(found: list[Source]) -> Iterator[Problem]:
    """Folders of classes, which mmpretrain's ``CustomDataset`` numbers by name in each split, hidden ones too."""
    first: tuple[Source, list[str]] | None = None
    for source in found:
        mine = (source.toolbox, source.kind) == ("mmpretrain", "CustomDataset") and source.config.get("with_label") is not False
        if not mine or source.annotation is not None or not source.images.is_dir():
            continue
        folders = sorted(entry.name for entry in source.images.iterdir() if entry.is_dir())
        told = source.names
        if told and told != folders and sorted(told) == folders:
            what = f"labels count its folders by name, {few(folders)}, and metainfo calls them {few(told)}"
            yield Problem(str(source.images), what, "write its classes in that order; numbers of one bear another's name", fatal=False)
        first = first or (source, folders)
        if folders != first[1]:
            what = f"its folders of classes are not those of {first[0].images}: {_first_other(folders, first[1])}"
            mend = "give each split the same folders, an empty one for a class without images, and take away all others, hidden ones too"
            yield Problem(str(source.images), what, mend)


def of_lists(found: list[Source]) -> Iterator[Problem]:
    """Lists of images and numbers of classes, as mmpretrain's ``CustomDataset`` and ``ImageNet`` read them, that do not count from 0."""
    for source in found:
        reads = source.toolbox == "mmpretrain" and source.kind in ("CustomDataset", "ImageNet")
        if not reads or source.config.get("with_label") is False or source.annotation is None or not source.annotation.is_file():
            continue
        lines = source.annotation.read_text(encoding="utf-8").splitlines()
        numbers = {int(number) for line in lines if (number := line.strip().rpartition(" ")[2]).lstrip("-").isdecimal()}
        if not numbers:
            continue
        least, most, names = min(numbers), max(numbers), source.names
        wrong = least < 0 or bool(names and most >= len(names))
        if wrong or (least > 0 and source.split == "train"):
            what = f"its classes go from {least} to {most}, and mmpretrain counts them from 0{f' to {len(names) - 1}' if names else ''}"
            mend = "write them so; beyond the head's number of classes training fails, and below 0 nothing is learnt"
            yield Problem(str(source.annotation), what, mend, fatal=wrong)


def of_files(config: dict[str, Any], found: list[Source], annotations: Annotations) -> Iterator[Problem]:
    """Categories of COCO files, which mmdet's ``CocoDataset`` numbers in the order of each file, as far as they are classes."""
    first: tuple[Path, list[str]] | None = None
    told: set[tuple[Path, tuple[str, ...]]] = set()
    for source in found:
        if (source.toolbox, source.kind) != ("mmdet", "CocoDataset") or source.annotation is None or isinstance(source.classes, str):
            continue
        wanted = source.names or _of_coco()
        for file in dict.fromkeys((source.annotation, *judged_by(config, source.split))):
            named = [str(category.get("name")) for category in annotations.of(file).get("categories", ())]
            if not named or not wanted or (file, (*wanted,)) in told:
                continue
            told.add((file, (*wanted,)))
            if file == source.annotation:
                yield from _left_out(source, file, wanted, annotations)
            kept = [name for name in named if name in wanted]
            first = first or (file, kept)
            if kept != first[1]:
                what = f"its categories are not those of {first[0]}, one by one: {_first_other(kept, first[1])}"
                mend = "write the same categories in the same order into every file: mmdet numbers them so, whatever metainfo says"
                yield Problem(str(file), what, mend)


def of_pixels(found: list[Source]) -> Iterator[Problem]:
    """What decides how mmseg's datasets of one class turn values of label maps into labels, and differs between the splits."""
    learnt = [source for source in found if source.toolbox == "mmseg" and source.split == "train"]
    for source in found:
        for other in learnt if source.toolbox == "mmseg" and source.split != "train" else ():
            if source.kind != other.kind:
                continue
            one, two = (shifts(some) for some in (source, other))
            if None not in (one, two) and one != two:
                what = f"reduce_zero_label is {one} for {NAMES[source.split]} and {two} for training: labels differ by one"
                yield Problem(f"{source.split}_dataloader", what, "write the same for both, unless their label maps differ so", fatal=False)
            if source.names and other.names and source.names != other.names:
                what = f"metainfo names other classes, or in another order, than for training: {_first_other(source.names, other.names)}"
                yield Problem(f"{source.split}_dataloader", what, "write the same classes in one order for every split", fatal=False)


def judged_by(config: dict[str, Any], split: str) -> list[Path]:
    """The annotation files of the evaluators ``CocoMetric`` of a split."""
    listed = config.get(f"{split}_evaluator") or []
    some = [listed] if isinstance(listed, dict) else listed
    return [Path(os.path.abspath(one["ann_file"])) for one in some if bare(one["type"]) == "CocoMetric" and one.get("ann_file")]


def _first_other(here: list[str], there: list[str]) -> str:
    """The first label that means two things, as a clause."""
    pairs = enumerate(zip_longest(here, there))
    label, pair = next((label, pair) for label, pair in pairs if pair[0] != pair[1])
    return "label {} is {} here and {} there".format(label, *("nothing" if name is None else f"'{name}'" for name in pair))


def _left_out(source: Source, file: Path, wanted: list[str], annotations: Annotations) -> Iterator[Problem]:
    """Objects whose category is no class, and classes that are no category."""
    content = annotations.of(file)
    named = {category.get("id"): str(category.get("name")) for category in content["categories"]}
    counts = Counter(named.get(one.get("category_id")) for one in content["annotations"])
    others = {name: count for name, count in counts.items() if name is not None and name not in wanted}
    saying = "metainfo names" if source.names else "metainfo names no classes, so that COCO's count:"
    if others:
        lost, total = sum(others.values()), counts.total()
        what = f"{lost} of {total} objects are of categories that are no classes, {_quoted(others)}, and are left out"
        what += f"; {saying} {_quoted(wanted)}"
        yield Problem(str(file), what, "write metainfo=dict(classes=(...)) with the names as the file has them", fatal=lost == total)
    if source.names and (lacking := [name for name in wanted if name not in named.values()]):
        what = f"metainfo names classes that are no category of the file, {_quoted(lacking)}; labels count the others"
        yield Problem(str(file), what, f"correct them, or take them out; its categories are {_quoted(named.values())}", fatal=False)


def _quoted(names: Any) -> str:
    return few(f"'{name}'" for name in names)


def _of_coco() -> list[str]:
    """The classes of ``CocoDataset`` where an entry names none; none where mmdet is not installed."""
    from harness import openmmlab

    if "mmdet" not in openmmlab.installed():
        return []
    openmmlab.setup()
    from mmdet.datasets import CocoDataset

    return [*map(str, CocoDataset.METAINFO["classes"])]


def shifts(source: Source) -> bool | None:
    """Whether 0 is left out and all other values count one less; ``None`` where only the class knows."""
    steps = [step for step in source.config.get("pipeline") or () if isinstance(step, dict)]
    read = [step.get("reduce_zero_label") for step in steps if bare(step.get("type", "")) == "LoadAnnotations"]
    told = next((said for said in read if said is not None), None)
    if told is None:
        told = source.config.get("reduce_zero_label", False if source.kind == "BaseSegDataset" else None)
    return None if told is None else bool(told)
