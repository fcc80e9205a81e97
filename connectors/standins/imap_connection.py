"""One client's connection to the IMAP stand-in: reads commands, answers them, does the faults.

Belongs here: the commands. Does not belong here: listening (`imap`), words of the protocol (`imap_wire`), mails
on disk (`imap_store`).
"""

import re
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from connectors.standins.imap_store import Folder, MailStore, StoredMail
from connectors.standins.imap_wire import as_text, numbers, parse, quoted

IDLE_SECONDS = 120
"""A connection that stays silent this long is closed."""

MAX_LITERAL = 100_000_000

_CAPABILITIES = "IMAP4rev1 LITERAL+ IDLE UNSELECT UIDPLUS"
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")


@dataclass(slots=True)
class ImapFaults:
    """What goes wrong, and how often: each counter is used up by the requests that meet it.

    Args:
        drop_fetches: FETCHes of bodies that are cut in the middle of a literal.
        silent_fetches: FETCHes that are never answered.
        busy_logins: log-ins refused with `[UNAVAILABLE]`.
        throttled_fetches: FETCHes refused with `[THROTTLED]`.
        unreadable: names of files whose body the server refuses to hand over, until taken out.
        deadly: names of files whose body makes the server cut the line each time, until taken out.
        on_fetch: called with the folder before a FETCH of bodies is answered, once (expunge, renumber).
    """

    drop_fetches: int = 0
    silent_fetches: int = 0
    busy_logins: int = 0
    throttled_fetches: int = 0
    unreadable: set[str] = field(default_factory=set)
    deadly: set[str] = field(default_factory=set)
    on_fetch: list[Callable[[Folder], None]] = field(default_factory=list)

    def take(self, name: str) -> bool:
        """Whether this fault is due; uses it up by one."""
        left: int = getattr(self, name)
        if left:
            setattr(self, name, left - 1)
        return bool(left)


class ServerState(Protocol):
    """What all connections of a stand-in share."""

    store: MailStore
    users: dict[str, str]
    faults: ImapFaults
    lock: threading.RLock
    commands: list[str]


class StandinServer(Protocol):
    """The listening server, as a connection sees it."""

    stand_in: ServerState


class _HangUpError(Exception):
    """The connection ends here."""


class _SilenceError(Exception):
    """The command is never answered."""


class _NoError(Exception):
    """The command is answered with NO and this text."""


class _BadError(Exception):
    """The command is answered with BAD and this text."""


