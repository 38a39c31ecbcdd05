"""What the distribution asks of other packages, held against what is installed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from operator import and_

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness import openmmlab, paths

DISTRIBUTION = "attention-harness"

_SAME = {"mmcv-lite": ("mmcv",), "opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")}
"""Distribution -> others that bring the same package into the same folder: one of them is enough, and two are one too many."""


@dataclass(frozen=True)
class Needed:
    """A package that is asked for."""

    requirement: Requirement
    by: str = ""
    """Who needs it; empty: everybody."""
    mend: str = ""
    """The command that installs it."""

    @property
    def found(self) -> tuple[str, str] | None:
        """Name and version of what is installed: itself, or what stands for it."""
        names = (self.requirement.name, *_SAME.get(canonicalize_name(self.requirement.name), ()))
        return next(((name, there) for name in names if (there := installed(name))), None)

    @property
    def fits(self) -> bool:
        """Whether what is installed is of a version that is asked for."""
        return self.found is not None and self.requirement.specifier.contains(self.found[1], prereleases=True)


@dataclass(frozen=True)
class Conflict:
    """Two installed packages that do not go together."""

    name: str
    what: str
    mend: str
    """A command."""


def installed(name: str) -> str | None:
    """The version of a distribution, ``None`` where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def needed() -> list[Needed]:
    """Everything that the harness and its extras for users ask for, by the checkout's ``pyproject.toml`` or what was installed."""
    file = paths.home() / "pyproject.toml"
    if file.is_file():
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        extras: dict[str, list[str]] = {"": project["dependencies"], **project["optional-dependencies"]}
        asked = [(Requirement(text), extra) for extra, texts in extras.items() for text in texts]
    else:
        asked = [(made := Requirement(text), _extra(made)) for text in requires(DISTRIBUTION) or ()]
    found = []
    for requirement, extra in asked:
        if extra != "test" and _applies(requirement, extra):
            by = f"the extra '{extra}'" if extra else ""
            found.append(Needed(requirement, by, f"pip install '{_plain(requirement)}'"))
    return [*found, Needed(Requirement(openmmlab.MMPOSE), "the keypoint family", openmmlab.MMPOSE_MEND)]


def conflicts(some: list[Needed]) -> Iterator[Conflict]:
    """What of the installed packages of ``some`` does not go together, by their own metadata."""
    for name in sorted({one.found[0] for one in some if one.found}):
        for requirement in map(Requirement, requires(name) or ()):
            there = installed(requirement.name)
            if _applies(requirement) and there and not requirement.specifier.contains(there, prereleases=True):
                what = f"{version(name)} wants {_plain(requirement)}, but {there} is installed"
                if canonicalize_name(requirement.name) == "torch":  # which a project has chosen: others are fitted to it
                    yield Conflict(name, what, f"pip install --upgrade {name} 'torch=={there.partition('+')[0]}'")
                else:
                    ours = [one.requirement.specifier for one in some if one.requirement.name == requirement.name]
                    wanted = Requirement(f"{requirement.name}{reduce(and_, ours, requirement.specifier)}")
                    yield Conflict(name, what, f"pip install '{_plain(wanted)}'")
    for name, others in _SAME.items():
        both = [one for one in (name, *others) if installed(one)]
        if len({version(one) for one in both}) > 1:
            what = f"{' and '.join(f'{one} {version(one)}' for one in both)} lie in one folder"
            yield Conflict(name, what, f"pip uninstall {' '.join(both)}` and `pip install {both[-1]}=={version(both[-1])}")


def _applies(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _extra(requirement: Requirement) -> str:
    """The extra that a requirement belongs to; empty: none."""
    names = metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    return "" if _applies(requirement) else next((name for name in names if _applies(requirement, name)), "test")


def _plain(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    limits = sorted(map(str, requirement.specifier), key=lambda limit: limit.startswith("<"))
    return f"{requirement.name}{extras}{','.join(limits)}"
