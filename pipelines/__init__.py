"""Dagster definitions, settings and the `deskbridge` command."""
