"""Key points of a COCO file matched by name, and the categories that are read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from harness.benchmarks.keypoint.options import ListedPoints
from harness.benchmarks.keypoint.readers.coco_parts import Key, key
from harness.benchmarks.keypoint.readers.pose import Poses
from harness.errors import did_you_mean


class Wanted:
    """The category that an entry names by name or id, in one file after another.

    Files number their categories as they like: an id means the name that it has in the first file.
    """

    def __init__(self, category: int | str | None, listing: Poses):
        self._category, self._listing = category, listing
        self._first = ""
        self._name: str | None = None

    def id_in(self, content: dict[str, Any], where: str) -> Key | None:
        """The id that the category has in a file; ``None`` for all."""
        if self._category is None:
            return None
        number = key(self._category)
        known = {key(item.get("id")): _named(item) for item in content.get("categories") or [] if isinstance(item, dict)}
        if not self._first:
            self._first = where
            self._name = str(self._category) if self._category in known.values() else known.get(number)
        alike = [own for own, name in known.items() if name and name == self._name]
        if alike:
            return number if number in alike else alike[0]
        if number in known:
            self._tell_other(number, known[number], where)
        elif known:
            names = [str(name or own) for own, name in known.items()]
            self._listing.add(where, str(did_you_mean(str(self._category), names, "data.category")), "correct data.category")
        return number

    def _tell_other(self, number: Key | None, name: str | None, where: str) -> None:
        """Refuse another name of the id, and note that it has one in one file only."""
        one, other = (f"is '{said}'" if said else "has no name" for said in (name, self._name))
        if (name or "").casefold() != (self._name or "").casefold():
            what = f"category {number} {one} here, and {other} in {self._first}"
            mend = "name it alike in every file, or write its name as data.category"
            self._listing.add(where, what, mend, fatal=bool(name and self._name))


def _named(item: dict[str, Any]) -> str | None:
    """The name of a category."""
    name = item.get("name")
    return name.strip() or None if isinstance(name, str) else None


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
