"""A helpdesk's JSON without anybody's words: an allow-list of names whose texts are structure.

Belongs here: which texts stay, how an object is walked. Does not belong here: exports of files and mails
(`records`), which records are affected.

Decisions:
- Numbers, flags, nulls and instants stay; so do texts under the names of `KEPT`, and ids. Any other text, of whatever
  name, goes: what a vendor adds tomorrow is erased until somebody says that it is structure.
- A number under a name of `PERSONAL` goes too (phone numbers come as numbers).
- Before and after of a change stay where the changed field is structure, else they go.
- Texts that were equal to their ticket's first message stay equal to it, all others differ: whether a message repeats
  the first one decides what counts.
- The sentence by which a helpdesk says that it merged a ticket stays, and nothing around it.
"""

import re
from collections.abc import Mapping
from typing import Any

from connectors.erasing.rules import ADDRESS, ERASED, Rule
from connectors.json_text import parsed, written

KEPT = frozenset(
    """
    status priority type ticket_type event_type field_name channel rel score source_score sub_type
    rating_category status_category custom_status role locale language time_zone iana_time_zone
    metric stage content_type media_type mediaType result_type state via via_type scope
    malware_scan_result satisfaction_score tags current_tags added_tags removed_tags subject_zrns
    time_spent category kind created updated visibility unit calendar_type
    """.split()  # noqa: SIM905 - forty words, one a line, would be forty lines
)
"""Names whose texts are words of the product, never of a person."""

CHANGED = frozenset(
    """
    status priority ticket_type assignee_id group_id custom_status_id requester_id
    organization_id satisfaction_score tags brand_id ticket_form_id is_public
    """.split()  # noqa: SIM905 - forty words, one a line, would be forty lines
)
"""Fields of a ticket whose former and new values are structure."""

VALUES = frozenset({"value", "previous_value"})

PERSONAL = frozenset(
    """
    phone mobile phone_number shared_phone_number external_id unique_external_id twitter_id
    facebook_id address other_phone_numbers other_companies photo avatar user_fields signature
    details notes job_title alias description_of_person other_emails twitter_screen_name latitude
    longitude ip_address
    """.split()  # noqa: SIM905 - forty words, one a line, would be forty lines
)
"""Names whose value says who somebody is, whatever kind it is: nothing stands there afterwards."""

NAMES = frozenset({"name", "first_name", "last_name", "display_name", "real_name", "title_name"})
EMAILS = frozenset({"email", "address", "from_address", "original_recipient"})

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?\Z")
_ID = re.compile(r"[0-9A-Za-z_:.-]{1,80}\Z")
_OURS = re.compile(r"deskbridge:[\w:.-]+\Z")
_ID_NAME = re.compile(r"(?:.*[_:])?ids?\Z")
_WORD = re.compile(r"[^@\n]{0,60}\Z")
_MERGED = re.compile(
    r"\A\s*this ticket is closed and merged into ticket #?\d+|merged into (?:request|ticket) #\d+",
    re.IGNORECASE,
)
_FIRST_MESSAGE = ("description_text", "description")
_MESSAGE = ("body_text", "body")


def erased_json(payload: bytes, rule: Rule) -> bytes:
    """The payload by the rule, as JSON; an empty object where it cannot be read."""
    try:
        body = parsed(payload)
    except ValueError:
        return b"{}"
    if not rule.is_whole:
        return written(_partly(body, rule))
    if rule.pseudonym is not None and isinstance(body, dict):
        return written(_person(body, rule))
    return written(_Walk(rule, body).value("", body))


def erased_value(value: Any) -> Any:
    """Any JSON value without texts that are not structure."""
    return _Walk(Rule(), value).value("", value)


