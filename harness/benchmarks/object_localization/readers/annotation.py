"""One PASCAL VOC annotation: an XML file that names its image and the boxes in it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.parsers import expat

from harness.benchmarks.base import relative
from harness.benchmarks.coco import is_set
from harness.benchmarks.listed import Index
from harness.benchmarks.object_localization.readers.picture import Box, Picture, Pictures, several
from harness.benchmarks.spelled import form
from harness.images import OTHER_SUFFIXES, SUFFIXES, search

if TYPE_CHECKING:
    from harness.benchmarks.object_localization.readers.voc_xml import VocXmlData

_XML = ".xml"
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
    except LookupError:
        raise ValueError("the XML is of an encoding that nobody knows") from None
    except expat.ExpatError as error:
        raise ValueError(f"the XML is malformed (line {error.lineno}: {expat.ErrorString(error.code)})") from None


class Annotations:
    """The annotations of a dataset; what is odd about many of them is counted, and told by :meth:`tell`.

    Attributes:
        files: stem -> XML file. A stem is the path inside the folder of the annotations, without suffix.
        images: the images that lie there, whether or not they have an annotation.
    """

    def __init__(self, data: VocXmlData, listing: Pictures):
        self._data, self._listing, self._root = data, listing, listing.root
        folder = self._root / data.annotations
        self.files = {file.relative_to(folder).as_posix()[: -len(_XML)]: file for file in search(folder, [_XML]).files}
        found = search(self._root / data.images)
        listing.left_out += found.passed_over
        self.images = found.files
        self._paths = {file.relative_to(self._root / data.images).as_posix(): file for file in found.files}
        self._names = Index(self._paths)
        self._claims: dict[Path, list[str]] = {}
        self._odd: dict[str, list[str]] = {"stale": [], "renamed": [], "zero": []}
        self._unknown: dict[str, list[str]] = {}

    def where(self, stem: str) -> str:
        """The annotation of an image, for messages."""
        return relative(self.files[stem], self._root) if stem in self.files else f"{self._data.annotations}/{stem}{_XML}"

    def picture(self, stem: str) -> Picture | None:
        """The picture that the annotation called ``stem`` describes; ``None`` (and a problem) if there is none."""
        where, listing, data = self.where(stem), self._listing, self._data
        listing.sources.append(self._root / where)
        try:
            tree = parse_xml(self._root / where)
        except ValueError as reason:
            listing.add(where, str(reason), "mend the file, or delete it")
            return None
        file = self._image(stem, tree, where)
        if file is None:
            return None
        self._claims.setdefault(file, []).append(where)
        found = [labelled for item in tree.iter("object") if (labelled := self._object(item, where))]
        labels = {label for label, *_ in (found if data.several_labels else found[:1])}
        boxes = tuple(box for label, box, _ in found if label in labels)
        return Picture(relative(file, self._root), tuple(sorted(labels)), boxes, _size(tree), where, tuple(found))

    def _object(self, item: ElementTree.Element, where: str) -> tuple[int, Box, bool] | None:
        listing, name = self._listing, (item.findtext("name") or "").strip()
        if not name:
            listing.add(where, "an object has no name", f"give it one of data.classes ({', '.join(self._data.classes[:8])})")
            return None
        if name not in self._data.classes:
            self._unknown.setdefault(name, []).append(where)
            return None
        if item.find("bndbox") is None:
            listing.add(where, f"the object '{name}' has no bndbox", "give it xmin, ymin, xmax and ymax, or delete it")
            return None
        corners = [item.findtext(f"bndbox/{tag}") or "" for tag in ("xmin", "ymin", "xmax", "ymax")]
        box = listing.box(where, corners, _FIRST_PIXEL)
        if box and min(box[:2]) == -_FIRST_PIXEL:
            self._odd["zero"].append(where)
        difficult = is_set(item.findtext("difficult") or "")
        return (self._data.classes.index(name), box, difficult) if box else None

    def _image(self, stem: str, tree: ElementTree.Element, where: str) -> Path | None:
        """The image of an annotation's own name, or else the one that its ``<filename>`` says."""
        # the name may carry a path of the machine it was annotated on, or another suffix than the file has
        said = (tree.findtext("filename") or "").strip().replace("\\", "/").rsplit("/", 1)[-1]
        bare = said[: -len(PurePosixPath(said).suffix)] if said.lower().endswith((*SUFFIXES, *OTHER_SUFFIXES)) else said
        inside = (tree.findtext("folder") or "").strip().replace("\\", "/")
        own = self._called(stem, inside, said)
        found = own or (self._called(said, inside, said) or self._called(bare, inside, said) if said else [])
        if len(found) != 1:
            folder = self._data.images
            what = f"the image '{said or stem}' is missing"
            mend = f"put it into '{folder}', or delete the annotation"
            if found:
                what = f"several images may be meant: {', '.join(found[:3])}"
                mend = f"let the annotation lie in the same subfolder of '{self._data.annotations}' as its image in '{folder}'"
                if len({PurePosixPath(path).parent for path in found}) == 1:
                    mend = "write the name of its image, with the suffix, into its <filename>, or delete the other images"
            self._listing.add(where, what, mend)
            return None
        name = PurePosixPath(found[0])
        if not own:
            self._odd["renamed"].append(f"{where} says '{said}'")
        elif said and form(name.stem) not in (form(said), form(bare)):
            self._odd["stale"].append(f"{where} says '{said}'")
        return self._paths[found[0]]

    def _called(self, name: str, inside: str, said: str) -> list[str]:
        """The images that a name may mean; of several, those in the subfolder ``inside`` or with the suffix of ``said``."""
        found = self._names.exact(name)
        for better in (self._names.exact(f"{inside}/{name}"), [path for path in found if form(PurePosixPath(path).name) == form(said)]):
            if len(found) > 1:
                found = [path for path in found if path in better] or found
        return found

    def tell(self) -> None:
        """Add what was counted to the listing."""
        listing, classes = self._listing, self._data.classes
        for name, places in self._unknown.items():
            near = next((known for known in classes if known.casefold() == name.casefold()), None)
            what = f"unknown class '{name}'" + (f", in {len(places)} objects" if len(places) > 1 else "")
            hint = f"is it '{near}'? correct it" if near else "correct it"
            listing.add(places[0], what, f"{hint}, or add it to data.classes ({', '.join(classes[:8])})")
        for file, places in self._claims.items():
            if len(places) > 1:
                what = f"{len(places)} annotations claim the image '{relative(file, self._root)}': {', '.join(places[:3])}"
                listing.add(places[0], what, "name each as its own image, and delete the others")
        texts = {
            "stale": ("annotation", "named as one image, with the <filename> of another; the name counts", "correct or delete <filename>"),
            "renamed": ("annotation", "not named as any image; <filename> counts", "name each annotation as its image"),
            "zero": (
                "box",
                "beginning at 0, while VOC counts pixels from 1",
                "if all do, add 1 to every corner; used so, they are a pixel off",
            ),
        }
        for kind, places in self._odd.items():
            if places:
                one, what, mend = texts[kind]
                text = f"{several(len(places), one, 'boxes' if one == 'box' else '')} {what}, e.g. {places[0]}"
                listing.add(self._data.annotations, text, mend, fatal=False)


def _size(tree: ElementTree.Element) -> tuple[int, int] | None:
    try:
        width, height = (int(float(tree.findtext(f"size/{tag}") or 0)) for tag in ("width", "height"))
    except (ValueError, OverflowError):
        return None
    return (width, height) if width > 0 and height > 0 else None
