"""Synthetic rooms: textured boxes seen from known poses by vectorised ray casting.

All rooms share one wallpaper, up to its shade, and one small set of poster designs, hung at other places in other sizes;
a design hangs on several walls. What is seen locally is therefore ambiguous: where the camera stands and looks follows
only from several posters and their arrangement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from harness.images import write_image

_TEXELS = 64
"""Texture resolution: texels per metre."""
_DESIGNS = 6
_FIELD_OF_VIEW = 90.0
_SAMPLES = 2
"""Rays per pixel and axis."""
_FACE_AXES = np.array([(1, 2), (2, 0), (1, 0)])
"""World axes along the rows and the columns of the texture of a face across x, y, z."""
_SEQUENCES = {"train": (2, 1.0), "test": (1, 0.85), "val": (1, 0.85)}
"""Split -> how many sequences it has, and what share of the room's extent they cover."""


@dataclass(frozen=True)
class Room:
    """A box with textured faces, lit from the camera; world axes x right, y down, z forward, origin in the middle.

    Attributes:
        half: half of the extent along x, y, z, in metres.
        texels: colours of all faces in [0, 1], one face after another, row by row, (T, 3).
        first, shape: per face (2 * axis, plus 1 for the positive side) its first texel, and its rows and columns.
    """

    half: np.ndarray
    texels: np.ndarray
    first: np.ndarray
    shape: np.ndarray

    @classmethod
    def build(cls, index: int, posters: int = 5) -> Room:
        """Room number ``index`` with so many posters per wall; the same number is always the same room."""
        rng = np.random.default_rng([20240, index])
        half = np.array([rng.uniform(2.2, 2.8), 1.35, rng.uniform(2.4, 3.0)])
        designs = [_design(np.random.default_rng([77, n])) for n in range(_DESIGNS)]
        shade = rng.uniform(-0.07, 0.07, 3)
        faces = []
        for axis in range(3):
            for side in range(2):
                size = np.ceil(2 * half[list(_FACE_AXES[axis])] * _TEXELS).astype(int)
                faces.append(_floor(size, side) if axis == 1 else _hang(_wallpaper(size, shade), posters, designs, rng))
        shape = np.array([face.shape[:2] for face in faces])
        first = np.concatenate([[0], shape.prod(1).cumsum()[:-1]])
        return cls(half.astype(np.float32), np.concatenate([face.reshape(-1, 3) for face in faces]).astype(np.float32), first, shape)

    def render(self, position: np.ndarray, rotation: np.ndarray, size: int) -> np.ndarray:
        """The view of a pinhole camera inside the room.

        Args:
            position: camera centre (3,).
            rotation: camera-to-world (3, 3).
            size: side of the image in pixels.

        Returns:
            (size, size, 3) uint8, RGB.
        """
        position = position.astype(np.float32)
        rays = rotation.astype(np.float32) @ _rays(size)
        with np.errstate(divide="ignore"):
            distance = (np.copysign(self.half[:, None], rays) - position[:, None]) / rays
        axis = distance.argmin(0)
        every = np.arange(len(axis))
        reach = distance[axis, every]
        hits = position[:, None] + rays * reach + self.half[:, None]
        face = 2 * axis + (rays[axis, every] > 0)
        down, across = _FACE_AXES[axis].T
        shape = self.shape[face]
        row = np.clip((hits[down, every] * _TEXELS).astype(int), 0, shape[:, 0] - 1)
        column = np.clip((hits[across, every] * _TEXELS).astype(int), 0, shape[:, 1] - 1)
        # light that fades with the distance is the only cue to depth besides perspective
        colour = self.texels[self.first[face] + row * shape[:, 1] + column] * (1.15 / (1 + 0.12 * reach))[:, None]
        image = colour.reshape(size, _SAMPLES, size, _SAMPLES, 3).mean((1, 3))
        pixels: np.ndarray = (255 * np.clip(image, 0, 1)).round().astype(np.uint8)
        return pixels


@cache
def _rays(size: int) -> np.ndarray:
    """Directions (3, N) through the samples of all pixels, row by row, in camera axes."""
    steps = (np.arange(size * _SAMPLES) + 0.5) / (size * _SAMPLES) * 2 - 1
    y, x = np.meshgrid(steps, steps, indexing="ij")
    reach = math.tan(math.radians(_FIELD_OF_VIEW / 2))
    rays: np.ndarray = np.stack([x * reach, y * reach, np.ones_like(x)]).reshape(3, -1).astype(np.float32)
    return rays


