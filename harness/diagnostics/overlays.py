"""Maps in colour over an image, and what is true or predicted drawn into it. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from harness.diagnostics.maps import Marks, Pictured

_COLOURS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_VIRIDIS)[0, :, ::-1]
"""(256, 3) RGB; looking colours up in one go is faster than OpenCV's own call for each small map."""

_FONT = ImageFont.load_default(14)
"""Scalable, for names of any letters; read once, before trials are forked."""

SHARE = 0.55
"""Of the map's colour in an overlay; the rest is the image."""


def _scaled(heat: np.ndarray, height: int, width: int, limits: tuple[float, float] | None) -> np.ndarray:
    """A map (H, W) as (height, width) bytes, 0 at the lower limit and 255 at the upper one; a constant map is zero."""
    low, high = limits or (heat.min(), heat.max())
    heat = (heat - low) * (255 / (high - low)) if high - low > 1e-12 else np.zeros_like(heat)
    return cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def overlays(
    image: np.ndarray, heats: np.ndarray | Sequence[np.ndarray], share: float = SHARE, limits: tuple[float, float] | None = None
) -> np.ndarray:
    """Maps (H, W) in colour over a picture (h, w, 3) each, side by side: (h, len(heats)·w, 3).

    Args:
        share: of the colour, 0 to 1.
        limits: the values of the first and the last colour; each map's own smallest and largest otherwise.
    """
    height, width = image.shape[:2]
    bytes_ = np.concatenate([_scaled(heat, height, width, limits) for heat in heats], axis=1)
    return cv2.addWeighted(np.tile(image, (1, len(heats), 1)), 1 - share, _COLOURS[bytes_], share, 0)


