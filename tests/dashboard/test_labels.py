"""Names beside points: none lies over another, over a point or over a bar."""

from __future__ import annotations

import random
from itertools import combinations

from dashboard import labels


def test_names_meet_nothing_and_stay_within_the_chart():
    rng = random.Random(5)
    points = [(rng.random(), rng.random()) for _ in range(40)]
    names = [f"method-{number}" for number in range(40)]
    bars = [labels.Box(x, y - 0.05, x, y + 0.05) for x, y in points]
    sides = labels.placed(points, names, 800, 330, bars)
    boxes = [labels.box(800 * points[place][0], 330 * points[place][1], names[place], side) for place, side in sides.items()]
    assert len(boxes) > 8 and 0 in sides, "the first is the most wanted"
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
    assert all(box.left >= 0 and box.right <= 800 and box.top >= -6 and box.bottom <= 336 for box in boxes)
    assert not any(box.meets(labels.Box(800 * x, 330 * top, 800 * x, 330 * bottom)) for box in boxes for x, top, _, bottom in bars)


def test_a_name_without_room_is_left_out():
    assert labels.placed([(0.5, 0.5)], ["gem"], 800, 330) == {0: "right"}
    assert labels.placed([(0.99, 0.5)], ["gem"], 800, 330) == {0: "left"}
    assert labels.placed([(0.5, 0.5)], ["a-name-of-many-letters"], 60, 330) == {}
