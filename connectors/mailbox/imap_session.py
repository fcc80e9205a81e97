"""One connection to an IMAP server, read-only, with errors that say what to do.

Belongs here: log in, look into a folder, fetch mails by UID. Does not belong here: what was fetched before
(`imap`), what mails say.

Folders are opened with EXAMINE and mails fetched with BODY.PEEK[]: nothing is ever marked as read.

Source: RFC 3501, RFC 9051; RFC 5530 (response codes).
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from connectors.errors import (
    AuthError,
    ConfigurationError,
    ConnectorError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)

SEARCH_WINDOW = 50_000
"""UIDs asked for in one SEARCH of a large folder: the standard library refuses lines of more than 1 MB."""

_BUSY = re.compile(r"\[(UNAVAILABLE|INUSE|SERVERBUG)\]|too many|try again|temporar", re.I)
_THROTTLED = re.compile(r"\[(LIMIT|OVERQUOTA|THROTTLED)\]|throttl|bandwidth limit|rate limit", re.I)


class ConnectionLostError(UnavailableError):
    """The line was cut or fell silent; opening it again may help."""


class FetchRefusedError(RejectedError):
    """The server answers a FETCH with NO: one of the mails is gone or cannot be read."""


@dataclass(frozen=True, slots=True)
class FolderState:
    """What EXAMINE says of a folder."""

    uidvalidity: int
    uidnext: int | None
    exists: int


@dataclass(frozen=True, slots=True)
class FetchedMail:
    """A mail's bytes and the instant at which the server got it."""

    payload: bytes
    internal_date: datetime | None


