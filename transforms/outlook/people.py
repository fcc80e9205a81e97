"""Who an Outlook item is from and to: names and mail addresses out of MAPI's several ways to keep them.

Belongs here: one person's properties in, name and address out. Does not belong here: headers (`mime`).

Exchange keeps people by a directory path (`/o=Org/…/cn=jdoe`), which is no address. The address is then looked for in
the properties that Exchange adds, in the entry id, among the recipients, and in the name; where nothing has it, the
person stays a name without an address.

Source: [MS-OXOMSG], [MS-OXOABK], [MS-OXCDATA] §2.2.5.1 (one-off entry ids).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from transforms.outlook.mapi import (
    DISPLAY_BCC,
    DISPLAY_CC,
    DISPLAY_NAME,
    DISPLAY_TO,
    EMAIL_ADDRESS,
    ENTRY_ID,
    RECIPIENT_TYPE,
    REPRESENTING_ADDRESS,
    REPRESENTING_ENTRY_ID,
    REPRESENTING_NAME,
    REPRESENTING_SMTP_ADDRESS,
    SENDER_ADDRESS,
    SENDER_ENTRY_ID,
    SENDER_NAME,
    SENDER_SMTP_ADDRESS,
    SMTP_ADDRESS,
    Item,
    Properties,
    decode8,
)

TO, CC, BCC = 1, 2, 3

_ONE_OFF = bytes.fromhex("812b1fa4bea310199d6e00dd010f5402")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"\\@]+@[^\s<>()\[\],;:\"\\@]+")
_DISPLAY = {TO: DISPLAY_TO, CC: DISPLAY_CC, BCC: DISPLAY_BCC}


@dataclass(frozen=True, slots=True)
class Person:
    """A name and a mail address; either may be ""."""

    name: str
    address: str

    def __bool__(self) -> bool:
        """Whether anything is known of them."""
        return bool(self.name or self.address)


def sender(item: Item) -> Person:
    """In whose name an item was sent: the represented person, else who sent it."""
    represented = _person(
        item,
        REPRESENTING_NAME,
        REPRESENTING_SMTP_ADDRESS,
        REPRESENTING_ADDRESS,
        REPRESENTING_ENTRY_ID,
    )
    really = actual_sender(item)
    if represented.address:
        return represented
    if really.address and (not represented.name or represented.name == really.name):
        return really
    return represented or really


def actual_sender(item: Item) -> Person:
    """Who sent an item, for oneself or for somebody else."""
    return _person(item, SENDER_NAME, SENDER_SMTP_ADDRESS, SENDER_ADDRESS, SENDER_ENTRY_ID)


def recipients(item: Item, kind: int) -> list[Person]:
    """The recipients of a kind (`TO`, `CC`, `BCC`); from the display texts where the item keeps no table."""
    found = []
    for each in item.recipients:
        if (each.number(RECIPIENT_TYPE) or TO) & 0xF == kind:
            name = each.text(DISPLAY_NAME, item.codec).strip()
            person = Person(_without_quotes(name), _recipient_address(each, item.codec, name))
            if person:
                found.append(person)
    if found or item.recipients:
        return found
    names = (name.strip() for name in item.text(_DISPLAY[kind]).split(";"))
    return [Person(_without_quotes(name), _address_in(name)) for name in names if name]


def _person(item: Item, name_tag: int, smtp_tag: int, address_tag: int, entry_tag: int) -> Person:
    name = item.text(name_tag).strip()
    path = item.text(address_tag).strip()
    candidates = (
        _address_in(item.text(smtp_tag)),
        _address_in(path),
        _one_off_address(item.properties.binary(entry_tag)),
        _of_same_path(item, path),
        _address_in(name),
    )
    return Person(_without_quotes(name), next(filter(None, candidates), ""))


def _recipient_address(recipient: Properties, codec: str, name: str) -> str:
    candidates = (
        _address_in(recipient.text(SMTP_ADDRESS, codec)),
        _address_in(recipient.text(EMAIL_ADDRESS, codec)),
        _one_off_address(recipient.binary(ENTRY_ID)),
        _address_in(name),
    )
    return next(filter(None, candidates), "")


def _of_same_path(item: Item, path: str) -> str:
    """The mail address of the recipient who has the same directory path."""
    if not path:
        return ""
    for each in item.recipients:
        if each.text(EMAIL_ADDRESS, item.codec).strip().casefold() == path.casefold():
            return _address_in(each.text(SMTP_ADDRESS, item.codec))
    return ""


def _address_in(text: str) -> str:
    """The mail address that a text is or ends with in angles; a directory path is none."""
    text = text[:1000].strip().strip("'\"")
    if "@" not in text or text.startswith("/"):
        return ""
    if text.endswith(">") and "<" in text:
        text = text.rpartition("<")[2][:-1]
    text = text.removeprefix("SMTP:").removeprefix("smtp:").removeprefix("mailto:")
    return text if _ADDRESS.fullmatch(text) else ""


def _one_off_address(entry_id: bytes | None) -> str:
    """The address in a one-off entry id: name, kind of address and address, each ended by NUL."""
    if entry_id is None or len(entry_id) < 24 or entry_id[4:20] != _ONE_OFF:
        return ""
    is_wide = bool(int.from_bytes(entry_id[22:24], "little") & 0x8000)
    content = entry_id[24:4096]
    if is_wide:
        parts = content[: len(content) // 2 * 2].decode("utf-16-le", "replace").split("\x00")
    else:
        parts = decode8(content, "cp1252").split("\x00")
    if len(parts) < 3 or parts[1].upper() != "SMTP":
        return ""
    return _address_in(parts[2])


def _without_quotes(name: str) -> str:
    for quote in "'\"":
        if len(name) > 2 and name[0] == name[-1] == quote:
            return name[1:-1].strip()
    return name


def everybody(item: Item) -> Iterator[tuple[str, list[Person]]]:
    """Header name and its people, for all that are known."""
    yield "From", [sender(item)]
    really = actual_sender(item)
    if really.address and really.address.casefold() != sender(item).address.casefold():
        yield "Sender", [really]
    yield "To", recipients(item, TO)
    yield "Cc", recipients(item, CC)
    yield "Bcc", recipients(item, BCC)
