"""Trials say on what task and in what setting they ran, and floors of which task they are."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = ["benchmark", "version", "dataset", "metric"]


def _floors(*more: str) -> None:
    """Make the table anew, since SQLite cannot change a primary key; floors that would share one lose all but the first."""
    connection = op.get_bind()
    before = [dict(row) for row in connection.execute(sa.text("SELECT * FROM floors ORDER BY dataset, metric")).mappings()]
    op.drop_table("floors")
    key = [*_KEY[:3], *more, _KEY[3]]
    table = op.create_table(
        "floors",
        sa.Column("benchmark", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("metric", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        *(sa.Column(name, sa.String(length=64), nullable=False, server_default="") for name in more),
        sa.PrimaryKeyConstraint(*key, name="pk_floors"),
    )
    kept: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in before:
        row = {"task": ""} | row
        kept.setdefault(tuple(row[name] for name in key), {column.name: row[column.name] for column in table.c})
    if kept:
        op.bulk_insert(table, list(kept.values()))


def upgrade() -> None:
    for name in ("task", "setting"):
        op.add_column("trials", sa.Column(name, sa.String(length=64), nullable=False, server_default=""))
    _floors("task")


def downgrade() -> None:
    _floors()
    for name in ("setting", "task"):
        op.drop_column("trials", name)
