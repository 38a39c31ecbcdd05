"""Things that move over a cluttered ground, in the layout of DAVIS 2017.

Some of them are marked in the first frame. All turn, grow and shrink, are reflected by the frame's edges and cover one another; the ground
drifts, and the light changes its colour. What was marked is scored wherever it can be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from harness.benchmarks import scenes
from harness.benchmarks.base import Format
from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers.davis import LIST, RESOLUTION, listed
from harness.benchmarks.mask_propagation.readers.videos import Videos
from harness.benchmarks.options import Length
from harness.benchmarks.scene_options import Count, Share
from harness.images import write_image, write_indexed

if TYPE_CHECKING:
    import numpy as np

_ASPECT = 1.5
"""Width of a frame in heights."""
_SWELLING = 0.15
"""Share by which a thing grows and shrinks."""
_DRIFT = 0.25
"""Share of a frame's height by which the ground moves, at most, in a video."""


class SyntheticData(PropagationData):
    """Things that move over a cluttered ground, see :mod:`harness.benchmarks.mask_propagation.synthetic`."""

    format: Literal["synthetic"]
    size: Length = Field(default=64, ge=16)
    """Height of the frames; they are half as wide again, and the network sees them as they are."""
    multiple: Length = 8
    """The width is a multiple of it."""
    sequences: int = Field(default=30, ge=1, le=1 << 12)
    """Number of videos."""
    frames: int = Field(default=16, ge=4, le=1 << 12)
    """Of each video."""
    objects: tuple[Count, Count] = (1, 3)
    """Fewest and most things that are marked in the first frame."""
    others: tuple[Count, Count] = (1, 2)
    """Fewest and most things that are not marked, and may look like one that is."""
    side: tuple[Share, Share] = (0.25, 0.42)
    """Smallest and largest side of a thing, as a share of the frame's height."""
    speed: tuple[float, float] = (0.02, 0.05)
    """Least and most that a thing moves from frame to frame, as a share of the frame's height."""
    light: float = Field(default=0.3, ge=0, le=2)
    """How much the light's colour changes until the last frame: the logarithm of the factor, at most."""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> SyntheticData:
        for name in ("objects", "others", "side", "speed"):
            least, most = getattr(self, name)
            if least > most:
                raise ValueError(f"{name}: the first is the least; write [{most}, {least}]")
        if not self.objects[0]:
            raise ValueError("objects: mark one at least")
        return self


@dataclass(frozen=True)
class _Thing:
    """What moves; lengths in pixels."""

    kind: int
    side: float
    start: tuple[float, float]
    """x, y of its middle in the first frame."""
    step: tuple[float, float]
    """What it moves from frame to frame."""
    angle: float
    turn: float
    """What it turns from frame to frame."""
    phase: float

    def at(self, frame: int, height: int, width: int) -> tuple[float, float, float, float]:
        """x and y of its middle, its side and its angle in a frame."""
        import numpy as np

        # a share of the swelling that it begins with, so that nothing jumps
        side = self.side * (1 + _SWELLING * float(np.sin(self.phase + 0.4 * frame) - np.sin(self.phase)))
        middle = (
            _reflected(begin + frame * step, self.side / 2, length - self.side / 2)
            for begin, step, length in zip(self.start, self.step, (width, height), strict=True)
        )
        return *middle, side, self.angle + frame * self.turn  # type: ignore[return-value]  # four numbers


def _reflected(place: float, low: float, high: float) -> float:
    """Where something is that would be at ``place``, were it not reflected at both ends."""
    span = high - low
    along = (place - low) % (2 * span)
    return low + min(along, 2 * span - along)


def read(root: Path, _data: SyntheticData) -> Videos:
    """List the videos."""
    return listed(root, RESOLUTION, LIST, one_object=False)


