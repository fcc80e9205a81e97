"""Pure functions from raw payloads to the unified model; no I/O, no clock, no Dagster."""
