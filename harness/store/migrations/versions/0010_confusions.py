"""What trials take for what."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "confusions",
        sa.Column("trial", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["trial"], ["trials.digest"], name="fk_confusions_trial_trials", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trial", "name", name="pk_confusions"),
    )


def downgrade() -> None:
    op.drop_table("confusions")
