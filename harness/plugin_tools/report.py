"""The outcome of a contract check, as rows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One check of one plugin."""

    plugin: str
    check: str
    ok: bool | None
    """``None`` where the check does not apply; ``detail`` says why."""
    detail: str = ""


@dataclass
class Report:
    """All rows of a check."""

    rows: list[Row] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether anything was checked and nothing failed."""
        return any(row.ok for row in self.rows) and not self.failed

    @property
    def failed(self) -> list[Row]:
        """The checks that failed."""
        return [row for row in self.rows if row.ok is False]
