"""PASCAL VOC: one XML file per image, splits as lists of names or by a fraction."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from harness.benchmarks.object_localization.options import VocLayout
from harness.benchmarks.object_localization.readers.picture import Listing, Picture
from harness.images import SUFFIXES

_FIRST_PIXEL = 1.0
"""VOC counts pixels from 1 and includes the last one: as extents, (xmin - 1, ymin - 1, xmax, ymax)."""


def scan_voc(root: Path, layout: VocLayout, *, several_labels: bool) -> Listing:
    """Read all annotations of both splits.

    Args:
        root: the dataset's folder.
        layout: where its files lie.
        several_labels: whether an image has the classes of all its objects, or of the first one only; its boxes are
            those of its classes.
    """
    listing = Listing()
    folder = root / layout.annotations
    for name in (layout.images, layout.annotations):
        if not (root / name).is_dir():
            listing.add(name, "the folder is missing", "put it there, or correct data.images and data.annotations")
    if listing.problems:
        return listing
    stems = [_listed(root, name, listing) if name else None for name in (layout.train, layout.test)]
    if layout.train is None:
        every = sorted(file.stem for file in folder.glob("*.xml") if not file.name.startswith("."))
        if not every:
            listing.add(layout.annotations, "there is no XML file", "put the annotations there, or correct data.annotations")
        pictures = {stem: _picture(root, layout, stem, several_labels, listing) for stem in every}
        stems = _split({stem: picture for stem, picture in pictures.items() if picture}, root, layout)
        _unlabelled(root, layout, pictures, listing)
    else:
        wanted = dict.fromkeys([*stems[0], *stems[1]])
        pictures = {stem: _picture(root, layout, stem, several_labels, listing) for stem in wanted}
    listing.train, listing.test = ([pictures[stem] for stem in names if pictures[stem]] for names in stems)
    return listing


def _listed(root: Path, name: str, listing: Listing) -> list[str]:
    """Names in a split file; a second column, as in VOC's files per class, is ignored."""
    text = listing.text(root, name, "put it there, or correct data.train and data.test")
    if text is None:
        return []
    stems = [line.split()[0] for line in text.split("\n") if line.strip()]
    if not stems:
        listing.add(name, "the split file is empty", "write one image name a line, without suffix")
    for stem in [stem for stem, count in Counter(stems).items() if count > 1]:
        listing.add(name, f"'{stem}' is listed twice", "delete one of the lines")
    return list(dict.fromkeys(stems))


def parse_xml(file: Path) -> ElementTree.Element:
    """Parse an XML file that declares neither a document type nor entities, which could expand without bound or read other files.

    Raises:
        ValueError: the reason, as a clause for people.
    """
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = builder.start, builder.end, builder.data

    def refuse(*_: object) -> None:
        raise ValueError("the XML declares a document type or an entity, which is refused")

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(file.read_bytes(), True)
        return builder.close()
    except FileNotFoundError:
        raise ValueError("the annotation is missing") from None
    except OSError as error:
        raise ValueError(f"the annotation cannot be read ({error.strerror})") from None
    except expat.ExpatError as error:
        raise ValueError(f"the XML is malformed (line {error.lineno}: {expat.ErrorString(error.code)})") from None


def _picture(root: Path, layout: VocLayout, stem: str, several_labels: bool, listing: Listing) -> Picture | None:
    where = f"{layout.annotations}/{stem}.xml"
    try:
        tree = parse_xml(root / where)
    except ValueError as reason:
        listing.add(where, str(reason), "mend the file, or delete it")
        return None
    file = _image_of(root, layout, stem, tree)
    if file is None:
        what = f"the image '{tree.findtext('filename') or stem}' is missing"
        listing.add(where, what, f"put it into '{layout.images}', or delete the annotation")
        return None
    found = []
    for item in tree.iter("object"):
        name = (item.findtext("name") or "").strip()
        if name not in layout.names:
            listing.add(where, f"unknown class '{name}'", f"correct it, or add it to data.classes ({', '.join(layout.names[:8])})")
            continue
        corners = [item.findtext(f"bndbox/{tag}") for tag in ("xmin", "ymin", "xmax", "ymax")]
        box = listing.box(where, corners, _FIRST_PIXEL)
        if box:
            found.append((layout.names.index(name), box))
    labels = {label for label, _ in (found if several_labels else found[:1])}
    return Picture(
        file.relative_to(root).as_posix(),
        tuple(sorted(labels)),
        tuple(box for label, box in found if label in labels),
        _size(tree),
        where,
    )


def _size(tree: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(tree.findtext(f"size/{tag}") or 0)) for tag in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _image_of(root: Path, layout: VocLayout, stem: str, tree: ElementTree.Element) -> Path | None:
    folder = root / layout.images
    # the name may carry a path of the machine it was annotated on, or another suffix than the file has
    name = (tree.findtext("filename") or "").strip().replace("\\", "/").rsplit("/", 1)[-1]
    inside = (tree.findtext("folder") or "").strip()
    places = [folder] + ([folder / inside] if inside and ".." not in inside.split("/") and not inside.startswith("/") else [])
    names = ([name] if name else []) + [stem + suffix for suffix in (*SUFFIXES, *(s.upper() for s in SUFFIXES))]
    return next((place / n for place in places for n in names if (place / n).is_file()), None)


def _split(pictures: dict[str, Picture], root: Path, layout: VocLayout) -> list[list[str]]:
    """Names of the training and of the test images; images of the same bytes stay together.

    The order that decides is that of a hash of the bytes, so neither names nor other images move an image.
    """
    groups: dict[str, list[str]] = {}
    for stem, picture in pictures.items():
        digest = hashlib.blake2b(str(layout.seed).encode(), digest_size=16)
        digest.update((root / picture.file).read_bytes())
        groups.setdefault(digest.hexdigest(), []).append(stem)
    test: set[str] = set()
    for _, stems in sorted(groups.items()):
        if len(test) + len(stems) / 2 <= layout.test_fraction * len(pictures):
            test.update(stems)
    return [[stem for stem in pictures if stem not in test], [stem for stem in pictures if stem in test]]


def _unlabelled(root: Path, layout: VocLayout, pictures: dict[str, Picture | None], listing: Listing) -> None:
    used = {picture.file for picture in pictures.values() if picture}
    images = [file for file in (root / layout.images).iterdir() if file.suffix.lower() in SUFFIXES]
    for file in sorted(images):
        name = file.relative_to(root).as_posix()
        if name not in used and file.stem not in pictures:
            listing.add(name, "the image has no annotation; it is not used", f"add {layout.annotations}/{file.stem}.xml", fatal=False)
