"""The datasets of a config as their classes will find them: of which split, in which file and folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.benchmarks.base import SPLITS, Split
from harness.benchmarks.openmmlab.known import bare

_WRAPPERS = ("RepeatDataset", "ConcatDataset", "ClassBalancedDataset", "MultiImageMixDataset", "CombinedDataset")
"""Those that hand on every sample of what they wrap."""


@dataclass(frozen=True)
class Source:
    """One dataset of a split, which others may wrap."""

    split: Split
    toolbox: str
    config: dict[str, Any]
    """Its options, with the data's folder in the place of its stand-in."""
    whole: bool
    """Whether all its samples are of the split, as far as its wrappers say."""

    @property
    def kind(self) -> str:
        """The name of its class."""
        return bare(self.config.get("type", ""))

    @property
    def annotation(self) -> Path | None:
        """Its annotation file."""
        told = self.config.get("ann_file")
        return self.below(told) if isinstance(told, str) and told else None

    @property
    def images(self) -> Path:
        """The folder of its images."""
        prefix = self.config.get("data_prefix")
        if isinstance(prefix, dict):
            prefix = prefix.get("img_path") or prefix.get("img")
        return self.below(prefix if isinstance(prefix, str) else "")

    @property
    def classes(self) -> Any:
        """What ``metainfo`` says of them: names; a text as it stands there; ``None`` where it says nothing."""
        about = self.config.get("metainfo")
        return about.get("classes") if isinstance(about, dict) else None

    @property
    def names(self) -> list[str] | None:
        """Names of the classes that ``metainfo`` says, from the file that it names, too."""
        told = self.classes
        if isinstance(told, str):
            return Path(told).read_text(encoding="utf-8").splitlines() if os.path.isfile(told) else None
        return [*map(str, told)] if isinstance(told, (list, tuple)) else None

    def below(self, name: str) -> Path:
        """A path that starts from its root."""
        return Path(os.path.abspath(os.path.join(self.config.get("data_root") or "", name)))


def sources(config: dict[str, Any]) -> list[Source]:
    """All datasets, split by split."""
    scope = config.get("default_scope", "")
    return [
        Source(split, str(one.get("type", "")).rpartition(".")[0] or scope, one, whole)
        for split in SPLITS
        for one, whole in _inner((config.get(f"{split}_dataloader") or {}).get("dataset"))
    ]


def _inner(value: Any, whole: bool = True) -> Iterator[tuple[dict[str, Any], bool]]:
    if isinstance(value, dict) and ("dataset" in value or "datasets" in value):
        whole &= bare(value.get("type", "")) in _WRAPPERS and value.get("indices") is None
        for one in value.get("datasets") or [value["dataset"]]:
            yield from _inner(one, whole)
    elif isinstance(value, dict):
        yield value, whole


@dataclass
class Annotations:
    """COCO files, each read once."""

    known: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def of(self, file: Path | None) -> dict[str, Any]:
        """The content of a COCO file, whose ``images``, ``categories`` and ``annotations`` are lists of mappings; nothing where it is none,
        of which the toolbox's own reader tells."""
        if file is None or file.suffix != ".json":
            return {}
        if file not in self.known:
            try:
                found = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):
                found = None
            sound = isinstance(found, dict) and isinstance(found.get("images"), list)
            parts = ("images", "categories", "annotations")
            self.known[file] = {key: [x for x in found.get(key) or () if isinstance(x, dict)] for key in parts} if sound else {}
        return self.known[file]

    def names(self, file: Path | None) -> dict[Any, str]:
        """Id -> file name of the images; LVIS's have none."""
        images = self.of(file).get("images", ())
        return {image["id"]: image["file_name"] for image in images if "id" in image and isinstance(image.get("file_name"), str)}
