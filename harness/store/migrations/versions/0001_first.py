"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "configs",
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_configs"),
    )
    op.create_table(
        "environments",
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_environments"),
    )
    op.create_table(
        "floors",
        sa.Column("benchmark", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("metric", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("benchmark", "version", "dataset", "metric", name="pk_floors"),
    )
    op.create_table(
        "specs",
        sa.Column("benchmark", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("metric", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("higher_is_better", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("primary", sa.Boolean(), nullable=False),
        sa.Column("per_scene", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("benchmark", "version", "metric", name="pk_specs"),
    )
    op.create_table(
        "trials",
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("benchmark", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("family", sa.String(length=64), nullable=False),
        sa.Column("tier", sa.String(length=32), nullable=False),
        sa.Column("method", sa.String(length=128), nullable=False),
        sa.Column("slot", sa.String(length=255), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("plugins", sa.JSON(), nullable=False),
        sa.Column("expected", sa.Double(), nullable=False),
        sa.Column("config_digest", sa.String(length=32), nullable=False),
        sa.Column("environment_digest", sa.String(length=32), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("started", sa.Double(), nullable=True),
        sa.Column("finished", sa.Double(), nullable=True),
        sa.Column("log", sa.Text(), nullable=True),
        sa.Column("work_dir", sa.Text(), nullable=True),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("process_start", sa.String(length=32), nullable=True),
        sa.Column("expires", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["config_digest"], ["configs.digest"], name="fk_trials_config_digest_configs"),
        sa.ForeignKeyConstraint(["environment_digest"], ["environments.digest"], name="fk_trials_environment_digest_environments"),
        sa.PrimaryKeyConstraint("digest", name="pk_trials"),
    )
    op.create_index("ix_trials_benchmark", "trials", ["benchmark"])
    op.create_index("ix_trials_state", "trials", ["state"])
    op.create_table(
        "costs",
        sa.Column("trial", sa.String(length=32), nullable=False),
        sa.Column("params", sa.BigInteger(), nullable=True),
        sa.Column("flops", sa.Double(), nullable=True),
        sa.Column("latency_ms", sa.Double(), nullable=True),
        sa.Column("peak_memory_mb", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["trial"], ["trials.digest"], name="fk_costs_trial_trials", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trial", name="pk_costs"),
    )
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
    op.create_table(
        "samples",
        sa.Column("trial", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["trial"], ["trials.digest"], name="fk_samples_trial_trials", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trial", "name", name="pk_samples"),
    )


def downgrade() -> None:
    op.drop_table("samples")
    op.drop_table("metrics")
    op.drop_table("costs")
    op.drop_index("ix_trials_state", table_name="trials")
    op.drop_index("ix_trials_benchmark", table_name="trials")
    op.drop_table("trials")
    op.drop_table("specs")
    op.drop_table("floors")
    op.drop_table("environments")
    op.drop_table("configs")
