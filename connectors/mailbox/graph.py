"""A Microsoft 365 mailbox as a source, over Microsoft Graph: each folder's changes, and the bytes of every new mail.

Belongs here: the order in which folders are read, the cursor, what happens when the vendor forgets its state. Does not
belong here: calls (`graph_api`), folders' names (`graph_folders`), fetching (`by_id`), pages and the order of a
recount (`by_id_work`).

Every request asks for immutable ids, so a mail keeps its id when it is moved. That has a price: a mail that was moved
out of a folder and back is told as removed and never again, and one that was moved in may not be told at all. So the
folder's own count is compared with what is known: where they differ otherwise than before, the folder is listed.

Source: Microsoft Graph, "Get incremental changes to messages in a folder"; microsoftgraph/microsoft-graph-docs-contrib
issue 72 (immutable ids and moves).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from connectors.contract import CheckResult, Cursor, Page, Recount
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    CursorExpiredError,
    NotFoundError,
    UnavailableError,
)
from connectors.http import PolicySession
from connectors.mailbox.by_id import Handed, KnownMails, Wanted
from connectors.mailbox.by_id_work import ByIdWork, Row, recount_of
from connectors.mailbox.graph_api import GraphApi, rows_of
from connectors.mailbox.graph_folders import Folder, choose, walk
from connectors.mailbox.pages import PAGE_BYTES, PAGE_MAILS, STREAM, PageFiller
from transforms.model import RawRecord

DEFAULT_FOLDERS = ("Inbox", "Sent Items")

DRAFT = "draft"
"""Why drafts are left out: nobody sent them."""


ROUNDS = 3
"""How often a folder's changes are begun in one pull, where the vendor forgets its state in the middle."""


@dataclass(slots=True)
class _Place:
    """How far a folder's changes were read."""

    path: str
    link: str | None = None
    """Where to go on, as the vendor gave it; None: from the start."""
    is_full: bool = False
    """A round from the start is under way or was the last one: the folder has to be listed after it."""
    surplus: int = 0
    """By how much the server counts more items than its list of mails has."""
    drafts: list[int] = field(default_factory=list)
    """Keys of drafts, which count too: one that goes must not hide a mail that came untold."""


