"""Class folders as people bring them: masks beside the pictures, and folders that only look so."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import task
from harness.catalog import Benchmark

ENTRIES = {
    "classification": {"data": {"format": "image-folder", "root": "x", "classes": 2, "size": 16}},
    "image-retrieval": {"data": {"format": "image-folder", "root": "x", "classes": 2, "size": 16}, "model": {"frozen": False}},
}


def _draw(file: Path, kind: str) -> None:
    rng = np.random.default_rng(zlib.crc32(file.as_posix().encode()))
    pixels = rng.integers(0, 255, (24, 24)).astype(np.uint8)
    if kind == "mask":
        pixels[:], low, high = 0, rng.integers(1, 9), rng.integers(12, 22)
        pixels[low:high, low + 2 : high + 1] = 255
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


LAYOUTS = {
    "masks in a folder beside": (4, {"images/{}.png": "picture", "masks/{}.png": "mask"}),
    "masks in a folder below": (4, {"{}.png": "picture", "labels/{}.png": "mask"}),
    "masks by name": (4, {"scan ({}).png": "picture", "scan ({})_mask.png": "mask"}),
    "several masks of a picture": (8, {"{}.png": "picture", "{}_mask_1.png": "mask", "{}_mask_2.png": "mask"}),
    "frames of two videos": (0, {"one/{}.png": "picture", "two/{}.png": "picture"}),
    "faces with masks on": (0, {"{}.png": "picture", "{}_mask.png": "picture"}),
    "drawings of two hands": (0, {"one/{}.png": "mask", "two/{}.png": "mask"}),
    "names of their own": (0, {"photo/a{}.png": "picture", "drawn/b{}.png": "mask"}),
}


@pytest.mark.parametrize("family", ENTRIES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_beside_their_pictures_are_told(tmp_path, layout, family):
    masks, names = LAYOUTS[layout]
    for split in ("train", "test"):
        for name in ("a", "b"):
            for number in range(4):
                for pattern, kind in names.items():
                    _draw(tmp_path / split / name / pattern.format(number), kind)
    problems = task(Benchmark(id="b", family=family, **ENTRIES[family])).check(tmp_path)
    found = [one for one in problems if "seem to be masks" in one.what]
    assert [one.where for one in found] == (["train", "test"] if masks else [])
    total = 2 * 4 * len(names)
    assert all(not one.fatal and one.what.startswith(f"{2 * masks} of {total} images seem to be masks of others") for one in found)