def _wallpaper(size: np.ndarray, shade: np.ndarray) -> np.ndarray:
    stripes = 0.04 * np.sign(np.sin(np.arange(size[1]) * 2 * np.pi / (0.4 * _TEXELS)))
    wall: np.ndarray = np.full((*size, 3), (0.72, 0.7, 0.64)) + shade + stripes[None, :, None]
    wall[-int(0.15 * _TEXELS) :] = (0.35, 0.25, 0.2)  # skirting board: where wall meets floor
    return wall


def _floor(size: np.ndarray, side: int) -> np.ndarray:
    if side == 0:
        return np.full((*size, 3), 0.92)
    rows, columns = np.indices(tuple(size)) // int(0.5 * _TEXELS)
    return np.where(((rows + columns) % 2)[..., None], (0.55, 0.42, 0.3), (0.47, 0.35, 0.25))


def _design(rng: np.random.Generator) -> np.ndarray:
    """A poster: a frame around a few coloured blocks, (12, 9, 3)."""
    colours = rng.uniform(0.05, 0.95, (3, 3))
    poster = np.empty((12, 9, 3))
    poster[:] = colours[0]
    poster[1:-1, 1:-1] = colours[1]
    row, column = rng.integers(2, 6), rng.integers(2, 4)
    poster[row : row + 4, column : column + 4] = colours[2]
    return poster


def _hang(wall: np.ndarray, posters: int, designs: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    pitch = wall.shape[1] // max(1, posters)
    for slot in range(posters):
        design = designs[rng.integers(len(designs))]
        scale = rng.uniform(0.45, 0.95)
        height, width = int(1.1 * scale * _TEXELS), int(min(0.85 * scale * _TEXELS, pitch - 4))
        top = rng.integers(int(0.2 * _TEXELS), wall.shape[0] - height - int(0.4 * _TEXELS))
        left = slot * pitch + rng.integers(0, pitch - width)
        rows = np.arange(height) * design.shape[0] // height
        columns = np.arange(width) * design.shape[1] // width
        wall[top : top + height, left : left + width] = design[rows[:, None], columns]
    return wall


def _trajectory(room: Room, frames: int, rng: np.random.Generator, *, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """A smooth hand-held path: camera centres (N, 3) and camera-to-world rotations (N, 3, 3).

    Args:
        spread: share of the room's extent that the path covers; test paths cover less than training paths,
            so that they stay inside what was seen.
    """
    time = np.linspace(0, 1, frames)

    def swing(turns: float) -> np.ndarray:
        return np.sin(2 * np.pi * (turns * rng.uniform(0.9, 1.1) * time + rng.uniform()))

    position = spread * room.half * np.stack([0.55 * swing(3), 0.12 * swing(5), 0.55 * swing(2)], -1)
    yaw, pitch, roll = spread * 70 * swing(7), spread * 12 * swing(4), spread * 6 * swing(3)
    # R_y(yaw) R_x(pitch) R_z(roll)
    return position, Rotation.from_euler("YXZ", np.stack([yaw, pitch, roll], -1), degrees=True).as_matrix()


def write(out: Path, names: Sequence[str], counts: Mapping[str, int], *, size: int, posters: int) -> None:
    """Write the dataset in the 7-Scenes layout: one folder per room, sequences, poses and split files.

    Args:
        names: folders of the rooms.
        counts: split -> frames per room; the first split has the same ones whatever follows, and so on. None: no such split.
        size: side of the images in pixels.
        posters: per wall.
    """
    for index, name in enumerate(names):
        room = Room.build(index, posters)
        sequence = 0
        for split, frames in counts.items():
            if not frames:
                continue
            sequences, spread = _SEQUENCES[split]
            listed = []
            for part in np.array_split(np.arange(frames), sequences):
                sequence += 1
                listed.append(f"sequence{sequence}")
                rng = np.random.default_rng([31, index, sequence])
                _write_sequence(room, len(part), rng, spread, size, out / name / f"seq-{sequence:02d}")
            (out / name / f"{split.capitalize()}Split.txt").write_text("\n".join(listed) + "\n")


def _write_sequence(room: Room, frames: int, rng: np.random.Generator, spread: float, size: int, folder: Path) -> None:
    folder.mkdir(parents=True)
    positions, rotations = _trajectory(room, frames, rng, spread=spread)
    for number, (position, rotation) in enumerate(zip(positions, rotations, strict=True)):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation, position
        stem = folder / f"frame-{number:06d}"
        write_image(Path(f"{stem}.color.png"), room.render(position, rotation, size))
        np.savetxt(f"{stem}.pose.txt", pose, fmt="%.9e")
