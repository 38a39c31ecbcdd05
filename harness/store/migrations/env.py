"""Alembic's entry point: migrates over the connection it is given, in that connection's transaction."""

from alembic import context

from harness.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=False,  # the caller's transaction is the only one
)
context.run_migrations()
