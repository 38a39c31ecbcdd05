"""One trial: what it measured and cost, how it came about, and how it differs from another one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harness.analysis.numbers import NOTHING, duration, moment, number
from harness.analysis.views.runs import standing
from harness.diagnostics.strips import looked_at
from harness.outcome import COSTS, GROUP, GUESS, LABEL

if TYPE_CHECKING:
    import numpy as np

    from harness.store import Floor, MetricSpec, Result, TrialRow


_CLASSES = {LABEL: "class", GUESS: "taken for"}


@dataclass(frozen=True)
class Measured:
    """A metric of the trial."""

    metric: str
    """As it is stored, with the scene or class."""
    title: str
    """In words; its name where the benchmark says nothing."""
    scene: str
    """Scene or class; empty for the whole test set."""
    value: float
    unit: str
    higher_is_better: bool | None
    """``None`` where the benchmark says nothing."""
    primary: bool
    floor: float | None
    """The same of the trivial predictor."""

    @property
    def below_floor(self) -> bool:
        """Whether the trivial predictor is better."""
        if self.floor is None or self.higher_is_better is None:
            return False
        return self.value < self.floor if self.higher_is_better else self.value > self.floor


@dataclass(frozen=True)
class Fact:
    """A line about the trial."""

    name: str
    text: str


@dataclass(frozen=True)
class Difference:
    """Something that two trials do not have in common."""

    of: str
    """``trial``, ``config``, ``plugins``, ``data`` or ``environment``."""
    key: str
    here: str
    """Empty where this one has nothing of that name."""
    there: str


@dataclass(frozen=True)
class TrialView:
    """All that is known of a trial."""

    row: TrialRow
    result: Result | None
    """``None`` unless it is done and of those that may be shown."""
    metrics: tuple[Measured, ...]
    """The primary one first, then the others of the whole test set, then single scenes and classes."""
    curves: Mapping[str, Sequence[tuple[float, float]]]
    """``loss`` and ``val/METRIC`` -> epoch, from 1, and value."""
    per_sample: Mapping[str, np.ndarray]
    """Score -> one value per test sample."""
    classes: tuple[str, ...]
    """Of a classifier."""
    config: Mapping[str, Any]
    """Resolved; ``$DATA`` stands for the dataset's folder."""
    conditions: Mapping[str, Any]
    """What may stand in one table has the same."""
    environment: Mapping[str, Any]
    tuning: Mapping[str, Any] | None
    """What was tried to find its options."""
    command: tuple[str, ...] = field(default=())
    """See :func:`harness.analysis.reproduction.command`."""

    @property
    def standing(self) -> str:
        """One of :data:`harness.analysis.views.runs.STATES`."""
        return standing(self.row)

    @property
    def primary(self) -> Measured | None:
        """The metric that ranks methods."""
        return next((metric for metric in self.metrics if metric.primary), None)

    @property
    def costs(self) -> list[tuple[str, float | None]]:
        """Title, which names the unit, and value."""
        return [] if self.result is None else [(COSTS[name].title, COSTS[name].shown(getattr(self.result.cost, name))) for name in COSTS]

    @cached_property
    def course(self) -> list[Fact]:
        """When and how it ran."""
        row, spent = self.row, dict(self.result.durations) if self.result else {}
        facts = [
            Fact("planned", moment(row.created)),
            Fact("started", moment(row.started)),
            Fact("ended", moment(row.finished)),
            Fact("took", NOTHING if row.seconds is None else duration(row.seconds)),
            Fact("of it", ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items())),
            Fact("attempts", str(row.attempts)),
            Fact("process", f"{row.pid} on {row.host}" if row.pid else ""),
        ]
        return [fact for fact in facts if fact.text not in ("", NOTHING)]

    @cached_property
    def provenance(self) -> list[Fact]:
        """What its numbers depend on: data, code and machine."""
        row, about = self.row, {**self.environment}
        packages = about.pop("packages", {})
        sha, dirty = about.pop("git_sha", None), about.pop("git_dirty", False)
        facts = [
            Fact("benchmark", f"{row.benchmark}, version {row.version}"),
            Fact("dataset", row.dataset),
            Fact("--set", " ".join(row.overrides)),
            Fact("tuned", f"{self.tuning['trials']} trials on the validation split" if self.tuning and not row.purpose else ""),
            Fact("config", row.config_digest),
            Fact("setting", row.setting),
            *(Fact(f"plugin {name}", digest) for name, digest in row.plugins.items()),
            Fact("git commit", f"{sha}{' and changes that were not committed' if dirty else ''}" if sha else ""),
            *(Fact(name.replace("_", " "), _text(value)) for name, value in about.items() if value is not None),
            *(Fact(f"package {name}", _text(version)) for name, version in packages.items()),
        ]
        return [fact for fact in facts if fact.text]

    def pictured(self, image: int) -> list[Fact]:
        """What was predicted and measured on one of the test images of which there are pictures.

        Args:
            image: its number, see :attr:`harness.analysis.artifacts.Picture.image`.
        """
        lengths = {len(values) for values in self.per_sample.values()}
        places = looked_at(*lengths) if len(lengths) == 1 else []
        if image >= len(places):
            return []
        values = {name: float(scores[places[image]]) for name, scores in self.per_sample.items()}
        values.pop(GROUP, None)
        facts = [Fact("test sample", f"{places[image]} (of 0 to {max(lengths) - 1})")]
        facts += [Fact(words, self._class(values.pop(name))) for name, words in _CLASSES.items() if name in values]
        return facts + [Fact(name, number(value)) for name, value in sorted(values.items())]

    def _class(self, place: float) -> str:
        known = math.isfinite(place) and 0 <= place < len(self.classes)
        return self.classes[int(place)] if known else number(place)


