"""Trials say whether they only helped to choose options, and what was tried to find theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_COLUMNS = {"purpose": 32, "tuning": 64}


def upgrade() -> None:
    for name, length in _COLUMNS.items():
        op.add_column("trials", sa.Column(name, sa.String(length=length), nullable=False, server_default=""))


def downgrade() -> None:
    for name in reversed(_COLUMNS):
        op.drop_column("trials", name)
