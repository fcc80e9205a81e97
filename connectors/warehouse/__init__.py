"""The warehouse: tables, engine, bulk writes, queries, Alembic revisions; SQLite and PostgreSQL alike."""
