"""One connection to an IMAP server, read-only, opened again when it is lost, with errors that say what to do.

Belongs here: connect, log in, and the few questions that are asked. Does not belong here: what was fetched before
(`imap_folder`), the words of the protocol (`imap_line`).

Folders are opened with EXAMINE and mails fetched with BODY.PEEK[]: nothing is ever marked as read.

Source: RFC 3501, RFC 9051, RFC 7162; RFC 5530 (response codes).
"""

import os
import socket
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imapclient import SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    NotFoundError,
    RejectedError,
    UnavailableError,
)
from connectors.mailbox.imap_answers import MailFacts, passing_fault, plain, uid_set
from connectors.mailbox.imap_line import FolderState, ImapLine, ListedFolder, Resync
from connectors.mailbox.imap_login import Login, TokenRefusedError, log_in

UID_WINDOW = 50_000
"""UIDs asked for at once in a large folder: the standard library refuses lines of more than 1 MB."""

Encryption = Literal["tls", "starttls", "none"]


class ConnectionLostError(UnavailableError):
    """The line was cut or fell silent; opening it again may help."""


class FetchRefusedError(RejectedError):
    """The server answers a request with NO: one of the mails is gone or cannot be read."""


class FolderRefusedError(RejectedError):
    """The folder exists and cannot be opened."""


class FolderMissingError(NotFoundError):
    """There is no such folder."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to connect; `ssl_context` None trusts the machine's authorities."""

    host: str
    port: int
    encryption: Encryption = "tls"
    ssl_context: ssl.SSLContext | None = None
    connect_seconds: float = 15.0
    read_seconds: float = 60.0


