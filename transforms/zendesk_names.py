"""What the ids in Zendesk's tickets mean: custom statuses, fields and their options, forms, brands.

Belongs here: reading these lists, and looking ids up in them. Does not belong here: whole tickets.

An id that no list knows stays as it is. What was switched off or deleted keeps its name, since old tickets carry it.

Source: Zendesk developer documentation, "Custom ticket statuses", "Ticket fields", "Ticket forms", "Brands".
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from transforms.model import RawRecord
from transforms.payload import UnreadableError, id_of, object_of, objects_of, required_id, text_of
from transforms.zendesk_words import STATUS_WORDS, CustomStatus, Names, Reading

Records = Mapping[str, Iterable[RawRecord]]


def read_names(reading: Reading, records: Records) -> None:
    """Fills `reading.names` from `custom_statuses`, `ticket_fields`, `ticket_forms` and `brands`, where pulled."""
    names = reading.names
    readers: tuple[tuple[str, Callable[[str, Mapping[str, Any]], None]], ...] = (
        ("custom_statuses", lambda i, body: _add_status(names, i, body, reading.own_words)),
        ("ticket_fields", lambda i, body: _add_field(names, i, body)),
        ("ticket_forms", lambda i, body: _add_name(names.forms, i, body)),
        ("brands", lambda i, body: _add_name(names.brands, i, body)),
    )
    for stream, add in readers:
        for record in records.get(stream, ()):
            try:
                body = object_of(record)
                add(required_id(body, "id"), body)
            except UnreadableError as error:
                reading.reject(record, error)
    _tell_apart(names)


def fields_of(names: Names, body: Mapping[str, Any]) -> dict[str, Any]:
    """A ticket's own fields by their titles, with the labels of chosen options; brand, form and problem beside them."""
    fields: dict[str, Any] = {}
    for value in objects_of(body, "custom_fields"):
        content, number = value.get("value"), id_of(value, "id")
        if number is None or content in (None, "", []):
            continue
        fields[names.fields.get(number, number)] = _labelled(names.options.get(number, {}), content)
    for key, shown, known in (
        ("brand_id", "brand", names.brands),
        ("ticket_form_id", "form", names.forms),
    ):
        number = id_of(body, key)
        if number is not None:
            fields[shown if number in known else key] = known.get(number, body[key])
    if body.get("problem_id") is not None:
        fields["problem_id"] = body["problem_id"]
    if body.get("custom_status_id") is not None and names.status(body["custom_status_id"]) is None:
        fields["custom_status_id"] = body["custom_status_id"]
    return fields


def _add_status(
    names: Names, number: str, body: Mapping[str, Any], own_words: Mapping[str, str]
) -> None:
    category = (text_of(body, "status_category") or "").strip().lower()
    label = (text_of(body, "agent_label") or text_of(body, "raw_agent_label") or category).strip()
    own = own_words.get(label.lower())
    canonical = own or own_words.get(category) or STATUS_WORDS.get(category)
    if canonical is None:
        raise UnreadableError("unknown status category", f"{body.get('status_category')!r}")
    names.statuses[number] = CustomStatus(
        label=label,
        category=category,
        canonical=canonical,
        is_default=body.get("default") is True,
        is_mapped=own is not None and label.lower() != category,
    )


def _add_field(names: Names, number: str, body: Mapping[str, Any]) -> None:
    names.fields[number] = (text_of(body, "title") or text_of(body, "raw_title") or number).strip()
    options = {
        str(option["value"]): str(option.get("name") or option["value"])
        for name in ("custom_field_options", "system_field_options")
        for option in objects_of(body, name)
        if option.get("value") not in (None, "")
    }
    if options:
        names.options[number] = options


def _add_name(known: dict[str, str], number: str, body: Mapping[str, Any]) -> None:
    known[number] = (text_of(body, "name") or text_of(body, "raw_name") or number).strip()


def _tell_apart(names: Names) -> None:
    """Fields that share a title carry their id too, so that neither hides the other."""
    count: dict[str, int] = {}
    for title in names.fields.values():
        count[title] = count.get(title, 0) + 1
    reserved = {"brand", "brand_id", "form", "ticket_form_id", "problem_id", "custom_status_id"}
    for number, title in names.fields.items():
        if count[title] > 1 or title in reserved:
            names.fields[number] = f"{title} ({number})"


def _labelled(options: Mapping[str, str], content: Any) -> Any:
    if isinstance(content, list):
        return [_labelled(options, one) for one in content]
    return options.get(content, content) if isinstance(content, str) else content
