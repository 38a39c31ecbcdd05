"""The files of the datasets that a config names: folders and annotations, whatever the toolbox's classes make of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from harness.benchmarks.base import DATA, Format, Listing
from harness.benchmarks.openmmlab.options import OpenMMLabData


class ConfigData(OpenMMLabData):
    """An OpenMMLab config file."""

    format: Literal["config"]


@dataclass
class Files(Listing[Path]):
    """Files, of which only the toolbox knows what they are to each other."""

    has_samples: ClassVar[bool] = False

    def files_of(self, sample: Path) -> tuple[Path, ...]:
        return (sample,)

    @property
    def counted(self) -> str:
        return f"{len(self.sources)} files, which the config's own datasets read"


def read(root: Path, data: ConfigData) -> Files:
    """Everything below the places that the datasets name."""
    listing = Files()
    for name in sorted(set(places(data.config))):
        place = root / name
        if not place.exists():
            mend = "Put it there" + ("" if os.path.isabs(name) else ", or --set data.root=DIR")
            listing.add(str(place), "there is no such file or folder, and the config reads it", mend)
            listing.sources.append(place)
        elif place.is_dir():
            listing.sources += [Path(base, file) for base, _, files in os.walk(place, followlinks=True) for file in sorted(files)]
        else:
            listing.sources.append(place)
    listing.sources = [*dict.fromkeys(listing.sources)]
    return listing


def places(config: dict[str, Any]) -> Iterator[str]:
    """Paths below the data's folder, or absolute ones outside of it, that the datasets and evaluators of a config name."""
    for split in ("train", "val", "test"):
        of_split = (config.get(f"{split}_dataloader") or {}).get("dataset")
        for dataset in datasets(of_split):
            yield from _of_dataset(dataset)
        yield from _elsewhere(of_split, _FROM_HERE, every=True)
        yield from _elsewhere(config.get(f"{split}_evaluator"), _JUDGED_BY)
    yield from _named(config)


def placed(value: Any, root: Path) -> Any:
    """A part of a config with the data's folder in the place of its stand-in."""
    if isinstance(value, dict):
        return {key: placed(item, root) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(placed(item, root) for item in value)
    below = _below(value) if isinstance(value, str) else None
    return value if below is None else str(root / below)


def datasets(value: Any) -> Iterator[dict[str, Any]]:
    """The datasets of a loader, those that others wrap one by one."""
    if isinstance(value, dict) and ("dataset" in value or "datasets" in value):
        inner = value.get("datasets") or [value["dataset"]]
        for one in inner:
            yield from datasets(one)
    elif isinstance(value, dict):
        yield value


def _of_dataset(dataset: dict[str, Any]) -> Iterator[str]:
    told = dataset.get("data_root") or ""
    root = _below(told) if told else None
    if root is None and told:  # by --set, it may be another than the data's folder
        root = os.path.abspath(told)
    prefix, split = dataset.get("data_prefix") or dataset.get("img_dir") or "", dataset.get("split")
    folders = [*prefix.values()] if isinstance(prefix, dict) else [prefix] if prefix else []
    if isinstance(split, str) and not folders and root is not None:  # a folder of that name is mmpretrain's way
        folders = [split]
    for name in [*folders, dataset.get("ann_file")]:
        if not isinstance(name, str) or not name or "://" in name:
            continue
        if (below := _below(name, root)) is not None:
            yield below
        elif os.path.isabs(name) or os.path.exists(name):  # without a root of its own, a dataset reads from the current folder on
            yield os.path.abspath(name)
    if not folders and root is not None:
        yield root


_FROM_HERE = ("bbox_file", "classes")
"""Of datasets, files that are looked for from the current folder on, whatever the dataset's root."""

_JUDGED_BY = ("ann_file", "seg_prefix", "bbox_file")
"""Of evaluators, what they read; other paths are where they write."""


def _elsewhere(value: Any, from_here: tuple[str, ...], key: str = "", *, every: bool = False) -> Iterator[str]:
    """Files outside of the data's folder that stand in a dataset or an evaluator; of a dataset every absolute one."""
    if isinstance(value, str):
        if _below(value) is None and (key in from_here or (every and os.path.isabs(value))):
            place = os.path.abspath(value)
            if os.path.isfile(place) or (key == "seg_prefix" and os.path.isdir(place)):
                yield place
    elif isinstance(value, (dict, list, tuple)):
        for name, item in value.items() if isinstance(value, dict) else ((key, one) for one in value):
            yield from _elsewhere(item, from_here, str(name), every=every)


def _below(name: str, root: str | None = None) -> str | None:
    """A path relative to the data's folder; ``None`` where it lies elsewhere."""
    if name == DATA or name.startswith(f"{DATA}/"):
        return name[len(DATA) + 1 :].rstrip("/") or "."
    return None if root is None or os.path.isabs(name) else os.path.normpath(os.path.join(root, name))


def _named(value: Any) -> Iterator[str]:
    """Files that are named from the data's folder on, wherever they stand; a folder of all data is none."""
    if isinstance(value, str):
        below = _below(value)
        if below is not None and Path(below).suffix:
            yield below
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _named(item)


FORMAT = Format(ConfigData, read)
