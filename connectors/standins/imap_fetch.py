"""SEARCH and FETCH of the IMAP stand-in, with what servers do besides answering.

Belongs here: the open folder's mails on the wire, and the faults of FETCH. Does not belong here: other commands
(`imap_connection`), mails on disk (`imap_store`).

Source: RFC 3501 §6.4.4, §6.4.5, §7.4.2; RFC 7162 §3.1.4 (CHANGEDSINCE), §3.2.10 (VANISHED).
"""

import re
import socket
import socketserver
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.standins.imap_store import AnyFolder, MailStore, StoredMail
from connectors.standins.imap_wire import encode_name, number_set, numbers, quoted


@dataclass(slots=True)
class ImapFaults:
    """What goes wrong, and how often: each counter is used up by the requests that meet it.

    Args:
        drop_fetches: FETCHes of bodies that are cut in the middle of a literal.
        silent_fetches: FETCHes that are never answered.
        busy_logins: log-ins refused with `[UNAVAILABLE]`.
        busy_opens: SELECTs and EXAMINEs refused with `[INUSE]`.
        throttled_fetches: FETCHes refused with `throttle_text`.
        throttle_text: how this provider words it.
        bye_fetches: FETCHes answered with `* BYE` and `bye_text`, then the line is cut.
        bye_text: why.
        unreadable: names of files whose body the server refuses to hand over, until taken out.
        deadly: names of files whose body makes the server cut the line each time, until taken out.
        bodiless: names of files whose body comes as NIL, until taken out.
        on_fetch: called with the folder before a FETCH of bodies is answered, once (expunge, renumber).
        is_chatty: FETCH answers come in reverse order, between news about other mails that nobody asked for.
        knows_no_parts: `BODY[]<0.100>` gives the whole body.
    """

    drop_fetches: int = 0
    silent_fetches: int = 0
    busy_logins: int = 0
    busy_opens: int = 0
    throttled_fetches: int = 0
    throttle_text: str = "[THROTTLED] bandwidth limit reached"
    bye_fetches: int = 0
    bye_text: str = "server is going down"
    unreadable: set[str] = field(default_factory=set)
    deadly: set[str] = field(default_factory=set)
    bodiless: set[str] = field(default_factory=set)
    on_fetch: list[Callable[[Any], None]] = field(default_factory=list)
    is_chatty: bool = False
    knows_no_parts: bool = False

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
    tokens: set[str]
    faults: ImapFaults
    lock: threading.RLock
    commands: list[str]
    uses: Mapping[str, str]

    def capabilities(self, *, is_encrypted: bool) -> Collection[str]:
        """What is offered on a connection."""
        ...

    def encrypt(self, line: socket.socket) -> socket.socket:
        """TLS on a connection that began without."""
        ...


class StandinServer(Protocol):
    """The listening server, as a connection sees it."""

    stand_in: ServerState


class HangUpError(Exception):
    """The connection ends here."""


class SilenceError(Exception):
    """The command is never answered."""


class NoError(Exception):
    """The command is answered with NO and this text."""


class BadError(Exception):
    """The command is answered with BAD and this text."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One FETCH: its items, and whether it is by UID."""

    names: Sequence[str]
    by_uid: bool
    is_cut: bool

    @property
    def has_body(self) -> bool:
        """Whether it asks for bodies or headers."""
        return any(n.startswith(("BODY", "RFC822")) and n != "RFC822.SIZE" for n in self.names)


