"""The types behind ``registry.yaml``: methods, benchmarks and suites; those of claims are in :mod:`harness.catalog.claims`."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from harness import families
from harness.catalog.claims import Claim, Published
from harness.catalog.entry import Entry, Id
from harness.catalog.ranges import LEARNING_RATE, Range
from harness.errors import did_you_mean
from harness.families import Tier
from harness.slots import SLOTS


class Paper(Entry):
    title: str
    """Title of the publication."""
    authors: str = ""
    venue: str = ""
    """Venue and year, e.g. ``ICCV 2023``."""
    arxiv: str | None = None
    code: str | None = None
    """The authors' repository, as ``owner/name``."""


class Filling(BaseModel):
    """What fills a slot: a plugin and its parameters."""

    model_config = ConfigDict(extra="allow", frozen=True)

    plugin: str

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


class Method(Entry):
    """A named row of the leaderboard."""

    id: Id
    title: str
    paper: Paper | None = None
    state: Literal["works", "wraps", "planned"] = "works"
    """``works``: implemented here; ``wraps``: an OpenMMLab class; ``planned``: see ``missing``."""
    missing: str | None = None
    """What a planned method still needs."""
    kind: str = ""
    """A word or two for lists, e.g. ``query-independent attention``."""
    slots: dict[str, Filling] = {}
    """Slot -> plugin and parameters; the first is the slot the method is listed under."""
    stands_in: list[str] = []
    """Further slots that the first filling may take: a block in ``pooling`` (block, then average) or ``context``."""
    bare: bool = False
    """Whether it puts nothing into its slot, so that it also fits a benchmark that offers none."""
    notes: str = ""
    params: str = ""
    """Parameter count as a formula of the width d, for the documentation."""
    complexity: str = ""
    tune: dict[str, Range | None] = {}
    """Own parameters that a tuned run tries (docs/tuning.md), as ``PARAMETER`` or ``SLOT.PARAMETER``; null: not this one."""

    @field_validator("slots")
    @classmethod
    def _known_slots(cls, slots: dict[str, Filling]) -> dict[str, Filling]:
        for name in slots:
            if name not in SLOTS:
                raise ValueError(f"unknown slot '{name}'; known: {', '.join(SLOTS)}")
        return slots

    @model_validator(mode="after")
    def _state_agrees(self) -> Method:
        if self.state == "planned" and not self.missing:
            raise ValueError("a planned method says what is missing (`missing:`)")
        if self.state != "planned" and not self.slots:
            raise ValueError("a method that works fills at least one slot (`slots:`)")
        for name in self.stands_in:
            if name not in SLOTS:
                raise ValueError(f"unknown slot '{name}' in stands_in; known: {', '.join(SLOTS)}")
        return self

    @property
    def slot(self) -> str:
        """The slot the method is listed under."""
        return next(iter(self.slots), "")

    def fill(self, offered: tuple[str, ...]) -> dict[str, Filling] | None:
        """What the method puts into the slots a benchmark offers; ``None`` where it does not fit.

        A method with several slots needs all of them. A method with one takes its own slot, or else the
        first of ``stands_in`` that is offered. Where no slot is offered only a ``bare`` one fits.
        """
        if not self.slots:
            return None
        if all(slot in offered for slot in self.slots):
            return dict(self.slots)
        if len(self.slots) == 1:
            for slot in self.stands_in:
                if slot in offered:
                    return {slot: next(iter(self.slots.values()))}
        return {} if self.bare and not offered else None


class Benchmark(Entry):
    """A dataset, a model template with slots, a schedule and metrics, with a version."""

    id: Id
    title: str = ""
    family: str
    tier: Tier = "small"
    version: int = Field(default=1, ge=1)
    """Raised on any change of data, preprocessing or metric: results of different versions are never mixed."""
    data: dict[str, Any]
    """Format, root and reader options; typed by the family."""
    model: dict[str, Any] = {}
    """Backbone, weights and places of the slots; typed by the family."""
    schedule: dict[str, Any] = {}
    """Epochs, batch size, learning rate; typed by the family."""
    primary: str | None = None
    """The metric the leaderboard sorts by, where the family's default is not wanted."""
    cost: float = Field(default=30.0, gt=0)
    """Expected seconds of a trial on one core: long trials start first."""
    time_limit: float | None = Field(default=None, gt=0)
    """Seconds after which a trial is stopped; none by default."""
    tune: dict[str, Range] = {"schedule.lr": LEARNING_RATE}
    """What a tuned run tries for every method (docs/tuning.md): keys of ``schedule``."""
    notes: str = ""

    @field_validator("family")
    @classmethod
    def _known_family(cls, name: str) -> str:
        if name not in families.names():
            raise ValueError(str(did_you_mean(name, families.names(), "family")).rstrip("."))
        return name

    @field_validator("tune")
    @classmethod
    def _tunes_the_schedule(cls, ranges: dict[str, Range]) -> dict[str, Range]:
        for key in ranges:
            if not re.fullmatch(r"schedule\.\w+", key):
                raise ValueError(f"'{key}' cannot be tuned: data, model and scores are the benchmark's. Write schedule.OPTION")
        return ranges


class Tune(Entry):
    """How much is tried of each method before it is run with the final seeds (docs/tuning.md)."""

    trials: int = Field(ge=2, le=1024)
    """Points of the search space, the registered values among them; the same number for every method."""
    seeds: int = Field(default=1, ge=1, le=100)
    """Tuning seeds per point."""


class Suite(Entry):
    """A named list of methods x benchmarks x seeds; every fitting pair is run."""

    id: Id
    title: str = ""
    benchmarks: list[str] = Field(min_length=1)
    methods: list[str] | dict[str, list[str]] = Field(min_length=1)
    """One list for all benchmarks, or a list per family (or per benchmark, which wins)."""
    seeds: int = Field(default=2, ge=1, le=1000)
    tune: Tune | None = None
    """Tune every method first; a number is that of the trials."""
    keep_weights: bool = False
    """Keep the weights and predictions of every trial, as ``harness run --keep-weights`` does."""

    @field_validator("tune", mode="before")
    @classmethod
    def _number_of_trials(cls, given: Any) -> Any:
        return {"trials": given} if type(given) is int else given

    def methods_of(self, benchmark: Benchmark) -> list[str]:
        """The suite's methods on one benchmark."""
        if isinstance(self.methods, list):
            return self.methods
        return self.methods.get(benchmark.id) or self.methods.get(benchmark.family) or []


class Catalog(Entry):
    """Everything that can be run, and what papers say of it."""

    methods: dict[str, Method] = {}
    benchmarks: dict[str, Benchmark] = {}
    suites: dict[str, Suite] = {}
    claims: dict[str, Claim] = {}
    published: dict[str, Published] = {}
