"""Real mails: how many of the expected values are read, how well threads are found; figures printed, floors held.

Run with `-s` to see the figures.
"""

import csv
import gzip
import io
import json
import re
import tarfile
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.mailbox.mbox import MboxSource
from transforms.mail import MailboxPolicy, ParsedMail, build, parse
from transforms.model import RawRecord
from transforms.threads import ThreadIndex, ThreadPolicy, place

pytestmark = pytest.mark.real_data

FLOORS = {
    "from": 0.995,
    "from name": 0.99,
    "to": 0.995,
    "cc": 1.0,
    "subject": 0.985,
    "date": 0.99,
    "message_id": 0.995,
    "in_reply_to": 1.0,
    "references": 1.0,
    "text": 0.97,
    "attachments": 0.99,
    "attachment names": 0.995,
    "attachment digests": 1.0,
    "is a bounce": 0.95,
    "is an automatic answer": 1.0,
}
"""Least share of the mails with an undisputed expectation. What is missed in `text` is mostly broken MIME whose
text we keep where the expectation is empty."""


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def test_expected_values_of_the_single_mails(shared_data: Path) -> None:
    folder = shared_data / "mail"
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    rejected = []
    began = time.perf_counter()
    for line in (folder / "expected.jsonl").read_text().splitlines():
        case = json.loads(line)
        mail = parse(RawRecord("mails", case["id"], (folder / case["file"]).read_bytes()))
        if not isinstance(mail, ParsedMail):
            rejected.append((case["id"], mail.reason))
            continue
        for field, found, wanted in compared(mail, case):
            total[field] += 1
            right[field] += found == wanted
    seconds = time.perf_counter() - began
    print(f"\n{len(total)} fields, {seconds:.2f} s, rejected: {rejected}")
    for field in total:
        print(
            f"  {field:24} {right[field]:4} of {total[field]:4}  {right[field] / total[field]:.1%}"
        )
    assert rejected == []
    assert {f: right[f] / total[f] for f in FLOORS if right[f] / total[f] < FLOORS[f]} == {}


def compared(mail: ParsedMail, case: Mapping[str, object]) -> list[tuple[str, object, object]]:
    """(field, found, expected) for every field whose expectation is not disputed."""
    expected: Mapping[str, object] = case["expected"]  # type: ignore[assignment]
    disputed: Mapping[str, object] = case.get("disputed", {})  # type: ignore[assignment]
    own: Mapping[str, object] = case.get("corpus_expected", {})  # type: ignore[assignment]
    senders = [mail.from_] if mail.from_ else []
    wanted_senders: list[list[str]] = expected["from"][:1]  # type: ignore[index]
    wanted_files: list[dict[str, str]] = expected["attachments"]  # type: ignore[assignment]
    text = flat(mail.plain)
    if expected.get("text_truncated"):
        text = text[: len(str(expected["text"]))]
    rows: list[tuple[str, object, object]] = [
        ("from", [s.address for s in senders], [address for _, address in wanted_senders]),
        ("to", [a.address for a in mail.to], [address for _, address in expected["to"]]),  # type: ignore[attr-defined]
        ("cc", [a.address for a in mail.cc], [address for _, address in expected["cc"]]),  # type: ignore[attr-defined]
        ("subject", flat(mail.subject), flat(str(expected["subject"] or ""))),
        (
            "date",
            f"{mail.sent_at:%Y-%m-%dT%H:%M:%SZ}" if mail.date_basis == "date" else None,
            expected["date"],
        ),
        ("message_id", mail.message_id, expected["message_id"]),
        ("in_reply_to", list(mail.in_reply_to), expected["in_reply_to"]),
        ("references", list(mail.reference_ids), expected["references"]),
        ("text", text, expected["text"]),
        ("attachments", len(mail.attachments), len(wanted_files)),
    ]
    rows = [row for row in rows if row[0] not in disputed]
    if rows[0][0] == "from" and rows[0][1] == rows[0][2]:
        names = [flat(name) for name, _ in wanted_senders]
        rows.append(("from name", [flat(s.name) for s in senders], names))
    if ("attachments", len(wanted_files), len(wanted_files)) in rows:
        found = sorted(a.file_name if a.is_named else "" for a in mail.attachments)
        rows.append(("attachment names", found, sorted(f.get("name") or "" for f in wanted_files)))
        digests = {f["sha256"] for f in wanted_files if f.get("sha256")}
        rows.append(("attachment digests", digests - {a.sha256 for a in mail.attachments}, set()))
    if "is_bounce" in own:
        rows.append(("is a bounce", mail.kind == "bounce", own["is_bounce"]))
    if "is_auto_reply" in own:
        rows.append(("is an automatic answer", mail.kind == "auto_reply", own["is_auto_reply"]))
    return rows


def pairs(groups: Mapping[str, Hashable]) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(groups.values()).values())


def agreement(found: Mapping[str, str], wanted: Mapping[str, Hashable]) -> tuple[float, float]:
    """Pair precision and recall of one partition against another."""
    both = pairs({name: (found[name], wanted[name]) for name in wanted})
    return both / pairs({name: found[name] for name in wanted}), both / pairs(wanted)


