"""A trial remembers what ``--set`` changed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("trials", sa.Column("overrides", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("trials", "overrides")
