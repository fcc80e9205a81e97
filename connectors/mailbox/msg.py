"""Outlook's `.msg` files as a source: a folder with all folders below it, single files, or a pattern.

Belongs here: their ending and media type. Does not belong here: where they are looked for (`eml`), what they hold
(`transforms.outlook`): the file's bytes are the record.
"""

from connectors.mailbox.eml import EmlSource


class MsgSource(EmlSource):
    """`.msg` files."""

    kind = "folder of .msg files"
    suffix = ".msg"
    media_type = "application/vnd.ms-outlook"