class GraphSource:
    """Mails of one Microsoft 365 mailbox, folder by folder."""

    streams: Sequence[str] = (STREAM,)
    volatile_fields: Mapping[str, Sequence[str]] = {}

    def __init__(
        self,
        session: PolicySession,
        user: str,
        *,
        folders: Sequence[str] = DEFAULT_FOLDERS,
        page_mails: int = PAGE_MAILS,
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        """Keeps the settings; nothing is called yet.

        Args:
            session: of `graph_api.open_session`.
            user: the mailbox's address or id.
            folders: see `graph_folders.choose`.
            page_mails: most mails in a page.
            page_bytes: most bytes in a page, a single larger mail apart.

        Raises:
            ConfigurationError: no folder is named, or one twice.
        """
        if not folders or len(set(folders)) != len(folders):
            raise ConfigurationError(
                f"{session.label}: folders must be named, each once: {folders!r}"
            )
        self.session = session
        self._api = GraphApi(session, user, page_mails)
        self._wanted = tuple(folders)
        self._page_mails, self._page_bytes = page_mails, page_bytes

    def close(self) -> None:
        """Closes the session's connections."""
        self.session.close()

    def check(self) -> CheckResult:
        """Finds each folder; says how many items they hold."""
        try:
            chosen = choose(self._api, self._wanted)
            if chosen.missing:
                raise self.missing_error(chosen.missing, {})
        except ConnectorError as error:
            return CheckResult(self.session.label, False, str(error))
        counts = ", ".join(f"{folder.path}: {folder.total}" for folder in chosen.folders)
        return CheckResult(self.session.label, True, f"mails in {counts}")

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of mails; see `connectors.contract.Source`.

        A folder that is missing leaves the others alone: they are read to their end, its own place stays as it was,
        and then the error is raised.

        Raises:
            AuthError: the credential is refused, or may not read this mailbox.
            ConfigurationError: a folder or the mailbox does not exist.
            UnavailableError, RateLimitedError: Graph cannot be used now; pages given before stay valid.
        """
        work = self._begin(cursor)
        folders = work.open()
        yield from work.retry_owed()
        for folder in folders:
            yield from work.follow(folder)
        for folder in folders:
            yield from work.settle_count(folder)
        yield from work.last_page()

    def recount(self, stream: str, cursor: Cursor | None, held: Collection[str]) -> Recount:
        """Lists every folder and compares it with what is remembered and held; see `contract.Recounting`."""
        return recount_of(lambda: self._begin(cursor), held)

    def missing_error(
        self, missing: Sequence[str], places: Mapping[str, _Place]
    ) -> ConfigurationError:
        """Which folders are not there, what there is instead, and what they may be called now."""
        tree = list(walk(self._api))
        lost = {name.casefold() for name in missing}
        renamed = [
            f"{places[folder.id].path!r} is now {folder.path!r}"
            for folder in tree
            if folder.id in places
            and places[folder.id].path.casefold() in lost
            and folder.path.casefold() not in lost
        ]
        hint = f" (it looks as if {' and '.join(renamed)})" if renamed else ""
        names = sorted(folder.path for folder in tree if not folder.is_hidden)
        return ConfigurationError(
            f"{self.session.label}: there is {' and '.join(f'no folder {one!r}' for one in missing)}{hint}; there "
            f"are: {', '.join(names) or 'none'}. What was read of it stays; name the right folder in 'folders'"
        )

    def _begin(self, cursor: Cursor | None) -> "_Work":
        filler = PageFiller(self._page_mails, self._page_bytes)
        return _Work(self, self._api, self._wanted, cursor, filler)


class _Work(ByIdWork):
    """One pull or recount; folders are known by the vendor's ids."""

    def __init__(
        self,
        source: GraphSource,
        api: GraphApi,
        wanted: Sequence[str],
        cursor: Cursor | None,
        filler: PageFiller,
    ) -> None:
        super().__init__(source.session, KnownMails(cursor), filler)
        self.places = {
            folder_id: _Place(**place)
            for folder_id, place in dict(cursor or {}).get("folders", {}).items()
        }
        self._source, self._api, self._wanted = source, api, wanted
        self._folders: dict[str, Folder] = {}
        self._listed: dict[str, set[int]] = {}

    def open(self) -> Sequence[str]:
        """The folders to be read; missing ones are noted, and folders no longer read are left.

        Raises:
            ConfigurationError: not one of them is there.
        """
        chosen = choose(self._api, self._wanted)
        if chosen.missing:
            error = self._source.missing_error(chosen.missing, self.places)
            if not chosen.folders:
                raise error
            self.troubles.append(str(error))
        else:
            kept = {folder.id for folder in chosen.folders}
            self.known.leave_all_but(kept)
            self.places = {one: place for one, place in self.places.items() if one in kept}
        for folder in chosen.folders:
            self.places.setdefault(folder.id, _Place(folder.path)).path = folder.path
        self._folders = {folder.id: folder for folder in chosen.folders}
        return list(self._folders)

    def name_of(self, container: str) -> str:
        """The folder's path."""
        return self._folders[container].path

    def owed_location(self, container: str, vendor_id: str) -> dict[str, Any]:
        """The folder as it is called now, also where it is missing."""
        place = self.places.get(container)
        return {"folder": place.path if place else "", "message_id": vendor_id}

    def follow(self, container: str) -> Iterator[Page]:
        """A folder's changes since its place; from the start where that is no longer known."""
        folder = self._folders[container]
        try:
            for _ in range(ROUNDS):
                try:
                    yield from self._round(folder)
                    return
                except CursorExpiredError as error:
                    expired = error
                    self._start_again(folder)
        except NotFoundError:
            self._vanished(folder)
            return
        raise UnavailableError(
            f"{expired}; {ROUNDS} rounds were begun in vain, the next run tries again"
        )

    def settle_count(self, container: str) -> Iterator[Page]:
        """Lists a folder whose count is not what it should be, or that was begun again."""
        folder = self._folders[container]
        place = self.places[folder.id]
        if place.link is None:
            return  # it vanished while it was read
        try:
            if place.is_full or self._is_off(folder, folder.total):
                # Mails that came since the folder was counted are no difference: it is counted again.
                total = _total_of(self._api.folder(folder.id))
                if place.is_full or self._is_off(folder, total):
                    yield from self.take_listing(container, self._rows(folder, total))
        except NotFoundError:
            self._vanished(folder)

    def listing(self, container: str) -> Collection[Row] | None:
        """All mails of a folder, drafts left out."""
        folder = self._folders[container]
        try:
            return self._rows(folder, _total_of(self._api.folder(container)))
        except NotFoundError:
            self._vanished(folder)
            return None

    def _is_off(self, folder: Folder, total: int) -> bool:
        place = self.places[folder.id]
        owed = sum(container == folder.id for container in self.known.owed.values())
        known = len(self.known.seen.keys(folder.id)) + owed + len(place.drafts)
        return total - known != place.surplus

    def _vanished(self, folder: Folder) -> None:
        self.troubles.append(
            f"{self.session.label}: the folder {folder.path!r} vanished while it was read; what was read of it stays"
        )

    def _rows(self, folder: Folder, total: int) -> list[dict[str, Any]]:
        """All mails of a folder as rows, drafts left out; `total` is what the server counted just before."""
        rows = list(self._api.message_rows(folder.id))
        place = self.places[folder.id]
        place.drafts = [self.known.key_of(str(row["id"])) for row in rows if row.get("isDraft")]
        place.surplus = total - len(rows)
        # Where something came or went while it was listed, the two figures do not belong together.
        place.is_full = _total_of(self._api.folder(folder.id)) != total
        return [row for row in rows if not row.get("isDraft")]

    def take_listing(self, container: str, rows: Collection[Row]) -> Iterator[Page]:
        """Settles what is in a folder by its list: fetches what is not known, leaves what is not there."""
        folder = self._folders[container]
        place = self.places[folder.id]
        is_full, place.is_full = place.is_full, True  # until all of it was given
        listed = {self.known.key_of(str(row["id"])) for row in rows}
        self.known.leave(folder.id, set(self.known.seen.keys(folder.id)) - listed)
        there = {str(row["id"]) for row in rows}
        self._pay(folder, [one for one in self.known.owed if one not in there])
        yield from self.fetched(self._unknown(folder, rows))
        place.is_full = is_full
        yield from self.rest()

    def _pay(self, folder: Folder, message_ids: Sequence[str]) -> None:
        """Mails that the folder owed and that are gone."""
        for one in message_ids:
            if self.known.owed.get(one) == folder.id:
                self.known.pay(one, {"folder": folder.path, "message_id": one})

    def _round(self, folder: Folder) -> Iterator[Page]:
        place = self.places[folder.id]
        if place.link is None:
            place.is_full = True
        links: set[str] = set()
        while True:
            page = self._api.changes(folder.id, place.link)
            rows = rows_of(page, self.session.label)
            removed = [str(row["id"]) for row in rows if "@removed" in row]
            keys = {self.known.key_of(one) for one in removed}
            self.known.leave(folder.id, keys)
            place.drafts = [key for key in place.drafts if key not in keys]
            self._pay(folder, removed)
            wanted = self._unknown(folder, [row for row in rows if "@removed" not in row])
            yield from self.fetched(wanted)
            link, is_last = _next_of(page, self.session.label)
            if link in links and not is_last:
                self._start_again(folder)
                yield self.page(self.filler.take(), complete=False)
                raise UnavailableError(
                    f"{self.session.label}: the changes of folder {folder.path!r} lead back to a page that was "
                    "read; the next run begins them again, and what was read stays"
                )
            links.add(link)
            place.link = link
            yield from self.rest()
            if is_last:
                return

    def _start_again(self, folder: Folder) -> None:
        place = self.places[folder.id]
        place.link, place.is_full = None, True

    def _unknown(self, folder: Folder, rows: Collection[Row]) -> list[Wanted]:
        """Those of the rows that have to be fetched, each once."""
        wanted: dict[str, Wanted] = {}
        for row in rows:
            message_id = str(row["id"])
            if "isDraft" in row:
                self._note_draft(folder, self.known.key_of(message_id), bool(row["isDraft"]))
            if row.get("isDraft"):
                continue
            if self.known.settle(folder.id, message_id):
                continue
            location = {"folder": folder.path, "message_id": message_id}
            if row.get("conversationId"):
                location["conversation_id"] = str(row["conversationId"])
            if row.get("receivedDateTime"):
                location["internal_date"] = str(row["receivedDateTime"])
            # A row of a change may hold only what changed.
            wanted[message_id] = Wanted(folder.id, message_id, location, "isDraft" not in row)
        return [one for one in wanted.values() if one.vendor_id not in self.known.owed]

    def _note_draft(self, folder: Folder, key: int, is_draft: bool) -> None:
        drafts = self.places[folder.id].drafts
        if is_draft and key not in drafts:
            self.known.note_left_out(DRAFT)
            drafts.append(key)
        elif not is_draft and key in drafts:
            drafts.remove(key)

    def hand_over(self, one: Wanted) -> Handed:
        """The mail's bytes; a draft is left out."""
        if one.is_uncertain and self._api.message_row(one.vendor_id).get("isDraft"):
            return Handed(b"", {}, left_out=DRAFT)
        return Handed(self._api.mime(one.vendor_id), {})

    def is_up(self) -> object:
        """Reads the inbox's count, which every mailbox has."""
        return self._api.folder("inbox")

    def still_there(self, container: str, keys: Collection[int]) -> Collection[int]:
        """Lists the folder, once for a page."""
        if container not in self._listed:
            try:
                rows = self._api.message_rows(container)
                self._listed[container] = {self.known.key_of(str(row["id"])) for row in rows}
            except NotFoundError:
                self._listed[container] = set()
        return self._listed[container] & set(keys)

    def page(self, records: Sequence[RawRecord], *, complete: bool) -> Page:
        """See `ByIdWork`."""
        # A list is good for one page: mails move.
        self._listed.clear()
        return super().page(records, complete=complete)

    def cursor(self) -> dict[str, Any]:
        """How far each folder was read."""
        return {"folders": {one: asdict(place) for one, place in self.places.items()}}


def _total_of(row: Mapping[str, Any]) -> int:
    return int(row.get("totalItemCount") or 0)


def _next_of(page: Mapping[str, Any], label: str) -> tuple[str, bool]:
    """The link behind a page, and whether the folder holds nothing new behind it."""
    for name, is_last in (("@odata.nextLink", False), ("@odata.deltaLink", True)):
        if page.get(name):
            return str(page[name]), is_last
    raise UnavailableError(
        f"{label}: a page of changes leads nowhere; the next run asks for it again"
    )
