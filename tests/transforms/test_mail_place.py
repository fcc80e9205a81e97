"""Where a mail lay, in words, and that warnings and rejections say it."""

from datetime import UTC, datetime

import pytest

from transforms.mail import MailboxPolicy, build, parse
from transforms.mail_place import place_of
from transforms.model import RawRecord, Rejected
from transforms.threads import Placement


@pytest.mark.parametrize(
    ("location", "told"),
    [
        (
            {"file": "archive/a.mbox", "number": 12, "offset": 99, "envelope": "From x"},
            "file archive/a.mbox, number 12",
        ),
        (
            {"folder": "INBOX", "uid": 7, "uidvalidity": 1, "flags": ["\\Seen"]},
            "folder INBOX, uid 7",
        ),
        ({"file": "x/a.eml", "folder": "."}, "file x/a.eml"),
        ({"folder": "Inbox", "message_id": "AAMk"}, "folder Inbox, message_id AAMk"),
        ({}, ""),
    ],
)
def test_place(location: dict[str, object], told: str) -> None:
    assert place_of(location) == told


def test_a_warning_says_where_its_mail_lies_and_is_counted_by_its_kind() -> None:
    record = RawRecord(
        "mails",
        "sha256:1",
        b"From: a@b.example\nDate: Whenever\n\nhello\n",
        media_type="message/rfc822",
        location={"file": "a.mbox", "number": 3},
    )
    batch = build(
        [(record, parse(record), Placement("sha256:1", "thread:1", "first mail"))],
        MailboxPolicy(),
        datetime(2026, 3, 2, tzinfo=UTC),
    )
    told = "Date 'Whenever' is not believable and nothing else tells; 1970-01-01 is taken"
    assert [(one.rule, one.detail) for one in batch.warnings] == [
        (told.replace("'Whenever'", "…"), f"{told} (file a.mbox, number 3)")
    ]


def test_a_rejected_mail_says_where_it_lies() -> None:
    location = {"file": "a.eml", "folder": "."}
    found = parse(RawRecord("mails", "x", b"", media_type="message/rfc822", location=location))
    assert isinstance(found, Rejected)
    assert found.detail == "(file a.eml)"
