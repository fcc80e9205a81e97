"""An IMAP mailbox as a source: several folders, resumed by UID, never changed.

Belongs here: the source itself: which folders are read in which order, and what becomes of one that cannot be. Does
not belong here: how a folder is read (`imap_folder`), the cursor (`imap_place`), the protocol (`imap_session`), what
mails say (`transforms.mail`).

When UIDVALIDITY changed, all UIDs are void: the folder is listed again, and since a mail's identity is its bytes,
mails that were there before come under the same ids and change nothing. Mails that vanish from the server are no
tombstones: what was said stays said. Where they lie now and how they are flagged is in the cursor
(`imap_place.standing_mails`).

A mail that exists but that the server cannot hand over does not stop the others: it is given as an empty record
with the server's words (it will be quarantined), asked for again at each pull, and withdrawn once it comes.

On Gmail a mail is remembered by its X-GM-MSGID: under however many labels it lies, it is fetched once.
"""

import difflib
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress

from connectors.contract import CheckResult, Cursor, Page, Recount
from connectors.errors import ConfigurationError, ConnectorError
from connectors.mailbox import imap_folders
from connectors.mailbox.imap_folder import TRIES, FolderReading, Limits
from connectors.mailbox.imap_login import Login
from connectors.mailbox.imap_place import GMAIL, MailboxPlace
from connectors.mailbox.imap_session import (
    Encryption,
    Endpoint,
    FolderMissingError,
    FolderRefusedError,
    ImapSession,
)
from connectors.mailbox.pages import PAGE_BYTES, PAGE_MAILS, STREAM, digest_start_of
from transforms.model import RawRecord

__all__ = ["TRIES", "ImapSource"]

LOOKED_THROUGH = 100
"""Folders that are asked for their UIDVALIDITY at most, to say what a missing one is called now."""


