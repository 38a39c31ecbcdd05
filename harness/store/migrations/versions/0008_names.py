"""Numbers of a trial refer to their names, which are stored once."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "names",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_names"),
        sa.UniqueConstraint("kind", "name", name="uq_names_kind_name"),
    )
    op.create_table(
        "numbers",
        sa.Column("trial", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["trial"], ["trials.digest"], name="fk_numbers_trial_trials", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["name"], ["names.id"], name="fk_numbers_name_names"),
        sa.PrimaryKeyConstraint("trial", "name", name="pk_numbers"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO names (kind, name) SELECT DISTINCT kind, name FROM metrics ORDER BY kind, name")
    op.execute(
        "INSERT INTO numbers (trial, name, value) SELECT m.trial, n.id, m.value "
        "FROM metrics m JOIN names n ON n.kind = m.kind AND n.name = m.name ORDER BY m.trial, n.id"
    )
    op.drop_table("metrics")


def downgrade() -> None:
    op.create_table(
        "metrics",
        sa.Column("trial", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["trial"], ["trials.digest"], name="fk_metrics_trial_trials", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trial", "kind", "name", name="pk_metrics"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO metrics (trial, kind, name, value) SELECT m.trial, n.kind, n.name, m.value "
        "FROM numbers m JOIN names n ON n.id = m.name"
    )
    op.drop_table("numbers")
    op.drop_table("names")
