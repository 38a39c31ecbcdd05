"""What a finished trial hands to the store, and how its costs are read: the one place that lists them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from statistics import median, quantiles
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np

_T = TypeVar("_T")

LATER = "later"
Later = Annotated[_T, LATER]
"""Type of a field that came after the first databases and exports: those that lack it have its default."""

DEAREST = 1e24
"""A cost beyond is none: so many operations are a day of all computers there are."""


MOST_CLASSES = 4096
"""Of so many pairs are counted."""

LABEL, GUESS = "label", "guess"
"""Names in :attr:`Outcome.per_sample` for the class of an image and the class it was taken for first, as numbers."""

ROUGH = "rough"
"""Name in :attr:`Outcome.labels` for the costs, parted by commas, that were measured while others disturbed."""

DOUBT = "doubt"
"""Name in :attr:`Outcome.labels` for what makes the result doubtful; the leaderboard notes it."""

GROUP = "group"
"""Name in :attr:`Outcome.per_sample` for the number of what a sample belongs to (scene, sequence, image), where samples of one are
alike; intervals over test samples draw groups."""


SPREAD = 0.2
"""Of the middle half of what was measured, as a share of its median: from here on a cost is rough."""


@dataclass(frozen=True)
class Quantity:
    """How a cost is read."""

    heading: str
    """Of a narrow column of text; names the unit."""
    title: str
    """The same with more room."""
    scale: float
    """The unit of ``heading`` and ``title``, in that of the field."""
    form: Callable[[float], str]
    """A scaled value as text."""
    over_seeds: Callable[[Sequence[Any]], Any]
    """One value for several seeds, of which each has one."""
    wide: bool = False
    """Left out of tables of limited width."""

    def text(self, value: float | None) -> str:
        """A value of the field in the unit of ``heading``; ``-`` for none."""
        return "-" if value is None else self.form(value / self.scale)

    def shown(self, value: float | None) -> float | None:
        """The number that :meth:`text` says."""
        return None if value is None else float(self.text(value))


def _first(values: Sequence[Any]) -> Any:
    return values[0]


def _cost(*quantity: Any) -> Any:
    return field(default=None, metadata={"quantity": Quantity(*quantity)})


@dataclass(frozen=True)
class Cost:
    """What a trial's model costs; ``None`` where it could not be measured."""

    params: int | None = _cost("Mparams", "parameters (M)", 1e6, lambda v: f"{v:.3f}" if v < 1 else f"{v:.2f}", _first)
    """Trainable and frozen parameters."""
    flops: float | None = _cost("GFLOPs", "GFLOPs", 1e9, "{:.3g}".format, _first)
    """Floating-point operations of one forward pass of one image (a multiply-add counts as two)."""
    latency_ms: float | None = _cost("ms", "latency (ms)", 1, "{:.3g}".format, median)
    """Median time of one forward pass of one image on the trial's device; on a CPU, that of the processor."""
    peak_memory_mb: float | None = _cost("MB", "peak memory (MB)", 1, "{:.0f}".format, max)
    """Most memory held in one forward pass of one image (in 2^20 bytes): parameters, buffers and what the pass makes. CPU: by the
    live tensors, the same each time; CUDA: by the allocator."""
    train_memory_mb: Annotated[float | None, LATER] = _cost("train MB", "training memory (MB)", 1, "{:.0f}".format, max, True)
    """The same of one training step of a whole batch, with gradients and the optimizer's state."""

    def texts(self, names: Iterable[str], rough: Collection[str] = ()) -> list[str]:
        """Those named, as text; ``~`` before those that were measured while others disturbed."""
        return ["~" * (name in rough) + COSTS[name].text(getattr(self, name)) for name in names]


COSTS: dict[str, Quantity] = {cost.name: cost.metadata["quantity"] for cost in fields(Cost)}
"""Field of :class:`Cost` -> how it is read, in the order in which they are shown."""


_values = attrgetter(*COSTS)


