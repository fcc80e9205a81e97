"""Addresses of files in Freshdesk's records, without what signs them.

Belongs here: taking signatures and tokens out before a record is stored. Does not belong here: fetching files.

A signed address is a credential for some minutes, differs on every read, and would make a new version of an unchanged
ticket each time. Inline images carry a token (a JWT) in which the file's id stands: the id stays, the token goes; who
wants the bytes asks for the ticket again.
"""

import base64
import binascii
import json
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_SIGNATURE_MARKS = ("X-Amz-Signature=", "Signature=", "X-Amz-Security-Token=")
_MARKS = tuple(mark.encode() for mark in (*_SIGNATURE_MARKS, "/inline/attachment?"))
_LINK_FIELDS = ("attachment_url", "thumb_url", "avatar_url")
_TEXT_FIELDS = ("body", "description", "full_text", "structured_body", "structured_description")

_INLINE = re.compile(r"(/inline/attachment\?)token=([\w-]+\.([\w-]+)\.[\w-]*)")
_SIGNED = re.compile(
    r"(https?://[^\s\"'<>?]+)\?[^\s\"'<>]*(?:X-Amz-Signature|Signature|X-Amz-Security-Token)=[^\s\"'<>]*"
)


def without_signatures(body: Any) -> Any:
    """The record with unsigned addresses, in its fields for files and in its HTML."""
    if isinstance(body, list):
        return [without_signatures(one) for one in body]
    if not isinstance(body, dict):
        return body
    found = {}
    for name, value in body.items():
        if isinstance(value, str):
            if name in _LINK_FIELDS:
                value = _unsigned(value)
            elif name in _TEXT_FIELDS and "://" in value:
                value = unsigned_text(value)
        elif isinstance(value, dict | list):
            value = without_signatures(value)
        found[name] = value
    return found


def may_be_signed(text: bytes) -> bool:
    """Whether a record's JSON, letters as they are, holds anything that `without_signatures` would take out."""
    return any(mark in text for mark in _MARKS)


def unsigned_text(text: str) -> str:
    """The same HTML; only the addresses of files in it have lost their signatures."""
    if "/inline/attachment?" in text:
        text = _INLINE.sub(lambda match: f"{match[1]}id={_id_in(match[3])}", text)
    if any(mark in text for mark in _SIGNATURE_MARKS):
        text = _SIGNED.sub(r"\1", text)
    return text


def _unsigned(link: str) -> str:
    if "/inline/attachment?" in link:
        return unsigned_text(link)
    if not any(mark in link for mark in _SIGNATURE_MARKS):
        return link
    try:
        return urlunsplit(urlsplit(link)._replace(query="", fragment=""))
    except ValueError:
        return link.partition("?")[0]


def _id_in(claims: str) -> str:
    """The file's id in the middle part of a token; `unknown` where it has none."""
    try:
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (ValueError, binascii.Error):
        return "unknown"
    number = told.get("id") if isinstance(told, dict) else None
    return str(number) if isinstance(number, int) else "unknown"