class ImapSession:
    """A connection that is opened when it is first needed, and can be opened again after a loss."""

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        password: str,
        *,
        use_tls: bool,
        use_starttls: bool,
        access_token: Callable[[], str] | None,
        ssl_context: ssl.SSLContext | None,
        connect_seconds: float,
        read_seconds: float,
    ) -> None:
        """Keeps how to connect; see `ImapSource`."""
        self.address = f"{host}:{port}"
        self.calls = 0
        self.open_folder: str | None = None
        """The folder that the present connection has open."""
        self._host, self._port = host, port
        self._username, self._password = username, password
        self._use_tls, self._use_starttls = use_tls, use_starttls
        self._access_token = access_token
        self._ssl_context = ssl_context
        self._timeout = SocketTimeout(connect=connect_seconds, read=read_seconds)
        self._client: IMAPClient | None = None

    def close(self) -> None:
        """Logs out politely where the line still stands."""
        client, self._client, self.open_folder = self._client, None, None
        if client is not None:
            try:
                client.logout()
            except (OSError, IMAPClientError):
                with suppress(OSError):
                    client.shutdown()

    def drop(self) -> None:
        """Throws the connection away; the next call opens a new one."""
        client, self._client, self.open_folder = self._client, None, None
        if client is not None:
            with suppress(OSError):
                client.shutdown()

    def examine(self, folder: str) -> FolderState:
        """Opens a folder for reading.

        Raises:
            ConfigurationError: there is no such folder; names those that there are.
        """
        self.open_folder = None
        with self._speaking(f"opening folder {folder!r}") as client:
            try:
                found = client.select_folder(folder, readonly=True)
            except IMAPClientAbortError:
                raise
            except IMAPClientError as error:
                self._raise_for_text(
                    f"opening folder {folder!r}", str(error), may_fall_through=True
                )
                names = [name for _, _, name in client.list_folders()]
                if any(
                    name == folder or name.upper() == folder.upper() == "INBOX" for name in names
                ):
                    raise RejectedError(
                        f"{self.address} as {self._username}: folder {folder!r} cannot be opened: "
                        f"{self._clean(str(error))}"
                    ) from error
                raise ConfigurationError(
                    f"{self.address} as {self._username}: there is no folder {folder!r}; "
                    f"there are: {', '.join(sorted(names)) or 'none'}"
                ) from error
        self.open_folder = folder
        return FolderState(
            uidvalidity=int(found.get(b"UIDVALIDITY", 0)),
            uidnext=int(found[b"UIDNEXT"]) if b"UIDNEXT" in found else None,
            exists=int(found.get(b"EXISTS", 0)),
        )

    def uids_after(self, last_uid: int, state: FolderState) -> list[int]:
        """UIDs above `last_uid` in the open folder, ascending.

        `n:*` always matches the last mail, even below n (RFC 3501 §6.4.8), so lower ones are left out here.
        """
        if not state.exists or (state.uidnext is not None and state.uidnext <= last_uid + 1):
            return []
        found: set[int] = set()
        with self._speaking("listing UIDs") as client:
            if state.exists <= SEARCH_WINDOW or state.uidnext is None:
                found.update(client.search(["UID", f"{last_uid + 1}:*"]))
            else:
                for start in range(last_uid + 1, state.uidnext, SEARCH_WINDOW):
                    found.update(client.search(["UID", f"{start}:{start + SEARCH_WINDOW - 1}"]))
        return sorted(uid for uid in found if uid > last_uid)

    def is_there(self, uid: int) -> bool:
        """Whether a UID still exists in the open folder."""
        with self._speaking(f"looking for UID {uid}") as client:
            return uid in client.search(["UID", str(uid)])

    def sizes(self, uids: Sequence[int]) -> Mapping[int, int]:
        """UID → size as the server tells; expunged ones are missing."""
        with self._speaking("asking for sizes") as client:
            found = client.fetch(uids, ["RFC822.SIZE"])
        return {uid: int(data.get(b"RFC822.SIZE", 0)) for uid, data in found.items()}

    def fetch(self, uids: Sequence[int]) -> Mapping[int, FetchedMail]:
        """UID → mail; those that the server gives nothing for are missing.

        Raises:
            FetchRefusedError: the server says NO to the whole request.
        """
        what = f"fetching UID {uids[0]}" + (f" to {uids[-1]}" if len(uids) > 1 else "")
        with self._speaking(what) as client:
            found = client.fetch(uids, ["INTERNALDATE", "BODY.PEEK[]"])
        return {
            uid: FetchedMail(bytes(data[b"BODY[]"]), data.get(b"INTERNALDATE"))
            for uid, data in found.items()
            if isinstance(data.get(b"BODY[]"), bytes)
        }

    @contextmanager
    def _speaking(self, what: str) -> Iterator[Any]:
        """The open client; whatever goes wrong in the block becomes an error of `connectors.errors`."""
        client = self._open()
        self.calls += 1
        try:
            yield client
        except ConnectorError:
            raise
        except (OSError, IMAPClientAbortError) as error:
            self.drop()
            raise ConnectionLostError(
                f"{self.address} as {self._username}: the connection was lost while {what}: "
                f"{self._clean(str(error)) or type(error).__name__}"
            ) from error
        except IMAPClientError as error:
            self._raise_for_text(what, str(error), may_fall_through=False)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            self.drop()
            raise ConnectionLostError(
                f"{self.address}: an answer could not be read while {what}: {type(error).__name__}"
            ) from error

    def _open(self) -> IMAPClient:
        if self._client is None:
            client = self._connect()
            try:
                self._log_in(client)
            except BaseException:
                with suppress(OSError):
                    client.shutdown()
                raise
            self._client = client
        return self._client

    def _connect(self) -> IMAPClient:
        try:
            client = IMAPClient(
                self._host,
                self._port,
                ssl=self._use_tls,
                ssl_context=self._ssl_context,
                timeout=self._timeout,
            )
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(
                f"{self.address}: the server's certificate is not trusted ({error.verify_message}); "
                "check the host name or the machine's certificate authorities"
            ) from error
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"{self.address}: no TLS on this port ({error.reason}); TLS is usually on port 993"
            ) from error
        except (OSError, IMAPClientError) as error:
            raise UnavailableError(
                f"{self.address} cannot be reached: {self._reason(error)}; check host and port, then try again"
            ) from error
        client.normalise_times = False
        return client

    def _log_in(self, client: IMAPClient) -> None:
        self.calls += 1
        try:
            if self._use_starttls:
                client.starttls(self._ssl_context)
            if self._access_token is not None:
                client.oauth2_login(self._username, self._access_token())
            else:
                client.login(self._username, self._password)
        except (LoginError, IMAPClientError) as error:
            text = self._clean(str(error))
            if isinstance(error.__context__, IMAPClientAbortError) or isinstance(
                error, IMAPClientAbortError
            ):
                raise UnavailableError(
                    f"{self.address} cut the line during log-in: {text}"
                ) from error
            self._raise_for_text("logging in", text, may_fall_through=True)
            raise AuthError(
                f"{self.address} refuses the log-in of {self._username}: {text}; check user name and password"
                " (some providers want an app password or OAuth)"
            ) from error
        except OSError as error:
            raise UnavailableError(
                f"{self.address} gave no answer to the log-in: {self._reason(error)}"
            ) from error

    def _raise_for_text(self, what: str, text: str, *, may_fall_through: bool) -> None:
        """Turns the text of a NO or BAD into an error; the codes are RFC 5530's."""
        message = f"{self.address} as {self._username}: {what}: {self._clean(text)}"
        if _THROTTLED.search(text):
            raise RateLimitedError(message)
        if _BUSY.search(text):
            raise UnavailableError(message)
        if not may_fall_through:
            raise FetchRefusedError(message)

    def _reason(self, error: Exception) -> str:
        """Why there is no connection, in a few words."""
        if isinstance(error, socket.gaierror):
            return "the name does not resolve"
        if isinstance(error, TimeoutError):
            return f"silent for {self._timeout.read:g} s (is IMAP spoken there, with TLS as configured?)"
        return self._clean(getattr(error, "strerror", None) or str(error)) or type(error).__name__

    def _clean(self, text: str) -> str:
        """A server's text without the password, should it echo it, and not too long."""
        hidden = text.replace(self._password, "***") if self._password else text
        # IMAPClient shows the bytes of an answer as Python writes them.
        plain = re.sub(r"^b(['\"])(.*)\1$", r"\2", hidden.strip(), flags=re.S)
        return " ".join(plain.split())[:300]