def over_seeds(costs: Iterable[tuple[Cost, Mapping[str, str]]]) -> tuple[Cost, tuple[str, ...]]:
    """The cost of several seeds of one method, ``None`` where no seed has it, and which of it is rough.

    What was measured while others disturbed counts where there is nothing else. Rough is also what seeds disagree on, as what else runs
    on a machine may slow a whole measurement.

    Args:
        costs: the cost and the labels of each seed.
    """
    measured = [(_values(cost), labels[ROUGH].split(",") if ROUGH in labels else ()) for cost, labels in costs]
    over, rough = {}, []
    for place, name in enumerate(COSTS):
        there = [(values[place], name in doubtful) for values, doubtful in measured if values[place] is not None]
        if there:
            certain = [value for value, doubtful in there if not doubtful]
            over[name] = COSTS[name].over_seeds(certain or [value for value, _ in there])
            rough += [name] * (not certain or _disagree(certain))
    return Cost(**over), tuple(rough)


def _disagree(values: Sequence[float]) -> bool:
    if len({*values}) < 2:
        return False
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return high - low > SPREAD * middle


@dataclass(frozen=True)
class Confusion:
    """What a model takes for what."""

    classes: tuple[str, ...]
    """In the order of labels, as the test set names them; their numbers where it names none."""
    counts: np.ndarray
    """(classes, classes) int64: rows are the class, columns what it was taken for."""
    unit: str
    """What is counted: ``images`` or ``pixels`` of the test set."""

    @classmethod
    def of_images(cls, labels: np.ndarray, guesses: np.ndarray, classes: Iterable[str]) -> Confusion | None:
        """Of so many images; ``None`` where none has both, or of more than :data:`MOST_CLASSES`.

        Args:
            labels, guesses: (N,), NaN or negative where an image has no class or was taken for none of them.
            classes: their names, as far as they are known.
        """
        import numpy as np

        pairs = np.stack([labels, guesses])
        label, guess = pairs[:, (pairs >= 0).all(axis=0)].astype(np.int64)
        if not label.size:
            return None
        named = tuple(classes)
        count = max(len(named), label.max() + 1, guess.max() + 1)
        if count > MOST_CLASSES:
            return None
        total = np.zeros((count, count), np.int64)
        np.add.at(total, (label, guess), 1)
        return cls((*named, *map(str, range(len(named), count))), total, "images")


@dataclass
class Outcome:
    """The result of one trial; stored in one transaction or not at all."""

    metrics: dict[str, float]
    """Metric name (``name`` or ``name/scene``) -> value."""
    cost: Cost
    per_sample: dict[str, np.ndarray] = field(default_factory=dict)
    """Score name, :data:`LABEL`, :data:`GUESS` or :data:`GROUP` -> one value per test sample, in the order of the test set
    (float32; NaN where undefined)."""
    confusion: Confusion | None = None
    """Where there are classes: of whole images by their first guess, or of pixels."""
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    """Learning curves: ``loss``, the mean of each epoch, and ``val/<metric>``, on the validation split -> (points, 2) float64 of
    epoch, from 1, and value. A dataset without a validation split has the loss only."""
    diagnostics: dict[str, float] = field(default_factory=dict)
    """Numbers that describe the attention itself."""
    durations: dict[str, float] = field(default_factory=dict)
    """Seconds: ``build``, ``train``, ``test``, ``diagnostics``, ``cost``."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Package versions, git sha and dirty flag, device, driver."""
    notes: list[str] = field(default_factory=list)
    """What a reader should know, e.g. ``batch halved after running out of memory``."""
    labels: dict[str, str] = field(default_factory=dict)
    """A few words about how the numbers came about, by what they are about. ``map``: which map of the model located objects;
    the leaderboard shows it as a column. ``attention``: ``collapsed``, where that of a layer is all but one-hot; the leaderboard
    marks it. :data:`ROUGH`: which costs are."""
