"""What was said about how numbers came about moves from the notes into labels."""

import sqlalchemy as sa
from alembic import op

from harness.store.legacy import MAP_NOTE, labels_in

revision = "0003"
down_revision = "0002"

_trials = sa.table("trials", sa.column("digest", sa.String), sa.column("notes", sa.JSON), sa.column("labels", sa.JSON))


def _change(rows: list[tuple[str, list[str], dict[str, str]]]) -> None:
    for digest, notes, labels in rows:
        op.get_bind().execute(sa.update(_trials).where(_trials.c.digest == digest).values(notes=notes, labels=labels))


def upgrade() -> None:
    op.add_column("trials", sa.Column("labels", sa.JSON(), nullable=False, server_default="{}"))
    found = [(row.digest, *labels_in(row.notes)) for row in op.get_bind().execute(sa.select(_trials.c.digest, _trials.c.notes))]
    _change([(digest, notes, labels) for digest, labels, notes in found if labels])


def downgrade() -> None:
    found = op.get_bind().execute(sa.select(_trials)).all()
    _change([(row.digest, [MAP_NOTE + row.labels["map"], *row.notes], {}) for row in found if "map" in row.labels])
    op.drop_column("trials", "labels")
