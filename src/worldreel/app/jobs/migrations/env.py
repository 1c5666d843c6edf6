"""Runs the migrations on the connection that `Database.upgrade` holds."""

from alembic import context

from worldreel.app.jobs.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    version_table="worldreel_version",
)
context.run_migrations()
