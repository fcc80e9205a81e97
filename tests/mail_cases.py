"""The single mails and the mbox files of the real data sets against their expectations: `python -m tests.mail_cases`.

Prints per field how many expectations are met, and each one that is not, with the file and why. Nothing of the data is
kept here but names of files. `-v` shows what was found and what was expected.

How fields are compared: addresses first, names apart; text in NFC with white space collapsed. Where the product does
on purpose something else than the expectation's rule, the thing that the rule speaks of is compared:

- text: `plain` (what was sent as text/plain), not `text` (what a person reads: from HTML too, without flowed line
  ends); control characters count as U+FFFD, as they are stored, and 0x80-0x9F of ISO 8859-1 as Windows-1252 has it.
- date: `header_date` (what the Date header says), not `sent_at` (which does not believe a date of the future).
- attachments: MIME parts; what is found inside of texts and signatures is in `embedded`.
"""

import json
import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.mailbox.mbox import MboxSource
from transforms.mail import ParsedMail, parse
from transforms.model import RawRecord

REPOSITORY = Path(__file__).parent.parent

WRONG = "the expectation is wrong by its standard"
CHOICE = "we read it otherwise, on purpose"
OPEN = "not understood by us"

REASONS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("subject", "zammad/mail018.box"): (WRONG, "UTF-7 in an encoded word (RFC 2152) left encoded"),
    ("subject", "stalwart/legacy-020.eml"): (CHOICE, "8-bit header read by the body's charset"),
    ("subject", "stalwart/legacy-022.eml"): (CHOICE, "8-bit header read by the body's charset"),
    ("subject", "stalwart/legacy-027.eml"): (CHOICE, "8-bit header read by the body's charset"),
    ("subject", "flanker/mailformed-headers.eml"): (CHOICE, "8-bit header, unlabelled, no UTF-8"),
    ("from name", "flanker/mailformed-headers.eml"): (WRONG, "UTF-8 (RFC 6532) read as Latin-1"),
    ("from name", "zammad/mail092.box"): (CHOICE, "a comment beside a name is kept with it"),
    ("from name", "ruby-mail/example10.eml"): (CHOICE, "a comment beside a name is kept with it"),
    ("from name", "zammad/mail093.box"): (WRONG, "Shift JIS under another Japanese label lost"),
    ("from name", "sisimai/is-not-bounce-02.eml"): (
        WRONG,
        "the last letter of unpadded base64 lost",
    ),
    ("from name", "enmime/malformed-multiple-address-header-values.raw"): (
        CHOICE,
        "two mailboxes without a comma are two",
    ),
    ("from name", "ruby-mail/raw_email_multiple_from.eml"): (
        CHOICE,
        "two addresses without a comma are two",
    ),
    ("to", "ruby-mail/raw_email_multiple_from.eml"): (
        CHOICE,
        "two addresses without a comma are two",
    ),
    ("text", "zammad/mail023.box"): (CHOICE, "unlabelled 8-bit text read by a code page"),
    ("text", "sisimai/lhost-x1-02.eml"): (
        CHOICE,
        "a missing semicolon behind `text/plain` does not hide the text",
    ),
    ("text", "thunderbird/untyped_text_with_cte_and_charset.eml"): (
        WRONG,
        "`Content-Type: text` is text/plain (RFC 2045 §5.2)",
    ),
    ("attachments", "thunderbird/untyped_text_with_cte_and_charset.eml"): (
        WRONG,
        "`Content-Type: text` is text/plain (RFC 2045 §5.2)",
    ),
    ("attachment names", "thunderbird/untyped_text_with_cte_and_charset.eml"): (
        WRONG,
        "`Content-Type: text` is text/plain (RFC 2045 §5.2)",
    ),
    ("attachment names", "ruby-mail/attachment_with_encoded_name.eml"): (
        CHOICE,
        "bytes that the label forbids are read by a related charset",
    ),
    ("is a bounce", "sisimai/arf-26.eml"): (CHOICE, "a program unsubscribes: an automatic answer"),
    ("is a bounce", "sisimai/lhost-sendmail-14.eml"): (CHOICE, "a person forwards a bounce"),
    ("is a bounce", "sisimai/make-test-36.eml"): (CHOICE, "a person forwards a bounce"),
    ("count", "mbox/mbox_unquoted"): (
        WRONG,
        "a line `From ` in the text is no separator: two mails",
    ),
    ("count", "mbox/unmunged.mbox.txt"): (
        WRONG,
        "`From Russia with love` is no separator: two mails",
    ),
}
"""(field, case) → (class, why); a deviation that is not listed is `OPEN`."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One expectation of one case."""

    case: str
    field: str
    found: object
    wanted: object

    @property
    def is_met(self) -> bool:
        """Whether the product says the same."""
        return self.found == self.wanted

    @property
    def reason(self) -> tuple[str, str]:
        """Why it is not met: the class, and in words."""
        return REASONS.get((self.field, self.case), (OPEN, ""))


def shared_mails() -> Path:
    """Where the real mails lie; the folder may be absent."""
    default = REPOSITORY.parent / "shared" / "data"
    return Path(os.environ.get("DESKBRIDGE_SHARED_DATA", default)) / "mail"


def flat(text: str) -> str:
    """Text as compared."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def stored(text: str) -> str:
    """An expected text as it would be stored (see the module's docstring)."""
    text = re.sub(
        "[\x80-\x9f]", lambda byte: byte[0].encode("latin-1").decode("cp1252", "replace"), text
    )
    return flat(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "\ufffd", text))


