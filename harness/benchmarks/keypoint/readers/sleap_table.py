"""SLEAP's analysis table (sleap.ai, "Export analysis CSV"): a line per instance and frame.

```csv
track,frame_idx,instance.score,snout.x,snout.y,snout.score,tail.x,tail.y,tail.score
mouse1,12,,12.5,10,,44,35,
```

Frames are numbers, counted as SLEAP does, from 0. Scores are empty where a person labelled the point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from harness.benchmarks.keypoint.readers.label_table import Points, Row, Table


def is_sleap(head: Sequence[str]) -> bool:
    """Whether the cells of a first line are those of such a table."""
    return "frame_idx" in head and any(cell.endswith(".x") for cell in head)


def read_sleap(lines: Sequence[Sequence[str]], number: Callable[[str], float]) -> Table:
    """The table of these cells; of a frame's instances without a track each is an individual of its own.

    Args:
        number: a cell's value, NaN for an empty one; raises a ValueError that names it.

    Raises:
        ValueError: a column is missing; the message ends with the mend.
    """
    head = [cell.strip() for cell in lines[0]]
    parts = [cell[:-2] for cell in head if cell.endswith(".x")]
    if missing := [name for part in parts for name in (f"{part}.x", f"{part}.y") if head.count(name) != 1]:
        raise ValueError(f"column '{missing[0]}' is missing or stands there twice. Export it again.")
    at = {name: head.index(name) for name in head}
    table = Table("SLEAP", {}, has_likelihood=False, by_frame=True)
    frames: dict[int, Row] = {}
    for line_number, line in enumerate(lines[1:], 2):
        cells = [cell.strip() for cell in line]
        if not any(cells):
            continue
        if len(cells) != len(head):
            table.wrong.append((line_number, f"{len(cells)} cells, {len(head)} expected", "complete or delete the row"))
            continue
        try:
            frame = number(cells[at["frame_idx"]])
            if not (math.isfinite(frame) and frame >= 0 and frame == int(frame)):
                raise ValueError(f"'{cells[at['frame_idx']]}' as frame_idx")
            points: Points = {}
            for part in parts:
                x, y = (number(cells[at[f"{part}.{axis}"]]) for axis in "xy")
                score = number(cells[at[f"{part}.score"]]) if f"{part}.score" in at else math.nan
                points[part] = x, y, 1.0 if math.isnan(score) else score
                table.has_likelihood |= not math.isnan(score)
        except ValueError as error:
            table.wrong.append((line_number, f"{error} is no number", "correct it; leave the cell empty where the point is not visible"))
            continue
        row = frames.setdefault(int(frame), Row(line_number, str(int(frame)), {}))
        track = cells[at["track"]] if "track" in at else ""
        who = track or f"instance {len(row.points) + 1}"
        if who in row.points:
            table.wrong.append((line_number, f"frame {int(frame)} has two instances of track '{who}'", "delete one of them"))
            continue
        row.points[who] = points
        table.parts.setdefault(who, parts)
    nowhere: Points = dict.fromkeys(parts, (math.nan, math.nan, 1.0))
    for row in frames.values():
        row.points = {who: row.points.get(who, nowhere) for who in table.parts}
    table.rows = [frames[frame] for frame in sorted(frames)]
    return table
