"""The lines of an export (:mod:`harness.store.portable`), validated before anything of them is stored."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, model_validator

from harness.store.arrays import unpack

SCHEMA = 1
"""Version of the format."""

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{1,32}$")]
Number = FiniteFloat | None
Integer = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Small = Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)]


def _bytes(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


class Line(BaseModel):
    """Common base: unknown keys are errors, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", strict=True)


class HeaderLine(Line):
    kind: Literal["header"]
    schema_: int = Field(alias="schema")
    trials: Annotated[int, Field(ge=0)] | None = None
    """How many trials follow, so that a file that was cut off is seen to be."""


class ConfigLine(Line):
    kind: Literal["config"]
    digest: Digest
    content: dict[str, Any]


class EnvironmentLine(Line):
    kind: Literal["environment"]
    digest: Digest
    content: dict[str, Any]


class SpecLine(Line):
    kind: Literal["spec"]
    benchmark: str
    version: Small
    metric: str
    position: Small
    unit: str
    higher_is_better: bool
    title: str
    primary: bool
    per_scene: bool


class FloorLine(Line):
    kind: Literal["floor"]
    benchmark: str
    version: Small
    dataset: str
    metric: str
    value: Number


class CostPart(Line):
    params: Integer | None
    flops: Number
    latency_ms: Number
    peak_memory_mb: Number


class SamplesPart(Line):
    count: int = Field(ge=0, le=1 << 28)
    data: Annotated[bytes, BeforeValidator(_bytes)]

    @model_validator(mode="after")
    def _unpacks(self) -> SamplesPart:
        unpack(self.data, self.count)
        return self


class TrialLine(Line):
    kind: Literal["trial"]
    digest: Digest
    benchmark: str
    version: Small
    family: str
    tier: str
    method: str
    slot: str
    seed: Integer
    dataset: str
    plugins: dict[str, str]
    overrides: list[str] = []
    expected: FiniteFloat
    config_digest: Digest
    environment_digest: Digest | None
    state: Literal["planned", "done", "failed"]
    failure: str | None
    """Kind of failure."""
    reason: str | None
    attempts: Small
    notes: list[str]
    created: FiniteFloat
    started: Number
    finished: Number
    log: str | None
    work_dir: str | None
    numbers: dict[Literal["metric", "diagnostic", "duration"], dict[str, Number]]
    cost: CostPart | None
    samples: dict[str, SamplesPart]

    @model_validator(mode="after")
    def _whole(self) -> TrialLine:
        if self.state == "done" and not self.numbers.get("metric"):
            raise ValueError("a trial that is done has at least one metric")
        if self.state == "done" and self.finished is None:
            raise ValueError("finished: a trial that is done has ended at some time")
        if self.state != "done" and (self.numbers or self.samples or self.cost):
            raise ValueError(f"a {self.state} trial has no results")
        return self


LINES: dict[str, type[Line]] = {
    "config": ConfigLine,
    "environment": EnvironmentLine,
    "spec": SpecLine,
    "floor": FloorLine,
    "trial": TrialLine,
}
