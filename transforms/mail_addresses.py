"""Address lists of mails (From, To, Cc, Reply-To), read as mail programs really write them.

Belongs here: splitting a header into names and addresses. Does not belong here: who someone is.
"""

import re

from transforms.mail_headers import MailAddress, decode_text, unfold

_DOMAIN = r"(?:\[[^\s\[\]<>]{1,100}\]|[^\s<>()\[\],;:\"\\]+)"
_ADDRESS = re.compile(rf"[^\s<>()\[\],;:\"\\]+@{_DOMAIN}")
_QUOTED_LOCAL = re.compile(rf"\"(?:[^\"\\]|\\.)*\"@{_DOMAIN}")
_COMMENT = re.compile(r"\(((?:[^()\\]|\\.)*)\)")
_WORD = re.compile(r"=\?[^?\s]*\?[bBqQ]\?[^?]*\?=")
WORD_LIMIT = 1_000
"""RFC 2047 allows 75 letters to an encoded word; real ones are longer, endless ones are hostile."""

ENTRY_LIMIT = 1_000
"""Letters of one entry in which an address is looked for: looking costs their square."""

_MAILTO = re.compile(r"^(?:mailto|smtp):", re.I)
_FULL_WIDTH = str.maketrans("＠．＜＞，；", "@.<>,;")


def normalise_address(address: str) -> str:
    """An address as identity: trimmed, lower case."""
    return _MAILTO.sub("", address.strip().strip("<>").strip("'").strip()).lower()