class ImapSource:
    """Mails of one mailbox, folder by folder, by ascending UID."""

    streams: Sequence[str] = (STREAM,)
    volatile_fields: Mapping[str, Sequence[str]] = {}

    def __init__(
        self,
        host: str,
        username: str,
        password: str = "",
        *,
        port: int | None = None,
        folders: Sequence[str] = ("INBOX",),
        use_tls: bool = True,
        use_starttls: bool = False,
        access_token: Callable[[], str] | None = None,
        forget_token: Callable[[str], object] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        connect_seconds: float = 15.0,
        read_seconds: float = 60.0,
        page_mails: int = PAGE_MAILS,
        page_bytes: int = PAGE_BYTES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        r"""Keeps the settings; the line is opened by `pull`, `recount` and `check`.

        Args:
            host: the server's name.
            username: the log-in name.
            password: its password; unused where `access_token` is given.
            port: None takes 993 with TLS, 143 without.
            folders: names as people see them (`INBOX`, `Sent`, `[Gmail]/Sent Mail`), special uses (`\Sent`,
                `\All`) or patterns (`*`); see `imap_folders`.
            use_tls: TLS from the first byte.
            use_starttls: TLS after STARTTLS, on a connection that begins without.
            access_token: gives an OAuth 2 token, for providers without passwords.
            forget_token: told of a token that is refused; `access_token` is then asked once more.
            ssl_context: None verifies against the machine's authorities and those in REQUESTS_CA_BUNDLE.
            connect_seconds: how long to wait for a connection.
            read_seconds: how long the server may stay silent.
            page_mails: most mails in a page.
            page_bytes: most bytes in a page, a single larger mail apart.
            sleep: pauses between tries.

        Raises:
            ConfigurationError: no folder is named, or one twice.
        """
        if not folders or len(set(folders)) != len(folders):
            raise ConfigurationError(f"IMAP {host}: folders must be named, each once: {folders!r}")
        encryption: Encryption = "starttls" if use_starttls else "tls" if use_tls else "none"
        port = port or (993 if encryption == "tls" else 143)
        self._wanted = tuple(folders)
        self._name = f"IMAP {username} on {host}:{port}"
        self._limits = Limits(page_mails, page_bytes)
        self._sleep = sleep
        self._endpoint = Endpoint(
            host, port, encryption, ssl_context, connect_seconds, read_seconds
        )
        self._login = Login(username, password, access_token, forget_token)

    def check(self) -> CheckResult:
        """Logs in and opens each folder; says how many mails they hold."""
        work = self._begin(None)
        try:
            chosen = work.choose_folders()
            if chosen.missing:
                raise work.missing_error(chosen.missing)
            counts = [f"{name}: {work.session.examine(name).exists}" for name in chosen.folders]
        except ConnectorError as error:
            return CheckResult(self._name, False, str(error))
        finally:
            work.session.close()
        return CheckResult(self._name, True, f"mails in {', '.join(counts)}")

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of mails; see `connectors.contract.Source`.

        A folder that is missing or cannot be opened leaves the others alone: they are read to their end, its own
        place stays as it was, and then the error is raised.

        Raises:
            AuthError: the log-in is refused.
            ConfigurationError: a folder does not exist, or the port speaks no TLS.
            UnavailableError: no connection after several tries; pages given before stay valid.
            RateLimitedError: the provider's bandwidth limit is reached.
        """
        work = self._begin(cursor)
        try:
            # All folders first: a mail that was moved must be forgotten where it lay before it is met again.
            readings = work.caught_up(work.open_folders())
            for reading in readings:
                yield from work.pages(reading)
            yield from work.last_page()
        finally:
            work.session.close()

    def recount(self, stream: str, cursor: Cursor | None, held: Collection[str]) -> Recount:
        """Compares every folder's UIDs with what is remembered and held; see `connectors.contract.Recounting`.

        Sizes are not compared: what a server tells is a guess on some (RFC822.SIZE of Exchange), and a mail under a
        UID never changes.
        """
        found = Recount(iter(()))
        found.pages = self._recounted(cursor, held, found)
        return found

    def _recounted(
        self, cursor: Cursor | None, held: Collection[str], found: Recount
    ) -> Iterator[Page]:
        starts = {start[0] for start in map(digest_start_of, held) if start is not None}
        work = self._begin(cursor)
        try:
            readings = work.caught_up(work.open_folders())
            found.containers.extend(reading.compare(starts) for reading in readings)
            if work.mailbox.is_gmail and not work.troubles:
                present = set[int]().union(*(reading.gmail_ids for reading in readings))
                seen = work.mailbox.seen
                seen.drop(GMAIL, set(seen.keys(GMAIL)) - present)
            for reading in readings:
                yield from work.pages(reading)
            for remote_id in held:
                start = digest_start_of(remote_id)
                if start is not None and start[1] > work.mailbox.seen.count(start[0]):
                    found.gone.append(remote_id)
            yield from work.last_page()
        finally:
            work.session.close()

    def _begin(self, cursor: Cursor | None) -> "_Work":
        session = ImapSession(self._endpoint, self._login)
        return _Work(
            session, MailboxPlace(cursor), self._wanted, self._limits, self._sleep, self._name
        )


class _Work:
    """One pull or recount: its connection, the cursor as it moves, and what went wrong with single folders."""

    def __init__(
        self,
        session: ImapSession,
        mailbox: MailboxPlace,
        wanted: Sequence[str],
        limits: Limits,
        sleep: Callable[[float], None],
        name: str,
    ) -> None:
        self.session = session
        self.mailbox = mailbox
        self.troubles: list[str] = []
        self._wanted, self._limits, self._sleep, self._name = wanted, limits, sleep, name
        self._calls_told = 0
        self._has_given = False

    def choose_folders(self) -> imap_folders.Chosen:
        """The folders that the configuration means on this server."""
        is_gmail = self.session.is_gmail()
        foreign: list[str] = []
        if imap_folders.needs_namespaces(self._wanted):
            foreign = self.session.foreign_prefixes()
        chosen = imap_folders.choose(
            self._wanted, self.session.folders(), is_gmail=is_gmail, foreign_prefixes=foreign
        )
        # A folder that is missing for now keeps its place.
        self.mailbox.fit([*chosen.folders, *chosen.missing], is_gmail=is_gmail)
        return chosen

    def open_folders(self) -> list[FolderReading]:
        """A reading for each folder; missing ones are noted.

        Raises:
            ConfigurationError: not one of them is there.
        """
        first = FolderReading(self.session, self.mailbox, "", self._limits, self._sleep)
        chosen = first.trying(self.choose_folders)
        if chosen.missing:
            error = self.missing_error(chosen.missing)
            if not chosen.folders:
                raise error
            self.troubles.append(str(error))
        return [
            FolderReading(self.session, self.mailbox, folder, self._limits, self._sleep)
            for folder in chosen.folders
        ]

    def caught_up(self, readings: Sequence[FolderReading]) -> list[FolderReading]:
        """Those of the readings whose folders could be opened."""
        able = []
        for reading in readings:
            try:
                reading.catch_up()
                able.append(reading)
            except (FolderMissingError, FolderRefusedError) as error:
                self.troubles.append(str(error))
        return able

    def pages(self, reading: FolderReading) -> Iterator[Page]:
        """A folder's pages; that it vanishes in the middle is noted."""
        try:
            for records in reading.pages():
                yield self._page(records, complete=False)
        except (FolderMissingError, FolderRefusedError) as error:
            self.troubles.append(str(error))

    def last_page(self) -> Iterator[Page]:
        """The cursor behind everything, then what went wrong with single folders.

        Raises:
            ConfigurationError: some folders could not be read.
        """
        if not self.troubles or self._has_given or self.mailbox.folders:
            yield self._page([], complete=not self.troubles)
        if self.troubles:
            raise ConfigurationError("; ".join(self.troubles))

    def missing_error(self, missing: Sequence[str]) -> ConfigurationError:
        """Which folders are not there, what there is instead, and what they may be called now."""
        names = sorted(each.name for each in self.session.folders() if each.is_selectable)
        what = " and ".join(f"no folder {name!r}" for name in missing)
        renamed = [f"{old!r} is now {new!r}" for old, new in self._renamed(missing, names)]
        hint = f" (it looks as if {' and '.join(renamed)})" if renamed else _meant(missing, names)
        return ConfigurationError(
            f"{self._name}: there is {what}{hint}; there are: {', '.join(names) or 'none'}. Name the right "
            "one in 'folders'; what was read before stays"
        )

    def _renamed(self, missing: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
        lost = {
            name: self.mailbox.folders[name] for name in missing if name in self.mailbox.folders
        }
        others = [name for name in names if name not in self.mailbox.folders]
        for name in others[:LOOKED_THROUGH] if lost else ():
            with suppress(ConnectorError):
                uidvalidity, uidnext = self.session.status(name)
                for old, place in lost.items():
                    if uidvalidity == place.uidvalidity and uidnext > place.last_uid > 0:
                        yield old, name

    def _page(self, records: list[RawRecord], *, complete: bool) -> Page:
        calls = self.session.calls - self._calls_told
        self._calls_told = self.session.calls
        self._has_given = True
        records = [*self.mailbox.withdrawn, *records]
        self.mailbox.withdrawn.clear()
        return Page(records, self.mailbox.packed(), complete=complete, calls=calls)


def _meant(missing: Sequence[str], names: Sequence[str]) -> str:
    """Folders whose names are much like those that are missing, as a question; empty where there are none."""
    alike = {
        name: None
        for one in missing
        for name in difflib.get_close_matches(one, names, n=1, cutoff=0.75)
    }
    return f" (did you mean {' and '.join(repr(name) for name in alike)}?)" if alike else ""
