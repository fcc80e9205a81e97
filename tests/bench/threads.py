"""Threads and true senders of real mail archives against their truths: `python -m tests.bench.threads`.

Prints per set, and for all of them together:

- with nothing but ids (References, In-Reply-To as RFC 5322 writes it): pairwise precision and recall against notmuch;
- with every step: of the mails without ids whose quoted parent is known, how many stand in its conversation. Where
  such a mail names another parent by an In-Reply-To without angles that is in the set, the truth's parent only shares
  lines with it (pasted logs): counted as missed all the same, and said;
- what the steps joined beyond ids: how many mails by each, and how many of them into a conversation that nobody of
  theirs takes part in, with and without quoted text;
- with ids taken away: every third mail loses its ids, and its conversation is looked for by the other steps alone;
  how many find it (`found`), how many stand apart, and how many in a wrong one. A harder test than the truth's few
  mails, and made anew for other archives;
- whether shuffled mails in batches give the same threads;
- true senders against `customers.json`, and which mailing lists are among them.

Sets are found by their files: `mail/threads/*.threads.json.gz` below the shared data, or below a folder given.
"""

import argparse
import csv
import gzip
import io
import json
import os
import random
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.mailbox.mbox import MboxSource
from transforms.mail import ParsedMail, parse
from transforms.mail_addresses import mailbox_of
from transforms.model import RawRecord
from transforms.threads import MailHeaders, Placement, ThreadIndex, ThreadPolicy, place

REPOSITORY = Path(__file__).parent.parent.parent

GUESSED = (
    "in-reply-to without angles",
    "thread index",
    "ticket number",
    "quoted text",
    "subject+participant",
)

Partition = Mapping[str, Hashable]


def shared_data() -> Path:
    """Where the real data sets are."""
    default = REPOSITORY.parent / "shared" / "data"
    return Path(os.environ.get("DESKBRIDGE_SHARED_DATA", default))