def generate(data: SyntheticData, out: Path) -> None:
    """Write the dataset into the folder ``out``; the same options write the same bytes."""
    import numpy as np

    names = [f"clip-{index:03d}" for index in range(data.sequences)]
    for index, name in enumerate(names):
        folders = [out / kind / RESOLUTION / name for kind in ("JPEGImages", "Annotations")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for place, (image, labels) in enumerate(video(np.random.default_rng([data.seed, index]), data)):
            write_image(folders[0] / f"{place:05d}.png", image)
            write_indexed(folders[1] / f"{place:05d}.png", labels)
    (out / LIST).parent.mkdir(parents=True, exist_ok=True)
    (out / LIST).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def video(rng: np.random.Generator, data: SyntheticData) -> list[tuple[np.ndarray, np.ndarray]]:
    """Frames (H, W, 3) uint8 RGB with their masks (H, W) uint8."""
    import numpy as np

    height = data.size
    width = max(round(_ASPECT * height) // data.multiple, 1) * data.multiple
    marked, more = (int(rng.integers(least, most + 1)) for least, most in (data.objects, data.others))
    things = _things(rng, data, marked + more, height, width)
    marked = min(marked, len(things))
    # the nearest is drawn last
    depth = rng.permutation(len(things)).tolist()
    margin = int(_DRIFT * height)
    ground = scenes.background(rng, width + margin, 1.0)
    drift = rng.uniform(0, margin, (2, 2))
    light = np.exp(rng.uniform(-data.light, data.light, 3))
    made = []
    for frame in range(data.frames):
        share = frame / (data.frames - 1)
        x, y = (drift[0] + share * (drift[1] - drift[0])).round().astype(int)
        image, labels = ground[y : y + height, x : x + width].copy(), np.zeros((height, width), np.uint8)
        for number in depth:
            _draw(image, labels, things[number], number + 1 if number < marked else 0, frame)
        noisy = image * light**share + rng.normal(0, 6, image.shape)
        made.append((np.clip(noisy, 0, 255).astype(np.uint8), labels))
    return made


def _things(rng: np.random.Generator, data: SyntheticData, count: int, height: int, width: int) -> list[_Thing]:
    """Things that do not touch in the first frame; fewer where 50 tries found no room, and one at least."""
    import numpy as np

    found: list[_Thing] = []
    for _ in range(count):
        for _ in range(50):
            side, heading = height * float(rng.uniform(*data.side)), float(rng.uniform(0, 2 * np.pi))
            speed = height * float(rng.uniform(*data.speed))
            start = float(rng.uniform(side / 2, width - side / 2)), float(rng.uniform(side / 2, height - side / 2))
            thing = _Thing(
                kind=int(rng.integers(len(scenes.CLASSES))),
                side=side,
                start=start,
                step=(speed * float(np.cos(heading)), speed * float(np.sin(heading))),
                angle=float(rng.uniform(0, 2 * np.pi)),
                turn=float(rng.uniform(-0.1, 0.1)),
                phase=float(rng.uniform(0, 2 * np.pi)),
            )
            apart = ((abs(a - b) for a, b in zip(start, other.start, strict=True)) for other in found)
            if all(max(far) >= (side + other.side) / 2 for far, other in zip(apart, found, strict=True)):
                found.append(thing)
                break
    return found


def _draw(image: np.ndarray, labels: np.ndarray, thing: _Thing, number: int, frame: int) -> None:
    """Draw a thing into a frame, and its number where it covers more than half of a pixel."""
    import numpy as np

    height, width = labels.shape
    x, y, side, angle = thing.at(frame, height, width)
    pixels = max(round(side), 4)
    left, top = round(x - pixels / 2), round(y - pixels / 2)
    rows, columns = (slice(max(low, 0), min(low + pixels, most)) for low, most in ((top, height), (left, width)))
    own = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    covered = scenes.cover(pixels, thing.kind, angle)[own]
    image[rows, columns] += covered[..., None] * (np.array(scenes.COLOURS[thing.kind], float) - image[rows, columns])
    labels[rows, columns][covered > 0.5] = number


FORMAT = Format(SyntheticData, read, generate)
