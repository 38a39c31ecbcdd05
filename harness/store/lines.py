"""The lines of an export (:mod:`harness.store.portable`), validated before anything of them is stored."""

from __future__ import annotations

import base64
import os
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, create_model, model_validator

from harness.outcome import DEAREST, MOST_CLASSES, Cost
from harness.store.arrays import unpack, unpack_confusion, unpack_curve
from harness.store.columns import Held, held
from harness.store.legacy import labels_in, rough_in
from harness.store.records import LEASED, TRAVELS, Content, Floor, PlacedSpec, TrialRecord
from harness.texts import visible

_LATEST = 253_402_214_400.0
"""Times from here on, in the year 9999, are no dates."""

_LONGEST = 1e10
"""Seconds: three hundred years."""


def _named(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError(f"{text!r:.60} is no name: it holds line breaks, control characters or blanks at its ends")
    return text


Free = Annotated[str, AfterValidator(partial(visible, keep="\n\t"))]
"""Any text; what a terminal would obey is spelled out."""

Duration = Annotated[FiniteFloat, Field(ge=0, le=_LONGEST)]

TYPES: dict[str, Any] = {
    "digest": Annotated[str, Field(pattern=r"^[0-9a-f]{1,32}$")],
    "text": Free,
    "texts": list[Free],
    "int32": Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)],
    "count": Annotated[int, Field(ge=0, lt=1 << 31)],
    "int64": Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)],
    "finite": FiniteFloat,
    "time": Annotated[FiniteFloat, Field(ge=0, lt=_LATEST)],
    "seconds": Duration,
    "truth": bool,
}
"""What a line may say, by :attr:`harness.store.columns.Kind.line`; checked strictly."""


def _bytes(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


class Line(BaseModel):
    """Common base: unknown keys are errors, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _line(record: type, *, without: Collection[str] = (), renamed: Mapping[str, str] | None = None, **more: Any) -> type[Line]:
    """A line with the fields of a record; all are needed, except what the first exports did not have."""
    fields: dict[str, Any] = {
        (renamed or {}).get(field.name, field.name): (_type(field), field.default if field.later else ...)
        for field in held(record)
        if field.name not in without
    }
    return create_model(f"{record.__name__}Line", __base__=Line, **(fields | more))


def _name(longest: int) -> Any:
    """A name that fits its column: one line of at most so many characters."""
    return Annotated[str, Field(max_length=longest), AfterValidator(_named)]


def _type(field: Held) -> Any:
    plain = TYPES[field.line] if field.line else field.plain
    if field.line == "text" and (longest := getattr(field.column, "length", None)):
        plain = _name(longest)
    return plain | None if field.nullable else plain


class HeaderLine(Line):
    kind: Literal["header"]
    schema_: int = Field(alias="schema")
    trials: Annotated[int, Field(ge=0)] | None = None
    """How many trials follow, so that a file that was cut off is seen to be."""


class SamplesPart(Line):
    count: int = Field(ge=0, le=1 << 28)
    data: Annotated[bytes, BeforeValidator(_bytes)]

    @model_validator(mode="after")
    def _unpacks(self) -> SamplesPart:
        unpack(self.data, self.count)
        return self


class CurvePart(Line):
    count: int = Field(ge=0, le=1 << 24)
    data: Annotated[bytes, BeforeValidator(_bytes)]

    @model_validator(mode="after")
    def _unpacks(self) -> CurvePart:
        unpack_curve(self.data, self.count)
        return self


class ConfusionPart(Line):
    count: int = Field(ge=1, le=MOST_CLASSES)
    data: Annotated[bytes, BeforeValidator(_bytes)]

    @model_validator(mode="after")
    def _unpacks(self) -> ConfusionPart:
        for name in unpack_confusion(self.data, self.count, "").classes:
            _named(name)
        return self


_COST: Any = _line(Cost)
_TRIAL: Any = _line(TrialRecord, without=LEASED, renamed=TRAVELS)


class CostLine(_COST):
    """What a forward pass costs."""

    @model_validator(mode="after")
    def _is_one(self) -> CostLine:
        if any(not 0 <= value <= DEAREST for value in self.model_dump().values() if value is not None):
            raise ValueError("a cost is no negative number, and none beyond all use")
        return self


Number = Annotated[str, Field(max_length=255), AfterValidator(_named)]
"""The name of one."""


class NumbersPart(Line):
    metric: dict[Number, FiniteFloat | None] = {}
    diagnostic: dict[Number, FiniteFloat | None] = {}
    duration: dict[Number, Duration | None] = {}


class TrialLine(_TRIAL):
    kind: Literal["trial"]
    state: Literal["planned", "done", "failed"]
    numbers: NumbersPart
    cost: CostLine | None
    samples: dict[Number, SamplesPart]
    curves: dict[Number, CurvePart] = {}
    confusions: dict[Literal["images", "pixels"], ConfusionPart] = {}
    """Absent, as ``curves``, from the first exports."""
    if TYPE_CHECKING:  # of the record
        purpose: str
        digest: str
        plugins: dict[str, str]
        labels: dict[str, str]
        notes: list[str]
        log: str | None
        work_dir: str | None

    @model_validator(mode="after")
    def _labelled(self) -> TrialLine:
        if "labels" not in self.model_fields_set:
            self.labels, self.notes = labels_in(self.notes)
        self.labels = {visible(name): visible(text) for name, text in (rough_in(self.notes) | self.labels).items()}
        self.plugins = {visible(name): visible(text) for name, text in self.plugins.items()}
        return self

    @model_validator(mode="after")
    def _names_its_own_files(self) -> TrialLine:
        if self.work_dir is not None and os.path.basename(self.work_dir) != self.digest:
            raise ValueError(f"work_dir: '{self.work_dir}' is no folder of this trial")
        if self.log is not None and self.log != os.path.join(self.work_dir or "", "log.txt"):
            raise ValueError(f"log: '{self.log}' is no log of this trial")
        return self

    @model_validator(mode="after")
    def _whole(self) -> TrialLine:
        if self.state == "done" and not self.purpose and not self.numbers.metric:
            raise ValueError("a trial that is done has at least one metric")
        if self.state == "done" and self.finished is None:
            raise ValueError("finished: a trial that is done has ended at some time")
        if self.state != "done" and (self.numbers.model_fields_set or self.samples or self.curves or self.confusions or self.cost):
            raise ValueError(f"a {self.state} trial has no results")
        return self


def _is_text(value: Any) -> Any:
    if isinstance(value, str) and visible(value, "\n\t") != value:
        raise ValueError(f"{value!r:.60} holds control characters")
    for part in (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ():
        _is_text(part)
    return value


Plain = Annotated[dict[str, Any], AfterValidator(_is_text)]
"""What headings are made of."""

LINES: dict[str, type[Line]] = {
    "config": _line(Content, kind=(Literal["config"], ...), content=(Plain, ...)),
    "environment": _line(Content, kind=(Literal["environment"], ...), content=(Plain, ...)),
    "spec": _line(PlacedSpec, kind=(Literal["spec"], ...)),
    "floor": _line(Floor, kind=(Literal["floor"], ...)),
    "trial": TrialLine,
}
