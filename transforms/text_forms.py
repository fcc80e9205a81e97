"""Texts in forms that mails use besides plain text and HTML, as people read them.

Belongs here: format=flowed, PGP armor, text/enriched, invitations (iCalendar). Does not belong here: HTML (`text`), MIME.
"""

import re
from collections.abc import Iterator

_ENRICHED_PARAM = re.compile(r"<param>[^<]*</param>", re.I)
_ENRICHED_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]{0,59}>")
_ENRICHED_BREAK = re.compile(r"<(?:nl|np|paragraph)>", re.I)
_NEWLINES = re.compile(r"\n+")
_ARMOR_BEGIN = re.compile(
    r"^-----BEGIN PGP SIGNED MESSAGE-----[ \t]*\r?\n(?:[A-Za-z-]{1,40}: [^\n]*\n)*[ \t]*\r?\n", re.M
)
_ARMOR_END = re.compile(r"^-----END PGP SIGNATURE-----[ \t]*\r?\n?", re.M)
_ARMOR_DASH = re.compile(r"^- (?=-|From )", re.M)
_CALENDAR_FOLD = re.compile(r"\r?\n[ \t]")
_CALENDAR_ESCAPE = re.compile(r"\\([\\;,nN])")
_CALENDAR_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?$")
_SIGNATURE = "-- "


def unflow(text: str, *, is_delsp: bool = False) -> str:
    """Lines of `format=flowed` joined to paragraphs, quotes kept apart as `> `.

    Args:
        text: the decoded part.
        is_delsp: whether `delsp=yes`: the blank at a line's end only marks the flow and goes.

    Source: RFC 3676 §4.
    """
    out: list[str] = []
    current: list[str] = []
    depth = 0

    def close() -> None:
        if current:
            prefix = ">" * depth + " " if depth else ""
            out.append(prefix + "".join(current))
            current.clear()

    for line in text.replace("\r\n", "\n").split("\n"):
        quotes = len(line) - len(line.lstrip(">"))
        content = line[quotes:].removeprefix(" ")
        if current and (quotes != depth or content == _SIGNATURE):
            close()
        depth = quotes
        is_flowed = content.endswith(" ") and content != _SIGNATURE
        current.append(content[:-1] if is_flowed and is_delsp else content)
        if not is_flowed:
            close()
    close()
    return "\n".join(out)


def without_armor(text: str) -> str:
    """The text of an OpenPGP cleartext signature, without the signature; any other text as it is.

    What stands around it stays. Source: RFC 9580 §7.
    """
    start = _ARMOR_BEGIN.search(text)
    if start is None:
        return text
    signature = text.find("\n-----BEGIN PGP SIGNATURE-----", start.end() - 1)
    if signature < 0:
        return text
    end = _ARMOR_END.search(text, signature)
    signed = _ARMOR_DASH.sub("", text[start.end() : signature + 1])
    return text[: start.start()] + signed + (text[end.end() :] if end else "")


def enriched_to_text(text: str) -> str:
    """The text of text/enriched, and near enough of text/richtext. Source: RFC 1896, RFC 1341 §7.1.3."""
    text = _ENRICHED_PARAM.sub("", text.replace("\r\n", "\n").replace("<<", "\x00"))
    text = _ENRICHED_BREAK.sub("\n\n", text.replace("<lt>", "\x00"))
    text = _ENRICHED_TAG.sub("", text)
    # One line end is a blank, n are n - 1.
    text = _NEWLINES.sub(lambda run: "\n" * (len(run[0]) - 1) or " ", text)
    return text.replace("\x00", "<").strip()


def calendar_to_text(text: str) -> str:
    """What an invitation says: for each event its title, when, where, from whom, and its description.

    Times stand as they were sent, with their zone's name. Source: RFC 5545.
    """
    events: list[list[str]] = []
    depth = 0
    found: dict[str, str] = {}
    for name, parameters, value in _calendar_lines(text):
        word = value.strip().upper()
        if name in ("BEGIN", "END") and word in ("VEVENT", "VTODO"):
            if name == "END" and found:
                events.append(_event(found))
            depth, found = (1, {}) if name == "BEGIN" else (0, {})
        elif name in ("BEGIN", "END"):
            depth += 1 if name == "BEGIN" else -1
        elif depth == 1:
            found.setdefault(name, _calendar_value(name, parameters, value))
    return "\n\n".join("\n".join(event) for event in events)


def _calendar_lines(text: str) -> Iterator[tuple[str, str, str]]:
    for line in _CALENDAR_FOLD.sub("", text).splitlines():
        head, colon, value = line.partition(":")
        while colon and head.count('"') % 2 and ":" in value:
            more, colon, value = value.partition(":")
            head = f"{head}:{more}"
        name, _, parameters = head.partition(";")
        if colon:
            yield name.strip().upper(), parameters, value


def _calendar_value(name: str, parameters: str, value: str) -> str:
    if name in ("DTSTART", "DTEND", "DUE"):
        match = _CALENDAR_TIME.match(value.strip())
        if match is None:
            return value.strip()
        day = f"{match[1]}-{match[2]}-{match[3]}"
        if match[4] is None:
            return day
        zone = re.search(r"TZID=\"?([^\";]+)", parameters, re.I)
        where = " UTC" if match[6] else f" ({zone[1]})" if zone else ""
        return f"{day} {match[4]}:{match[5]}{where}"
    if name == "ORGANIZER":
        person = re.search(r"CN=\"?([^\";]+)", parameters, re.I)
        address = re.sub(r"^mailto:", "", value.strip(), flags=re.I)
        return f"{person[1]} <{address}>" if person else address
    return _CALENDAR_ESCAPE.sub(lambda e: "\n" if e[1] in "nN" else e[1], value).strip()


def _event(found: dict[str, str]) -> list[str]:
    when = " – ".join(found[name] for name in ("DTSTART", "DTEND", "DUE") if found.get(name))
    lines = [
        found.get("SUMMARY", ""),
        f"When: {when}" if when else "",
        f"Where: {found['LOCATION']}" if found.get("LOCATION") else "",
        f"Organizer: {found['ORGANIZER']}" if found.get("ORGANIZER") else "",
        found.get("DESCRIPTION", ""),
    ]
    return [line for line in lines if line]