@pytest.fixture(scope="module", params=["usrp-2022", "usrp-2023"])
def archive(request: pytest.FixtureRequest, shared_data: Path) -> tuple[str, dict[str, ParsedMail]]:
    mails = {}
    with tarfile.open(shared_data / "mail" / "threads" / f"{request.param}.tar.xz") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            name = Path(member.name).name
            at = datetime.fromtimestamp(member.mtime, UTC).isoformat()
            record = RawRecord("mails", name, content.read(), location={"internal_date": at})
            mail = parse(record)
            assert isinstance(mail, ParsedMail)
            mails[name] = mail
    return request.param, mails


def test_threads_of_a_support_list(
    archive: tuple[str, dict[str, ParsedMail]], shared_data: Path
) -> None:
    """Truths: notmuch and RFC 5256 REFERENCES.

    notmuch takes no In-Reply-To without angles, which one web interface of this list writes, so its partition is
    finer; REFERENCES finds those by subject. We must join all that notmuch joins, and nothing that REFERENCES
    keeps apart.
    """
    name, mails = archive
    truth_path = shared_data / "mail" / "threads" / f"{name}.threads.json.gz"
    truth = json.loads(gzip.decompress(truth_path.read_bytes()))
    notmuch = {file: groups[0] for file, groups in truth["by_file"].items()}
    references = {file: groups[-1] for file, groups in truth["by_file"].items()}
    headers = [mail.headers for mail in mails.values()]
    for label, policy in (
        ("ids alone", ThreadPolicy(joins_by_subject=False)),
        ("ids and subject", ThreadPolicy(own_addresses=frozenset({"usrp-users@lists.ettus.com"}))),
    ):
        found = {
            each.remote_id: each.ticket_remote_id for each in place(headers, ThreadIndex(), policy)
        }
        against_notmuch, against_references = (
            agreement(found, notmuch),
            agreement(found, references),
        )
        quoted = truth["quoted_parent"]
        near = sum(found[child] == found[each["parent"]] for child, each in quoted.items())
        print(
            f"\n{name}, {label}: {len(set(found.values()))} threads of {len(found)} mails;"
            f" notmuch P {against_notmuch[0]:.4f} R {against_notmuch[1]:.4f};"
            f" REFERENCES P {against_references[0]:.4f} R {against_references[1]:.4f};"
            f" quoted parents {near} of {len(quoted)}"
        )
        assert against_notmuch[1] == 1.0
        assert against_references[0] == 1.0
    assert against_references[1] > 0.99
    assert near >= 0.75 * len(quoted)


def test_senders_behind_a_list_are_found(
    archive: tuple[str, dict[str, ParsedMail]], shared_data: Path
) -> None:
    name, mails = archive
    path = shared_data / "mail" / "threads" / f"{name}.customers.json.gz"
    truth = json.loads(gzip.decompress(path.read_bytes()))["by_file"]
    right = sum(
        mails[file].sender is not None and mails[file].sender.address == address  # type: ignore[union-attr]
        for file, address in truth.items()
    )
    print(f"\n{name}: true sender of {right} of {len(truth)} mails")
    assert right == len(truth)


def test_an_old_mailbox_becomes_tickets_without_losing_a_mail(shared_data: Path) -> None:
    folder = shared_data / "tickets" / "mail"
    began = time.perf_counter()
    source = MboxSource(folder / "spamassassin_easy_ham_2.mbox.gz")
    rows = [
        (record, parse(record)) for page in source.pull("mails", None) for record in page.records
    ]
    headers = [mail.headers for _, mail in rows if isinstance(mail, ParsedMail)]
    places = {each.remote_id: each for each in place(headers, ThreadIndex())}
    batch = build(
        [(record, mail, places.get(record.remote_id)) for record, mail in rows],
        MailboxPolicy(agent_domains=frozenset({"linux.ie"})),
        datetime(2003, 1, 1, tzinfo=UTC),
    )
    seconds = time.perf_counter() - began
    text = gzip.decompress(
        (folder / "spamassassin_easy_ham_2_threads.csv.gz").read_bytes()
    ).decode()
    truth = [row["thread_id"] for row in csv.DictReader(io.StringIO(text))]
    wanted = {record.remote_id: thread for (record, _), thread in zip(rows, truth, strict=True)}
    alone = place(headers, ThreadIndex(), ThreadPolicy(joins_by_subject=False))
    by_ids = agreement({each.remote_id: each.ticket_remote_id for each in alone}, wanted)
    print(
        f"\n{len(rows)} mails: {len(batch.comments)} comments, {len(batch.rejected)} rejected,"
        f" {len(batch.tickets)} tickets, {seconds:.2f} s;"
        f" by ids alone P {by_ids[0]:.4f} R {by_ids[1]:.4f} of a truth that takes addresses for ids"
    )
    assert len(rows) == 1_400 == len(batch.comments) + len(batch.rejected)
    assert len({record.remote_id for record, _ in rows}) == 1_400
    assert (by_ids[0] > 0.999, by_ids[1] > 0.88) == (True, True)
    sizes = defaultdict(int)
    for comment in batch.comments:
        sizes[comment.ticket_remote_id] += 1
    assert set(sizes) == {ticket.remote_id for ticket in batch.tickets}
    assert seconds < 30
