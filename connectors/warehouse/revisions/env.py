"""Alembic's entry: runs the revisions on the connection it is given, or on $DESKBRIDGE_WAREHOUSE."""

import os

from alembic import context

from connectors.warehouse.engine import make_engine
from connectors.warehouse.tables import metadata


def _only_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in metadata.tables


def _run(connection: object) -> None:
    context.configure(
        connection=connection,  # type: ignore[arg-type]
        target_metadata=metadata,
        render_as_batch=True,
        include_name=_only_ours,  # type: ignore[arg-type]
        user_module_prefix="types.",
    )
    with context.begin_transaction():
        context.run_migrations()


if context.config.attributes.get("connection") is not None:
    _run(context.config.attributes["connection"])
else:
    with make_engine(os.environ["DESKBRIDGE_WAREHOUSE"]).begin() as opened:
        _run(opened)
