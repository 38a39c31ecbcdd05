"""The lines of an export (:mod:`harness.store.portable`), validated before anything of them is stored."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, create_model, model_validator

from harness.outcome import Cost
from harness.store.arrays import unpack, unpack_curve
from harness.store.columns import Held, held
from harness.store.legacy import labels_in
from harness.store.records import LEASED, TRAVELS, Content, Floor, PlacedSpec, TrialRecord

TYPES: dict[str, Any] = {
    "digest": Annotated[str, Field(pattern=r"^[0-9a-f]{1,32}$")],
    "text": str,
    "texts": list[str],
    "int32": Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)],
    "int64": Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)],
    "finite": FiniteFloat,
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
    return create_model(f"{record.__name__}Line", __base__=Line, **fields, **more)


def _type(field: Held) -> Any:
    plain = TYPES[field.line] if field.line else field.plain
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


_COST: Any = _line(Cost)
_TRIAL: Any = _line(TrialRecord, without=LEASED, renamed=TRAVELS)


class CostLine(_COST):
    """What a forward pass costs."""


class TrialLine(_TRIAL):
    kind: Literal["trial"]
    state: Literal["planned", "done", "failed"]
    numbers: dict[Literal["metric", "diagnostic", "duration"], dict[str, FiniteFloat | None]]
    cost: CostLine | None
    samples: dict[str, SamplesPart]
    curves: dict[str, CurvePart] = {}
    """Absent from the first exports."""
    if TYPE_CHECKING:  # of the record
        purpose: str
        labels: dict[str, str]
        notes: list[str]

    @model_validator(mode="after")
    def _labelled(self) -> TrialLine:
        if "labels" not in self.model_fields_set:
            self.labels, self.notes = labels_in(self.notes)
        return self

    @model_validator(mode="after")
    def _whole(self) -> TrialLine:
        if self.state == "done" and not self.purpose and not self.numbers.get("metric"):
            raise ValueError("a trial that is done has at least one metric")
        if self.state == "done" and self.finished is None:
            raise ValueError("finished: a trial that is done has ended at some time")
        if self.state != "done" and (self.numbers or self.samples or self.curves or self.cost):
            raise ValueError(f"a {self.state} trial has no results")
        return self


LINES: dict[str, type[Line]] = {
    "config": _line(Content, kind=(Literal["config"], ...)),
    "environment": _line(Content, kind=(Literal["environment"], ...)),
    "spec": _line(PlacedSpec, kind=(Literal["spec"], ...)),
    "floor": _line(Floor, kind=(Literal["floor"], ...)),
    "trial": TrialLine,
}
