"""The types behind ``claims`` and ``published`` of ``registry.yaml``: what papers say of methods, and the numbers they print."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from harness import families
from harness.catalog.entry import Entry, Id
from harness.diagnostics import MEASURES
from harness.errors import did_you_mean

AHEAD = ("detection", "video")
"""Families that papers make claims in and that have no benchmarks yet."""

EXACT = ("params", "flops")
"""Costs that a claim may be about: the same in every trial, and less is better."""

Column = Literal["table_title", "dataset", "split_or_scene", "backbone", "setting", "metric"]
"""Columns of ``results/published.csv`` by which rows are chosen."""

Where = dict[Column, str]
"""Column -> what stands there; one that ends in ``…`` gives the beginning."""

Kind = Literal["better", "higher", "lower", "alike"]


class Printed(Entry):
    """The numbers that a source prints for both sides of a claim."""

    values: list[float] = Field(min_length=2, max_length=2)
    """Of the claim's method, and of what it is compared with."""
    unit: str = "%"
    where: Where = {}
    """The rows of ``results/published.csv`` they stand in."""
    rows: list[str] = Field(default=[], max_length=2)
    """How the file calls the two sides, where that is not by their ids here."""
    place: str = ""
    """Where they stand, if not in that file."""

    @model_validator(mode="after")
    def _has_a_place(self) -> Printed:
        if bool(self.where) == bool(self.place):
            raise ValueError("say where the numbers stand: `where:` in results/published.csv, or `place:` outside of it")
        return self


class Claim(Entry):
    """What a paper says of a method, in the direction it says it.

    One of ``better``, ``higher``, ``lower`` and ``alike`` names the method; ``than`` is another method, or, for a diagnostic, a number
    or another diagnostic of the same method.
    """

    id: Id
    statement: str
    """In our words."""
    source: str
    """Authors, venue and year."""
    place: str
    """Section, table, figure or slide."""
    family: str
    """Of the benchmarks that can judge it."""
    benchmarks: list[str] = []
    """Only these of the family; all where empty."""
    better: str | None = None
    """By ``metric``, in that metric's direction."""
    higher: str | None = None
    """By ``diagnostic``."""
    lower: str | None = None
    alike: str | None = None
    """By ``metric``, to less than ``margin``."""
    than: str | float
    metric: str | None = None
    """Of the benchmarks; ``primary``: what each is sorted by; ``params`` or ``flops``: a cost."""
    diagnostic: str | None = None
    margin: float | None = Field(default=None, gt=0)
    """Differences of less count as none, in the metric's unit."""
    published: list[Printed] = []
    """Empty where the sources read print no numbers."""
    differs: str = ""
    """How what is compared here differs from what the paper compares, beside data, model and schedule."""
    missing: str = ""
    """Why it cannot be measured here, where no other reason tells."""

    @field_validator("family")
    @classmethod
    def _known_family(cls, name: str) -> str:
        known = (*families.names(), *AHEAD)
        if name not in known:
            raise ValueError(str(did_you_mean(name, known, "family")).rstrip("."))
        return name

    @field_validator("diagnostic")
    @classmethod
    def _known_diagnostic(cls, name: str | None) -> str | None:
        if name is not None and name not in MEASURES:
            raise ValueError(str(did_you_mean(name, MEASURES, "diagnostic")).rstrip("."))
        return name

    @model_validator(mode="after")
    def _two_sides(self) -> Claim:
        said = [kind for kind in ("better", "higher", "lower", "alike") if getattr(self, kind) is not None]
        if len(said) != 1:
            raise ValueError("a claim says one of `better:`, `higher:`, `lower:` and `alike:`")
        if (self.metric is None) == (self.diagnostic is None):
            raise ValueError("a claim is about a `metric:` or a `diagnostic:`")
        if (self.kind in ("higher", "lower")) != (self.diagnostic is not None):
            raise ValueError("a metric has a direction: `better:` or `alike:`; a diagnostic has none: `higher:` or `lower:`")
        if (self.margin is not None) != (self.kind == "alike"):
            raise ValueError("`alike:` says up to which difference (`margin:`), and nothing else does")
        if isinstance(self.than, float) and self.diagnostic is None:
            raise ValueError("a metric depends on the benchmark: `than:` is a method")
        if self.than == self.method:
            raise ValueError(f"'{self.method}' is compared with itself")
        return self

    @property
    def kind(self) -> Kind:
        """How the method is said to differ."""
        return "better" if self.better else "higher" if self.higher else "lower" if self.lower else "alike"

    @property
    def method(self) -> str:
        """The method that the claim is about."""
        return self.better or self.higher or self.lower or self.alike or ""

    @property
    def measure(self) -> str:
        """The metric, cost or diagnostic."""
        return self.metric or self.diagnostic or ""

    @property
    def other(self) -> str | None:
        """The method it is compared with; ``None`` for a number or a diagnostic of its own."""
        return self.than if isinstance(self.than, str) and not (self.diagnostic and self.than in MEASURES) else None

    @property
    def methods(self) -> list[str]:
        """One method, or two."""
        return [self.method, *([self.other] if self.other else [])]


class Match(Entry):
    """A metric of a benchmark, and where papers print it."""

    metric: str
    where: Where


class Published(Entry):
    """Which rows of ``results/published.csv`` are of a paper-tier benchmark, whose id is the entry's."""

    id: Id
    rows: list[Match] = Field(min_length=1)
    methods: dict[str, str] = {}
    """The file's name of a method -> its id here, where these differ."""
    differs: str = ""
    """How the published setting differs from the benchmark's."""
