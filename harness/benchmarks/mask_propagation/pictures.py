"""Frames of videos with their masks drawn in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness import images
from harness.benchmarks.base import Sample
from harness.benchmarks.mask_propagation.options import PropagationData
from harness.benchmarks.mask_propagation.readers.videos import Tracked, Video, Videos

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
    large, _ = images.enlarge(drawn(image, labels * (labels == tracked.number)))
    return Sample(f"{video.name}/{tracked.number}", image, images.label_strip(large, name), name)


def drawn(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """An image (H, W, 3) uint8 with objects in the colours of DAVIS.

    Args:
        labels: (H, W), 0 or the number of an object.
    """
    import numpy as np

    colours = np.array([images.voc_colour(number) for number in range(256)], np.float32)
    there = labels > 0
    found: np.ndarray = image.copy()
    found[there] = ((1 - _COLOUR) * image[there] + _COLOUR * colours[labels[there]]).astype(np.uint8)
    return found


def strip(video: Video, decoding: images.Decoding, propagated: np.ndarray) -> np.ndarray:
    """Some frames side by side: what is true above, what was propagated below.

    Args:
        propagated: (T, H, W), the numbers of objects in all frames.
    """
    import cv2
    import numpy as np

    last = len(video.scored) - 1
    places = [0, *dict.fromkeys(video.scored[round(part * last / (_FRAMES - 2))] for part in range(_FRAMES - 1))]
    columns = []
    for place in places:
        image = images.read_rgb(video.frames[place], decoding)
        pair = np.concatenate([drawn(image, labels) for labels in (video.labels(place), propagated[place])])
        scale = _WIDTH / image.shape[1]
        shown = cv2.resize(pair, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
        columns.append(images.label_strip(shown, f"frame {place}" if place else f"{video.name}: given"))
    return np.concatenate(columns, axis=1)
