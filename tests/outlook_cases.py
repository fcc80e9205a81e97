"""Outlook's files of the real data sets against what other programs read of them: `python -m tests.outlook_cases`.

Prints for each file what was found and what is expected, then per field how many expectations are met and each one that
is not, with the reason. Nothing of the data is kept here but names of files. `-v` shows found and expected values.

- PST: the items of libpff (folder, class, subject, date, Message-ID, attachments) and the mails of readpst.
- .msg: the fields of extract-msg; dates and addresses of msgconvert where extract-msg has none. Items that are no mails
  are compared as the mails that they would be.
- TNEF: the files of tnef 1.4.18, by sha256; without a body's file, which is the text of the mail here.
"""

import hashlib
import json
import lzma
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import Any

from connectors.mailbox.outlook.pst_blocks import PstFile
from connectors.mailbox.outlook.pst_items import MESSAGE_CLASS, PstReader, text_of
from connectors.mailbox.outlook.tnef_writer import to_tnef
from connectors.mailbox.pst import PstSource
from transforms.mail import ParsedMail, parse
from transforms.model import RawRecord
from transforms.outlook import mapi
from transforms.outlook.compressed_rtf import decompress_rtf
from transforms.outlook.convert import read_item
from transforms.outlook.mapi import is_mail_class
from transforms.outlook.mime import to_mail

REPOSITORY = Path(__file__).parent.parent

WRONG = "the other program is wrong"
CHOICE = "we read it otherwise, on purpose"

REASONS: Mapping[tuple[str, str], str] = {
    (
        "date",
        "passwordprotectedPST.pst.xz",
    ): f"{CHOICE}: the mail's own Date header, not when the archive was made",
    ("subject", "testMSG_chinese.msg"): f"{WRONG}: Big5 read as Latin-1; ours is Chinese",
    (
        "date",
        "message3.msg",
    ): f"{CHOICE}: a draft has the time of its making, not of its last change",
    ("from", "testMSG_chinese.msg"): f"{WRONG}: a name with an @ read as an address",
    ("to", "testMSG_Appointment.msg"): f"{WRONG}: a comma in a name read as the end of it",
    ("to", "testMSG_chinese.msg"): f"{WRONG}: a name with an @ read as an address",
}
"""(field, file) → why an expectation is not met."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One value of one file."""

    file: str
    field: str
    found: Any
    wanted: Any

    @property
    def is_met(self) -> bool:
        """Whether it is as expected."""
        return bool(self.found == self.wanted)

    @property
    def reason(self) -> str:
        """Why it is not, "" where that is not known."""
        return REASONS.get((self.field, self.file), "")


def shared_mails() -> Path:
    """Where the real mails lie."""
    shared = os.environ.get("DESKBRIDGE_SHARED_DATA", REPOSITORY.parent / "shared" / "data")
    return Path(shared) / "mail"


def parsed(payload: bytes) -> ParsedMail:
    """The mail that an item is, or would be where its class is no mail's."""
    mail = parse(RawRecord("mails", "case", to_mail(read_item(payload))))
    assert isinstance(mail, ParsedMail), mail
    return mail


def compared_pst(folder: Path) -> Iterator[Compared]:
    """All items of all PST files."""
    for path in sorted(folder.glob("pst/*.xz")):
        wanted = json.loads((path.parent / f"{path.stem}.expected.json").read_text("utf-8"))
        with tempfile.TemporaryDirectory() as place:
            plain = Path(place) / path.stem
            plain.write_bytes(lzma.decompress(path.read_bytes()))
            yield from _compared_items(path.name, plain, wanted["libpff"]["messages"])
            yield from _compared_pull(path.name, plain, wanted)


