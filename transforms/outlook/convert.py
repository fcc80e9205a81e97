"""Outlook's bytes turned into a mail's: the door to this package.

    if is_outlook(payload):
        converted = convert(payload)       # the mail's bytes, and what of it could not be read

Belongs here: which format it is, and what is no mail. Does not belong here: the formats.
"""

from dataclasses import dataclass

from transforms.outlook import compound_file, tnef
from transforms.outlook.mapi import Item, OutlookError, is_mail_class
from transforms.outlook.mime import to_mail
from transforms.outlook.msg import read_msg


class NotAMailError(OutlookError):
    """An Outlook item that nobody sent: a contact, a task, an appointment."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A mail as RFC 5322 bytes, and what could not be read, each once."""

    mail: bytes
    problems: tuple[str, ...]


def is_outlook(payload: bytes) -> bool:
    """Whether bytes are a `.msg` file or a TNEF stream, by their first ones; no mail begins so."""
    return payload.startswith((compound_file.MAGIC, tnef.MAGIC))


def read_item(payload: bytes) -> Item:
    """The item in a `.msg` file or a TNEF stream.

    Raises:
        OutlookError: neither, or too damaged to be read.
    """
    return tnef.read_tnef(payload) if payload.startswith(tnef.MAGIC) else read_msg(payload)


def convert(payload: bytes) -> Converted:
    """The mail in a `.msg` file or a TNEF stream.

    Raises:
        NotAMailError: the item is of a class that nobody sends.
        OutlookError: no Outlook item, or too damaged to be read.
    """
    item = read_item(payload)
    if not is_mail_class(item.message_class):
        raise NotAMailError(f"an Outlook item of the class {item.message_class[:80]}")
    mail = to_mail(item)
    return Converted(mail, tuple(dict.fromkeys(item.all_problems())))
