"""What models take for what: counts of test images, or of their pixels, over the seeds of a method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.outcome import GUESS, LABEL, Confusion

if TYPE_CHECKING:
    import numpy as np

_GUESS = "taken for"


def together(found: Iterable[Confusion]) -> Confusion | None:
    """The sum over trials of one setting; ``None`` of none."""
    import numpy as np

    some = [*found]
    if not some:
        return None
    count = max(len(one.classes) for one in some)
    total = sum(np.pad(one.counts, (0, count - len(one.classes))) for one in some)
    names = next(one.classes for one in some if len(one.classes) == count)
    return Confusion(names, np.asarray(total), some[0].unit)


def of_samples(scores: Iterable[Mapping[str, np.ndarray]], setting: Mapping[str, Any]) -> list[Confusion]:
    """Of trials of harnesses that kept the guesses alone; those without any are left out.

    Args:
        scores: of each trial, score name -> one value per test sample.
        setting: theirs, see :func:`harness.compose.setting.setting`.
    """
    pairs = [(some[LABEL], some[GUESS]) for some in scores if LABEL in some and GUESS in some]
    named = names(setting) if pairs else []
    return [one for pair in pairs if (one := Confusion.of_images(*pair, named)) is not None]


def names(setting: Mapping[str, Any]) -> list[str]:
    """The classes in label order, as a setting's data options name them; nothing where these name none."""
    from harness.benchmarks import family

    try:
        options = family(setting["family"]).format(setting["data"]["format"]).options
        root = {"root": "."} if "root" in options.model_fields else {}  # a setting has no paths
        return getattr(options.model_validate(setting["data"] | root), "class_names", None) or []
    except (KeyError, HarnessError, ValidationError):  # of an earlier harness, or of a package that is not here
        return []


def mistakes(found: Confusion, most: int = 3) -> list[str]:
    """The most frequent mistakes as text, e.g. ``cat for dog 12 of 100``: images of a dog that were taken for a cat."""
    import numpy as np

    total, classes = found.counts, found.classes
    wrong = total - np.diag(np.diag(total))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    places = [divmod(int(place), len(total)) for place in order]
    return [
        f"{classes[guess]} for {classes[label]} {_part(wrong[label, guess], total[label].sum(), found.unit)}"
        for label, guess in places
        if wrong[label, guess]
    ]


def _part(some: int, whole: int, unit: str) -> str:
    return f"{some} of {whole}" if unit == "images" else f"{100 * some / whole:.1f} %"


def heading(found: Confusion) -> str:
    """What :func:`table` shows."""
    return "test images by class and first guess" if found.unit == "images" else "of each class's test pixels, the % that are taken for"


def table(found: Confusion, width: int | None) -> tuple[list[str], list[list[object]]]:
    """Header and body of the matrix: a line a class, a column what it is taken for, by the classes' numbers; of pixels whole percents.

    Args:
        width: letters of a line; ``None`` for any.

    Returns:
        Nothing where a line would not have the room.
    """
    import numpy as np

    cells, sums = found.counts, found.counts.sum(axis=1, keepdims=True)
    texts: list[list[str]] = cells.astype(str).tolist()
    if found.unit != "images":
        shares = np.rint(100 * cells / np.maximum(sums, 1)).astype(int)
        texts = [["" if not some else str(share) for some, share in zip(*row, strict=True)] for row in zip(cells, shares, strict=True)]
    heads = [*map(str, range(len(found.classes)))]
    widths = [max(map(len, column)) for column in zip(heads, *texts, strict=True)]
    wide = len(heads[-1]) + 2 + max(map(len, [_GUESS, *found.classes])) + sum(2 + some for some in widths)
    body: list[list[object]] = [[place, name, *row] for place, (name, row) in enumerate(zip(found.classes, texts, strict=True))]
    return ([], []) if width is not None and wide > width else (["", _GUESS, *heads], body)