def enlarged(image: np.ndarray, least: int = 320) -> np.ndarray:
    """An image with a longer side of at least so many pixels, whole multiples of its own repeated."""
    factor = max(1, -(-least // max(image.shape[:2])))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


Colour = tuple[int, int, int]

_TRUE, _PREDICTED = (255, 255, 255), (230, 159, 0)
"""White and Okabe-Ito's orange, both with a black rim; and true points are rings, predicted ones crosses."""

CLASSES = ((0, 158, 115), (230, 159, 0), (86, 180, 233), (213, 94, 0), (204, 121, 167), (240, 228, 66), (0, 114, 178), (160, 160, 160))
"""Of label maps, Okabe-Ito's; from the ninth class on they come again, darker."""


def colour_of(label: int) -> Colour:
    """RGB of a class in a label map."""
    red, green, blue = CLASSES[label % len(CLASSES)]
    dark = 0.6 ** (label // len(CLASSES))
    return round(red * dark), round(green * dark), round(blue * dark)


def _blends() -> list[np.ndarray]:
    """Per colour (65536,): what an image's value becomes below a class, at 256 times the class and the value; 255 is none."""
    classes = np.array([colour_of(label) for label in range(256)])
    blends = ((1 - SHARE) * np.arange(256)[:, None] + SHARE * classes[:, None]).astype(np.uint8)
    blends[255] = np.arange(256)[:, None]
    return [np.ascontiguousarray(blends[..., colour]).ravel() for colour in range(3)]


_BLENDS = _blends()


def marked(image: np.ndarray, marks: Marks, *, true: bool, outlines: bool = False) -> np.ndarray:
    """The image with the marks drawn into it: labels as colours, boxes and points as lines.

    Args:
        image: (h, w, 3), of any size.
        true: whether they are what is true: white and rings, or what was predicted: orange, dashed and crosses.
        outlines: draw the borders between labels only, so that what is below is seen.
    """
    drawn = image.copy()
    height, width = drawn.shape[:2]
    if marks.labels is not None:
        labels = cv2.resize(marks.labels, (width, height), interpolation=cv2.INTER_NEAREST)
        if outlines:
            drawn[_borders(labels)] = _TRUE if true else _PREDICTED
        else:
            below = labels.astype(np.uint16) << 8
            drawn = cv2.merge([blend[below | drawn[..., colour]] for colour, blend in enumerate(_BLENDS)])
    colour, thick = (_TRUE if true else _PREDICTED), max(1, round(max(height, width) / 160))
    # the surest come first, and are drawn last
    for index, box in reversed([*enumerate([] if marks.boxes is None else marks.boxes)]):
        if not np.isfinite(box).all():
            continue
        own = colour if marks.kinds is None else colour_of(int(marks.kinds[index]))
        x0, y0, x1, y1 = (np.clip(box, -1, 2) * [width, height, width, height]).round().astype(int).tolist()
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
        for start, end in pairwise(corners):
            for rim, thickness in (((0, 0, 0), thick + 2), (own, thick)):
                _line(drawn, start, end, rim, thickness, dash=0 if true else 6 * thick)
        if marks.scores is not None:
            _written(drawn, f"{marks.scores[index]:.2f}", (x0 + 2, max(y0 - 4, 10)), own)
    radius = max(4, round(max(height, width) / 45))
    for x, y, known_ in [] if marks.points is None else marks.points:
        if not known_ or not np.isfinite([x, y]).all():
            continue
        centre = round(float(np.clip(x, -1, 2)) * width), round(float(np.clip(y, -1, 2)) * height)
        for rim, thickness in (((0, 0, 0), thick + 2), (colour, thick)):
            if true:
                cv2.circle(drawn, centre, radius, rim, thickness, cv2.LINE_AA)
            else:
                cv2.drawMarker(drawn, centre, rim, cv2.MARKER_TILTED_CROSS, 2 * radius, thickness, cv2.LINE_AA)
    return drawn


def _borders(labels: np.ndarray) -> np.ndarray:
    """(H, W): the pixels whose right or lower neighbour, or the one beside these, has another label."""
    wide = np.zeros(labels.shape, bool)
    wide[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    wide[:-1] |= labels[1:] != labels[:-1]
    return cv2.dilate(wide.astype(np.uint8), np.ones((2, 2), np.uint8)).astype(bool)


def _written(image: np.ndarray, text: str, place: tuple[int, int], colour: Colour) -> None:
    """A number on black, its lower left corner at ``place``."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.35
    (width, height), _ = cv2.getTextSize(text, font, scale, 1)
    cv2.rectangle(image, (place[0] - 2, place[1] - height - 2), (place[0] + width + 1, place[1] + 2), (0, 0, 0), cv2.FILLED)
    cv2.putText(image, text, place, font, scale, colour, 1, cv2.LINE_AA)


def _line(image: np.ndarray, start: tuple[int, int], end: tuple[int, int], colour: Colour, thick: int, *, dash: int) -> None:
    """Solid, or in dashes of so many pixels."""
    if not dash:
        cv2.line(image, start, end, colour, thick)
        return
    count = max(1, round(np.hypot(end[0] - start[0], end[1] - start[1]) / dash))
    for dash in range(0, count, 2):
        ends = [tuple(round(a + (b - a) * at / count) for a, b in zip(start, end, strict=True)) for at in (dash, dash + 1)]
        cv2.line(image, ends[0], ends[1], colour, thick)


def key(some: Iterable[Pictured], width: int) -> np.ndarray | None:
    """The colours of the classes that occur in label maps and boxes, with their names (h, width, 3); ``None`` where there are none."""
    some = [*some]
    marks = [marks for one in some for marks in (one.true, one.predicted)]
    there = {int(label) for each in marks if each.labels is not None for label in np.unique(each.labels)} - {255}
    there |= {int(kind) for each in marks if each.kinds is not None for kind in each.kinds}
    names = some[0].classes if some else ()
    shown = [(names[label] if label < len(names) else str(label), colour_of(label)) for label in sorted(there)]
    return legend(shown, width) if shown else None


def legend(names: Sequence[tuple[str, Colour]], width: int) -> np.ndarray:
    """Swatches with the names of classes, in lines of at most ``width`` pixels: (h, width, 3)."""
    font = _FONT
    lines: list[list[tuple[str, Colour, int]]] = [[]]
    at = 0
    for name, colour in names:
        length = round(font.getlength(name)) + 30
        if lines[-1] and at + length > width:
            lines.append([])
            at = 0
        lines[-1].append((name, colour, at))
        at += length
    picture = Image.new("RGB", (width, 22 * len(lines)), "white")
    pen = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        for name, colour, left in line:
            pen.rectangle((left, 22 * row + 4, left + 14, 22 * row + 18), fill=colour, outline="black")
            pen.text((left + 18, 22 * row + 2), name, fill="black", font=font)
    return np.asarray(picture)