def _compared_items(name: str, plain: Path, wanted: list[dict[str, Any]]) -> Iterator[Compared]:
    found = []
    with closing(plain.open("rb")) as stream:
        reader = PstReader(PstFile(stream))
        for each in reader.mails():
            item = reader.item(each.node)
            yield Compared(name, "items read without a problem", item.problems, [])
            mail = parsed(to_tnef(item, reader.names))
            message_class = text_of(item.values.get(MESSAGE_CLASS))
            found.append((each.folder, message_class, mail, len(item.attachments)))
        yield Compared(name, "index read without a problem", reader.file.problems, [])
    yield Compared(name, "items", len(found), len(wanted))
    key = _by_place
    found.sort(key=lambda row: (row[0], row[1], row[2].subject, row[2].sent_at.isoformat()))
    for (where, message_class, mail, attachments), each in zip(
        found, sorted(wanted, key=key), strict=False
    ):
        yield Compared(name, "folder", where, each["folder"])
        yield Compared(name, "class", message_class, each["class"])
        files = [file for file in each["attachments"] if "error" not in file]
        if len(files) == len(each["attachments"]):  # else libpff could not read the item
            yield Compared(name, "subject", mail.subject, _line(each["subject"]))
        if each["date"]:
            yield Compared(name, "date", _instant(mail.sent_at), each["date"])
        if each["message_id"]:
            yield Compared(name, "message_id", mail.message_id, each["message_id"])
        yield Compared(name, "number of attachments", attachments, len(files))
        if is_mail_class(message_class):
            yield from _compared_files(name, mail, files)


def _by_place(item: dict[str, Any]) -> tuple[str, str, str, str]:
    return item["folder"], item["class"], _line(item["subject"]), item["date"] or ""


def _compared_files(
    name: str, mail: ParsedMail, wanted: list[dict[str, Any]]
) -> Iterator[Compared]:
    """Names and sizes in their order; of an enclosed item the other program tells neither as we have it."""
    yield Compared(name, "attachments of mails", len(mail.attachments), len(wanted))
    for ours, theirs in zip(mail.attachments, wanted, strict=False):
        if ours.media_type == "message/rfc822":
            yield Compared(name, "enclosed items read", ours.content.lstrip()[:1].isalpha(), True)
        else:
            file = (ours.file_name, len(ours.content))
            yield Compared(name, "attachment", file, (_line(theirs["name"]), theirs["size"]))


def _compared_pull(name: str, plain: Path, wanted: Mapping[str, Any]) -> Iterator[Compared]:
    """The mails that the source gives against those of readpst, and what it left out."""
    source = PstSource(plain, is_mail_class=is_mail_class)
    pages = list(source.pull("mails", None))
    mails = [parse(record) for page in pages for record in page.records]
    (state,) = pages[-1].cursor["files"].values()
    subjects = Counter(mail.subject for mail in mails if isinstance(mail, ParsedMail))
    expected = wanted["readpst"]["messages"]
    yield Compared(name, "mails of readpst", len(mails), wanted["readpst"]["eml"])
    yield Compared(
        name, "subjects of readpst", subjects, Counter(_line(m["subject"]) for m in expected)
    )
    classes = Counter(
        {name: n for name, n in wanted["libpff"]["by_class"].items() if not is_mail_class(name)}
    )
    yield Compared(name, "left out by class", Counter(state["left_out"]), classes)


