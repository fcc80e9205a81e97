"""One client's connection to the IMAP stand-in: reads commands, logs in, opens folders.

Belongs here: the commands but for those that look at mails (`imap_fetch`). Does not belong here: listening (`imap`),
words of the protocol (`imap_wire`), mails on disk (`imap_store`).

Source: RFC 3501; RFC 5161 (ENABLE), RFC 6154 (special uses), RFC 7162 (CONDSTORE, QRESYNC), RFC 7628 (OAUTHBEARER).
"""

import base64
import io
import json
import re
import socket
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from connectors.standins.imap_fetch import (
    BadError,
    HangUpError,
    MailCommands,
    NoError,
    SilenceError,
)
from connectors.standins.imap_store import AnyFolder, Folder
from connectors.standins.imap_wire import as_text, decode_name, parse, quoted

IDLE_SECONDS = 120
"""A connection that stays silent this long is closed."""

MAX_LITERAL = 100_000_000

_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")


class Connection(MailCommands):
    """Answers one client until it leaves."""

    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Starts without a user and without an open folder."""
        super().setup()
        self.is_in = False
        self.is_encrypted = False
        self.enabled = set()
        self.folder = None
        self.uidvalidity = 0
        self.mails = []
        self.is_read_only = True

    def handle(self) -> None:
        """Greets, then answers command after command."""
        try:
            self._send(f"* OK [CAPABILITY {' '.join(self._offered())}] ready")
            while command := self._read_command():
                self._run(*command)
        except (HangUpError, OSError, ValueError):
            cut(self.connection)

    def finish(self) -> None:
        """Closes the line, also one that was encrypted meanwhile."""
        super().finish()
        if self.is_encrypted:
            self.connection.close()

    def _read_command(self) -> tuple[str, str, list[Any]] | None:
        """Tag, name and arguments of the next command; literals are bytes, parentheses lists."""
        text = ""
        literals: list[bytes] = []
        while True:
            line = self.rfile.readline(65_536)
            if not line:
                return None
            match = _LITERAL.search(line)
            if match is None:
                text += line.decode("utf-8", "replace").rstrip("\r\n")
                break
            size = int(match[1])
            if size > MAX_LITERAL:
                raise HangUpError
            text += line[: match.start()].decode("utf-8", "replace") + f"\x00{len(literals)}\x00"
            if not match[2]:
                self._send("+ go on")
            literals.append(self.rfile.read(size))
        tag, _, rest = text.partition(" ")
        name, _, arguments = rest.partition(" ")
        name = name.upper()
        if name == "UID":
            second, _, arguments = arguments.partition(" ")
            name = f"UID {second.upper()}"
        return tag, name, parse(arguments, literals)

    def _run(self, tag: str, name: str, arguments: list[Any]) -> None:
        stand_in = self.server.stand_in
        handler = _COMMANDS.get(name)
        is_silent = False
        with stand_in.lock:
            stand_in.commands.append(name)
            try:
                if handler is None:
                    raise BadError(f"unknown command {name}")
                if self.folder is not None and self.folder.uidvalidity != self.uidvalidity:
                    # What Dovecot does: the client's UIDs are void, and only opening the folder anew tells it.
                    self._send("* BYE UIDVALIDITY of the open folder changed")
                    raise HangUpError
                if not self.is_in and name not in _BEFORE_LOGIN:
                    raise BadError("log in first")
                done = handler(self, arguments)
            except SilenceError:
                done = None
                is_silent = True
            except NoError as error:
                self._send(f"{tag} NO {error}")
                return
            except (BadError, IndexError, KeyError, TypeError, ValueError) as error:
                self._send(f"{tag} BAD {error}")
                return
        if is_silent:
            self.rfile.read(1)
            raise HangUpError
        if name == "IDLE":
            self._wait_for_done()
        self._send(f"{tag} OK {done or name + ' completed'}")
        if name == "STARTTLS":
            self._encrypt()
        if name == "LOGOUT":
            raise HangUpError

    def _offered(self) -> Collection[str]:
        return self.server.stand_in.capabilities(is_encrypted=self.is_encrypted)

    def _capability(self, _arguments: list[Any]) -> None:
        self._send(f"* CAPABILITY {' '.join(self._offered())}")

    def _start_tls(self, _arguments: list[Any]) -> str:
        if "STARTTLS" not in self._offered():
            raise BadError("unknown command STARTTLS")
        return "begin TLS now"

    def _encrypt(self) -> None:
        self.connection = self.server.stand_in.encrypt(self.connection)
        self.is_encrypted = True
        self.rfile.close()
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = _Writer(self.connection)

    def _enable(self, arguments: list[Any]) -> None:
        asked = {str(each).upper() for each in arguments} & {"CONDSTORE", "QRESYNC"}
        self.enabled |= asked & set(self._offered())
        self._send(f"* ENABLED {' '.join(sorted(self.enabled))}".rstrip())

    def _namespace(self, _arguments: list[Any]) -> None:
        self._send('* NAMESPACE (("" "/")) (("Other/" "/")) (("Shared/" "/"))')

    def _noop(self, _arguments: list[Any]) -> None:
        self._refresh()

    def _login(self, arguments: list[Any]) -> str:
        if "LOGINDISABLED" in self._offered():
            raise NoError("[PRIVACYREQUIRED] log-in is disabled on an unencrypted line")
        return self._log_in(as_text(arguments[0]), as_text(arguments[1]))

    def _log_in(self, user: str, password: str) -> str:
        stand_in = self.server.stand_in
        self._refuse_if_busy()
        if stand_in.users.get(user) != password:
            raise NoError("[AUTHENTICATIONFAILED] invalid credentials")
        self.is_in = True
        return f"[CAPABILITY {' '.join(self._offered())}] logged in"

    def _refuse_if_busy(self) -> None:
        if self.server.stand_in.faults.take("busy_logins"):
            raise NoError("[UNAVAILABLE] try again later")

    def _authenticate(self, arguments: list[Any]) -> str:
        mechanism = str(arguments[0]).upper()
        if f"AUTH={mechanism}" not in self._offered():
            raise NoError("[CANNOT] unsupported mechanism")
        said = self._answer_to(b"")
        if mechanism != "PLAIN":
            self._refuse_if_busy()
        if mechanism == "PLAIN":
            _, user, password = said.split("\0")
            return self._log_in(user, password)
        match = re.search(r"(?:user|a)=([^\x01,]+).*auth=Bearer ([^\x01]*)\x01\x01$", said, re.S)
        if match is None:
            raise BadError("malformed answer")
        user = match[1].replace("=2C", ",").replace("=3D", "=")
        if user not in self.server.stand_in.users or match[2] not in self.server.stand_in.tokens:
            challenge = {"status": "400", "schemes": "Bearer", "scope": "https://mail.example.com/"}
            self._answer_to(json.dumps(challenge).encode())
            raise NoError("[AUTHENTICATIONFAILED] invalid credentials")
        self.is_in = True
        return f"[CAPABILITY {' '.join(self._offered())}] logged in"

    def _answer_to(self, challenge: bytes) -> str:
        self._send("+ " + base64.b64encode(challenge).decode())
        line = self.rfile.readline(65_536).strip()
        if line == b"*":
            raise BadError("given up")
        return base64.b64decode(line).decode("utf-8", "replace")

    def _logout(self, _arguments: list[Any]) -> None:
        self._send("* BYE until next time")

    def _list(self, arguments: list[Any], name: str = "LIST") -> None:
        pattern = as_text(arguments[0]) + as_text(arguments[1])
        if pattern == "":
            self._send(f'* {name} (\\Noselect) "/" ""')
            return
        regex = re.escape(pattern).replace(r"\*", ".*").replace("%", "[^/]*")
        is_told = "SPECIAL-USE" in self._offered()
        for folder in self.server.stand_in.store.names():
            if re.fullmatch(regex, folder, re.I if folder == "INBOX" else 0):
                use = self.server.stand_in.uses.get(decode_name(folder), "")
                shown = use if is_told or use == "\\Noselect" else ""
                self._send(f'* {name} ({shown}) "/" {quoted(folder)}')

    def _lsub(self, arguments: list[Any]) -> None:
        self._list(arguments, "LSUB")

    def _status(self, arguments: list[Any]) -> None:
        folder = self._find(as_text(arguments[0]))
        values = {
            "MESSAGES": len(folder.mails()),
            "RECENT": 0,
            "UNSEEN": sum("\\Seen" not in mail.flags for mail in folder.mails()),
            "UIDNEXT": folder.uidnext,
            "UIDVALIDITY": folder.uidvalidity,
            "HIGHESTMODSEQ": folder.modseq,
        }
        asked = [str(item).upper() for item in arguments[1]]
        found = " ".join(f"{item} {values[item]}" for item in asked if item in values)
        self._send(f"* STATUS {quoted(folder.name)} ({found})")

    def _select(self, arguments: list[Any]) -> str:
        return self._open_folder(arguments, is_read_only=False)

    def _examine(self, arguments: list[Any]) -> str:
        return self._open_folder(arguments, is_read_only=True)

    def _open_folder(self, arguments: list[Any], *, is_read_only: bool) -> str:
        self.folder = None
        name = as_text(arguments[0])
        parameters = arguments[1] if len(arguments) > 1 else []
        if self.server.stand_in.faults.take("busy_opens"):
            raise NoError("[INUSE] folder is locked by another process")
        folder = self._find(name)
        self.folder, self.mails, self.is_read_only = folder, folder.mails(), is_read_only
        self.uidvalidity = folder.uidvalidity
        self._send("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)")
        self._send(f"* {len(self.mails)} EXISTS")
        self._send("* 0 RECENT")
        self._send(f"* OK [UIDVALIDITY {folder.uidvalidity}] valid")
        self._send(f"* OK [UIDNEXT {folder.uidnext}] next")
        if "CONDSTORE" in self._offered():
            self._send(f"* OK [HIGHESTMODSEQ {folder.modseq}] highest")
        elif parameters:
            raise BadError("unknown parameter")
        if "QRESYNC" in parameters:
            if "QRESYNC" not in self.enabled:
                raise BadError("enable QRESYNC first")
            uidvalidity, modseq, known = parameters[parameters.index("QRESYNC") + 1][:3]
            self._resync(int(uidvalidity), int(modseq), str(known))
        return f"[{'READ-ONLY' if is_read_only else 'READ-WRITE'}] opened"

    def _close(self, _arguments: list[Any]) -> None:
        self.folder, self.mails = None, []

    def _append(self, arguments: list[Any]) -> str:
        folder = self._find(as_text(arguments[0]))
        if not isinstance(folder, Folder):
            raise NoError("[CANNOT] mails are not put under a label here")
        flags = [str(flag) for flag in arguments[1]] if isinstance(arguments[1], list) else []
        date = next((item for item in arguments[1:-1] if isinstance(item, str)), None)
        at = datetime.strptime(date.strip(), "%d-%b-%Y %H:%M:%S %z") if date else None
        payload = arguments[-1]
        if not isinstance(payload, bytes):
            raise BadError("a literal is expected")
        uid = folder.append(payload, at, flags)
        return f"[APPENDUID {folder.uidvalidity} {uid}] appended"

    def _idle(self, _arguments: list[Any]) -> str:
        self._send("+ idling")
        return "IDLE ended"

    def _wait_for_done(self) -> None:
        while line := self.rfile.readline(1_000):
            if line.strip().upper() == b"DONE":
                self._refresh()
                return
        raise HangUpError

    def _find(self, name: str) -> AnyFolder:
        folder = self.server.stand_in.store.opened(name)
        is_hollow = self.server.stand_in.uses.get(decode_name(name)) == "\\Noselect"
        if folder is None or is_hollow:
            raise NoError(f"[NONEXISTENT] no folder {name}")
        return folder


_COMMANDS: Mapping[str, Callable[[Connection, list[Any]], str | None]] = {
    "CAPABILITY": Connection._capability,
    "NOOP": Connection._noop,
    "CHECK": Connection._noop,
    "STARTTLS": Connection._start_tls,
    "LOGIN": Connection._login,
    "AUTHENTICATE": Connection._authenticate,
    "ENABLE": Connection._enable,
    "NAMESPACE": Connection._namespace,
    "LOGOUT": Connection._logout,
    "LIST": Connection._list,
    "LSUB": Connection._lsub,
    "STATUS": Connection._status,
    "SELECT": Connection._select,
    "EXAMINE": Connection._examine,
    "CLOSE": Connection._close,
    "UNSELECT": Connection._close,
    "APPEND": Connection._append,
    "IDLE": Connection._idle,
    "SEARCH": Connection._search,
    "FETCH": Connection._fetch,
    "UID SEARCH": Connection._uid_search,
    "UID FETCH": Connection._uid_fetch,
}

_BEFORE_LOGIN = frozenset({"CAPABILITY", "NOOP", "STARTTLS", "LOGIN", "AUTHENTICATE", "LOGOUT"})


class _Writer(io.BufferedIOBase):
    """Writes to an encrypted line at once, as `StreamRequestHandler` does to a plain one."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._line.sendall(content)
        return len(content)


def cut(connection: socket.socket) -> None:
    """Shuts a connection down, whatever its state."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
