"""Which results may stand in one table, and how those of two tables differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.digests import digest_of

if TYPE_CHECKING:
    from harness.store.records import TrialRecord

_METHOD = "method."
"""Begins what ``--set`` changed of a method and not of a benchmark."""

_MOST = 3
"""Differences that are named; others are counted."""

CHOICE = (
    "tuned: an interval is of the point that was chosen, over its final seeds, and not of the choice, which another tuning seed may make "
    "otherwise."
)
"""What a reader of numbers with a :attr:`Setting.budget` should know."""


@dataclass(frozen=True)
class Setting:
    """What numbers depend on besides the method and the seed. Only those of equal settings are compared."""

    digest: str
    """Of the data, its scores, model, schedule and numerics; of what is known of them for trials of earlier harnesses."""
    device: str = ""
    """``cpu`` or ``cuda``."""
    overrides: tuple[str, ...] = field(default=(), compare=False)
    """What ``--set`` changed of the benchmark."""
    content: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """See :func:`harness.compose.setting.setting`; trials of earlier harnesses have ``dataset`` and ``numerics`` only."""

    @property
    def registered(self) -> bool:
        """Whether it is what the registry said when it was run."""
        return not self.overrides

    @property
    def recorded(self) -> bool:
        """Whether the trials say all of it, as those of earlier harnesses do not."""
        return "data" in self.content

    @property
    def budget(self) -> str:
        """How much each method was tuned, in words; empty for methods that were run as they are registered."""
        tuning = self.content.get("tuning")
        if not tuning:
            return ""
        seeds = f" of {tuning['seeds']} seeds" if tuning["seeds"] > 1 else ""
        return f"tuned with {tuning['trials']} trials{seeds}"


def of_benchmark(overrides: tuple[str, ...]) -> tuple[str, ...]:
    """What ``--set`` changed of the benchmark."""
    return tuple(text for text in overrides if not text.startswith(_METHOD))


def of_method(overrides: tuple[str, ...]) -> tuple[str, ...]:
    """What ``--set`` changed of the method."""
    return tuple(text for text in overrides if text.startswith(_METHOD))


def changed(overrides: tuple[str, ...]) -> str:
    """That ``--set`` changed a method, in words; empty where it was run as it is registered."""
    changes = " ".join(f"--set {text}" for text in of_method(overrides))
    return f"run with {changes}, not as registered" if changes else ""


def as_changed(method: str, overrides: tuple[str, ...]) -> str:
    """The same as a sentence about the method."""
    return f"{method} was {told}" if (told := changed(overrides)) else ""


def setting_of(result: TrialRecord, contents: Mapping[str, dict[str, Any]], environments: Mapping[str, Mapping[str, Any]]) -> Setting:
    """The setting of a trial.

    Args:
        contents: :attr:`Result.setting` -> what is behind it.
        environments: digest of an environment -> where the trial ran.
    """
    about = environments.get(result.environment_digest or "", {})
    device = str(about.get("device") or "").partition(":")[0]
    overrides = of_benchmark(result.overrides)
    if result.setting:
        content = contents.get(result.setting, {"dataset": result.dataset, "numerics": about.get("numerics")})
        return Setting(result.setting, device, overrides, content)
    known = {"dataset": result.dataset, "numerics": about.get("numerics")}
    return Setting(digest_of([known, overrides]), device, overrides, known)


def _differences(one: Setting, other: Setting) -> Iterator[tuple[str, Any, Any]]:
    """(what, of one, of the other) for all that two settings say differently beside what ``--set`` changed in the one.

    Data and evaluators that follow from changed options go without saying.
    """
    changed = {text.partition(".")[0] for text in one.overrides} if one.overrides != other.overrides else set()
    for name in ("data", "model", "schedule"):
        if name not in changed and (found := [*_unequal(name, one.content.get(name), other.content.get(name))]):
            changed.add(name)
            yield from found
    for name in ("dataset", "evaluator", "numerics"):
        if name == "numerics" or not changed & {"data", "model"}:
            yield from _unequal(name, one.content.get(name), other.content.get(name))
    if one.budget != other.budget:
        yield "", one.budget or "not tuned", other.budget
    else:
        yield from _unequal("tuning", one.content.get("tuning"), other.content.get("tuning"))
    yield from _unequal("device", one.device or "unknown", other.device or "unknown")


def _unequal(name: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in {**one, **other}:
            yield from _unequal(f"{name}.{key}", one.get(key), other.get(key))
    elif one != other:
        yield name, one, other


_WORDS = {"dataset": "other data: fingerprint", "numerics": "version of the harness's numerics"}


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _told(what: str, mine: Any, its: Any, where: str) -> str:
    if what:
        return f"{_WORDS.get(what, what)} {_text(mine)}, where {where} has {_text(its)}"
    # that the other is as registered goes without saying
    return f"{mine}, where {where} is {its}" if its else str(mine)


def difference(setting: Setting, other: Setting, where: str) -> str:
    """How a setting differs from another one, for a heading or a reason; empty where it does not.

    Args:
        where: what the other is that of, ``the baseline`` for example.
    """
    if setting == other:
        return ""
    sets = [" ".join(f"--set {text}" for text in setting.overrides)] if setting.overrides != other.overrides and setting.overrides else []
    if setting.recorded != other.recorded:
        said = "run by an earlier harness, which did not record its setting"
        return "; ".join([*sets, said if other.recorded else f"{where} was {said}"])
    found = [_told(what, mine, its, where) for what, mine, its in _differences(setting, other)]
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return "; ".join([*sets, *found[:_MOST], *more]) or f"another setting ({setting.digest}, {other.digest} in {where})"
