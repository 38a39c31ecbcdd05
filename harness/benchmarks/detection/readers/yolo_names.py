"""The names that YOLO's text files count: the list that an annotation tool or a trainer's file keeps beside them.

labelImg and Label Studio write ``classes.txt``, CVAT ``obj.names``; Ultralytics and Roboflow have ``names`` in ``data.yaml``, or in
the YAML file of another name that a trainer is given. The order of such a list is that of the session in which it was written, so folders
of one dataset may count the same names differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.benchmarks.base import relative
from harness.benchmarks.detection.readers.picture import Pictures

LISTS = ("classes.txt", "obj.names", "data.yaml", "dataset.yaml")
"""In the order in which they are believed where several lie in one folder."""
_TRAINER = ("train", "val", "path", "nc")
"""One of these stands beside ``names`` in a trainer's file, whatever it is called."""
_SHOWN = 8


@dataclass(frozen=True)
class Counted:
    """What the numbers in the text files of a folder mean."""

    labels: Sequence[int | None]
    """Number -> label; ``None`` for a name that ``data.classes`` lacks."""
    names: Sequence[str]
    file: str = "data.classes"
    """The list that says it, for messages."""
    moved: bool = False
    """Whether it counts in another order than ``data.classes``."""


class Names:
    """Finds for each folder of text files the nearest list at or above it, and matches it with ``data.classes`` by name."""

    def __init__(self, classes: Sequence[str], listing: Pictures):
        self._classes, self._listing = classes, listing
        self._own = Counted(range(len(classes)), classes)
        self._folders: dict[Path, Counted] = {}
        self._lists: dict[Path, Counted] = {}
        self._trainers: dict[Path, Path | None] = {}

    def of(self, folder: Path) -> Counted:
        """What the text files in ``folder`` count."""
        if folder not in self._folders:
            file = self._nearest(folder)
            if file is not None and file not in self._lists:
                self._lists[file] = self._matched(file)
            self._folders[folder] = self._own if file is None else self._lists[file]
        return self._folders[folder]

    def tell(self) -> None:
        """Refuse folders without a list where that of another folder says that it is needed."""
        moved = [one.file for one in self._lists.values() if one.moved]
        for folder, counted in self._folders.items():
            if moved and counted is self._own:
                what = f"no list says what its text files count, and '{moved[0]}' counts in another order than data.classes"
                mend = (
                    "put a classes.txt there, with the names in the order of these text files; or correct data.classes and delete the list"
                )
                self._listing.add(relative(folder, self._listing.root), what, mend)

    def _nearest(self, folder: Path) -> Path | None:
        root = self._listing.root
        above = [one for one in folder.parents if one == root or root in one.parents]
        for one in (folder, *above):
            usual = next((one / name for name in LISTS if _names_in(one / name)), None)
            if file := usual or self._trainer(one):
                return file
        return None

    def _trainer(self, folder: Path) -> Path | None:
        """The trainer's file in a folder, whatever its name, if it has the same classes; of several that say the same the first."""
        if folder not in self._trainers:
            every = sorted(file for suffix in ("yaml", "yml") for file in folder.glob(f"*.{suffix}"))
            given = {file: _names_in(file, beside=_TRAINER) for file in every}
            named = {file: names for file, names in given.items() if _folded(names) == _folded(self._classes)}
            differ = any(names != next(iter(named.values())) for names in named.values())
            if differ:
                what = f"{', '.join(file.name for file in named)} count the same names in different orders; none of them is used"
                mend = "leave the file there that says what the text files count"
                self._listing.add(relative(folder, self._listing.root), what, mend, fatal=False)
            self._trainers[folder] = None if differ else next(iter(named), None)
        return self._trainers[folder]

    def _matched(self, file: Path) -> Counted:
        given, classes, where = _names_in(file), self._classes, relative(file, self._listing.root)
        folded = {name.casefold(): label for label, name in enumerate(classes)}
        places = [classes.index(name) if name in classes else folded.get(name.casefold()) for name in given]
        known = [(number, label) for number, label in enumerate(places) if label is not None]
        both = f"{_few(given)}; data.classes has {_few(classes)}"
        if all(number == label for number, label in known):
            strange = [number for number, label in enumerate(places[: len(classes)]) if label is None]
            if strange:
                what = f"its names are {both}; they are taken to be the same classes in this order"
                self._listing.add(where, what, "name them alike, or delete the list if it is out of date", fatal=False)
            return Counted([*range(len(classes)), *places[len(classes) :]], [*classes, *given[len(classes) :]], where)
        self._listing.sources.append(file)
        what = f"the text files count {both}; objects are matched by name"
        mend = "write data.classes in this order if all text files count so; delete the list if it is out of date"
        self._listing.add(where, what, mend, fatal=False)
        return Counted(places, given, where, moved=True)


def _folded(names: Sequence[str]) -> list[str]:
    return sorted(name.casefold() for name in names)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _names_in(file: Path, beside: Sequence[str] = ()) -> list[str]:
    """The names of a list in their order; none where there is no such list.

    Args:
        beside: keys of which a YAML file must have one, too.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    if file.suffix not in (".yaml", ".yml"):
        return [line.strip() for line in text.rstrip().splitlines()]
    import yaml

    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    if not isinstance(content, dict) or (beside and not any(key in content for key in beside)):
        return []
    said = content.get("names")
    if isinstance(said, dict):
        by_text = {str(key): name for key, name in said.items()}
        said = [by_text.get(str(number)) for number in range(len(said))] if len(by_text) == len(said) else None
        said = said if said and None not in said else None
    return [str(name).strip() for name in said] if isinstance(said, list) else []