def mailbox_of(address: str) -> str:
    """The mailbox that a normalised address leads to: without `+tag`, and at Gmail without dots.

    Only for comparing: mail is never sent to it, and it stands for nobody's identity.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        return address
    if "+" in local[1:]:
        local = local[0] + local[1:].partition("+")[0]
    if domain in ("gmail.com", "googlemail.com"):
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def parse_addresses(raw: str, charset: str | None = None) -> tuple[MailAddress, ...]:
    """Names and addresses of a header, in order; groups give their members.

    Entries without an address keep their name with the address "". Never an error.

    Source: RFC 5322 §3.4 and §4.4, read leniently.
    """
    entries = [_entry(piece, charset) for piece in _split(unfold(raw))]
    return tuple(entry for entry in entries if entry.address or entry.name)


def _split(text: str) -> list[str]:
    """Cuts at commas and semicolons that stand outside quotes, comments, angles and encoded words."""
    pieces: list[str] = []
    current: list[str] = []
    in_quotes = in_angle = False
    mailbox = ""
    depth = index = opened = 0
    has_closing_quote = (text.count('"') - text.count('\\"')) % 2 == 0
    last_closing = text.rfind(")")
    while index < len(text):
        letter = text[index]
        if letter == "\\" and index + 1 < len(text) and (in_quotes or depth):
            current.append(text[index : index + 2])
            index += 2
            continue
        if text.startswith("=?", index) and not in_quotes:
            end = _end_of_word(text, index)
            current.append(text[index:end])
            index = end
            continue
        index += 1
        if letter == '"' and has_closing_quote and not depth:
            in_quotes = not in_quotes
        elif in_quotes:
            pass
        elif letter == "(" and index <= last_closing:
            depth += 1
        elif letter == ")" and depth:
            depth -= 1
        elif depth:
            pass
        elif letter == "<":
            if "@" in mailbox and _begins_another(text, index, mailbox):
                # `A <a@x.example> B <b@x.example>`: the comma between two mailboxes is missing.
                whole = "".join(current)
                cut = whole.rindex(">") + 1
                pieces.append(whole[:cut])
                current = [whole[cut:]]
            mailbox = ""
            opened = index
            in_angle = True
        elif letter == ">":
            if in_angle:
                mailbox = text[opened : index - 1]
            in_angle = False
        elif letter == ":" and not in_angle and _is_group("".join(current)):
            current = []
            continue
        elif letter in ",;" and not in_angle:
            pieces.append("".join(current))
            current, mailbox = [], ""
            continue
        current.append(letter)
    pieces.append("".join(current))
    return [piece for each in pieces for piece in _without_comma(each.strip())]


def _without_comma(piece: str) -> list[str]:
    """Bare addresses that only blanks keep apart, each for itself; any other entry as it is, blank ones left out."""
    words = piece.split()
    if len(words) > 1 and all(map(_ADDRESS.fullmatch, words)):
        return words
    return [piece] if piece else []


def _begins_another(text: str, start: int, mailbox: str) -> bool:
    """Whether another address than `mailbox` stands in the angle that opens before `start`."""
    inside = text[start : start + ENTRY_LIMIT].partition(">")[0]
    return "@" in inside and normalise_address(inside) != normalise_address(mailbox)


def _end_of_word(text: str, start: int) -> int:
    """Where an encoded word ends; just behind its `=?` where it is none within `WORD_LIMIT` letters."""
    match = _WORD.match(text, start, start + WORD_LIMIT)
    return match.end() if match else start + 2


def _is_group(before: str) -> bool:
    return (
        bool(before.strip())
        and "@" not in before
        and before.strip().lower() not in ("mailto", "smtp")
    )


def _entry(piece: str, charset: str | None) -> MailAddress:
    before, angle, after = _last_angle(piece)
    if angle is not None:
        angle = _without_comments(angle)
        inside = decode_text(angle, charset) if "=?" in angle else decode_text(angle)
        address = _address_in(inside)
        name = _name(before, charset) or _name(after, charset)
        if not address and "@" in before:
            return MailAddress(_name(inside, charset), _address_in(decode_text(before, charset)))
        if not address and inside and "@" not in inside:
            return MailAddress(name, normalise_address(inside) if " " not in inside else "")
        return MailAddress(name, address)
    text = decode_text(piece, charset).translate(_FULL_WIDTH)
    address = _address_in(_without_comments(text)) or _address_in(text)
    if not address:
        return MailAddress(_name(piece, charset), "")
    comments = _COMMENT.findall(piece)
    name = _name(comments[-1], charset) if comments else ""
    rest = _COMMENT.sub("", text[:ENTRY_LIMIT])
    rest = _QUOTED_LOCAL.sub("", rest, count=1) if '"@' in rest else rest
    rest = _ADDRESS.sub("", rest, count=1).strip(" \"'<>[]")
    return MailAddress(name or rest, address)


def _without_comments(text: str) -> str:
    return _COMMENT.sub("", text[:ENTRY_LIMIT]) if "(" in text else text


def _last_angle(piece: str) -> tuple[str, str | None, str]:
    """What stands before, inside and behind the last `<…>`; inside is None where there is none."""
    start = piece.rfind("<")
    if start < 0:
        return piece, None, ""
    if start and piece[start - 1] == "<":
        return piece[: start - 1], piece[start + 1 :].partition(">")[0].strip(), ""
    inside, _, after = piece[start + 1 :].partition(">")
    return piece[:start], inside.strip(), after


def _address_in(text: str) -> str:
    text = text[:ENTRY_LIMIT].translate(_FULL_WIDTH)
    if "@" not in text:
        return ""
    quoted = _QUOTED_LOCAL.search(text)
    if quoted:
        return normalise_address(quoted[0])
    route = text.rpartition(":")[2] if text.startswith("@") else text
    compact = re.sub(r"\s*([@.])\s*", r"\1", route)
    match = _ADDRESS.search(compact) or _ADDRESS.search(route)
    return normalise_address(match[0]) if match else ""


def _name(raw: str, charset: str | None) -> str:
    text = raw.strip()
    if not text:
        return ""
    comment = re.fullmatch(r"\(((?:[^()\\]|\\.)*)\)", text)
    if comment:
        text = comment[1].strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    text = re.sub(r"\\(.)", r"\1", text)
    name = decode_text(
        text.replace('"', "")
        if "=?" not in text
        else text.replace('"=?', "=?").replace('?="', "?="),
        charset,
    )
    if len(name) >= 2 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1].strip()
    return name
