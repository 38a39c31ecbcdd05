"""What a classifier takes for what: counts of test images by class and first guess, over the seeds of a method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.errors import HarnessError
from harness.outcome import GUESS, LABEL

if TYPE_CHECKING:
    import numpy as np


_GUESS = "taken for"


def counts(scores: Iterable[Mapping[str, np.ndarray]]) -> np.ndarray | None:
    """(classes, classes) numbers of test images, rows their class and columns the first guess, summed over trials.

    Args:
        scores: of each trial, score name -> one value per test sample; trials and samples without guesses (NaN) are left out.

    Returns:
        ``None`` where no trial has any.
    """
    import numpy as np

    found = [np.stack([some[LABEL], some[GUESS]]) for some in scores if LABEL in some and GUESS in some]
    pairs = np.concatenate([np.empty((2, 0)), *found], axis=1)
    label, guess = pairs[:, np.isfinite(pairs).all(axis=0)].astype(np.int64)
    if not label.size:
        return None
    total = np.zeros((max(label.max(), guess.max()) + 1,) * 2, np.int64)
    np.add.at(total, (label, guess), 1)
    return total


def over(total: np.ndarray, classes: int) -> np.ndarray:
    """The numbers of :func:`counts` over so many classes: none of a class that neither occurs nor was guessed."""
    import numpy as np

    return np.pad(total, (0, classes - len(total)))


def names(setting: Mapping[str, Any], count: int) -> list[str]:
    """The classes in label order, as a setting's data options name them; their numbers where these name none.

    Args:
        setting: see :func:`harness.compose.setting.setting`.
    """
    from harness.benchmarks import family

    try:
        options = family(setting["family"]).format(setting["data"]["format"]).options
        root = {"root": "."} if "root" in options.model_fields else {}  # a setting has no paths
        named = getattr(options.model_validate(setting["data"] | root), "class_names", None) or []
    except (KeyError, HarnessError, ValidationError):  # of an earlier harness, or of a package that is not here
        named = []
    return [*named, *map(str, range(len(named), count))]


def mistakes(total: np.ndarray, classes: list[str], most: int = 3) -> list[str]:
    """The most frequent mistakes as text, e.g. ``cat for dog 12 of 100``: images of a dog that were taken for a cat."""
    import numpy as np

    wrong = total - np.diag(np.diag(total))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    places = [divmod(int(place), len(total)) for place in order]
    return [
        f"{classes[guess]} for {classes[label]} {wrong[label, guess]} of {total[label].sum()}"
        for label, guess in places
        if wrong[label, guess]
    ]


def table(total: np.ndarray, classes: list[str], width: int | None) -> tuple[list[str], list[list[object]]]:
    """Header and body of the matrix: a line a class, a column a first guess, by the classes' numbers.

    Args:
        width: letters of a line; ``None`` for any.

    Returns:
        Nothing where a line would not have the room.
    """
    heads = [*map(str, range(len(classes)))]
    body: list[list[object]] = [[place, name, *counts] for place, (name, counts) in enumerate(zip(classes, total.tolist(), strict=True))]
    wide = (
        len(heads[-1])
        + 2
        + max(map(len, [_GUESS, *classes]))
        + sum(2 + max(len(head), len(str(most))) for head, most in zip(heads, total.max(0), strict=True))
    )
    return ([], []) if width is not None and wide > width else (["", _GUESS, *heads], body)
