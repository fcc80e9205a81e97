"""What the stand-ins of PagerDuty and Slack received, from their own ledgers.

Belongs here: counting on the receiving side, so that the demo does not quote itself.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.demo.folder import DemoFolder


def received(folder: DemoFolder) -> list[str]:
    """One line for each provider: what it took in, and how often a key came twice."""
    actions = Counter(event["event_action"] for event in _events(folder))
    keys, messages = alerts(folder), posts(folder)
    return [
        f"PagerDuty received {actions.total()} events ({_listed(actions)}): "
        f"{len(set(keys))} alerts, {len(keys) - len(set(keys))} repeats",
        f"Slack received {len(messages)} messages in #support, "
        f"{len(messages) - len(set(messages))} repeats",
    ]


def alerts(folder: DemoFolder) -> list[str]:
    """Dedup keys of the triggers that PagerDuty took in, in order."""
    return [e["dedup_key"] for e in _events(folder) if e["event_action"] == "trigger"]


def posts(folder: DemoFolder) -> list[str]:
    """`action key` of the messages that Slack took in, in order."""
    found = []
    for entry in _entries(folder.servers / "slack"):
        if entry["kind"] == "post":
            payload = entry["post"]["metadata"]["event_payload"]
            found.append(f"{payload['action']} {payload['key']}")
    return found


def _events(folder: DemoFolder) -> Iterator[Mapping[str, Any]]:
    for entry in _entries(folder.servers / "pagerduty"):
        if entry["kind"] == "event":
            yield entry["event"]


def _entries(folder: Path) -> list[Mapping[str, Any]]:
    path = folder / "ledger.jsonl"
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
