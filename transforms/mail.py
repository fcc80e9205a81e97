"""Mails: from their bytes to tickets and comments. The door to the `mail_*` modules.

    parsed = parse(record)                          # what one mail says, never an exception
    placements = threads.place([parsed.headers], index)
    batch = build([(record, parsed, placement)], MailboxPolicy(own_addresses=frozenset({"info@example.com"})), now)

Belongs here: the public names. Does not belong here: code.
"""

from transforms.mail_batch import MailboxPolicy, build
from transforms.mail_headers import MailAddress
from transforms.mail_message import ParsedMail, parse
from transforms.mail_parts import MailAttachment

__all__ = ["MailAddress", "MailAttachment", "MailboxPolicy", "ParsedMail", "build", "parse"]
