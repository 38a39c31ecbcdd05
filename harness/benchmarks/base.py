"""What a family of benchmarks is made of.

A family is a package with the same rooms as every other: ``__init__`` (the tables below), ``options``, ``config``,
``readers``, ``scores``, ``check``, ``floor``, ``pictures`` and ``mm``; docs/architecture.md says what each holds. Nothing
here imports torch or OpenMMLab: a family describes its trials as plain dictionaries, and the worker turns them into
mmengine objects (:func:`harness.benchmarks.register.setup` imports the classes they name).
"""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from harness import families
from harness.benchmarks import groups, inside
from harness.benchmarks.options import DataOptions, HostOptions, ModelOptions, ScheduleOptions, TrainingOptions
from harness.benchmarks.validation import hold_out
from harness.depth import significant_bits
from harness.errors import DataError, UsageError, did_you_mean
from harness.images import DEEP, Decoding

if TYPE_CHECKING:
    import numpy as np

DATA = "$DATA"
"""Stands for the dataset's folder in a composed config, so that a digest does not depend on paths."""

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
NEEDED: tuple[Literal["train"], Literal["test"]] = ("train", "test")
"""Those that no dataset lacks."""
NAMES: dict[Split, str] = {"train": "training", "val": "validation", "test": "test"}
"""Of the splits, for people."""

S = TypeVar("S")
D = TypeVar("D", bound=DataOptions)


@dataclass(frozen=True)
class Metric:
    """A named number of a trial."""

    name: str
    unit: str
    higher_is_better: bool
    title: str = ""
    per_scene: bool = False
    """Also reported per scene or class, as ``name/scene``, or only so."""


@dataclass(frozen=True)
class Problem:
    """Something missing or malformed in a dataset."""

    where: str
    """The file, relative to the dataset's root."""
    what: str
    mend: str = ""
    fatal: bool = True
    """Whether no trial can run; otherwise it is a warning, and at most a sample is left out."""

    @classmethod
    def unread(cls, where: str, reason: ValueError | str, beside: str = "its annotation") -> Problem:
        """A picture that cannot be read.

        Args:
            reason: why, and behind a semicolon how to mend it, if reading knows.
            beside: what goes with the picture where it is deleted.
        """
        what, _, mend = str(reason).partition("; ")
        return cls(where, what, mend or f"fetch the file again, or delete it with {beside}")

    @property
    def sentences(self) -> str:
        """Where, what, and how to mend it."""
        parts = (self.what, self.mend[:1].upper() + self.mend[1:])
        return f"{self.where}: {' '.join(part if part.endswith(('.', '?')) else f'{part}.' for part in parts if part)}"


def refuse(problems: list[Problem], prefix: str = "", listing: str = "`harness data check`") -> None:
    """Do nothing where no problem is fatal.

    Args:
        prefix: stands before the sentence.
        listing: the command that lists all problems.

    Raises:
        DataError: names the first fatal problem, its mend and how many more there are.
    """
    fatal = [problem for problem in problems if problem.fatal]
    if fatal:
        more = f" And {len(fatal) - 1} more: {listing} lists everything." if len(fatal) > 1 else f" {listing} lists everything."
        raise DataError(f"{prefix}{fatal[0].sentences}{more}")


def relative(file: Path, root: Path) -> str:
    """A file as people find it: from the dataset's root where it lies in it."""
    file, root = file.absolute(), root.absolute()
    for base in (root, root.resolve()):
        if file.is_relative_to(base):
            return file.relative_to(base).as_posix()
    return str(file)


@dataclass(frozen=True)
class Sample:
    """One picture of a dataset, for people to look at."""

    name: str
    image: np.ndarray
    """(H, W, 3) uint8 RGB, as it is."""
    annotated: np.ndarray
    """The same with its annotation drawn in."""
    caption: str = ""


