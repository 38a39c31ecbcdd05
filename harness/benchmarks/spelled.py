"""Files and folders that lists and entries spell otherwise: ``é`` in another Unicode form, as macOS writes it, or ``.JPG`` as ``.jpg``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from unicodedata import normalize


def form(name: str) -> str:
    """A name in the one Unicode form in which names that look the same are equal."""
    return normalize("NFC", name)


class Spelled:
    """What is below a folder, by names as people spell them. A name that is there exactly always counts; each folder is listed once."""

    def __init__(self, root: Path):
        self.root = root
        self._known: dict[Path, dict[str, list[str]]] = {}

    def file(self, name: str, suffixes: Iterable[str] = ("",)) -> Path | None:
        """The only file of a name with one of the suffixes, of which an earlier one counts first; the case of a suffix does not matter."""
        name, endings = PurePosixPath(name).as_posix(), [*suffixes]
        files = [self.root / f"{name}{ending}" for ending in endings]
        if found := next((file for file in files if os.path.isfile(file)), None):  # a name may be too long to be asked for
            return found
        folder = self.folder(PurePosixPath(name).parent.as_posix())
        last = PurePosixPath(name).name
        alike = [self._listed(folder).get(folded(f"{last}{ending}"), []) for ending in endings] if folder and last else []
        return next((folder / some[0] for some in alike if folder and len(some) == 1 and os.path.isfile(folder / some[0])), None)

    def files(self, name: str, suffixes: Iterable[str]) -> list[Path]:
        """All files of a name without suffix that end in one of these; those that are spelled exactly so, where there are any."""
        folder, last = self.folder(PurePosixPath(name).parent.as_posix()), PurePosixPath(name).name
        if not folder or not last:
            return []
        alike = [other for ending in suffixes for other in self._listed(folder).get(folded(f"{last}{ending}"), [])]
        exact = [other for other in alike if other.startswith(last)]
        return [folder / other for other in exact or alike if os.path.isfile(folder / other)]

    def folder(self, name: str) -> Path | None:
        """The folder of a name."""
        if os.path.isdir(self.root / name):
            return self.root / name
        found = self.root
        for part in PurePosixPath(name).parts:
            if os.path.isdir(found / part):
                found /= part
                continue
            alike = [other for other in self._listed(found).get(folded(part), []) if form(other) == form(part)]
            if len(alike) != 1 or not os.path.isdir(found / alike[0]):
                return None
            found /= alike[0]
        return found

    def _listed(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._known:
            self._known[folder] = {}
            for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
                self._known[folder].setdefault(folded(name), []).append(name)
        return self._known[folder]


def folded(name: str) -> str:
    """A name in one form, with its suffix in small letters: what differs by it alone may be the same file."""
    stem, suffix = os.path.splitext(form(name))
    return stem + suffix.lower()
