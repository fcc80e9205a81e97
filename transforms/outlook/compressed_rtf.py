"""Compressed RTF, the form in which Outlook keeps formatted bodies.

Belongs here: bytes in, RTF out. Does not belong here: what RTF says (`rtf`).

Source: [MS-OXRTFCP].
"""

import struct

from transforms.outlook.mapi import OutlookError

_COMPRESSED, _PLAIN = 0x75465A4C, 0x414C454D

_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
"""What the dictionary holds before the first byte."""

LIMIT = 64_000_000
"""Most bytes that a body may become."""


def decompress_rtf(data: bytes) -> bytes:
    """The RTF of a compressed body; what is cut off gives what was there.

    Raises:
        OutlookError: neither compressed RTF nor plain.
    """
    if len(data) < 16:
        raise OutlookError("compressed RTF shorter than its header")
    size, raw_size, kind = struct.unpack_from("<III", data)
    content = data[16 : size + 4]
    if kind == _PLAIN:
        return content[:raw_size]
    if kind != _COMPRESSED:
        raise OutlookError(f"RTF compressed in an unknown way: {kind:08X}")
    return _expand(content, min(raw_size, LIMIT))


def _expand(content: bytes, most: int) -> bytes:
    dictionary = bytearray(4096)
    dictionary[: len(_START)] = _START
    write = len(_START)
    out = bytearray()
    position = 0
    while position < len(content) and len(out) < most:
        control = content[position]
        position += 1
        for bit in range(8):
            if position >= len(content):
                break
            if not control >> bit & 1:
                out.append(content[position])
                dictionary[write] = content[position]
                write = (write + 1) % 4096
                position += 1
                continue
            if position + 1 >= len(content):
                return bytes(out[:most])
            reference = content[position] << 8 | content[position + 1]
            position += 2
            offset = reference >> 4
            if offset == write:
                return bytes(out[:most])
            for step in range((reference & 15) + 2):
                byte = dictionary[(offset + step) % 4096]
                out.append(byte)
                dictionary[write] = byte
                write = (write + 1) % 4096
    return bytes(out[:most])