@dataclass
class Listing(Generic[S]):
    """What a reader found: the samples of the splits in their order, and everything missing or malformed.

    A fatal problem leaves the splits incomplete.
    """

    train: list[S] = field(default_factory=list)
    test: list[S] = field(default_factory=list)
    val: list[S] = field(default_factory=list)
    """For choosing (options, epochs, methods' parameters) without a look at the test: the dataset's own, or held out of training
    (:mod:`harness.benchmarks.validation`). Empty where there is none."""
    problems: list[Problem] = field(default_factory=list)
    root: Path = Path()
    """The dataset's folder."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What lies there and is not used -> how often, e.g. ``.gif files``."""
    has_samples: ClassVar[bool] = True
    """Whether the splits are listed; otherwise there are sources only, and what they hold somebody else's code knows."""
    same_twice: ClassVar[bool] = False
    """Whether a protocol trains and scores on the same list."""
    sources: list[Path] = field(default_factory=list)
    """Files that decide what the samples are, besides the samples' own: annotations, lists, poses. A reader names each before
    it opens it, so that one which is missing stands here, too."""

    unpacked: list[Path] = field(default_factory=list)
    """Folders of the harness's cache that hold what the reader took out of larger files."""

    videos: bool = False
    """Whether pictures are frames whose neighbours look alike, a folder for each sequence."""

    def files(self) -> list[Path]:
        """The samples' own files, in their order, training first; one that several samples share stands here as often."""
        return [file for name in SPLITS for sample in self.of(name) for file in self.files_of(sample)]

    @property
    def counted(self) -> str:
        """How much there is, in words."""
        return f"{len(self.train)} training, {len(self.val)} validation and {len(self.test)} test samples"

    def read(self) -> list[Path]:
        """Everything of the dataset's folder that was or will be read: sources, then the samples' files, which may lie in them."""
        return [*self.sources, *(file for file in self.files() if file.parent not in self.unpacked)]

    def of(self, name: Split) -> list[S]:
        """The samples that were read for a split, problems or not."""
        found: list[S] = getattr(self, name)
        return found

    def stratum(self, sample: S) -> Hashable:
        """What must not lose all of its training samples to the validation: a class, a scene."""
        return None

    def is_scored(self, sample: S) -> bool:
        """Whether a sample says enough to be scored."""
        return True

    def files_of(self, sample: S) -> tuple[Path, ...]:
        """The files that one sample is read from: its image, then its label map."""
        raise NotImplementedError

    def add(self, where: str, what: str, mend: str = "", *, fatal: bool = True) -> None:
        """Note a problem."""
        self.problems.append(Problem(where, what, mend, fatal))

    def text(self, name: str, mend: str) -> str | None:
        """The content of a text file under the root, one of the sources; ``None`` (and a problem) if it cannot be read."""
        self.sources.append(self.root / name)
        try:
            return (self.root / name).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            self.add(name, "the file cannot be read (not UTF-8)", f"save it as UTF-8, or {mend}")
        except OSError as error:
            self.add(name, f"the file cannot be read ({error.strerror})", mend)
        return None

    def image(self, sample: S) -> Path:
        """The file of a sample's picture."""
        return self.files_of(sample)[0]

    def whole(self, sample: S) -> Path:
        """The picture that a sample shows, or was cut out of: samples of one hang together."""
        return self.image(sample)

    def together(self, sample: S) -> Path:
        """What a validation split takes as one or not at all: samples of it hang together. A name alone, which need not exist."""
        return self.whole(sample)

    def belonging(self, name: Split) -> list[int] | None:
        """The number of each sample's :meth:`whole`; ``None`` where every sample is a picture of its own."""
        numbers: dict[Path, int] = {}
        found = [numbers.setdefault(self.whole(sample), len(numbers)) for sample in self.of(name)]
        return found if len(numbers) < len(found) else None

    def images(self, name: Split) -> list[Path]:
        """The pictures of a split, each once, problems or not."""
        return [*dict.fromkeys(self.image(sample) for sample in self.of(name))]

    @cached_property
    def bits(self) -> int | None:
        """Of the training pictures, see :func:`harness.depth.significant_bits`; asked once all are listed."""
        return significant_bits(self.images("train"))

    def decoding(self, data: DataOptions) -> Decoding:
        """How the files become pixels, for training, test and whoever looks at them."""
        return Decoding(data.exif == "apply", data.bits or self.bits or DEEP[-1])

    def split(self, name: Split) -> list[S]:
        """The samples of a split.

        Raises:
            DataError: a problem is fatal.
        """
        refuse(self.problems)
        return self.of(name)


@dataclass(frozen=True)
class Format(Generic[D]):
    """How a dataset lies on disk: a module in ``readers`` ends with one, named ``FORMAT``."""

    options: type[D]
    """What an entry may say about it."""
    read: Callable[[Path, D], Listing[Any]]
    """Lists the dataset under a root; the one source of training, test, floor, check and pictures."""
    generate: Callable[[D, Path], None] | None = None
    """Writes the dataset into an empty folder, deterministically; for formats that need no files of the user's."""

    def listing(self, root: Path, data: D) -> Listing[Any]:
        """What the reader finds under ``root``, a validation split held out of training where the dataset has none of its own.

        Files that are none of the dataset's (:mod:`harness.benchmarks.inside`) are a fatal problem, whatever the reader.
        """
        found = self.read(root, data)
        found.root = root
        if what := inside.strays(found.read(), root, data.model_dump(mode="json", exclude={"root"})):
            found.add("the dataset", what, "put them there or link to them; only an entry may name a place elsewhere, absolutely")
        if data.together is not None:
            groups.tell(found, data.together, {NAMES[split]: {*map(found.together, found.of(split))} for split in SPLITS})
        wanted = SPLITS if _names_validation(data) else NEEDED
        for split in () if not found.has_samples or any(problem.fatal for problem in found.problems) else wanted:
            if not found.of(split):
                found.add(f"{NAMES[split]} split", "it has no sample", "see where the entry says that it lies, and whether it is all there")
        hold_out(found, data.val_share, data.together)
        return found


def _names_validation(data: DataOptions) -> bool:
    """Whether an entry says where the validation split lies: it is not to be another one, held out of training, then."""
    named = getattr(data, "splits", {}).get("val") or getattr(data, "val", None)
    return bool(named) and not isinstance(named, int)


