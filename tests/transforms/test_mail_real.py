"""Real mails: how many of the expected values are read, how well threads are found; figures printed, floors held.

Run with `-s` to see the figures.
"""

import csv
import gzip
import io
import json
import tarfile
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.mailbox.mbox import MboxSource
from tests.bench.threads import agreement
from tests.mail_cases import OPEN, compared_cases, compared_mboxes
from transforms.mail import MailboxPolicy, ParsedMail, build, parse
from transforms.model import RawRecord
from transforms.threads import ThreadIndex, ThreadPolicy, place

pytestmark = pytest.mark.real_data

MET = {
    "read": (815, 815),
    "from": (787, 787),
    "from name": (780, 787),
    "to": (793, 794),
    "cc": (810, 810),
    "subject": (809, 814),
    "date": (812, 812),
    "message_id": (815, 815),
    "in_reply_to": (814, 814),
    "references": (815, 815),
    "text": (769, 772),
    "attachments": (790, 791),
    "attachment names": (789, 791),
    "attachment digests": (791, 791),
    "is a bounce": (275, 278),
    "is an automatic answer": (4, 4),
}
"""Field → (met, asserted) of the undisputed expectations of 815 mails; `python -m tests.mail_cases` names the rest."""


def test_expected_values_of_the_single_mails(shared_data: Path) -> None:
    began = time.perf_counter()
    rows = list(compared_cases(shared_data / "mail"))
    print(f"\n{len(rows)} expectations, {time.perf_counter() - began:.2f} s")
    total = Counter(row.field for row in rows)
    met = Counter(row.field for row in rows if row.is_met)
    assert {field: (met[field], total[field]) for field in total} == MET
    assert [row for row in rows if not row.is_met and row.reason == (OPEN, "")] == []


def test_every_mbox_file_is_read(shared_data: Path) -> None:
    rows = list(compared_mboxes(shared_data / "mail"))
    assert len({row.case for row in rows}) == 12
    missed = [(row.case, row.field, row.found) for row in rows if not row.is_met]
    assert missed == [("mbox/mbox_unquoted", "count", 2), ("mbox/unmunged.mbox.txt", "count", 2)]


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
    alone = place(headers, ThreadIndex(), ThreadPolicy(steps=frozenset()))
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
