"""Key points of a COCO file matched by name, and the categories that are read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from harness.benchmarks.keypoint.options import ListedPoints
from harness.benchmarks.keypoint.readers.coco_parts import Key, key
from harness.benchmarks.keypoint.readers.pose import Poses
from harness.errors import did_you_mean


def wanted(content: dict[str, Any], category: int | str | None, where: str, listing: Poses) -> Key | None:
    """The id of the category that an entry names by id or name; ``None`` for all."""
    if category is None:
        return None
    known = {item.get("name"): key(item.get("id")) for item in content.get("categories") or [] if isinstance(item, dict)}
    if category in known:
        return known[category]
    if known and key(category) not in known.values():
        listing.add(where, str(did_you_mean(str(category), map(str, known), "data.category")), "correct data.category")
    return key(category)


def orders(
    content: dict[str, Any], used: Collection[Key | None], where: str, data: ListedPoints, listing: Poses
) -> dict[Key | None, list[int]]:
    """Category id -> where its list of key points has each of ``listing.names``, in their order.

    The first file that names the points names them for a dataset whose entry gives their number only.

    Args:
        used: ids of the categories that annotations with key points have.
    """
    found: dict[Key | None, list[int]] = {}
    for category in content.get("categories") or []:
        if not isinstance(category, dict) or not isinstance(category.get("keypoints"), list) or key(category.get("id")) not in used:
            continue
        names = [str(name).strip() for name in category["keypoints"]]
        number = category.get("id")
        if not names:
            continue
        if len(set(names)) != len(names):
            listing.add(where, f"category {number} names a keypoint twice", "rename one of them")
            continue
        if not listing.names and len(names) == data.count:
            listing.names = names
        if order := order_of(names, where, f"the keypoints of category {number} are", data, listing):
            found[key(number)] = order
    if not found and used and listing.names and not any(problem.where == where and problem.fatal for problem in listing.problems):
        what = "no category names its keypoints, so they are taken in the order"
        mend = "if it is another, name them under categories[].keypoints"
        listing.add(where, f"{what} {', '.join(listing.names)}", mend, fatal=False)
    return found


def order_of(names: list[str], where: str, these_are: str, data: ListedPoints, listing: Poses) -> list[int] | None:
    """Where ``names`` has each of ``listing.names``; ``None`` (and a problem) where the two are not the same names."""
    if not listing.names or sorted(names) == sorted(listing.names):
        if listing.names or len(names) == data.count:
            return [names.index(name) for name in listing.names or names]
        says = str(data.count)
        mend = f"write data.keypoints: {len(names)}, or [{', '.join(names)}]"
    else:
        says = ", ".join(listing.names)
        mend = f"name the same ones in every file and in data.keypoints, e.g. [{', '.join(names)}]; their order does not matter"
    by = "data.keypoints says" if data.is_named or not listing.names else "the first file has"
    listing.add(where, f"{these_are} {', '.join(names)}; {by} {says}", mend)
    return None
