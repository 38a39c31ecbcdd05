"""Left and right points by their names: which change places in a mirror."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
"""A word of a name: parted by anything but letters and digits, by digits, or by capitals as in ``earL`` and ``LShoulder``."""

_OTHER = {"left": "right", "right": "left", "l": "r", "r": "l"}
_RUN_ON = ("left", "right")
"""What may also stand at a word's beginning or end, as in ``leftear``; ``l`` and ``r`` may not."""

_MAY_BE = (
    ("l", "r"),
    ("li", "re"),
    ("link", "recht"),
    ("gauche", "droit"),
    ("gauch", "droit"),
    ("izquierd", "derech"),
    ("esquerd", "direit"),
    ("sinistr", "destr"),
)
"""What says a side to people and not to :func:`mirrors`: letters within a word, and other languages."""


def mirrors(names: Sequence[str]) -> dict[str, str]:
    """Name -> name of the point that it becomes in a mirror; points that stay themselves are left out.

    ``left``, ``right``, ``l`` or ``r`` is a word of the name, in whatever case and wherever it stands. The partner's name is the same but
    for that word, for case and for what parts the words; each has one partner.
    """
    by_form: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        for form, _ in _forms(name):
            by_form.setdefault(form, []).append(name)
    pairs: dict[str, str] = {}
    for name in names:
        for _, opposite in _forms(name):
            free = [other for other in by_form.get(opposite, ()) if other not in pairs and other != name]
            if free and name not in pairs:
                pairs[name], pairs[free[0]] = free[0], name
    return pairs


def sided(name: str) -> bool:
    """Whether a name says left or right, with or without a partner: as a word, or as the beginning of one."""
    words = [word.lower() for word in _WORD.findall(name)]
    return any(word in _OTHER or word.startswith(_RUN_ON) for word in words)


def unrecognised(names: Sequence[str]) -> list[tuple[str, str]]:
    """Points without a partner that look like a left and a right one: ``Lear`` and ``Rear``, ``FL_paw`` and ``FR_paw``, ``paw2LF`` and
    ``paw3RF``. Digits, case and what parts the words do not count."""
    pairs = mirrors(names)
    alone = [name for name in names if name not in pairs and not sided(name)]
    by_letters: dict[str, str] = {}
    for name in alone:
        by_letters.setdefault(_letters(name), name)
    found: dict[str, str] = {}
    for name in alone:
        here = _letters(name)
        for left, right in _MAY_BE:
            places = [at for at in range(len(here)) if here.startswith(left, at)]
            others = [by_letters.get(here[:at] + right + here[at + len(left) :]) for at in places]
            other = next((one for one in others if one and one not in found.values()), None)
            if other and name not in found and name not in found.values():
                found[name] = other
    return [*found.items()]


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalpha())


def _forms(name: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """What a name is compared by, and the same with the other side: for each word that may say a side, whole words before parts."""
    words = [word.lower() for word in _WORD.findall(name)]
    for at, word in enumerate(words):
        if word in _OTHER:
            yield tuple(words), (*words[:at], _OTHER[word], *words[at + 1 :])
    for at, word in enumerate(words):
        for side in _RUN_ON if word not in _OTHER else ():
            for begins in (True, False):
                if word.startswith(side) if begins else word.endswith(side):
                    rest = word.removeprefix(side) if begins else word.removesuffix(side)
                    other = _OTHER[side] + rest if begins else rest + _OTHER[side]
                    yield tuple(words), (*words[:at], other, *words[at + 1 :])