class MailCommands(socketserver.StreamRequestHandler):
    """The commands that look at the open folder's mails."""

    server: StandinServer  # type: ignore[assignment]
    folder: AnyFolder | None
    mails: list[StoredMail]
    is_read_only: bool
    enabled: set[str]

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
                raise BadError(f"unknown search key {term}")
        found = (str(mail.uid if by_uid else number) for number, mail in numbered)
        self._send(" ".join(["* SEARCH", *found]))

    def _uid_search(self, arguments: list[Any]) -> None:
        self._search(arguments, by_uid=True)

    def _fetch(self, arguments: list[Any], *, by_uid: bool = False) -> None:
        folder = self._opened()
        items = arguments[1] if isinstance(arguments[1], list) else [arguments[1]]
        faults = self.server.stand_in.faults
        asked = _Asked([str(item).upper() for item in items], by_uid, faults.drop_fetches > 0)
        if asked.has_body:
            self._suffer(faults, folder)
            faults.take("drop_fetches")
        since = self._changed_since(arguments[2:])
        keys = [mail.uid for mail in self.mails] if by_uid else range(1, len(self.mails) + 1)
        wanted = numbers(str(arguments[0]), keys)
        chosen = [
            (number, mail)
            for number, mail in enumerate(self.mails, start=1)
            if (mail.uid if by_uid else number) in wanted and mail.modseq > since
        ]
        if faults.is_chatty:
            chosen.reverse()
        for number, mail in chosen:
            if faults.is_chatty:
                self._chatter(number)
            self._send_mail(number, mail, asked)

    def _changed_since(self, modifiers: Sequence[Any]) -> int:
        words = [str(word).upper() for word in modifiers[0]] if modifiers else []
        if "CHANGEDSINCE" not in words:
            return 0
        if "CONDSTORE" not in self._offered():
            raise BadError("unknown modifier CHANGEDSINCE")
        self.mails = self._opened().mails()
        return int(words[words.index("CHANGEDSINCE") + 1])

    def _chatter(self, number: int) -> None:
        """News about another mail, without its UID: legal at any time (RFC 3501 §7.4.2)."""
        other = number % len(self.mails) + 1
        self._send(f"* {other} FETCH (FLAGS (\\Seen \\Flagged $Noticed))")
        self._send("* OK still here")
        self._send(f"* {len(self.mails)} EXISTS")

    def _uid_fetch(self, arguments: list[Any]) -> None:
        self._fetch(arguments, by_uid=True)

    def _suffer(self, faults: ImapFaults, folder: AnyFolder) -> None:
        if faults.on_fetch:
            faults.on_fetch.pop(0)(folder)
        if faults.take("throttled_fetches"):
            raise NoError(faults.throttle_text)
        if faults.take("bye_fetches"):
            self._send(f"* BYE {faults.bye_text}")
            raise HangUpError
        if faults.take("silent_fetches"):
            raise SilenceError

    def _send_mail(self, number: int, mail: StoredMail, asked: _Asked) -> None:
        faults = self.server.stand_in.faults
        needs_payload = asked.has_body or "RFC822.SIZE" in asked.names
        payload = mail.payload() if needs_payload else b""
        if payload is None:
            return
        if asked.has_body and mail.name in faults.unreadable:
            raise NoError("message unreadable")
        if asked.has_body and mail.name in faults.deadly:
            raise HangUpError
        names = [*asked.names, *(["UID"] if asked.by_uid and "UID" not in asked.names else [])]
        parts = [self._item(name, mail, payload) for name in names]
        reply = b"* %d FETCH (" % number + b" ".join(parts) + b")\r\n"
        if asked.has_body and asked.is_cut:
            self.wfile.write(reply[: len(reply) // 2])
            raise HangUpError
        self.wfile.write(reply)

    def _item(self, name: str, mail: StoredMail, payload: bytes) -> bytes:
        if name == "UID":
            return b"UID %d" % mail.uid
        if name == "FLAGS":
            return f"FLAGS ({' '.join(mail.flags)})".encode()
        if name == "MODSEQ" and "CONDSTORE" in self._offered():
            return b"MODSEQ (%d)" % mail.modseq
        if name.startswith("X-GM-") and "X-GM-EXT-1" in self._offered():
            return self._gmail_item(name, mail)
        if name == "INTERNALDATE":
            return f'INTERNALDATE "{mail.internal_date:%d-%b-%Y %H:%M:%S %z}"'.encode()
        if name == "RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(payload)
        if name in ("BODY[]", "RFC822") and not self.is_read_only:
            mail.add_flag("\\Seen")
        part = re.fullmatch(r"(BODY(?:\.PEEK)?\[\])(?:<(\d+)\.(\d+)>)?|RFC822", name)
        if part:
            return self._body(mail, payload, name == "RFC822", part[2], part[3])
        if name in ("BODY[HEADER]", "BODY.PEEK[HEADER]", "RFC822.HEADER"):
            head = payload.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            label = b"RFC822.HEADER" if name == "RFC822.HEADER" else b"BODY[HEADER]"
            return label + b" {%d}\r\n" % len(head) + head
        raise BadError(f"unknown fetch item {name}")

    def _body(
        self, mail: StoredMail, payload: bytes, is_old: bool, start: str | None, length: str | None
    ) -> bytes:
        label = b"RFC822" if is_old else b"BODY[]"
        if start is not None and length is not None:
            if not self.server.stand_in.faults.knows_no_parts:
                payload = payload[int(start) : int(start) + int(length)]
            label += b"<%d>" % int(start)
        if mail.name in self.server.stand_in.faults.bodiless:
            return label + b" NIL"
        return label + b" {%d}\r\n" % len(payload) + payload

    def _gmail_item(self, name: str, mail: StoredMail) -> bytes:
        if name == "X-GM-LABELS":
            words = [
                each if each.startswith("\\") else quoted(encode_name(each)) for each in mail.labels
            ]
            return f"X-GM-LABELS ({' '.join(words)})".encode()
        if name in ("X-GM-MSGID", "X-GM-THRID"):
            return f"{name} {mail.gmail_id}".encode()
        raise BadError(f"unknown fetch item {name}")

    def _resync(self, uidvalidity: int, modseq: int, known: str) -> None:
        """What changed and went since, as EXAMINE with QRESYNC tells it."""
        folder = self._opened()
        if folder.uidvalidity != uidvalidity:
            return
        gone = [u for u in folder.expunged_since(modseq) if u in numbers(known, [u])]
        if gone:
            self._send(f"* VANISHED (EARLIER) {number_set(gone)}")
        for number, mail in enumerate(self.mails, start=1):
            if mail.modseq > modseq and mail.uid in numbers(known, [mail.uid]):
                flags = " ".join(mail.flags)
                self._send(
                    f"* {number} FETCH (UID {mail.uid} FLAGS ({flags}) MODSEQ ({mail.modseq}))"
                )

    def _opened(self) -> AnyFolder:
        if self.folder is None:
            raise BadError("open a folder first")
        return self.folder

    def _refresh(self) -> None:
        """Tells the client what came and went since it last looked."""
        if self.folder is None:
            return
        now = self.folder.mails()
        uids = {mail.uid for mail in now}
        gone = [
            number
            for number in range(len(self.mails), 0, -1)
            if self.mails[number - 1].uid not in uids
        ]
        if gone and "QRESYNC" in self.enabled:
            self._send(f"* VANISHED {number_set(self.mails[number - 1].uid for number in gone)}")
        else:
            for number in gone:
                self._send(f"* {number} EXPUNGE")
        if len(now) != len(self.mails):
            self._send(f"* {len(now)} EXISTS")
        self.mails = now

    def _send(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def _offered(self) -> Collection[str]:
        raise NotImplementedError
