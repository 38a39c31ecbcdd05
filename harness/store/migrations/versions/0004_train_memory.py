"""Memory of a training step."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("costs", sa.Column("train_memory_mb", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("costs", "train_memory_mb")
