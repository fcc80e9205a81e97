"""A small IMAP4rev1 server over a folder tree, for the demo and the tests.

Belongs here: the protocol's commands and the faults that really happen. Does not belong here: the mails on
disk (`imap_store`). Standard library only; listens on 127.0.0.1.

    with ImapStandin(folder, {"info@example.com": "secret"}) as server:
        ImapSource("127.0.0.1", "info@example.com", "secret", port=server.port, use_tls=False)

Commands: CAPABILITY, NOOP, STARTTLS, LOGIN, AUTHENTICATE (PLAIN, XOAUTH2, OAUTHBEARER), LOGOUT, ENABLE, NAMESPACE,
LIST, LSUB, STATUS, SELECT, EXAMINE, CLOSE, UNSELECT, CHECK, APPEND, IDLE, SEARCH and FETCH with and without UID.
FETCH knows UID, FLAGS, INTERNALDATE, RFC822.SIZE, MODSEQ, BODY[], BODY.PEEK[] with parts, RFC822, BODY.PEEK[HEADER]
and Gmail's items. Everything else is answered with BAD. `without` takes capabilities away; `gmail_labels` makes it an
account like Gmail's: one folder of mails, and labels that look like folders.

Source: RFC 3501, RFC 7162 (CONDSTORE, QRESYNC), RFC 6154 (special uses); Gmail IMAP extensions.
"""

import socket
import socketserver
import ssl
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

from connectors.standins.imap_connection import Connection, cut
from connectors.standins.imap_fetch import ImapFaults
from connectors.standins.imap_store import GMAIL_ALL, MailStore

__all__ = ["ImapFaults", "ImapStandin"]


class ImapStandin:
    """The server. `root` holds a folder per mailbox (`INBOX`, `Sent`, `Archive/2026`) with `.eml` files."""

    def __init__(
        self,
        root: Path,
        users: Mapping[str, str],
        *,
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        starttls_context: ssl.SSLContext | None = None,
        without: Collection[str] = (),
        uses: Mapping[str, str] | None = None,
        gmail_labels: Mapping[str, str] | None = None,
    ) -> None:
        r"""Prepares the server; it listens after `start`.

        Args:
            root: the folder tree; made where it is missing.
            users: log-in name → password; all see the same folders.
            port: 0 takes a free one.
            ssl_context: speaks TLS from the first byte; None speaks in the clear.
            starttls_context: offers STARTTLS, and takes no password before it.
            without: capabilities that it does not have (`CONDSTORE`, `QRESYNC`, `SPECIAL-USE`, …).
            uses: folder name → special use (`\Sent`) or `\Noselect`.
            gmail_labels: folder name → label, of an account like Gmail's; None is a common server.
        """
        self.store = MailStore(root, gmail_labels)
        self.users = dict(users)
        self.tokens: set[str] = set()
        """Access tokens that are good now, for any user."""
        self.uses = dict(uses or {})
        self._starttls_context = starttls_context
        self._without = frozenset(without)
        self._is_gmail = gmail_labels is not None
        if self._is_gmail:
            self.uses |= {GMAIL_ALL: "\\All", "[Gmail]": "\\Noselect"}
        self.faults = ImapFaults()
        self.lock = threading.RLock()
        self.commands: list[str] = []
        """Names of the commands received, in order (`UID FETCH`, `EXAMINE`, …)."""
        self.ssl_context = ssl_context
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            RuntimeError: it was not started.
        """
        if self._server is None:
            raise RuntimeError("the IMAP stand-in is not running")
        return int(self._server.server_address[1])

    def capabilities(self, *, is_encrypted: bool) -> list[str]:
        """What is offered on a connection, in the order in which it is told."""
        names = ["IMAP4rev1", "LITERAL+", "IDLE", "UNSELECT", "UIDPLUS", "ENABLE", "NAMESPACE"]
        names += ["LIST-EXTENDED", "SPECIAL-USE", "CONDSTORE"]
        names += ["X-GM-EXT-1"] if self._is_gmail else ["QRESYNC"]
        names += ["AUTH=PLAIN"]
        names += ["AUTH=XOAUTH2", "AUTH=OAUTHBEARER"] if self.tokens else []
        if self._starttls_context is not None and not is_encrypted:
            names += ["STARTTLS", "LOGINDISABLED"]
        return [name for name in names if name not in self._without]

    def encrypt(self, line: socket.socket) -> socket.socket:
        """TLS on a connection that began without."""
        if self._starttls_context is None:
            raise RuntimeError("the IMAP stand-in has no certificate")
        return self._starttls_context.wrap_socket(line, server_side=True)

    def dump(self) -> list[dict[str, Any]]:
        """Every mail in every folder as it is now; see `imap_store.MailStore.dump`."""
        with self.lock:
            return self.store.dump()

    def start(self) -> Self:
        """Listens, in threads of its own."""
        self._server = _Server(("127.0.0.1", self._port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="imap-stand-in"
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Cuts all connections and stops."""
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            self._port = int(server.server_address[1])
            server.shutdown()
            self._thread.join()
            server.cut_connections()
            server.server_close()

    def cut_connections(self) -> None:
        """Cuts every open connection; new ones are taken."""
        if self._server is not None:
            self._server.cut_connections()

    def __enter__(self) -> Self:
        """Starts."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stops."""
        self.stop()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, address: tuple[str, int], stand_in: ImapStandin) -> None:
        self.stand_in = stand_in
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, Connection)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        context = self.stand_in.ssl_context
        if context is not None:
            # The handshake is left to the connection's own thread: a client that says nothing blocks no other.
            connection = context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        with self._open_lock:
            for request in self._open:
                cut(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
