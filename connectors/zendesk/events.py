"""One identity for the two shapes in which Zendesk tells an event: the event export's and the audits'.

Belongs here: what of an event decides whether it changed, and whether it came whole. Does not belong here: what it
means (`transforms.zendesk_history`), where it comes from (`beside`, `source`).

The shapes differ in names, in how they write `via` and values, and in which side effects they list (notifications,
pushes). Stored one after the other, they would make a new version of a record each time although nothing happened.
An event never changes afterwards but for its comments: redacted, made private, a file removed.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from connectors.json_text import written

_COMMENTS = frozenset({"Comment", "VoiceComment"})
_CHANGES = frozenset({"Create", "Change"})
_KNOWN = _COMMENTS | _CHANGES
_BODIES = ("body", "plain_body", "html_body")


def version_key(event: Mapping[str, Any]) -> str:
    """The same text for both shapes of an unchanged event."""
    parts: list[Any] = [event.get("id"), event.get("ticket_id")]
    for child in _children(event):
        kind = _kind(child)
        number = child.get("id")
        if kind in _COMMENTS:
            parts.append(_comment_key(child))
        elif kind in _CHANGES:
            parts.append([number] if number is not None else [_without_place(child)])
        elif kind == "CommentPrivacyChange":
            parts.append([number, child.get("comment_id"), child.get("public")])
    head, tail = parts[:2], sorted(_text(part) for part in parts[2:])
    return _text([*map(str, head), *tail])


def is_mutilated(event: Any) -> bool:
    """Whether a comment of it came without its body, as from an export without `comment_events`."""
    return any(
        _kind(child) in _COMMENTS and not any(name in child for name in (*_BODIES, "data"))
        for child in _children(event)
    )


def tells_redaction(event: Any) -> bool:
    """Whether it says that texts or files of earlier comments were taken out: those do not come again by themselves."""
    return any("Redact" in _kind(child) for child in _children(event))


def _children(event: Any) -> list[Mapping[str, Any]]:
    if not isinstance(event, Mapping):
        return []
    children = event.get("child_events")
    if children is None:
        children = event.get("events")
    return [child for child in children or () if isinstance(child, Mapping)]


def _kind(child: Mapping[str, Any]) -> str:
    """The export says `event_type`, and `type` too inside a comment; the audits say `type`."""
    kind = str(child.get("event_type") or "")
    told = child.get("type")
    return kind if kind in _KNOWN or not isinstance(told, str) else told


def _comment_key(child: Mapping[str, Any]) -> list[Any]:
    text = next((child[name] for name in _BODIES if child.get(name) is not None), None)
    data = child.get("data")
    if text is None and isinstance(data, Mapping):
        text = data.get("transcription_text") or data.get("recording_url")
    files = child.get("attachments")
    return [
        child.get("id"),
        child.get("public") is not False,
        None if text is None else sha256(str(text).encode("utf-8", "surrogatepass")).hexdigest(),
        sorted(
            str(file.get("id")) + ("-" if file.get("deleted") else "")
            for file in (files if isinstance(files, list) else ())
            if isinstance(file, Mapping)
        ),
    ]


def _without_place(child: Mapping[str, Any]) -> list[Any]:
    """A change that has no id: its field and value, in either shape."""
    name = child.get("field_name")
    if isinstance(name, str):
        return [name, str(child.get("value"))]
    passed = {"id", "via", "via_reference_id", "event_type", "type", "previous_value"}
    return [[field, str(child[field])] for field in sorted(child) if field not in passed][0:1]


def _text(part: Any) -> str:
    return written(part).decode("utf-8", "surrogatepass")
