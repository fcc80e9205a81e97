"""Writes a world into a folder, the same bytes every time.

Belongs here: files and their names. Does not belong here: what they say.

    zendesk.json, freshdesk.json   what the API stand-ins serve
    mail/INBOX/*.eml, mail/Sent/*.eml   the shared mailbox, numbered by arrival
    legacy/archive.mbox            the old inbox (mboxrd)
    facts.json                     what the generator knows, for tests
"""

import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.demo.mail_shape import INBOX, SENT, Mail
from pipelines.demo.mime import with_crlf
from pipelines.demo.world import World, mail_places

_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)


def write(world: World, folder: Path) -> None:
    """Writes the data set; what an earlier one left in the folder is replaced, other files stay."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "zendesk.json", world.zendesk)
    _write_json(folder / "freshdesk.json", world.freshdesk)
    _write_json(folder / "facts.json", world.facts)
    for name in (INBOX, SENT):
        box = folder / "mail" / name
        shutil.rmtree(box, ignore_errors=True)
        box.mkdir(parents=True)
    for place, mail in zip(mail_places(world.mails), world.mails, strict=True):
        path = folder / "mail" / place
        path.write_bytes(with_crlf(mail.raw))
        os.utime(path, (mail.at, mail.at))
    archive = folder / "legacy" / "archive.mbox"
    archive.parent.mkdir(exist_ok=True)
    archive.write_bytes(b"".join(_mbox_entry(mail) for mail in world.legacy))


def _mbox_entry(mail: Mail) -> bytes:
    """One mail in mboxrd: a `From ` line, quoted body lines, a blank line behind.

    Source: RFC 4155 and the mboxrd convention (every `>*From ` line gets one more `>`).
    """
    line = mail.mbox_line
    if line is None:
        written = datetime.fromtimestamp(mail.at, UTC)
        line = f"From {mail.sender} {written:%a %b} {written.day:2d} {written:%H:%M:%S %Y}"
    head, gap, body = mail.raw.partition(b"\n\n")
    return line.encode() + b"\n" + head + gap + _FROM_LINE.sub(rb">\1", body) + b"\n"


def _write_json(path: Path, value: Any) -> None:
    # ASCII, so that a lone surrogate or a right-to-left mark never meets an encoder on the way.
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")), encoding="ascii")
