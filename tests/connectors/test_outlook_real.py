"""Outlook's real files: everything that other programs read is read; damage of any kind is told, never a crash.

Run with `-s` to see the figures; `DESKBRIDGE_FUZZ_SECONDS` makes the damaged copies go on for longer.
"""

import io
import lzma
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.mailbox.outlook import pst_blocks
from connectors.mailbox.outlook.pst_blocks import PstError, PstFile
from connectors.mailbox.outlook.pst_items import PstReader
from connectors.mailbox.outlook.tnef_writer import lasting_digest, to_tnef
from tests.outlook_cases import Compared, compared_msg, compared_pst, compared_tnef
from transforms.outlook.convert import read_item
from transforms.outlook.mapi import OutlookError
from transforms.outlook.mime import to_mail

pytestmark = pytest.mark.real_data

FUZZ_SECONDS = float(os.environ.get("DESKBRIDGE_FUZZ_SECONDS", "3"))


def met(rows: list[Compared]) -> dict[str, tuple[int, int]]:
    """Field → how many are met, of how many; all others must have a reason."""
    assert [row for row in rows if not row.is_met and not row.reason] == []
    total = Counter(row.field for row in rows)
    found = Counter(row.field for row in rows if row.is_met)
    for field, count in total.items():
        print(f"  {field:32} {found[field]:4} of {count:4}")
    return {field: (found[field], total[field]) for field in total}


def test_five_psts_are_read_as_by_libpff_and_readpst(shared_data: Path) -> None:
    assert met(list(compared_pst(shared_data / "mail"))) == {
        "items read without a problem": (50, 50),
        "index read without a problem": (5, 5),
        "items": (5, 5),
        "folder": (50, 50),
        "class": (50, 50),
        "subject": (48, 48),
        "date": (45, 48),
        "message_id": (29, 29),
        "number of attachments": (50, 50),
        "attachments of mails": (43, 43),
        "attachment": (42, 42),
        "enclosed items read": (10, 10),
        "mails of readpst": (5, 5),
        "subjects of readpst": (5, 5),
        "left out by class": (5, 5),
    }


def test_31_msg_files_are_read_as_by_extract_msg_and_msgconvert(shared_data: Path) -> None:
    assert met(list(compared_msg(shared_data / "mail"))) == {
        "class": (31, 31),
        "taken for a mail": (31, 31),
        "subject": (30, 31),
        "date": (28, 29),
        "message_id": (3, 3),
        "from": (17, 18),
        "to": (17, 19),
        "attachments": (31, 31),
    }


def test_7_tnef_streams_give_the_files_that_tnef_gives(shared_data: Path) -> None:
    assert met(list(compared_tnef(shared_data / "mail"))) == {
        "damage told": (7, 7),
        "body": (5, 5),
        "file": (11, 11),
        "file name": (9, 9),
        "file of tnefparse": (11, 11),
    }


def damaged(files: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """Copies with flipped, zeroed and cut-off bytes, for as long as is allowed."""
    end = time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < end:
        copy = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 5, 50, 400))):
            at = chance.randrange(len(copy))
            copy[at] = chance.choice(
                (0, 255, chance.randrange(256), copy[at] ^ 1 << chance.randrange(8))
            )
        if chance.random() < 0.15:
            del copy[chance.randrange(len(copy)) :]
        yield bytes(copy)


def test_damaged_msg_and_tnef_give_an_item_or_our_error(shared_data: Path) -> None:
    paths = [*shared_data.glob("mail/msg/*.msg"), *shared_data.glob("mail/tnef/*.tnef")]
    files = [path.read_bytes() for path in sorted(paths)]
    copies = refused = 0
    slowest = 0.0
    for copy in damaged([each for each in files if len(each) < 200_000], random.Random(20)):
        began = time.perf_counter()
        try:
            to_mail(read_item(copy))
        except OutlookError:
            refused += 1
        slowest = max(slowest, time.perf_counter() - began)
        copies += 1
    print(f"\n{copies} damaged copies, {refused} refused, slowest {slowest:.2f} s")
    assert 0 < refused < copies
    assert slowest < 5


@pytest.mark.parametrize("is_believed", [False, True], ids=["checked", "checksums believed"])
def test_damaged_psts_give_items_or_our_error(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, is_believed: bool
) -> None:
    """With checksums believed whatever they are, damage gets to the layers behind them."""

    class Equal:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    if is_believed:
        monkeypatch.setattr(pst_blocks, "checksum", lambda _data: Equal())
    files = [
        lzma.decompress(path.read_bytes()) for path in sorted(shared_data.glob("mail/pst/*.xz"))
    ]
    told: Counter[str] = Counter()
    slowest = 0.0
    for copy in damaged(files, random.Random(3)):
        began = time.perf_counter()
        read_all(copy, told)
        slowest = max(slowest, time.perf_counter() - began)
    print(f"\n{dict(told)}, slowest {slowest:.2f} s")
    assert told["items"] > told["damaged items"] > 0
    assert slowest < 10


def read_all(copy: bytes, told: Counter[str]) -> None:
    """Reads what can be read; any other error than ours fails the test."""
    try:
        reader = PstReader(PstFile(io.BytesIO(copy)))
    except PstError:
        told["files refused"] += 1
        return
    assert reader.set_aside is not None
    for found in reader.mails():
        try:
            item = reader.item(found.node)
            assert len(lasting_digest(item)) == 32
            to_mail(read_item(to_tnef(item, reader.names)))
            told["items"] += 1
        except (PstError, OutlookError):
            told["damaged items"] += 1