def compared_msg(folder: Path) -> Iterator[Compared]:
    """All fields of all .msg files."""
    for line in (folder / "msg" / "expected.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        name = Path(case["file"]).name
        payload = (folder / case["file"]).read_bytes()
        theirs, other = case["extract_msg"], case["msgconvert"]
        item, mail = read_item(payload), parsed(payload)
        yield Compared(name, "class", item.message_class, theirs["class"].rstrip("\0"))
        is_read = isinstance(parse(RawRecord("mails", "case", payload)), ParsedMail)
        yield Compared(name, "taken for a mail", is_read, is_mail_class(item.message_class))
        yield Compared(name, "subject", mail.subject, _line(theirs["subject"]))
        date = _date(theirs["date"]) or _date(other["date"])
        is_made_up = date is not None and date.startswith("2026-11-2")
        if date and not is_made_up:
            yield Compared(name, "date", _instant(mail.sent_at), date)
        if theirs["message_id"]:
            yield Compared(name, "message_id", mail.message_id, theirs["message_id"])
        if "@" in (other["from"] or ""):
            wanted_from = {address.lower() for _, address in getaddresses([other["from"]])}
            yield Compared(name, "from", {mail.from_.address if mail.from_ else ""}, wanted_from)
        if "@" in (other["to"] or ""):
            wanted_to = [address.lower() for _, address in getaddresses([other["to"]])]
            yield Compared(name, "to", [person.address for person in mail.to], wanted_to)
        files = [(_title(file["name"]), file["size"]) for file in theirs["attachments"]]
        ours = [
            (_title(f.file_name), None if f.media_type == "message/rfc822" else len(f.content))
            for f in mail.attachments
        ]
        yield Compared(name, "attachments", ours, files)


def compared_tnef(folder: Path) -> Iterator[Compared]:
    """The files in all TNEF streams."""
    for line in (folder / "tnef" / "expected.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        name = Path(case["file"]).name
        payload = (folder / case["file"]).read_bytes()
        item, mail = read_item(payload), parsed(payload)
        contents = {file.sha256: file.file_name for file in mail.attachments}
        rtf = item.properties.binary(mapi.RTF_COMPRESSED)
        bodies = [decompress_rtf(rtf)] if rtf else []
        bodies += filter(None, [item.properties.binary(mapi.HTML)])
        # tnef writes a storage with the 16 bytes of its interface before it.
        with_interface = {
            hashlib.sha256(
                bytes.fromhex("0b00000000000000c000000000000046") + file.content
            ).hexdigest()
            for file in mail.attachments
        }
        texts = {hashlib.sha256(body).hexdigest() for body in bodies}
        damaged = case["tnef_1_4_18"]["rc"] != 0
        yield Compared(
            name, "damage told", any("checksum" in each for each in item.problems), damaged
        )
        for file in case["tnef_1_4_18"]["files"]:
            if file["name"].startswith("message."):
                yield Compared(name, "body", file["sha256"] in texts, True)
            else:
                is_there = file["sha256"] in contents or file["sha256"] in with_interface
                yield Compared(name, "file", is_there, True)
                if file["sha256"] in contents and file["name"] != "tnef-tmp":
                    yield Compared(name, "file name", contents[file["sha256"]], file["name"])
        for file in case["tnefparse_1_4_0"].get("attachments", ()):
            is_there = any(ours.startswith(_line(file["name"])) for ours in contents.values())
            if file["name"]:
                yield Compared(name, "file of tnefparse", is_there, True)


def _line(text: str | None) -> str:
    return " ".join((text or "").replace("\0", "").split())


def _title(name: str | None) -> str:
    """A file's name without the ending that an enclosed item's differs in."""
    return _line(name).removesuffix(".msg").removesuffix(".eml")


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _date(text: str | None) -> str | None:
    if not text or text == "None":
        return None
    try:
        return _instant(datetime.fromisoformat(text))
    except ValueError:
        return _instant(parsedate_to_datetime(text))


def main(arguments: list[str]) -> int:
    """Prints the figures; 1 where something is not met for an unknown reason."""
    folder = shared_mails()
    if not folder.is_dir():
        sys.exit(f"the real mails are not at {folder}; set DESKBRIDGE_SHARED_DATA")
    is_explained = True
    for title, rows in (
        ("PST", list(compared_pst(folder))),
        (".msg", list(compared_msg(folder))),
        ("TNEF", list(compared_tnef(folder))),
    ):
        print(f"{title}: {len({row.file for row in rows})} files")
        for file in dict.fromkeys(row.file for row in rows):
            of_file = [row for row in rows if row.file == file]
            print(f"  {file:36} {sum(row.is_met for row in of_file):4} of {len(of_file):4}")
        total = Counter(row.field for row in rows)
        met = Counter(row.field for row in rows if row.is_met)
        for field, count in total.items():
            print(f"    {field:30} {met[field]:4} of {count:4}")
        for row in rows:
            if not row.is_met:
                is_explained = is_explained and bool(row.reason)
                print(f"    not met: {row.field} of {row.file}: {row.reason or 'unknown'}")
                if "-v" in arguments or not row.reason:
                    print(
                        f"      found    {str(row.found)[:300]!r}\n      expected {str(row.wanted)[:300]!r}"
                    )
    return 0 if is_explained else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