class _Walk:
    """One walk over one record."""

    def __init__(self, rule: Rule, body: Any) -> None:
        self.rule = rule
        first = body if isinstance(body, dict) else {}
        self.first = next(
            (told.split() for name in _FIRST_MESSAGE if isinstance(told := first.get(name), str)),
            None,
        )

    def value(self, name: str, value: Any) -> Any:
        """What stands for a value under a name."""
        if isinstance(value, str):
            return self.text(name, value)
        if isinstance(value, dict):
            return self.object(name, value)
        if isinstance(value, list):
            return [self.value(name, one) for one in value]
        return value

    def object(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """An object by its names."""
        structure = _is_structure(value)
        found: dict[str, Any] = {}
        for key, one in value.items():
            if key == "custom_fields":
                found[key] = self.fields(one)
            elif key == "requester" and isinstance(one, dict):
                found[key] = self.requester(one)
            elif key == "title" and name == "policy":
                found[key] = one
            elif key.lower().endswith("url"):
                # The way to a file, often with its name; a text there would be taken for one.
                found[key] = None
            elif key in PERSONAL and not _is_ours(key, one):
                found[key] = None if not isinstance(one, list) else []
            elif key in VALUES and isinstance(one, str | list) and structure:
                found[key] = one if _is_word(one) else ERASED
            else:
                found[key] = self.value(key, one)
        self._tell_apart(found, value)
        return found

    def fields(self, value: Any) -> Any:
        """A helpdesk's own fields: words stay where they are chosen from a list."""
        if isinstance(value, dict):
            return {
                key: one if key in self.rule.kept_fields else self.value("", one)
                for key, one in value.items()
            }
        if not isinstance(value, list):
            return self.value("", value)
        return [
            one
            if isinstance(one, dict) and str(one.get("id")) in self.rule.kept_fields
            else self.value("", one)
            for one in value
        ]

    def requester(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The person that came with a ticket."""
        told = value.get("email")
        address = self.rule.replaced(told) if isinstance(told, str) else None
        return {
            key: one for key, one in value.items() if isinstance(one, bool) or _ID_NAME.match(key)
        } | {"name": None, "email": address}

    def text(self, name: str, value: str) -> str:
        """A text by its name and its form."""
        if not value or (name in KEPT and _WORD.match(value)) or _INSTANT.match(value):
            return value
        if _ID_NAME.match(name) and _ID.match(value):
            return value
        if value == ERASED or (value.startswith(ERASED) and value[len(ERASED) :].strip().isdigit()):
            return value
        merge = _MERGED.search(value)
        return f"{merge.group().strip()}" if merge else ERASED

    def _tell_apart(self, found: dict[str, Any], value: Mapping[str, Any]) -> None:
        number = value.get("id")
        if self.first is None or number is None or any(name in value for name in _FIRST_MESSAGE):
            return
        for name in _MESSAGE:
            told = value.get(name)
            if found.get(name) == ERASED and isinstance(told, str) and told.split() != self.first:
                found[name] = f"{ERASED} {number}"


def _is_structure(change: Mapping[str, Any]) -> bool:
    """Whether an event of a ticket's history changes a field whose values are structure."""
    name = change.get("field_name")
    if name is not None:
        return name in CHANGED
    if any(one in CHANGED for one in change):
        return True
    # Beside `event_type`, `type` is the ticket's field; alone it says what the event is.
    return "type" in change and "event_type" in change


def _is_ours(name: str, value: Any) -> bool:
    """Whether an external id is one that a migration of ours gave: by it a moved ticket stays one ticket."""
    return name == "external_id" and isinstance(value, str) and _OURS.match(value) is not None


def _is_word(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(one, str) and _WORD.match(one) for one in value)
    return isinstance(value, str) and _WORD.match(value) is not None


def _person(body: Mapping[str, Any], rule: Rule) -> dict[str, Any]:
    """The record of the person: id, role, language and zone stay; one address stands for all."""
    found: dict[str, Any] = {}
    walk = _Walk(rule, {})
    for key, value in body.items():
        if key in NAMES or key in PERSONAL:
            found[key] = [] if isinstance(value, list) else None
        elif key == "email":
            found[key] = rule.pseudonym
        elif key == "identities":
            found[key] = []
        else:
            found[key] = walk.value(key, value)
    return found | {"email": rule.pseudonym}


def _partly(value: Any, rule: Rule) -> Any:
    """The record of somebody else: listed parts whole, and addresses of erased people with the name beside them."""
    if isinstance(value, str):
        return with_addresses_replaced(value, rule)
    if isinstance(value, list):
        return [_partly(one, rule) for one in value]
    if not isinstance(value, dict):
        return value
    if rule.parts and str(value.get("id")) in rule.parts and any(n in value for n in _MESSAGE):
        number = value["id"]
        walked = _Walk(rule, {}).value("", value)
        return walked | {
            name: f"{ERASED} {number}" for name in _MESSAGE if isinstance(walked.get(name), str)
        }
    found = {key: _partly(one, rule) for key, one in value.items()}
    if any(key in EMAILS and found[key] != value[key] for key in found):
        found |= {key: None for key in found if key in NAMES or (key in PERSONAL - EMAILS)}
    return found


def with_addresses_replaced(text: str, rule: Rule) -> str:
    """A text with pseudonyms where addresses of erased people stood."""
    if "@" not in text:
        return text
    return ADDRESS.sub(lambda found: rule.replaced(found.group()) or found.group(), text)
