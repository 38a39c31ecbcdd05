"""The tables. Times are seconds since the epoch; values that are not a number are stored as NULL."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, ForeignKey, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Double

REVISION = "0002"
"""The migration that yields exactly these tables."""


class Base(DeclarativeBase):
    """Common base; constraints have names, so that every database can alter them later."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {float: Double(), dict[str, Any]: JSON(), list[str]: JSON(), bytes: LargeBinary()}


def _trial_key() -> Mapped[str]:
    return mapped_column(String(32), ForeignKey("trials.digest", ondelete="CASCADE"), primary_key=True)


# Rows are only ever looked up by trial: without a rowid, SQLite stores them in that order and needs no second index.
_CLUSTERED = {"sqlite_with_rowid": False}


class Config(Base):
    """A resolved config, stored once however many trials share it."""

    __tablename__ = "configs"
    digest: Mapped[str] = mapped_column(String(32), primary_key=True)
    content: Mapped[dict[str, Any]]


class Environment(Base):
    """Package versions, git sha, device and driver of a run."""

    __tablename__ = "environments"
    digest: Mapped[str] = mapped_column(String(32), primary_key=True)
    content: Mapped[dict[str, Any]]


class Trial(Base):
    """A planned, running, done or failed trial; the queue is the rows that are planned or whose lease is void."""

    __tablename__ = "trials"
    digest: Mapped[str] = mapped_column(String(32), primary_key=True)
    benchmark: Mapped[str] = mapped_column(String(128), index=True)
    version: Mapped[int]
    family: Mapped[str] = mapped_column(String(64))
    tier: Mapped[str] = mapped_column(String(32))
    method: Mapped[str] = mapped_column(String(128))
    slot: Mapped[str] = mapped_column(String(255))
    seed: Mapped[int] = mapped_column(BigInteger)
    dataset: Mapped[str] = mapped_column(String(64))
    plugins: Mapped[dict[str, Any]]
    overrides: Mapped[list[str]] = mapped_column(server_default="[]")
    expected: Mapped[float]
    config_digest: Mapped[str] = mapped_column(String(32), ForeignKey("configs.digest"))
    environment_digest: Mapped[str | None] = mapped_column(String(32), ForeignKey("environments.digest"))

    state: Mapped[str] = mapped_column(String(8), index=True)
    kind: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int]
    notes: Mapped[list[str]]
    created: Mapped[float]
    started: Mapped[float | None]
    finished: Mapped[float | None]
    log: Mapped[str | None] = mapped_column(Text)
    work_dir: Mapped[str | None] = mapped_column(Text)

    token: Mapped[str | None] = mapped_column(String(32))
    host: Mapped[str | None] = mapped_column(String(255))
    pid: Mapped[int | None]
    process_start: Mapped[str | None] = mapped_column(String(32))
    expires: Mapped[float | None]


class Measure(Base):
    """A number of a trial: a metric, a diagnostic or a duration."""

    __tablename__ = "metrics"
    __table_args__ = _CLUSTERED
    trial: Mapped[str] = _trial_key()
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    value: Mapped[float | None]


class Cost(Base):
    """What a trial's model costs."""

    __tablename__ = "costs"
    trial: Mapped[str] = _trial_key()
    params: Mapped[int | None] = mapped_column(BigInteger)
    flops: Mapped[float | None]
    latency_ms: Mapped[float | None]
    peak_memory_mb: Mapped[float | None]


class Samples(Base):
    """One score per test sample, compressed (:mod:`harness.store.arrays`)."""

    __tablename__ = "samples"
    trial: Mapped[str] = _trial_key()
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    count: Mapped[int]
    data: Mapped[bytes]


class Spec(Base):
    """How to read a metric, so that readers need no catalogue."""

    __tablename__ = "specs"
    benchmark: Mapped[str] = mapped_column(String(128), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    metric: Mapped[str] = mapped_column(String(255), primary_key=True)
    position: Mapped[int]
    unit: Mapped[str] = mapped_column(String(32))
    higher_is_better: Mapped[bool]
    title: Mapped[str] = mapped_column(Text)
    primary: Mapped[bool]
    per_scene: Mapped[bool]


class Floor(Base):
    """What the trivial predictor reaches on one version of a dataset."""

    __tablename__ = "floors"
    benchmark: Mapped[str] = mapped_column(String(128), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    dataset: Mapped[str] = mapped_column(String(64), primary_key=True)
    metric: Mapped[str] = mapped_column(String(255), primary_key=True)
    value: Mapped[float | None]
