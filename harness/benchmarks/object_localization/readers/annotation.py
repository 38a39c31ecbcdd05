"""One PASCAL VOC annotation: an XML file that names its image and the boxes in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.parsers import expat

from harness.benchmarks.object_localization.readers.picture import Picture, Pictures
from harness.images import SUFFIXES

if TYPE_CHECKING:
    from harness.benchmarks.object_localization.readers.voc_xml import VocXmlData

_FIRST_PIXEL = 1.0
"""VOC counts pixels from 1 and includes the last one: as extents, (xmin - 1, ymin - 1, xmax, ymax)."""


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


def picture_of(stem: str, data: VocXmlData, listing: Pictures) -> Picture | None:
    """The picture that the annotation called ``stem`` describes; ``None`` (and a problem) if there is none."""
    where = f"{data.annotations}/{stem}.xml"
    listing.sources.append(listing.root / where)
    try:
        tree = parse_xml(listing.root / where)
    except ValueError as reason:
        listing.add(where, str(reason), "mend the file, or delete it")
        return None
    file = _image_of(listing.root / data.images, stem, tree)
    if file is None:
        what = f"the image '{tree.findtext('filename') or stem}' is missing"
        listing.add(where, what, f"put it into '{data.images}', or delete the annotation")
        return None
    found = []
    for item in tree.iter("object"):
        name = (item.findtext("name") or "").strip()
        if name not in data.classes:
            listing.add(where, f"unknown class '{name}'", f"correct it, or add it to data.classes ({', '.join(data.classes[:8])})")
            continue
        corners = [item.findtext(f"bndbox/{tag}") for tag in ("xmin", "ymin", "xmax", "ymax")]
        box = listing.box(where, corners, _FIRST_PIXEL)
        if box:
            found.append((data.classes.index(name), box))
    labels = {label for label, _ in (found if data.several_labels else found[:1])}
    boxes = tuple(box for label, box in found if label in labels)
    return Picture(file.relative_to(listing.root).as_posix(), tuple(sorted(labels)), boxes, _size(tree), where)


def _size(tree: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(tree.findtext(f"size/{tag}") or 0)) for tag in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _image_of(folder: Path, stem: str, tree: ElementTree.Element) -> Path | None:
    # the name may carry a path of the machine it was annotated on, or another suffix than the file has
    name = (tree.findtext("filename") or "").strip().replace("\\", "/").rsplit("/", 1)[-1]
    inside = (tree.findtext("folder") or "").strip()
    places = [folder] + ([folder / inside] if inside and ".." not in inside.split("/") and not inside.startswith("/") else [])
    names = ([name] if name else []) + [stem + suffix for suffix in (*SUFFIXES, *(s.upper() for s in SUFFIXES))]
    return next((place / n for place in places for n in names if (place / n).is_file()), None)
