"""Frames of videos with their masks drawn in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness import images
from harness.benchmarks.base import Sample
from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers.videos import Tracked, Video, Videos
from harness.benchmarks.mask_propagation.scores import contour

if TYPE_CHECKING:
    import numpy as np

_FRAMES = 5
"""Of a strip: the given one first, then some that are scored, the last of these last."""
_WIDTH = 240
"""Pixels of a frame in a strip."""
_COLOUR = 0.5
"""Share of an object's colour where it lies."""


def samples(root: Path, data: PropagationData, listing: Videos, count: int) -> list[Sample]:
    """The first ``count`` objects, each in the middle of its video."""
    listing.split("test")
    decoding = listing.decoding(data)
    return [_sample(tracked, decoding) for tracked in listing.tracked[:count]]


def _sample(tracked: Tracked, decoding: images.Decoding) -> Sample:
    video = tracked.video
    place = video.scored[len(video.scored) // 2]
    image, labels = images.read_rgb(video.frames[place], decoding), video.labels(place)
    name = f"{video.name}, object {tracked.number} of {len(video.objects)}, frame {place}"
    shown = drawn(image, labels * (labels == tracked.number), max(_WIDTH, image.shape[1]))
    return Sample(f"{video.name}/{tracked.number}", image, shown, name)


def drawn(image: np.ndarray, labels: np.ndarray, width: int) -> np.ndarray:
    """An image (H, W, 3) uint8 with objects in the colours of DAVIS and with white outlines, as wide as is said.

    Args:
        labels: (H, W), 0 or the number of an object.
    """
    import cv2
    import numpy as np

    size = width, round(width * image.shape[0] / image.shape[1])
    found = cv2.resize(image, size, interpolation=cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_NEAREST)
    large = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    colours = np.array([images.voc_colour(number) for number in range(256)], np.float32)
    there = large > 0
    found[there] = ((1 - _COLOUR) * found[there] + _COLOUR * colours[large[there]]).astype(np.uint8)
    for number in np.unique(large[there]):
        found[contour(large == number)] = 255
    return found


def strip(video: Video, decoding: images.Decoding, propagated: np.ndarray) -> np.ndarray:
    """Some frames side by side: what is true above, what was propagated below.

    Args:
        propagated: (T, H, W), the numbers of objects in all frames.
    """
    import numpy as np

    last = len(video.scored) - 1
    places = [0, *dict.fromkeys(video.scored[round(part * last / (_FRAMES - 2))] for part in range(_FRAMES - 1))]
    columns = []
    for place in places:
        image = images.read_rgb(video.frames[place], decoding)
        pair = [drawn(image, labels, _WIDTH) for labels in (video.labels(place), propagated[place])]
        columns.append(images.label_strip(np.concatenate(pair), f"frame {place}" if place else f"{video.name}: given"))
    return np.concatenate(columns, axis=1)
