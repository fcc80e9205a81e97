"""A small IMAP4rev1 server over a folder tree, for the demo and the tests.

Belongs here: the protocol's commands and the faults that really happen. Does not belong here: the mails on
disk (`imap_store`). Standard library only; listens on 127.0.0.1.

    with ImapStandin(folder, {"info@example.com": "secret"}) as server:
        ImapSource("127.0.0.1", "info@example.com", "secret", port=server.port, use_tls=False)

Commands: CAPABILITY, NOOP, LOGIN, LOGOUT, LIST, LSUB, STATUS, SELECT, EXAMINE, CLOSE, UNSELECT, CHECK, APPEND,
IDLE, SEARCH and FETCH with and without UID. FETCH knows UID, FLAGS, INTERNALDATE, RFC822.SIZE, BODY[],
BODY.PEEK[], RFC822 and BODY.PEEK[HEADER]. Everything else is answered with BAD.

Source: RFC 3501.
"""

import socket
import socketserver
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from connectors.standins.imap_connection import Connection, ImapFaults, cut
from connectors.standins.imap_store import MailStore

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
    ) -> None:
        """Prepares the server; it listens after `start`.

        Args:
            root: the folder tree; made where it is missing.
            users: log-in name → password; all see the same folders.
            port: 0 takes a free one.
            ssl_context: speaks TLS from the first byte; None speaks in the clear.
        """
        self.store = MailStore(root)
        self.users = dict(users)
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
