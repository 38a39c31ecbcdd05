"""The parts of a COCO file as people and tools write them: ids, sizes, key point values."""

from __future__ import annotations

import math
import re
from typing import Any

Key = int | str
"""An id as it is compared."""

_FLAGS = "2 visible, 1 covered, 0 not labelled"


def key(raw: Any) -> Key | None:
    """An id as it is compared: 13, 13.0, "13" and "0013" are one; ``None`` where it is no id."""
    if isinstance(raw, str):
        text = raw.strip()
        return int(float(text)) if re.fullmatch(r"\d{1,15}(\.0*)?", text) else text or None
    if isinstance(raw, bool) or not isinstance(raw, int | float) or raw != raw or raw in (math.inf, -math.inf):
        return None
    return int(raw) if raw == int(raw) else str(raw)


def side(raw: Any) -> int | None:
    """A width or height in pixels, written as text, too; ``None`` for 0, null and what is no number."""
    try:
        number = float(raw)
    except (TypeError, ValueError):
        return None
    return round(number) if math.isfinite(number) and number >= 1 else None


def triples(raw: Any, count: int) -> list[tuple[float, float, int]]:
    """x, y and flag of ``count`` points, flat or a list each; NaN for a coordinate that is null, flag 2 for true.

    Raises:
        ValueError: the reason, as a clause for people.
    """
    if isinstance(raw, list) and raw and all(isinstance(point, list) for point in raw):
        wrong = next((point for point in raw if len(point) != 3), None)
        if wrong is not None:
            raise ValueError(f"a point has {len(wrong)} keypoint values, 3 expected (x, y, flag: {_FLAGS})")
        raw = [value for point in raw for value in point]
    if not isinstance(raw, list):
        raise ValueError("no keypoint values")
    if len(raw) != 3 * count:
        flags = f"; flags are missing ({_FLAGS})" if len(raw) == 2 * count else ""
        raise ValueError(f"{len(raw)} keypoint values, {3 * count} expected (x, y, flag of {count} points){flags}")
    if not all(value is None or isinstance(value, int | float) for value in raw):
        raise ValueError("a keypoint value is no number")
    return [_triple(*raw[at : at + 3]) for at in range(0, len(raw), 3)]


def _triple(x: Any, y: Any, flag: Any) -> tuple[float, float, int]:
    if isinstance(flag, bool):
        flag = 2 * flag
    if flag is None and x is None and y is None:
        flag = 0
    if flag not in (0, 1, 2):
        raise ValueError(f"a visibility flag is not 0, 1 or 2 but {flag} ({_FLAGS})")
    return (math.nan if x is None else float(x), math.nan if y is None else float(y), int(flag))