class ImapSession:
    """A connection that is opened when it is first needed, and can be opened again after a loss."""

    def __init__(self, endpoint: Endpoint, login: Login) -> None:
        """Keeps how to connect."""
        self.address = f"{endpoint.host}:{endpoint.port}"
        self.calls = 0
        """Commands sent so far."""
        self.opened: tuple[str, int] | None = None
        """Folder that the present connection has open, and the UIDVALIDITY under which it was opened."""
        self._endpoint, self._login = endpoint, login
        self._client: ImapLine | None = None
        self._can_resync = False

    def close(self) -> None:
        """Logs out politely where the line still stands."""
        client, self._client, self.opened = self._client, None, None
        if client is not None:
            self.calls += 1
            try:
                client.logout()
            except (OSError, IMAPClientError):
                with suppress(OSError):
                    client.shutdown()

    def drop(self) -> None:
        """Throws the connection away; the next call opens a new one."""
        client, self._client, self.opened = self._client, None, None
        if client is not None:
            with suppress(OSError):
                client.shutdown()

    def is_gmail(self) -> bool:
        """Whether the server is Gmail's: folders are labels there, and mails have ids of their own."""
        with self._speaking("asking what it can do", costs=0) as client:
            return client.offers("X-GM-EXT-1")

    def folders(self) -> list[ListedFolder]:
        """All folders."""
        with self._speaking("listing folders") as client:
            return client.folders()

    def foreign_prefixes(self) -> list[str]:
        """Prefixes of folders that are other people's or shared."""
        with self._speaking("asking for namespaces") as client:
            return client.foreign_prefixes()

    def status(self, folder: str) -> tuple[int, int]:
        """UIDVALIDITY and UIDNEXT of a folder that is not open."""
        with self._speaking(f"asking for folder {folder!r}") as client:
            found = client.folder_status(folder, ["UIDVALIDITY", "UIDNEXT"])
        return int(found.get(b"UIDVALIDITY", 0)), int(found.get(b"UIDNEXT", 0))

    def examine(self, folder: str, since: Resync | None = None) -> FolderState:
        """Opens a folder for reading; with `since` a server that can says at once what changed.

        Raises:
            FolderMissingError: there is no such folder.
            FolderRefusedError: it cannot be opened.
        """
        self.opened = None
        what = f"opening folder {folder!r}"
        with self._speaking(what) as client:
            parameters = ""
            if since is not None and since.modseq and since.last_uid and self._can_resync:
                parameters = f"(QRESYNC ({since.uidvalidity} {since.modseq} 1:{since.last_uid}))"
            elif client.offers("CONDSTORE"):
                parameters = "(CONDSTORE)"
            try:
                state = client.examine(folder, parameters)
            except IMAPClientAbortError:
                raise
            except IMAPClientError as error:
                text = plain(str(error))
                message = f"{self.address} as {self._login.username}: {what}: {text}"
                passing = passing_fault(text, message)
                if passing is not None:
                    raise passing from error
                if any(_is_name(folder, each.name) for each in client.folders()):
                    raise FolderRefusedError(message) from error
                raise FolderMissingError(message) from error
        self.opened = (folder, state.uidvalidity)
        return state

    def uids(self, first: int, last: int, state: FolderState) -> list[int]:
        """UIDs from `first` to `last` (0: to the end) in the open folder, ascending.

        `n:*` always matches the last mail, even below n (RFC 3501 §6.4.8), so lower ones are left out here.
        """
        end = last or (state.uidnext - 1 if state.uidnext is not None else 0)
        if not state.exists or (end and end < first):
            return []
        found: set[int] = set()
        with self._speaking("listing UIDs") as client:
            if state.exists <= UID_WINDOW or not end:
                # Open at its end: what came since EXAMINE comes too.
                found.update(client.search(["UID", f"{first}:{last or '*'}"]))
            else:
                for start in range(first, end + 1, UID_WINDOW):
                    stop = min(end, start + UID_WINDOW - 1)
                    found.update(client.search(["UID", f"{start}:{stop}"]))
        return sorted(uid for uid in found if uid >= first and (not last or uid <= last))

    def present(self, uids: Collection[int]) -> set[int]:
        """Those of the UIDs that still exist in the open folder."""
        with self._speaking(f"looking for {len(uids)} UID(s)") as client:
            return set(client.search(["UID", uid_set(uids)])) & set(uids)

    def flags(
        self, last_uid: int, changed_since: int | None = None, *, with_gmail_ids: bool = False
    ) -> dict[int, MailFacts]:
        """Flags of the mails up to `last_uid`, or of those that changed since a modification sequence."""
        items = ["FLAGS", *(["X-GM-MSGID"] if with_gmail_ids else [])]
        found: dict[int, MailFacts] = {}
        with self._speaking("asking for flags") as client:
            for start in range(1, last_uid + 1, UID_WINDOW):
                window = f"{start}:{min(last_uid, start + UID_WINDOW - 1)}"
                found.update(client.fetch_by_uid(window, items, changed_since))
        return {uid: facts for uid, facts in found.items() if uid <= last_uid}

    def sizes(
        self, uids: Sequence[int], *, with_gmail_ids: bool = False
    ) -> Mapping[int, MailFacts]:
        """UID → size as the server tells; expunged ones are missing."""
        items = ["RFC822.SIZE", *(["X-GM-MSGID"] if with_gmail_ids else [])]
        with self._speaking("asking for sizes") as client:
            return client.fetch_by_uid(uid_set(uids), items)

    def fetch(self, uids: Sequence[int], *, with_gmail_ids: bool = False) -> dict[int, MailFacts]:
        """UID → mail with its body; those that the server gives nothing for are missing.

        Raises:
            FetchRefusedError: the server says NO to the whole request.
        """
        what = f"fetching UID {uids[0]}" + (f" to {uids[-1]}" if len(uids) > 1 else "")
        items = ["BODY.PEEK[]", *_facts_asked(with_gmail_ids)]
        with self._speaking(what) as client:
            found = client.fetch_by_uid(uid_set(uids), items)
        return {uid: mail for uid, mail in found.items() if mail.body is not None}

    def fetch_part(
        self, uid: int, offset: int, length: int, *, with_gmail_ids: bool = False
    ) -> MailFacts | None:
        """A part of a large mail's body; shorter than asked for at its end. None: the mail is gone."""
        asked = _facts_asked(with_gmail_ids) if offset == 0 else []
        items = [f"BODY.PEEK[]<{offset}.{length}>", *asked]
        with self._speaking(f"fetching UID {uid} from byte {offset}") as client:
            found = client.fetch_by_uid(str(uid), items).get(uid)
        return found if found is not None and found.body is not None else None

    @contextmanager
    def _speaking(self, what: str, costs: int = 1) -> Iterator[ImapLine]:
        """The open client; whatever goes wrong in the block becomes an error of `connectors.errors`."""
        client = self._open()
        self.calls += costs
        who = f"{self.address} as {self._login.username}"
        try:
            yield client
        except ConnectorError:
            raise
        except (OSError, IMAPClientAbortError) as error:
            self.drop()
            text = plain(str(error)) or type(error).__name__
            message = f"{who}: the connection was lost while {what}: {text}"
            # A server that has enough says so in its BYE.
            passing = passing_fault(text, message)
            raise passing or ConnectionLostError(message) from error
        except IMAPClientError as error:
            message = f"{who}: {what}: {plain(str(error))}"
            raise passing_fault(str(error), message) or FetchRefusedError(message) from error
        except (ValueError, TypeError, KeyError, IndexError) as error:
            self.drop()
            raise ConnectionLostError(
                f"{who}: an answer could not be read while {what}: {type(error).__name__}"
            ) from error

    def _open(self) -> ImapLine:
        """The connection; a refused token is replaced once.

        Raises:
            AuthError: the credential is refused.
        """
        if self._client is None:
            try:
                self._client = self._connect_and_log_in()
            except TokenRefusedError:
                if self._login.forget_token is None:
                    raise
                self._client = self._connect_and_log_in()
        return self._client

    def _connect_and_log_in(self) -> ImapLine:
        with self._connecting():
            client = self._connect()
        try:
            self.calls += 1
            with self._connecting():
                if self._endpoint.encryption == "starttls":
                    self._start_tls(client)
                log_in(client, self._login, self.address)
                self._can_resync = False
                if client.offers("ENABLE", "QRESYNC"):
                    self.calls += 1
                    self._can_resync = b"QRESYNC" in client.enable("QRESYNC")
        except BaseException:
            with suppress(OSError):
                client.shutdown()
            raise
        return client

    def _connect(self) -> ImapLine:
        end = self._endpoint
        client = ImapLine(
            end.host,
            end.port,
            ssl=end.encryption == "tls",
            ssl_context=self._context() if end.encryption == "tls" else None,
            timeout=SocketTimeout(connect=end.connect_seconds, read=end.read_seconds),
        )
        client.normalise_times = False
        # IMAPClient sends a command and its line end apart: the second would wait for the first one's delayed ACK.
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def _start_tls(self, client: ImapLine) -> None:
        # imaplib asked for the capabilities when it connected.
        if not client.offers("STARTTLS"):
            raise ConfigurationError(
                f"{self.address} offers no STARTTLS; set 'tls: true' with the port for TLS (usually 993)"
            )
        self.calls += 1
        client.starttls(self._context())

    def _context(self) -> ssl.SSLContext:
        """The given context, or one that trusts the machine's authorities and a company's own.

        `SSL_CERT_FILE` is OpenSSL's own; `REQUESTS_CA_BUNDLE` is what the HTTP connectors listen to.
        """
        if self._endpoint.ssl_context is not None:
            return self._endpoint.ssl_context
        context = ssl.create_default_context()
        bundle = os.environ.get("REQUESTS_CA_BUNDLE")
        if bundle:
            try:
                if Path(bundle).is_dir():
                    context.load_verify_locations(capath=bundle)
                else:
                    context.load_verify_locations(cafile=bundle)
            except OSError as error:
                raise ConfigurationError(
                    f"REQUESTS_CA_BUNDLE={bundle} cannot be used: {error.strerror or error}"
                ) from error
        return context

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(
                f"{self.address}: the server's certificate is not trusted ({error.verify_message}); "
                "check the host name; behind a company's own authority set SSL_CERT_FILE or REQUESTS_CA_BUNDLE "
                "to its file"
            ) from error
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise UnavailableError(f"{self.address} hung up while TLS was set up") from error
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"{self.address}: no TLS on this port ({error.reason}); TLS is usually on port 993, "
                "'tls: starttls' on 143"
            ) from error
        except (OSError, IMAPClientError) as error:
            text = self._reason(error)
            message = (
                f"{self.address} cannot be reached: {text}; check host and port, then try again"
            )
            raise passing_fault(text, message) or UnavailableError(message) from error

    def _reason(self, error: Exception) -> str:
        """Why there is no connection, in a few words."""
        if isinstance(error, socket.gaierror):
            return "the name does not resolve"
        if isinstance(error, TimeoutError):
            return f"silent for {self._endpoint.read_seconds:g} s (is IMAP spoken there, with TLS as configured?)"
        return plain(getattr(error, "strerror", None) or str(error)) or type(error).__name__


def _facts_asked(with_gmail_ids: bool) -> list[str]:
    gmail = ["X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"] if with_gmail_ids else []
    return ["INTERNALDATE", "FLAGS", *gmail]


def _is_name(wanted: str, name: str) -> bool:
    return name == wanted or name.upper() == wanted.upper() == "INBOX"
