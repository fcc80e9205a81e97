"""Which folders of a Microsoft 365 mailbox are meant, and what the others are called.

Belongs here: names, well-known names, paths and patterns. Does not belong here: reading mails (`graph`).

Source: Microsoft Graph, "mailFolder resource type" (well-known folder names).
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from connectors.errors import NotFoundError
from connectors.mailbox.graph_api import GraphApi

WELL_KNOWN: Mapping[str, str] = {
    "inbox": "inbox",
    "sentitems": "sentitems",
    "sent items": "sentitems",
    "archive": "archive",
    "deleteditems": "deleteditems",
    "deleted items": "deleteditems",
    "junkemail": "junkemail",
    "junk email": "junkemail",
}
"""Names that mean the same folder in every language of a mailbox."""

ASIDE = ("deleteditems", "junkemail", "drafts", "outbox", "syncissues")
"""Folders that a pattern leaves out, with those below them."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as people find it; `total` is how many items the server counts in it."""

    id: str
    path: str
    total: int
    is_hidden: bool = False
    ancestors: tuple[str, ...] = ()


@dataclass(slots=True)
class Chosen:
    """The folders to be read, and names that none has."""

    folders: list[Folder] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def choose(api: GraphApi, wanted: Sequence[str]) -> Chosen:
    """The folders that the names mean, each once, in their order.

    A name is a well-known one (`inbox`, `sentitems`, `archive`; also `Sent`, where no folder has that name), a path
    (`Inbox/Support`, also where the mailbox calls its inbox otherwise) or a pattern (`*`, `Inbox/*`).
    """
    chosen = Chosen()
    tree: list[Folder] | None = None
    found: dict[str, Folder] = {}
    for name in wanted:
        well_known = WELL_KNOWN.get(name.casefold())
        if well_known:
            matches = _known(api, well_known)
        else:
            tree = list(walk(api)) if tree is None else tree
            matches = _named(api, name, tree)
        if not matches and "*" not in name:
            chosen.missing.append(name)
        found |= {folder.id: folder for folder in matches if folder.id not in found}
    chosen.folders = list(found.values())
    return chosen


def walk(api: GraphApi) -> Iterator[Folder]:
    """Every folder, those above before those below."""
    waiting: deque[Folder | None] = deque([None])
    while waiting:
        parent = waiting.popleft()
        for row in api.folders(parent.id if parent else None):
            path = str(row.get("displayName") or row["id"])
            folder = Folder(
                str(row["id"]),
                f"{parent.path}/{path}" if parent else path,
                int(row.get("totalItemCount") or 0),
                bool(row.get("isHidden")) or (parent is not None and parent.is_hidden),
                (*parent.ancestors, parent.id) if parent else (),
            )
            yield folder
            if row.get("childFolderCount"):
                waiting.append(folder)


def _known(api: GraphApi, well_known: str) -> list[Folder]:
    try:
        row = api.folder(well_known)
    except NotFoundError:
        return []
    return [
        Folder(
            str(row["id"]),
            str(row.get("displayName") or well_known),
            int(row.get("totalItemCount") or 0),
        )
    ]


def _named(api: GraphApi, name: str, tree: Sequence[Folder]) -> list[Folder]:
    wanted = name.strip("/").casefold()
    if "*" in wanted:
        aside = {folder.id for use in ASIDE for folder in _known(api, use)}
        return [
            folder
            for folder in tree
            if fnmatchcase(folder.path.casefold(), wanted.replace("[", "[[]"))
            and not folder.is_hidden
            and not aside & {folder.id, *folder.ancestors}
        ]
    matches = [folder for folder in tree if folder.path.casefold() == wanted]
    if matches:
        return matches[:1]
    first, _, rest = wanted.partition("/")
    first = "sentitems" if first == "sent" else WELL_KNOWN.get(first, "")
    tops = _known(api, first) if first else []
    if not rest or not tops:
        return tops
    path = f"{tops[0].path.casefold()}/{rest}"
    return [folder for folder in tree if folder.path.casefold() == path][:1]