@dataclass(frozen=True)
class Family:
    """A kind of task: tables of names; what they name is imported when it is asked for."""

    name: str
    slots: tuple[str, ...]
    """Slots every benchmark of the family offers, unless its model options say otherwise."""
    primary: str
    """The metric the leaderboard sorts by, unless the benchmark says otherwise."""
    formats: Mapping[str, str]
    """Format -> the module that holds its ``FORMAT``, relative to the family's package or absolute."""
    formats_of: str = ""
    """A family whose formats are this one's, too, except for those of the same names."""
    model: type[HostOptions] = ModelOptions
    schedule: type[TrainingOptions] = ScheduleOptions
    by_features: bool = False
    """Whether its test compares features alone, so that it does not matter how a network counted classes."""
    handed_on: tuple[str, ...] | None = None
    """Slots of the methods whose backbones a stage after one of these benchmarks can begin with; all by default."""
    toolbox: str = ""
    """A toolbox of OpenMMLab that it needs and that an installation may lack."""
    instead: Mapping[str, str] = field(default_factory=dict)
    """A dotted key of an entry that has no effect -> the one that has it."""

    def room(self, name: str) -> ModuleType:
        """A module of the family's package: ``config``, ``scores``, ``check``, ``floor``, ``pictures`` or ``mm``."""
        return importlib.import_module(f".{name}", families.packages()[self.name])

    def known_formats(self) -> dict[str, str]:
        """Format -> module, those of other packages included; a name of the family's own cannot be taken."""
        package = families.packages()[self.name]
        kin = importlib.import_module(families.packages()[self.formats_of]).FAMILY.known_formats() if self.formats_of else {}
        own = {name: package + module if module.startswith(".") else module for name, module in self.formats.items()}
        return families.formats_from_outside(self.name) | kin | own

    def format(self, name: str) -> Format[Any]:
        """The format called ``name``.

        Raises:
            UsageError: there is none, or the module that brings it cannot be imported.
        """
        known = self.known_formats()
        if name not in known:
            raise did_you_mean(name, known, "data.format")
        module = known[name]
        try:
            found: Format[Any] = importlib.import_module(module).FORMAT
        except Exception as error:  # whatever a module from outside raises
            raise UsageError(f"format '{name}' cannot be imported from {module}: {type(error).__name__}: {error}.") from error
        return found

    def listing(self, root: Path, options: Mapping[str, Any]) -> tuple[Any, Listing[Any]]:
        """Typed data options and what their reader finds under ``root``, for a dataset class that mmengine builds.

        Args:
            options: as a trial's config carries them, with ``format``; ``root`` need not be in them.
        """
        chosen = self.format(options["format"])
        data = chosen.options.model_validate({"root": ".", **options})
        key = (self.known_formats()[options["format"]], str(root.absolute()), repr(data))
        if key not in _FOUND or _FOUND[key].stamp != _stamp(_FOUND[key].read):
            found = chosen.listing(root, data)
            read = _read_from(found, [root, *map(Path, inside.named_absolutely(data.model_dump(mode="json", exclude={"root"})))])
            _FOUND[key] = _Found(found, read, _stamp(read))
        return data, _FOUND[key].listing


@dataclass(frozen=True)
class _Found:
    """A listing that is remembered."""

    listing: Listing[Any]
    read: list[str]
    """What it was read from: its sources, the places it was looked for in, and the folders between these and its files."""
    stamp: list[tuple[int, int] | None]
    """When these had been written."""


_FOUND: dict[tuple[str, ...], _Found] = {}
"""What :meth:`Family.listing` found, by the format's module: the splits of one trial ask alike, and so do families that share a format
and all trials that are forked from one process; a listing may take half a minute."""


def _read_from(listing: Listing[Any], places: list[Path]) -> list[str]:
    inner = {os.path.dirname(file) for file in (*listing.files(), *listing.sources)}
    folders = {str(above) for name in inner for above in (Path(name), *Path(name).parents) if any(map(above.is_relative_to, places))}
    return sorted({*map(str, places), *folders, *map(str, listing.sources)})


def _stamp(names: list[str]) -> list[tuple[int, int] | None]:
    """(mtime, size) of files and folders; ``None`` for one that cannot be seen."""
    found: list[tuple[int, int] | None] = []
    for name in names:
        try:
            status = os.stat(name)
            found.append((status.st_mtime_ns, status.st_size))
        except OSError:
            found.append(None)
    return found


def undeclared(returned: Mapping[str, float], metrics: tuple[Metric, ...]) -> Iterator[str]:
    """Why what an evaluator returned is not what its family declares: a clause for each metric that only one of the two knows."""
    declared = {metric.name: metric for metric in metrics}
    for name in returned:
        stem, part, _ = name.partition("/")
        if stem not in declared:
            yield f"the evaluator returned '{name}', which the family does not declare"
        elif part and not declared[stem].per_scene:
            yield f"the evaluator returned '{name}', but '{stem}' is not declared as one of scenes or classes"
    stems = {name.partition("/")[0] for name in returned}
    for metric in metrics:
        if metric.name not in (stems if metric.per_scene else returned):
            yield f"the evaluator did not return '{metric.name}', which the family declares"