class Connection(socketserver.StreamRequestHandler):
    """Answers one client until it leaves."""

    server: StandinServer  # type: ignore[assignment]
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Starts without a user and without an open folder."""
        super().setup()
        self.is_in = False
        self.folder: Folder | None = None
        self.mails: list[StoredMail] = []
        self.is_read_only = True

    def handle(self) -> None:
        """Greets, then answers command after command."""
        try:
            self._send(f"* OK [CAPABILITY {_CAPABILITIES}] ready")
            while command := self._read_command():
                self._run(*command)
        except (_HangUpError, OSError, ValueError):
            cut(self.connection)

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
                raise _HangUpError
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
                    raise _BadError(f"unknown command {name}")
                if not self.is_in and name not in _BEFORE_LOGIN:
                    raise _BadError("log in first")
                done = handler(self, arguments)
            except _SilenceError:
                done = None
                is_silent = True
            except _NoError as error:
                self._send(f"{tag} NO {error}")
                return
            except (_BadError, IndexError, KeyError, TypeError, ValueError) as error:
                self._send(f"{tag} BAD {error}")
                return
        if is_silent:
            self.rfile.read(1)
            raise _HangUpError
        if name == "IDLE":
            self._wait_for_done()
        self._send(f"{tag} OK {done or name + ' completed'}")
        if name == "LOGOUT":
            raise _HangUpError

    def _capability(self, _arguments: list[Any]) -> None:
        self._send(f"* CAPABILITY {_CAPABILITIES}")

    def _noop(self, _arguments: list[Any]) -> None:
        self._refresh()

    def _login(self, arguments: list[Any]) -> str:
        stand_in = self.server.stand_in
        if stand_in.faults.take("busy_logins"):
            raise _NoError("[UNAVAILABLE] try again later")
        user, password = as_text(arguments[0]), as_text(arguments[1])
        if stand_in.users.get(user) != password:
            raise _NoError("[AUTHENTICATIONFAILED] invalid credentials")
        self.is_in = True
        return f"[CAPABILITY {_CAPABILITIES}] logged in"

    def _logout(self, _arguments: list[Any]) -> None:
        self._send("* BYE until next time")

    def _list(self, arguments: list[Any], name: str = "LIST") -> None:
        pattern = as_text(arguments[0]) + as_text(arguments[1])
        if pattern == "":
            self._send(f'* {name} (\\Noselect) "/" ""')
            return
        regex = re.escape(pattern).replace(r"\*", ".*").replace("%", "[^/]*")
        for folder in self.server.stand_in.store.names():
            if re.fullmatch(regex, folder, re.I if folder == "INBOX" else 0):
                self._send(f'* {name} () "/" {quoted(folder)}')

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
        folder = self._find(as_text(arguments[0]))
        self.folder, self.mails, self.is_read_only = folder, folder.mails(), is_read_only
        self._send("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)")
        self._send(f"* {len(self.mails)} EXISTS")
        self._send("* 0 RECENT")
        self._send(f"* OK [UIDVALIDITY {folder.uidvalidity}] valid")
        self._send(f"* OK [UIDNEXT {folder.uidnext}] next")
        return f"[{'READ-ONLY' if is_read_only else 'READ-WRITE'}] opened"

    def _close(self, _arguments: list[Any]) -> None:
        self.folder, self.mails = None, []

    def _append(self, arguments: list[Any]) -> str:
        folder = self._find(as_text(arguments[0]))
        flags = [str(flag) for flag in arguments[1]] if isinstance(arguments[1], list) else []
        date = next((item for item in arguments[1:-1] if isinstance(item, str)), None)
        at = datetime.strptime(date.strip(), "%d-%b-%Y %H:%M:%S %z") if date else None
        payload = arguments[-1]
        if not isinstance(payload, bytes):
            raise _BadError("a literal is expected")
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
        raise _HangUpError

    def _search(self, arguments: list[Any], *, by_uid: bool = False) -> None:
        self._opened()
        self._refresh()
        terms = [str(each).upper() if isinstance(each, str) else each for each in arguments]
        if terms[:1] == ["CHARSET"]:
            terms = terms[2:]
        numbered = list(enumerate(self.mails, start=1))
        index = 0
        while index < len(terms):
            term = terms[index]
            index += 1
            if term == "UID":
                uids = numbers(str(terms[index]), [mail.uid for mail in self.mails])
                numbered = [each for each in numbered if each[1].uid in uids]
                index += 1
            elif term == "UNSEEN":
                numbered = [each for each in numbered if "\\Seen" not in each[1].flags]
            elif term == "SEEN":
                numbered = [each for each in numbered if "\\Seen" in each[1].flags]
            elif isinstance(term, str) and re.fullmatch(r"[\d:*,]+", term):
                wanted = numbers(term, range(1, len(self.mails) + 1))
                numbered = [each for each in numbered if each[0] in wanted]
            elif term != "ALL":
                raise _BadError(f"unknown search key {term}")
        found = (str(mail.uid if by_uid else number) for number, mail in numbered)
        self._send(" ".join(["* SEARCH", *found]))

    def _uid_search(self, arguments: list[Any]) -> None:
        self._search(arguments, by_uid=True)

    def _fetch(self, arguments: list[Any], *, by_uid: bool = False) -> None:
        folder = self._opened()
        items = arguments[1] if isinstance(arguments[1], list) else [arguments[1]]
        names = [str(item).upper() for item in items]
        has_body = any(
            name.startswith(("BODY", "RFC822")) and name != "RFC822.SIZE" for name in names
        )
        faults = self.server.stand_in.faults
        if has_body:
            self._suffer(faults, folder)
        keys = [mail.uid for mail in self.mails] if by_uid else range(1, len(self.mails) + 1)
        wanted = numbers(str(arguments[0]), keys)
        cut = has_body and faults.take("drop_fetches")
        for number, mail in enumerate(self.mails, start=1):
            if (mail.uid if by_uid else number) in wanted:
                self._send_mail(number, mail, names, has_body=has_body, by_uid=by_uid, cut=cut)

    def _uid_fetch(self, arguments: list[Any]) -> None:
        self._fetch(arguments, by_uid=True)

    def _suffer(self, faults: ImapFaults, folder: Folder) -> None:
        if faults.on_fetch:
            faults.on_fetch.pop(0)(folder)
        if faults.take("throttled_fetches"):
            raise _NoError("[THROTTLED] bandwidth limit reached")
        if faults.take("silent_fetches"):
            raise _SilenceError

    def _send_mail(
        self,
        number: int,
        mail: StoredMail,
        names: Sequence[str],
        *,
        has_body: bool,
        by_uid: bool,
        cut: bool,
    ) -> None:
        faults = self.server.stand_in.faults
        payload = mail.payload() if has_body or "RFC822.SIZE" in names else b""
        if payload is None:
            return
        if has_body and mail.name in faults.unreadable:
            raise _NoError("message unreadable")
        if has_body and mail.name in faults.deadly:
            raise _HangUpError
        asked = [*names, *(["UID"] if by_uid and "UID" not in names else [])]
        parts = [self._item(name, mail, payload) for name in asked]
        reply = b"* %d FETCH (" % number + b" ".join(parts) + b")\r\n"
        if cut:
            self.wfile.write(reply[: len(reply) // 2])
            raise _HangUpError
        self.wfile.write(reply)

    def _item(self, name: str, mail: StoredMail, payload: bytes) -> bytes:
        if name == "UID":
            return b"UID %d" % mail.uid
        if name == "FLAGS":
            return f"FLAGS ({' '.join(mail.flags)})".encode()
        if name == "INTERNALDATE":
            return f'INTERNALDATE "{mail.internal_date:%d-%b-%Y %H:%M:%S %z}"'.encode()
        if name == "RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(payload)
        if name in ("BODY[]", "RFC822") and not self.is_read_only:
            mail.add_flag("\\Seen")
        if name in ("BODY[]", "BODY.PEEK[]", "RFC822"):
            label = b"RFC822" if name == "RFC822" else b"BODY[]"
            return label + b" {%d}\r\n" % len(payload) + payload
        if name in ("BODY[HEADER]", "BODY.PEEK[HEADER]", "RFC822.HEADER"):
            head = payload.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            label = b"RFC822.HEADER" if name == "RFC822.HEADER" else b"BODY[HEADER]"
            return label + b" {%d}\r\n" % len(head) + head
        raise _BadError(f"unknown fetch item {name}")

    def _find(self, name: str) -> Folder:
        folder = self.server.stand_in.store.folder(name)
        if folder is None:
            raise _NoError(f"[NONEXISTENT] no folder {name}")
        return folder

    def _opened(self) -> Folder:
        if self.folder is None:
            raise _BadError("open a folder first")
        return self.folder

    def _refresh(self) -> None:
        """Tells the client what came and went since it last looked."""
        if self.folder is None:
            return
        now = self.folder.mails()
        uids = {mail.uid for mail in now}
        for number in range(len(self.mails), 0, -1):
            if self.mails[number - 1].uid not in uids:
                self._send(f"* {number} EXPUNGE")
        if len(now) != len(self.mails):
            self._send(f"* {len(now)} EXISTS")
        self.mails = now

    def _send(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


_COMMANDS: Mapping[str, Callable[[Connection, list[Any]], str | None]] = {
    "CAPABILITY": Connection._capability,
    "NOOP": Connection._noop,
    "CHECK": Connection._noop,
    "LOGIN": Connection._login,
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

_BEFORE_LOGIN = frozenset({"CAPABILITY", "NOOP", "LOGIN", "LOGOUT"})


def cut(connection: socket.socket) -> None:
    """Shuts a connection down, whatever its state."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