@dataclass(slots=True)
class Archive:
    """One set: its mails by file, its threads by notmuch, RFC 5256's where given, quoted parents, senders."""

    name: str
    mails: dict[str, ParsedMail]
    threads: dict[str, Hashable]
    references: dict[str, Hashable] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    senders: dict[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> list[MailHeaders]:
        """What threading is told."""
        return [mail.headers for mail in self.mails.values()]


def read_archive(folder: Path, name: str) -> Archive:
    """One of the sets of `mail/threads`."""
    mails = {}
    with tarfile.open(folder / f"{name}.tar.xz") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            at = datetime.fromtimestamp(member.mtime, UTC).isoformat()
            file = Path(member.name).name
            mail = parse(RawRecord("mails", file, content.read(), location={"internal_date": at}))
            if isinstance(mail, ParsedMail):
                mails[file] = mail
    truth = _json(folder / f"{name}.threads.json.gz")
    by_file = {file: row for file, row in truth["by_file"].items() if file in mails}
    has_references = "dovecot_references" in truth.get("by_file_columns", ())
    customers = folder / f"{name}.customers.json.gz"
    return Archive(
        name,
        mails,
        {file: row[0] for file, row in by_file.items()},
        {file: row[-1] for file, row in by_file.items()} if has_references else {},
        {file: row["parent"] for file, row in truth.get("quoted_parent", {}).items()},
        _json(customers)["by_file"] if customers.is_file() else {},
    )


def read_spamassassin(folder: Path) -> Archive:
    """The old mbox whose truth is the union of In-Reply-To and References."""
    box = MboxSource(folder / "spamassassin_easy_ham_2.mbox.gz")
    records = [record for page in box.pull("mails", None) for record in page.records]
    parsed = [(record.remote_id, parse(record)) for record in records]
    text = _text(folder / "spamassassin_easy_ham_2_threads.csv.gz")
    rows = list(csv.DictReader(io.StringIO(text)))
    mails = {name: mail for name, mail in parsed if isinstance(mail, ParsedMail)}
    pairs = zip(parsed, rows, strict=True)
    return Archive("easy_ham_2", mails, {name: row["thread_id"] for (name, _), row in pairs})


def _text(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def _json(path: Path) -> Any:
    return json.loads(_text(path))


def pairs(groups: Partition) -> int:
    """Pairs of mails that stand together."""
    return sum(count * (count - 1) // 2 for count in Counter(groups.values()).values())


def agreement(found: Partition, wanted: Partition) -> tuple[float, float]:
    """Pair precision and recall of one partition against another; 1 where there are no pairs."""
    both = pairs({name: (found[name], wanted[name]) for name in wanted})
    ours, theirs = pairs({name: found[name] for name in wanted}), pairs(wanted)
    return both / ours if ours else 1.0, both / theirs if theirs else 1.0


def threads_of(
    headers: Sequence[MailHeaders], policy: ThreadPolicy | None = None
) -> dict[str, Placement]:
    """Where each mail is placed."""
    return {each.remote_id: each for each in place(headers, ThreadIndex(), policy)}


def _tickets(placed: Mapping[str, Placement]) -> dict[str, str]:
    return {name: each.ticket_remote_id for name, each in placed.items()}


@dataclass(slots=True)
class Strangers:
    """Mails that were joined to a conversation of others beyond ids."""

    joined: Counter[str] = field(default_factory=Counter)
    strangers: Counter[str] = field(default_factory=Counter)
    other_senders: Counter[str] = field(default_factory=Counter)

    @property
    def without_quote(self) -> int:
        """Across customers without quoted text: what must not be."""
        return sum(self.strangers.values()) - self.strangers["quoted text"]


def strangers(archive: Archive, placed: Mapping[str, Placement]) -> Strangers:
    """Of the mails that guessing joined: who has nobody in common with the conversation as it stood before."""
    found = Strangers()
    lists = {each for mail in archive.mails.values() for each in mail.list_addresses}
    seen: dict[str, set[str]] = {}
    senders: dict[str, set[str]] = {}
    in_order = sorted(archive.mails.values(), key=lambda mail: (mail.sent_at, mail.remote_id))
    for mail in in_order:
        each = placed[mail.remote_id]
        people = {mailbox_of(one) for one in mail.participants if one not in lists}
        before = seen.setdefault(each.ticket_remote_id, set())
        wrote = senders.setdefault(each.ticket_remote_id, set())
        if each.reason in GUESSED[1:]:
            found.joined[each.reason] += 1
            found.strangers[each.reason] += people.isdisjoint(before)
            found.other_senders[each.reason] += people.isdisjoint(wrote)
        elif each.reason == GUESSED[0]:
            found.joined[each.reason] += 1
        before |= people
        if mail.sender:
            wrote.add(mailbox_of(mail.sender.address))
    return found


def with_ids_taken_away(archive: Archive, every: int = 3) -> tuple[int, int, int, int]:
    """(mails that lost their ids, found again, apart, in a wrong conversation).

    Only mails that answer one that is here lose them; their later answers still name them, so that only the way
    upwards is lost. Right is any conversation that holds an earlier mail of the true one, wrong one that holds none.
    """
    headers = archive.headers
    whole = _tickets(threads_of(headers, ThreadPolicy(steps=frozenset({"bare id"}))))
    known = {mail.message_id for mail in headers}
    first: dict[str, str] = {}
    for mail in sorted(headers, key=lambda one: (one.sent_at, one.remote_id)):
        first.setdefault(whole[mail.remote_id], mail.remote_id)
    answers = sorted(
        mail.remote_id
        for mail in headers
        if mail.message_id
        and mail.remote_id != first[whole[mail.remote_id]]
        and any(
            f"<{each.strip('<>')}>" in known for each in (*mail.in_reply_to, *mail.reference_ids)
        )
    )
    lost = set(answers[::every])
    # What answers a mail that lost its ids would still name the older ones: only its own parent is left to it.
    masked = [
        replace(
            mail,
            in_reply_to=() if mail.remote_id in lost else mail.in_reply_to,
            reference_ids=()
            if mail.remote_id in lost or mail.in_reply_to
            else mail.reference_ids[-1:],
            thread_index=None,
        )
        for mail in headers
    ]
    placed = threads_of(masked)
    at = {mail.remote_id: (mail.sent_at, mail.remote_id) for mail in headers}
    members: dict[str, list[str]] = {}
    for name, each in placed.items():
        members.setdefault(each.ticket_remote_id, []).append(name)
    right = apart = wrong = 0
    for name in lost:
        earlier = [one for one in members[placed[name].ticket_remote_id] if at[one] < at[name]]
        if not earlier:
            apart += 1
        elif any(whole[one] == whole[name] for one in earlier):
            right += 1
        else:
            wrong += 1
    return len(lost), right, apart, wrong


def is_order_free(headers: Sequence[MailHeaders], seed: int = 7) -> bool:
    """Whether shuffled mails in ten batches give the same placements, reasons and doubts included."""
    wanted = threads_of(headers)
    shuffled = list(headers)
    random.Random(seed).shuffle(shuffled)
    index = ThreadIndex()
    size = -(-len(shuffled) // 10) or 1
    for start in range(0, len(shuffled), size):
        place(shuffled[start : start + size], index)
    return index.placements == wanted


@dataclass(slots=True)
class Figures:
    """What is counted over all sets."""

    placed: int = 0
    known: int = 0
    without_quote: int = 0
    right_senders: int = 0
    senders: int = 0


def show(archive: Archive, total: Figures) -> None:
    """Prints a set's figures and adds them up."""
    began = time.perf_counter()
    headers = archive.headers
    read = time.perf_counter() - began
    alone = _tickets(threads_of(headers, ThreadPolicy(steps=frozenset())))
    began = time.perf_counter()
    placed = threads_of(headers)
    seconds = time.perf_counter() - began
    found = _tickets(placed)
    precision, recall = agreement(alone, archive.threads)
    print(
        f"{archive.name}: {len(headers)} mails, {len(set(alone.values()))} threads by ids alone,"
        f" {len(set(found.values()))} with every step"
        f" ({1000 * read / max(len(headers), 1):.2f} ms a mail to fingerprint, {seconds:.2f} s to place)"
    )
    print(f"  ids alone against notmuch: precision {precision:.4f}, recall {recall:.4f}")
    if archive.references:
        precision, recall = agreement(found, archive.references)
        print(f"  every step against RFC 5256: precision {precision:.4f}, recall {recall:.4f}")
    if archive.parents:
        _show_parents(archive, found, total)
    joined = strangers(archive, placed)
    print(f"  joined beyond ids: {dict(joined.joined)}")
    print(
        f"  of these with nobody in common: {dict(+joined.strangers)}; without quoted text"
        f" {joined.without_quote}; none of theirs wrote before: {dict(+joined.other_senders)}"
    )
    total.without_quote += joined.without_quote
    doubts = Counter(each.doubt.reason for each in placed.values() if each.doubt)
    print(f"  doubtful: {sum(doubts.values())}")
    lost, right, apart, wrong = with_ids_taken_away(archive)
    print(
        f"  ids taken away from {lost}: {right} found, {apart} apart, {wrong} in a wrong conversation"
    )
    print(f"  any order, any batches: {'the same' if is_order_free(headers) else 'DIFFERENT'}")
    if archive.senders:
        _show_senders(archive, total)


def _show_parents(archive: Archive, found: Partition, total: Figures) -> None:
    near = {child for child, parent in archive.parents.items() if found[child] == found[parent]}
    rfc = sum(
        archive.references[child] == archive.references[parent]
        for child, parent in archive.parents.items()
    )
    known = {mail.message_id: name for name, mail in archive.mails.items()}
    named = [
        child
        for child in archive.parents
        if child not in near and any(each in known for each in archive.mails[child].in_reply_to)
    ]
    count = len(archive.parents)
    print(
        f"  quoted parent known: {len(near)} of {count} with it (RFC 5256: {rfc});"
        f" of the others {len(named)} name another parent that is here"
    )
    total.placed += len(near)
    total.known += count


def _show_senders(archive: Archive, total: Figures) -> None:
    ours = {
        name: mail.sender.address if mail.sender else "" for name, mail in archive.mails.items()
    }
    right = sum(ours.get(name) == address for name, address in archive.senders.items())
    lists = {each for mail in archive.mails.values() for each in mail.list_addresses}
    extra = set(ours.values()) - set(archive.senders.values())
    print(
        f"  true senders: {right} of {len(archive.senders)} mails; customers {len(set(ours.values()))},"
        f" wanted {len(set(archive.senders.values()))}, {len(extra)} of them not wanted;"
        f" mailing lists among them {len(lists & set(ours.values()))}"
    )
    total.right_senders += right
    total.senders += len(archive.senders)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures of every set; 1 where a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="a folder like shared/data")
    options = parser.parse_args(arguments)
    data = options.folder or shared_data()
    folder = data / "mail" / "threads"
    names = sorted(
        path.name.removesuffix(".threads.json.gz") for path in folder.glob("*.threads.json.gz")
    )
    if not names:
        print(f"no archives in {folder}; set DESKBRIDGE_SHARED_DATA or name the folder")
        return 2
    total = Figures()
    for name in names:
        show(read_archive(folder, name), total)
    old = data / "tickets" / "mail"
    if (old / "spamassassin_easy_ham_2.mbox.gz").is_file():
        show(read_spamassassin(old), total)
    print(
        f"all: {total.placed} of {total.known} with the known quoted parent"
        f" ({total.placed / max(total.known, 1):.1%}); {total.without_quote} joined across customers"
        f" without quoted text; true senders {total.right_senders / max(total.senders, 1):.2%}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