def build(
    row: TrialRow,
    result: Result | None,
    *,
    specs: Iterable[MetricSpec],
    floors: Iterable[Floor],
    curves: Mapping[str, np.ndarray],
    per_sample: Mapping[str, np.ndarray],
    classes: Iterable[str],
    config: Mapping[str, Any],
    conditions: Mapping[str, Any],
    environment: Mapping[str, Any],
    tuning: Mapping[str, Any] | None,
    command: tuple[str, ...],
) -> TrialView:
    """A view of a trial, from what the store has; ``specs`` and ``floors`` may be of all benchmarks."""
    known = {spec.metric: spec for spec in specs if (spec.benchmark, spec.version) == (row.benchmark, row.version)}
    trivial = {
        floor.metric: floor.value
        for floor in floors
        if (floor.benchmark, floor.version, floor.dataset, floor.task) == (row.benchmark, row.version, row.dataset, row.task)
        and math.isfinite(floor.value)
    }
    metrics = [_measured(name, value, known, trivial) for name, value in (result.metrics if result else {}).items()]
    order = {name: place for place, name in enumerate(known)}
    metrics.sort(key=lambda m: (bool(m.scene), not m.primary, order.get(m.metric.partition("/")[0], len(order)), m.metric))
    points = {name: [(float(epoch), float(value)) for epoch, value in some] for name, some in curves.items()}
    return TrialView(
        row, result, tuple(metrics), points, per_sample, tuple(classes), config, conditions, environment, tuning, command
    )  # fmt: skip


def _measured(name: str, value: float, known: Mapping[str, MetricSpec], floors: Mapping[str, float]) -> Measured:
    whole, _, scene = name.partition("/")
    spec, scene = (known[name], "") if name in known else (known.get(whole), scene)
    if spec is None:
        return Measured(name, name, scene, value, "", None, False, floors.get(name))
    return Measured(name, spec.title or whole, scene, value, spec.unit, spec.higher_is_better, spec.primary and not scene, floors.get(name))


def differences(here: TrialView, there: TrialView) -> list[Difference]:
    """What two trials do not have in common, in the order of config, data, plugins and environment."""
    found = []
    for of, ours, theirs in zip(("trial", "config", "data", "plugins", "environment"), _parts(here), _parts(there), strict=True):
        keys = dict.fromkeys([*ours, *theirs])
        found += [Difference(of, key, ours.get(key, ""), theirs.get(key, "")) for key in keys if ours.get(key) != theirs.get(key)]
    return found


def _parts(view: TrialView) -> list[dict[str, str]]:
    row = view.row
    trial = {"method": row.method, "benchmark": row.benchmark, "version": row.version, "slot": row.slot, "seed": row.seed}
    data = {"dataset": row.dataset, "evaluator": view.conditions.get("evaluator"), "numerics": view.conditions.get("numerics")}
    tuning = view.conditions.get("tuning")
    return [
        flat(trial | {"--set": " ".join(row.overrides), "purpose": row.purpose, "tuning": tuning}),
        flat(view.config),
        flat(data),
        flat(row.plugins),
        flat(view.environment),
    ]


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Nested plain data as ``name.name[0].name`` -> text.

    Lists without mappings stay one value; what is empty or ``None`` is left out.
    """
    if isinstance(value, Mapping) and value:
        return {key: text for part, item in value.items() for key, text in flat(item, f"{name}.{part}" if name else str(part)).items()}
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        return {key: text for place, item in enumerate(value) for key, text in flat(item, f"{name}[{place}]").items()}
    return {} if value is None or value in ("", {}, [], ()) else {name: _text(value)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def config_text(config: Mapping[str, Any]) -> str:
    """A config to read, as YAML."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(dict(config), Dumper=dumper, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    return text
