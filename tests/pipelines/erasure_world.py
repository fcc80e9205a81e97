"""A demo world in which one customer writes in every source, with words that nobody else has."""

import json
import shutil
from email.message import EmailMessage
from pathlib import Path
from typing import Any

NAME = "Dieter Neumann"
ADDRESS = "dieter.neumann@postkasten.example"
PHONE = "+49 30 901820 77"
WORD = "Kolibriflug"
"""Stands in every text, subject and file of the customer's tickets, and nowhere else."""

NEEDLES = (
    NAME.encode(),
    ADDRESS.encode(),
    PHONE.encode(),
    WORD.encode(),
    WORD.lower().encode(),
    b"90182077",
    b"Neumann",
    b"neumann",
)

TEXTS = frozenset(
    "subject raw_subject description description_text body html_body plain_body body_text comment feedback".split()  # noqa: SIM905
)

EXPORT = f"""\
Number,Opened,State,Title,Who,Mail,Phone,Team,Words
X1,2026-10-01T08:00:00Z,New,{WORD} one,{NAME},{ADDRESS},{PHONE},Care,"Please, the {WORD}"
X2,2026-10-02T08:00:00Z,New,Screen,Maria Lopez,maria@cafe.example,,Care,It flickers
X3,2026-10-03T08:00:00Z,Closed,Mouse,Tom Stone,tom@stone.example,,Care,It squeaks
"""

MAPPING = """\
rows: ticket
columns:
  ticket: Number
  created_at: Opened
  status: State
  subject: Title
  requester: Who
  requester_email: Mail
  requester_phone: Phone
  team: Team
  description: Words
statuses: {New: new, Closed: closed}
"""

SOURCE = "      - {id: export, type: csv, path: world/export.csv, mapping: world/export.yaml}\n"


def marked_world(small: Path, target: Path) -> Path:
    """A copy of the small world with the customer's words in it."""
    shutil.copytree(small, target)
    for name in ("zendesk.json", "freshdesk.json"):
        path = target / name
        path.write_text(json.dumps(_marked(json.loads(path.read_text("utf-8")))), "utf-8")
    (target / "export.csv").write_text(EXPORT, "utf-8")
    (target / "export.yaml").write_text(MAPPING, "utf-8")
    for number, mail in enumerate(_mails(), start=9_001):
        (target / "mail" / "INBOX" / f"{number:05}.eml").write_bytes(mail.as_bytes())
    return target


def with_export(configuration: str) -> str:
    """The demo's configuration with the export as a further source."""
    return configuration.replace(
        "    sla: [standard.yaml]\n", f"{SOURCE}    sla: [standard.yaml]\n"
    )


def _marked(data: dict[str, Any]) -> dict[str, Any]:
    people = {
        one["id"]
        for list_name in ("users", "contacts")
        for one in data.get(list_name, ())
        if one.get("email") == ADDRESS
    }
    assert people, "the customer is in every helpdesk"
    for list_name in ("users", "contacts"):
        for one in data.get(list_name, ()):
            if one["id"] in people:
                one["phone"] = PHONE
    tickets = {one["id"] for one in data["tickets"] if one["requester_id"] in people}
    assert tickets
    others = [one for one in data["tickets"] if one["id"] not in tickets]
    for list_name, rows in data.items():
        if not isinstance(rows, list):
            continue
        for row in rows:
            number = row["id"] if list_name == "tickets" else row.get("ticket_id")
            if number in tickets:
                _mark(row)
    _write_elsewhere(data, next(iter(people)), others)
    return data


def _mark(value: Any) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            if key in TEXTS and isinstance(one, str):
                value[key] = f"{one} {WORD}"
            elif key in ("file_name", "name") and "content_type" in value:
                value[key] = f"{WORD}.pdf"
            else:
                _mark(one)
    elif isinstance(value, list):
        for one in value:
            _mark(one)


def _write_elsewhere(data: dict[str, Any], person: int, others: list[dict[str, Any]]) -> None:
    """The customer writes a message on somebody else's ticket, in whatever form the helpdesk keeps it."""
    if "conversations" in data:
        row = next(
            one
            for one in data["conversations"]
            if one["ticket_id"] in {o["id"] for o in others} and one.get("incoming")
        )
        row["user_id"] = person
        _mark(row)
        return
    ids = {one["id"]: one["requester_id"] for one in others}
    event = next(
        one
        for one in reversed(data["ticket_events"])
        if one["ticket_id"] in ids
        and one["updater_id"] == ids[one["ticket_id"]]
        and any(child.get("body") for child in one["child_events"])
    )
    event["updater_id"] = person
    for child in event["child_events"]:
        if child.get("body"):
            child["author_id"] = person
            for comment in data["comments"]:
                if comment["id"] == child["id"]:
                    comment["author_id"] = person
                    _mark(comment)
            _mark(child)


def _mails() -> list[EmailMessage]:
    first = _mail(f"{NAME} <{ADDRESS}>", "info@acme.example", f"{WORD} ordered", 1)
    first.set_content(f"Hello,\n\nwhere is my {WORD}?\n\n{NAME}\n{PHONE}\n")
    first.add_attachment(
        f"%PDF {WORD}".encode(), maintype="application", subtype="pdf", filename=f"{WORD}.pdf"
    )
    again = _mail(f"{NAME} <{ADDRESS}>", "info@acme.example", f"Re: {WORD} ordered", 2)
    again["References"] = first["Message-ID"]
    again.set_content(f"Still waiting for the {WORD}.\n")
    other = _mail("Olga Petrova <olga@freemail.example>", "info@acme.example", "Shelf", 3)
    other["Cc"] = f'"{NAME}" <{ADDRESS}>'
    other.set_content("The shelf that I wrote of is still crooked, and nobody called me back.\n")
    return [first, again, other]


def _mail(sender: str, to: str, subject: str, number: int) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = f"Tue, {number + 6:02} Oct 2026 10:00:00 +0000".replace("Tue", "Wed", 0)
    mail["Message-ID"] = f"<kept-{number}@postkasten.example>"
    return mail