def compared_cases(folder: Path) -> Iterator[Compared]:
    """Every undisputed expectation of the single mails, and `read` for each: whether it was parsed at all."""
    for line in (folder / "expected.jsonl").read_text().splitlines():
        case = json.loads(line)
        mail = parse(RawRecord("mails", case["id"], (folder / case["file"]).read_bytes()))
        yield Compared(case["id"], "read", type(mail).__name__, "ParsedMail")
        if isinstance(mail, ParsedMail):
            for field, found, wanted in compared(mail, case):
                yield Compared(case["id"], field, found, wanted)


def compared(mail: ParsedMail, case: Mapping[str, Any]) -> list[tuple[str, object, object]]:
    """(field, found, expected) for every field whose expectation is not disputed."""
    wanted = case["expected"]
    text = stored(mail.plain)
    wanted_text = stored(str(wanted["text"]))
    if wanted.get("text_truncated"):
        text = text[: len(wanted_text)]
    date = f"{mail.header_date:%Y-%m-%dT%H:%M:%SZ}" if mail.header_date else None
    rows: list[tuple[str, object, object]] = [
        ("from", [mail.from_.address] if mail.from_ else [], addresses(wanted["from"][:1])),
        ("to", [person.address for person in mail.to], addresses(wanted["to"])),
        ("cc", [person.address for person in mail.cc], addresses(wanted["cc"])),
        ("subject", flat(mail.subject), stored(str(wanted["subject"] or ""))),
        ("date", date, wanted["date"]),
        ("message_id", mail.message_id, wanted["message_id"]),
        ("in_reply_to", list(mail.in_reply_to), wanted["in_reply_to"]),
        ("references", list(mail.reference_ids), wanted["references"]),
        ("text", text, wanted_text),
        ("attachments", len(mail.attachments), len(wanted["attachments"])),
    ]
    rows = [row for row in rows if row[0] not in case.get("disputed", {})]
    by_field = {field: found == expected for field, found, expected in rows}
    if by_field.get("from"):
        names = [flat(name) for name, _ in wanted["from"][:1]]
        rows.append(("from name", [flat(mail.from_.name)] if mail.from_ else [], names))
    if "attachments" in by_field:
        rows += compared_files(mail, wanted["attachments"])
    verdicts = case.get("corpus_expected", {})
    if "is_bounce" in verdicts:
        rows.append(("is a bounce", mail.kind == "bounce", verdicts["is_bounce"]))
    if "is_auto_reply" in verdicts:
        is_auto = mail.kind == "auto_reply"
        rows.append(("is an automatic answer", is_auto, verdicts["is_auto_reply"]))
    return rows


def addresses(people: list[list[str]]) -> list[str]:
    """The addresses of expected people."""
    return [address for _, address in people]


def compared_files(
    mail: ParsedMail, wanted: list[Mapping[str, Any]]
) -> list[tuple[str, object, object]]:
    """Names and digests; an enclosed message has no expected digest."""
    names = sorted(file.file_name if file.is_named else "" for file in mail.attachments)
    digests = Counter(file.sha256 for file in mail.attachments)
    expected = Counter(file["sha256"] for file in wanted if file.get("sha256"))
    return [
        ("attachment names", names, sorted(flat(file.get("name") or "") for file in wanted)),
        ("attachment digests", sorted(expected & digests), sorted(expected)),
    ]


def compared_mboxes(folder: Path) -> Iterator[Compared]:
    """The mbox files: how many mails, and which offset and Message-ID each has."""
    for line in (folder / "mbox" / "expected.jsonl").read_text().splitlines():
        case = json.loads(line)
        source = MboxSource(folder / case["file"])
        records = [record for page in source.pull("mails", None) for record in page.records]
        mails = [parse(record) for record in records]
        unread = [mail.detail for mail in mails if not isinstance(mail, ParsedMail)]
        yield Compared(case["file"], "mails read", unread, [])
        count = case.get("corpus_count", case["gmime_count"])
        yield Compared(case["file"], "count", len(records), count)
        if len(records) == count:
            offsets = [record.location["offset"] for record in records]
            ids = [mail.message_id for mail in mails if isinstance(mail, ParsedMail)]
            wanted = case["messages"]
            yield Compared(case["file"], "offsets", offsets, [m["offset"] for m in wanted])
            yield Compared(case["file"], "message ids", ids, [m["message_id"] for m in wanted])


def main(arguments: list[str]) -> int:
    """Prints the figures; 1 where a mail was not read at all."""
    folder = shared_mails()
    if not folder.is_dir():
        sys.exit(f"the real mails are not at {folder}; set DESKBRIDGE_SHARED_DATA")
    is_read = True
    for title, rows in (
        ("single mails", list(compared_cases(folder))),
        ("mbox files", list(compared_mboxes(folder))),
    ):
        total = Counter(row.field for row in rows)
        met = Counter(row.field for row in rows if row.is_met)
        print(f"{title}: {len({row.case for row in rows})}")
        for field, count in total.items():
            print(f"  {field:24} {met[field]:4} of {count:4}  {met[field] / count:.2%}")
        missed = [row for row in rows if not row.is_met]
        print(f"  all                      {sum(met.values())} of {len(rows)}; not met:")
        for row in sorted(missed, key=lambda row: (row.reason[0], row.field, row.case)):
            print(f"    {row.field}: {row.case}: {': '.join(filter(None, row.reason))}")
            if "-v" in arguments:
                print(
                    f"      found    {str(row.found)[:300]!r}\n      expected {str(row.wanted)[:300]!r}"
                )
        is_read = is_read and not any(row.field in ("read", "mails read") for row in missed)
    return 0 if is_read else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
