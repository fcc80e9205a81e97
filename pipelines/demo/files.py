"""Small attachments that are what they claim to be: a picture, a text, a one-page PDF.

Belongs here: bytes of files. Does not belong here: who attaches them.
"""

from base64 import b64decode
from random import Random
from zlib import crc32

from pipelines.demo.case import File

_PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
"""A whole PNG of one pixel; ready bytes, since compressing anew may differ from machine to machine."""


def make_file(rng: Random, name: str) -> File:
    """A file of the kind that its name's ending says, different each time."""
    stem, _, ending = name.rpartition(".")
    mark = f"{rng.getrandbits(32):08x}"
    if ending == "png":
        return File(name, "image/png", _picture(mark))
    if ending == "pdf":
        return File(f"{stem}-{mark[:4]}.pdf", "application/pdf", _document(mark))
    rows = "".join(
        f"{number};{rng.randint(1000, 9999)};{mark}\n" for number in range(rng.randint(3, 40))
    )
    return File(name, "text/plain", f"row;value;mark\n{rows}".encode())


def _picture(mark: str) -> bytes:
    data = b"tEXt" + b"Comment\x00" + mark.encode()
    chunk = len(data[4:]).to_bytes(4, "big") + data + crc32(data).to_bytes(4, "big")
    end = _PIXEL.rindex(b"IEND") - 4
    return _PIXEL[:end] + chunk + _PIXEL[end:]


def _document(mark: str) -> bytes:
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
    )
    out = b"%PDF-1.4\n% " + mark.encode() + b"\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 4\n0000000000 65535 f \n" + b"".join(
        b"%010d 00000 n \n" % one for one in places
    )
    return out + b"trailer << /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
