"""Run by Alembic: takes our tables from one version to another on the connection it is given."""

from alembic import context

from serve_app.records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
