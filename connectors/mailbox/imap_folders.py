r"""Which of a server's folders a configuration means.

Belongs here: names, special uses, patterns, Gmail's labels; pure. Does not belong here: asking the server.

An entry of `folders` is one of:

- a name as people see it: `INBOX`, `Sent`, `Support/2026`;
- a special use: `\Sent`, `\All`, `\Archive`, `\Junk`, `\Trash`, `\Drafts`;
- a pattern: `*` (everything), `Support/*`.

A slash stands for the separator of the server too (`.` on many), where no folder has that very name.

A name that no folder has and that is the plain word for a use (`Sent`, `Junk`, …) means the folder of that use, so
`[INBOX, Sent]` works where the server calls it `Gesendete Elemente`. A pattern never takes in what is rarely
correspondence (junk, trash, drafts), nor other people's folders; name them if they are wanted.

On Gmail a folder is a label and a mail shows up under each of its labels. `*` and `\All` read All Mail alone.

Source: RFC 6154 (special uses), RFC 2342 (namespaces), RFC 3501 §6.3.8 (\Noselect); Gmail IMAP extensions.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from connectors.mailbox.imap_line import ListedFolder

USES = {
    "sent": "\\sent",
    "all": "\\all",
    "archive": "\\archive",
    "junk": "\\junk",
    "spam": "\\junk",
    "trash": "\\trash",
    "drafts": "\\drafts",
}
"""The plain word for a use → its attribute."""

_LEFT_OUT = ("\\junk", "\\trash", "\\drafts", "\\all", "\\flagged", "\\important")
"""The last three are views on mails that lie in other folders."""

_USUAL_NAMES = {
    "\\sent": (
        "sent|sent items|sent mail|sent messages|gesendet|gesendete elemente|gesendete objekte|gönderilmiş öğeler|"
        "gönderilenler|gönderilmiş postalar|éléments envoyés|messages envoyés|envoyés|elementos enviados|enviados|"
        "posta inviata|inviata|verzonden|verzonden items|wysłane|отправленные|送信済み|已发送"
    ),
    "\\junk": "junk|spam|junk e-mail|junk email|bulk mail|önemsiz|gereksiz e-posta|spamverdacht",
    "\\trash": "trash|deleted items|deleted messages|papierkorb|gelöschte elemente|çöp kutusu|silinmiş öğeler|corbeille",
    "\\drafts": "drafts|entwürfe|taslaklar|brouillons|borradores",
    "\\archive": "archive|archiv|arşiv",
}
"""What folders of a use are called by servers that tell no uses (RFC 6154 is optional)."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Folders to read, and entries that fit none."""

    folders: tuple[str, ...]
    missing: tuple[str, ...]


def needs_namespaces(wanted: Iterable[str]) -> bool:
    """Whether an entry is a pattern, for which other people's folders must be known."""
    return any(_is_pattern(entry) for entry in wanted)


def choose(
    wanted: Sequence[str],
    listed: Sequence[ListedFolder],
    *,
    is_gmail: bool = False,
    foreign_prefixes: Sequence[str] = (),
) -> Chosen:
    """The folders that the entries mean, each once, in the order of the entries."""
    if is_gmail and any(entry == "*" or entry.casefold() == "\\all" for entry in wanted):
        everything = [each.name for each in listed if "\\all" in each.uses and each.is_selectable]
        if everything:
            return Chosen(tuple(everything), ())
    found: dict[str, None] = {}
    missing: list[str] = []
    for entry in wanted:
        names = _meant(entry, listed, foreign_prefixes)
        found.update(dict.fromkeys(names))
        if not names:
            missing.append(entry)
    return Chosen(tuple(found), tuple(missing))


def _meant(entry: str, listed: Sequence[ListedFolder], foreign: Sequence[str]) -> list[str]:
    own = [each for each in listed if each.is_selectable]
    if entry.startswith("\\"):
        return _of_use(entry.casefold(), own)
    if _is_pattern(entry):
        left_out = {name for use in _LEFT_OUT for name in _of_use(use, own)}
        correspondence = [
            each
            for each in own
            if each.name not in left_out and not each.name.startswith(tuple(foreign))
        ]
        pattern = re.compile(re.escape(entry).replace(r"\*", ".*"), re.S)
        return _named(correspondence, lambda name: pattern.fullmatch(name) is not None)
    exact = _named(own, lambda name: name == entry or name.upper() == entry.upper() == "INBOX")
    use = USES.get(entry.casefold())
    return exact or (_of_use(use, own) if use else [])


def _named(listed: Sequence[ListedFolder], fits: Callable[[str], bool]) -> list[str]:
    """Folders by their names on the server; where none fits, by those with slashes for the server's separator."""
    found = [each.name for each in listed if fits(each.name)]
    return found or [
        each.name
        for each in listed
        if each.delimiter and fits(each.name.replace(each.delimiter, "/"))
    ]


def _of_use(use: str, listed: Sequence[ListedFolder]) -> list[str]:
    told = [each.name for each in listed if use in each.uses]
    if told or any(each.uses & frozenset(USES.values()) for each in listed):
        return told
    usual = _USUAL_NAMES.get(use, "").split("|")
    return [each.name for each in listed if _last_part(each).casefold() in usual]


def _last_part(folder: ListedFolder) -> str:
    return folder.name.rsplit(folder.delimiter, 1)[-1] if folder.delimiter else folder.name


def _is_pattern(entry: str) -> bool:
    return "*" in entry
