"""Draw samples of the synthetic benchmarks with their annotations: python docs/make_pictures.py"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from harness import benchmarks, data
from harness.catalog import load_catalog

SIDE = 160


def sheet(name: str, count: int = 6) -> np.ndarray:
    """Samples of a benchmark in two rows: as they are, and annotated."""
    task = benchmarks.task(load_catalog().benchmarks[name])
    samples = task.samples(data.ensure(task, None), count)

    def row(pictures: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([enlarged(picture) for picture in pictures], axis=1)

    return np.concatenate([row([sample.image for sample in samples]), row([sample.annotated for sample in samples])])


def enlarged(picture: np.ndarray) -> np.ndarray:
    """A picture whose shorter side is ``SIDE``."""
    height, width = picture.shape[:2]
    scale = SIDE / min(height, width)
    return cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_NEAREST)


def main() -> None:
    """Write ``docs/pictures/<benchmark>.png`` for every synthetic benchmark; of a stage they are those of another one with its data."""
    folder = Path(__file__).parent / "pictures"
    folder.mkdir(exist_ok=True)
    for bench in load_catalog().benchmarks.values():
        if bench.tier == "synthetic" and "after" not in (bench.model.get("weights") or {}):
            file = folder / f"{bench.id}.png"
            cv2.imwrite(str(file), sheet(bench.id)[..., ::-1])
            print(f"wrote {file}")


if __name__ == "__main__":
    main()
