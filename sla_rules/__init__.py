"""Calendars, policies, clocks, escalation, on-call: pure, no I/O."""
