"""What is wrong with the queries and the database of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import images
from harness.benchmarks.base import SPLITS, Problem, relative
from harness.benchmarks.classification import masks
from harness.benchmarks.image_retrieval.options import RetrievalData
from harness.benchmarks.image_retrieval.readers.image_folder import ImageFolderData
from harness.benchmarks.image_retrieval.readers.revisited import RevisitedData
from harness.benchmarks.image_retrieval.readers.searched import Query, Searched, boxed
from harness.digests import contents

OFFICIAL = {"gnd_roxford5k": (70, 4993), "gnd_rparis6k": (70, 6322)}
"""Annotation -> how many queries and images of the database it has."""


def problems(root: Path, data: RetrievalData, listing: Searched) -> Iterator[Problem]:
    """Counts that are not the protocol's, boxes beside their images, queries that find themselves, images of two kinds, masks."""
    where = data.annotation if isinstance(data, RevisitedData) else "test"
    found = len(listing.queries), len(listing.database)
    official = OFFICIAL.get(Path(where).stem, found) if data.official else found
    if found != official:
        what = "{:,} queries and {:,} images to search, where the official annotation has {:,} and {:,}".format(*found, *official)
        yield Problem(where, what, "fetch it again; to run on a part of it, whose numbers stand in no paper, --set data.official={}")
    for query in listing.queries:
        if query.box is not None and (what := _beside(query, exif=data.exif == "apply")):
            yield Problem(where, f"the box of the query {relative(query.file, root)} {what}", "correct it, in pixels: x0, y0, x1, y1")
    yield from _as_widths(where, listing, exif=data.exif == "apply")
    yield from _found_by_itself(root, listing)
    if isinstance(data, ImageFolderData):
        folders = dict.fromkeys([*data.splits.values(), data.test, *([data.queries] if data.queries else [])])
        yield from masks.problems(root, folders, (file for split in SPLITS for file in listing.images(split)))
    twice = [query for query in listing.queries if len({*_places(query)}) < len(_places(query))]
    if twice:
        what = f"{len(twice)} queries have an image that is of two kinds, easy, hard or junk, e.g. {relative(twice[0].file, root)}"
        yield Problem(where, what, "name each image once; one that is right and junk counts as right", fatal=False)
    if listing.queries and not any((*query.relevance.easy, *query.relevance.hard) for query in listing.queries):
        yield Problem(where, "nothing is right for any query", "name the images that show what a query shows")


def _places(query: Query) -> tuple[int, ...]:
    return query.relevance.easy + query.relevance.hard + query.relevance.junk


def _beside(query: Query, *, exif: bool) -> str:
    """What is wrong with a query's box, as a clause."""
    try:
        width, height = images.measure(query.file, header_only=True, exif=exif)
    except ValueError:  # told with the pictures
        return ""
    assert query.box is not None
    x0, y0, x1, y1 = boxed(query.box, width, height)
    return f"has no pixel of the image's {width} x {height}" if x1 <= x0 or y1 <= y0 else ""


_SOME = 6
"""Boxes of which all would hardly fit both ways by chance: of corners, one in three does or fewer."""


def _as_widths(where: str, listing: Searched, *, exif: bool) -> Iterator[Problem]:
    """Boxes that all lie in their images as x, y, width and height, too, as COCO writes them; from the corner on both are the same."""
    boxed = [query for query in listing.queries if query.box is not None and query.box[0] > 0 and query.box[1] > 0]
    if len({query.box for query in boxed}) < _SOME:
        return
    for query in boxed:
        try:
            width, height = images.measure(query.file, header_only=True, exif=exif)
        except ValueError:
            return
        x, y, across, down = query.box or (0, 0, 0, 0)
        if x + across > width or y + down > height:
            return
    what = f"all {len(boxed)} boxes of queries lie in their images as x, y, width and height, too"
    yield Problem(where, what, "if they are that, write corners: x0, y0, x1, y1", fatal=False)


def _found_by_itself(root: Path, listing: Searched) -> Iterator[Problem]:
    """Queries of which a copy is in the database and right: the first result says nothing then."""
    database = [image.file for image in listing.database]
    digests = contents([[query.file for query in listing.queries], database])
    places: dict[object, list[int]] = {}
    for place, file in enumerate(database):
        places.setdefault(digests.get(file, file), []).append(place)
    found = [query for query in listing.queries if not {*places.get(digests.get(query.file, query.file), ())} <= {*query.relevance.junk}]
    if found:
        what = f"{len(found)} queries are in the database, too, and will find themselves, e.g. {relative(found[0].file, root)}"
        yield Problem("queries", what, "take them out of the database, or name them as junk", fatal=False)
