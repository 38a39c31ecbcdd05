"""A trial remembers the file that is its benchmark."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("trials", sa.Column("config_file", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("trials", "config_file")
