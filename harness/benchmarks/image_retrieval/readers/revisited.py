"""Revisited Oxford and Paris as distributed, and any dataset annotated like them.

``jpg/all_souls_000013.jpg`` and so on, queries and database alike, and a file that says what they are: ``gnd_roxford5k.pkl`` of
filipradenovic/revisitop, a pickle of which nothing runs here, or the same as JSON:

    {"imlist": ["all_souls_000001", ...], "qimlist": ["all_souls_000013", ...],
     "gnd": [{"bbx": [136.5, 34.1, 648.5, 955.7], "easy": [0, 7], "hard": [3], "junk": []}, ...]}

``imlist`` is the database, with or without suffixes; ``gnd`` has an item for each of ``qimlist``, whose numbers are places in
``imlist``, counted from 0, and whose ``bbx`` (x0, y0, x1, y1 in pixels) may be left out. Training images, of other places, lie in a
folder per class.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.benchmarks.base import Format, Split
from harness.benchmarks.classification.options import Classes, ListedClasses
from harness.benchmarks.classification.readers import image_folder
from harness.benchmarks.classification.readers.imagenet import first
from harness.benchmarks.classification.readers.labelled import Labelled
from harness.benchmarks.image_retrieval.options import RetrievalData
from harness.benchmarks.image_retrieval.readers import pickled
from harness.benchmarks.image_retrieval.readers.searched import UNKNOWN, Query, Searched
from harness.benchmarks.image_retrieval.scores import Relevance
from harness.benchmarks.spelled import Spelled
from harness.images import SUFFIXES
from harness.texts import few

_MEND = "fetch it again, as filipradenovic/revisitop says, or correct it"

Place = Annotated[int, Field(ge=0)]
Pixel = Annotated[float, Field(ge=-(1 << 20), le=1 << 20)]


class RevisitedData(RetrievalData, ListedClasses):
    """Images, and a file that says which of them are queries and what is right for each."""

    format: Literal["revisited"]
    root: str
    classes: Classes
    """How many class folders of training images there are, or the names of those to use, in label order."""
    train: str = "train"
    """Folder of the training images."""
    val: str | None = None
    """Folder of the validation images; without one, ``val_share`` of the training images."""
    per_class: int | None = Field(default=None, ge=1)
    """Train on the first so many images of each class by name, and leave out the others."""
    images: str = "jpg"
    """Folder of queries and database."""
    annotation: str = "gnd.json"
    """What is right for each query: a ``.pkl`` or ``.json``."""
    crop: bool = True
    """Cut queries to their boxes, as the protocol wants it; DINO's script does not."""

    @property
    def splits(self) -> dict[Split, str]:
        return {"train": self.train, **({"val": self.val} if self.val else {})}


class _Truth(BaseModel):
    """What is right for one query."""

    model_config = ConfigDict(extra="allow")  # to tell what is not read

    bbx: tuple[Pixel, Pixel, Pixel, Pixel] | None = None
    easy: list[Place] = []
    hard: list[Place] = []
    junk: list[Place] = []


class _Annotation(BaseModel):
    imlist: list[str]
    qimlist: list[str]
    gnd: list[_Truth]


def read(root: Path, data: RevisitedData) -> Searched:
    """List training images, queries and database."""
    listing = Searched.trained_on(image_folder.read(root, data))
    listing.root = root
    if data.per_class is not None:
        listing.train = first(listing, data.per_class)
    test(root, data.images, data.annotation, listing, crop=data.crop)
    return listing


def test(root: Path, folder: str, annotation: str, listing: Searched, *, crop: bool = True) -> None:
    """Add queries and database to ``listing``.

    Args:
        folder: of the images.
        annotation: what is right, a ``.pkl`` or ``.json``.
        crop: whether queries are cut to their boxes.
    """
    listing.sources.append(root / annotation)
    try:
        found = _Annotation.model_validate(_content(root / annotation))
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"])) or "the file"
        listing.add(annotation, f"{where}: {wrong['msg'][:1].lower()}{wrong['msg'][1:]}", _MEND)
        return
    except ValueError as error:
        listing.add(annotation, str(error), _MEND)
        return
    if unread := sorted({key for one in found.gnd for key in one.model_extra or ()}):
        empty = not any(one.easy or one.hard for one in found.gnd)
        what = f"items of gnd say {few(map(repr, unread))}, which is not read" + (", and nothing that is right" if empty else "")
        listing.add(annotation, what, "name the places of right images easy or hard, and others junk", fatal=empty)
        if empty:
            return
    if what := _contradiction(found):
        listing.add(annotation, what, _MEND)
        return
    names = [*found.qimlist, *found.imlist]
    there, suffixes = Spelled(root / folder), (".jpg", *SUFFIXES, "")
    files = {name: file for name in dict.fromkeys(names) if (file := there.file(name, suffixes))}
    if missing := [name for name in dict.fromkeys(names) if name not in files]:
        listing.add(folder, f"{len(missing)} images of {annotation} are missing, e.g. {missing[0]}", "unpack all images there")
        return
    if what := _twice(found, files):
        listing.add(annotation, what, "name each image of the database once")
        return
    queries = []
    for name, one in zip(found.qimlist, found.gnd, strict=True):
        relevance = Relevance(*(tuple(dict.fromkeys(places)) for places in (one.easy, one.hard, one.junk)))
        queries.append(Query(files[name], UNKNOWN, relevance, one.bbx if crop else None))
    listing.search(queries, [Labelled(files[name], UNKNOWN) for name in found.imlist])


def _content(file: Path) -> Any:
    if file.suffix.lower() in (".pkl", ".pickle"):
        return pickled.read(file)
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON ({error})") from None


def _contradiction(found: _Annotation) -> str:
    """What is wrong with an annotation whose values are of the right types, as a clause."""
    if len(found.qimlist) != len(found.gnd):
        return f"{len(found.qimlist)} queries, but {len(found.gnd)} items of gnd"
    for name, one in zip(found.qimlist, found.gnd, strict=True):
        places = [*one.easy, *one.hard, *one.junk]
        if places and max(places) >= len(found.imlist):
            return f"the query {name} names the image {max(places)}, but imlist has {len(found.imlist)}, counted from 0"
    return ""


def _twice(found: _Annotation, files: dict[str, Path]) -> str:
    """What is wrong with images that stand in the database twice, as a clause: right for a query at one place and wrong at the other."""
    places: dict[Path, list[int]] = {}
    for place, name in enumerate(found.imlist):
        places.setdefault(files[name], []).append(place)
    for same in (same for same in places.values() if len(same) > 1):
        for query, one in zip(found.qimlist, found.gnd, strict=True):
            if len({tuple(place in some for some in (one.easy, one.hard, one.junk)) for place in same}) > 1:
                name, at = found.imlist[same[0]], " and ".join(map(str, same))
                return f"{name} stands in imlist twice, at {at}, of which the query {query} does not say the same"
    return ""


FORMAT = Format(RevisitedData, read)
