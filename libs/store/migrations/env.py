"""Alembic's entry: it works on the connection that `libs.store.migrate` hands over, and leaves partitions alone."""

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.sql.schema import SchemaItem

from libs.store.bar_tables import metadata
from libs.store.partitions import is_partition_name


def _include(item: SchemaItem, name: str | None, kind: str, reflected: bool, _: SchemaItem | None) -> bool:
    if kind == "table":
        return not (reflected and name is not None and is_partition_name(name))
    return True


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=_include,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
