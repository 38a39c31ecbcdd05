"""Copies of training pictures among the test pictures are found however they were saved; what only resembles them is not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from harness.benchmarks import task
from harness.catalog import Benchmark


@cache
def photo(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Something with shapes of all sizes, as photographs have."""
    noise = np.random.default_rng(seed).normal(size=(size[1], size[0], 3))
    pixels = sum(gaussian_filter(noise, (sigma, sigma, 0)) * sigma**1.5 for sigma in (2, 4, 8, 16))
    return Image.fromarray((pixels / pixels.std() * 50 + 128).clip(0, 255).astype(np.uint8))


def save(root: Path, split: str, name: str, image: Image.Image, label: str = "a", **how) -> None:
    (root / split / label).mkdir(parents=True, exist_ok=True)
    image.save(root / split / label / name, **how)


def told(root: Path, **data) -> list[str]:
    for seed, split in enumerate(("train", "test")):
        save(root, split, "other.png", photo(100 + seed), label="b")
    options = {"format": "image-folder", "root": "r", "classes": 2, "size": 16, **data}
    entry = Benchmark(id="b", family="classification", data=options, schedule={"epochs": 1})
    found = task(entry).check(root)
    assert not [problem.what for problem in found if problem.fatal]
    return [problem.what for problem in found if "look the same" in problem.what]


COPIES = {
    "as JPEG": ("x.jpg", lambda image: image, {"quality": 60}),
    "without loss": ("x.bmp", lambda image: image, {}),
    "half the size": ("x.png", lambda image: image.resize((80, 60), Image.Resampling.BILINEAR), {}),
    "larger": ("x.jpg", lambda image: image.resize((240, 180), Image.Resampling.BICUBIC), {}),
    "squeezed to a square": ("x.jpg", lambda image: image.resize((224, 224)), {"quality": 75}),
    "of 12 bits": ("x.png", lambda image: Image.fromarray(np.asarray(image.convert("L"), np.uint16) << 4), {}),
}


@pytest.mark.parametrize("case", COPIES)
def test_a_copy_is_found_beside_its_original(tmp_path, case):
    name, change, how = COPIES[case]
    for seed in range(12):
        save(tmp_path, "train" if seed < 8 else "test", f"{seed}.png", photo(seed))
    save(tmp_path, "test", name, change(photo(3)), **how)
    what = f"1 test images look the same as training images, encoded anew or resized: test/a/{name} and train/a/3.png"
    assert told(tmp_path, bits=12) == [what]


def test_many_pairs_are_counted_and_the_first_named(tmp_path):
    for seed in range(9):
        save(tmp_path, "train", f"{seed}.png", photo(seed))
        save(tmp_path, "test", f"{seed}.jpg", photo(seed))
    (what,) = told(tmp_path)
    assert what.startswith("9 test images") and what.count(" and train/") == 5 and what.endswith("test/a/4.jpg and train/a/4.png, ...")


def camera(frame: int, side: int, contrast: float) -> Image.Image:
    """A frame of a camera that does not move, before which something of ``side`` pixels does."""
    pixels = np.asarray(photo(0, (640, 480)), np.float64) / 2 + np.random.default_rng(frame).normal(64, 2, (480, 640, 3))
    row, column = 60 * (frame % 7), 80 * (frame // 7)
    pixels[row : row + side, column : column + side] += contrast
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def fly(frame: int) -> Image.Image:
    return camera(frame, 8, 120)


def shadow(frame: int) -> Image.Image:
    return camera(frame, 30, -26)


def digit(seed: int) -> Image.Image:
    from sklearn.datasets import load_digits

    return Image.fromarray((load_digits().images[seed] * 15).astype(np.uint8))


def blank(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).normal(128, 3, (60, 80, 3)).astype(np.uint8))


@pytest.mark.parametrize("draw", [photo, fly, shadow, digit, blank])
def test_what_only_resembles_a_training_picture_is_not_a_copy(tmp_path, draw):
    for seed in range(20):
        save(tmp_path, "train" if seed % 2 else "test", f"{seed}.png", draw(seed))
    assert told(tmp_path) == []
