"""Mails that a vendor hands out one by one, under ids of its own: which are known, fetched, owed, gone.

Belongs here: what Microsoft Graph and the Gmail API share. Does not belong here: any vendor's paths, or how changes are
told (`graph`, `gmail`).

A mail is known by its vendor's id, so it is fetched once, whatever is listed again. One that left the folders which are
read is remembered apart (`gone`): should it come back, it needs no second look, and while it is away it does not
take part in counting identical bytes. Beside the start of the digest that costs eight bytes a mail.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from connectors.contract import Cursor
from connectors.errors import ConnectorError, NotFoundError, RejectedError, UnavailableError
from connectors.mailbox.pages import (
    MEDIA_TYPE,
    STREAM,
    PageFiller,
    digest_start_of,
    mail_record,
    tombstone,
)
from connectors.mailbox.seen import SeenMails
from transforms.model import RawRecord

logger = logging.getLogger(__name__)

KEY_BYTES = 8

GONE_LIMIT = 20_000
"""Mails remembered that are in no folder any more; the oldest are forgotten."""

WORKERS = 4
"""Mails fetched at a time. Source: Graph, "Outlook service limits" (4 requests at a time for a mailbox)."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A mail as the vendor gave it. `left_out`: why it is none that is wanted (a draft, a chat), and not stored."""

    payload: bytes
    location: Mapping[str, Any]
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mail to be fetched: where it lies, its vendor's id, and what the list said of it.

    `is_uncertain`: the list did not say whether it is a draft.
    """

    container: str
    vendor_id: str
    location: Mapping[str, Any]
    is_uncertain: bool = False


def hashed_key(vendor_id: str) -> int:
    """The key under which a mail with an opaque id is remembered; ids that differ in case only are different."""
    return int.from_bytes(hashlib.sha256(vendor_id.encode()).digest()[:KEY_BYTES], "big")


def unfetched_id(vendor_id: str) -> str:
    """The id of the empty record that stands for a mail which the vendor could not hand over."""
    return f"unfetched:{hashlib.sha256(vendor_id.encode()).hexdigest()[:32]}"


class KnownMails:
    """What a cursor remembers of single mails."""

    def __init__(self, cursor: Cursor | None, key_of: Callable[[str], int] = hashed_key) -> None:
        """Reads a cursor; `key_of` makes eight-byte keys of the vendor's ids."""
        held = dict(cursor or {})
        self.key_of = key_of
        self.seen = SeenMails(held.get("mails"), key_bytes=KEY_BYTES)
        self.gone = SeenMails(held.get("gone"), key_bytes=KEY_BYTES)
        self.owed: dict[str, str] = dict(held.get("owed", {}))
        """Vendor's id → container of mails that exist and could not be handed over."""
        self.left_out: dict[str, int] = dict(held.get("left_out", {}))
        """Why mails were left out, and how many."""
        self.withdrawn: list[RawRecord] = []
        """Tombstones of owed mails that are owed no longer; the next page has to carry them."""

    def packed(self) -> dict[str, Any]:
        """This part of the cursor."""
        parts = {
            "mails": self.seen.packed(),
            "gone": self.gone.packed(),
            "owed": dict(self.owed),
            "left_out": dict(self.left_out),
        }
        return {name: part for name, part in parts.items() if part}

    def container_of(self, key: int) -> str | None:
        """Where a known mail lies; None for one that is in no folder or was never met."""
        return next((one for one in self.seen.containers() if key in self.seen.keys(one)), None)

    def is_remembered(self, key: int) -> bool:
        """Whether a mail was given before, wherever it lies now."""
        return self.container_of(key) is not None or key in self.gone.keys("")

    def settle(self, container: str, vendor_id: str) -> bool:
        """Whether a mail that a list names is known, also from another folder; it lies here from now on."""
        key = self.key_of(vendor_id)
        before = self.container_of(key)
        if before == container:
            return True
        if before is not None:
            prefix = self.seen.prefix(before, key)
            self.seen.drop(before, [key])
        else:
            prefix = self.gone.prefix("", key)
            self.gone.drop("", [key])
        if not prefix:
            return False
        self.seen.add(container, key, prefix)
        return True

    def leave(self, container: str, keys: Iterable[int]) -> None:
        """Mails that are not in this folder any more; their records stay."""
        leaving = list(keys)
        for key in leaving:
            prefix = self.seen.prefix(container, key)
            if prefix and key not in self.gone.keys(""):
                self.gone.add("", key, prefix)
        self.seen.drop(container, leaving)
        surplus = len(self.gone.keys("")) - GONE_LIMIT
        if surplus > 0:
            self.gone.drop("", list(self.gone.keys(""))[:surplus])

    def leave_all_but(self, containers: Iterable[str]) -> None:
        """Folders that are read no longer."""
        for container in set(self.seen.containers()) - set(containers):
            self.leave(container, list(self.seen.keys(container)))

    def lose(self, held: Collection[bytes]) -> None:
        """Forgets mails whose records are not here (starts of digests in `held`), so that they are fetched again."""
        for memory in (self.seen, self.gone):
            for container in list(memory.containers()):
                keys = list(memory.keys(container))
                memory.drop(
                    container, [key for key in keys if memory.prefix(container, key) not in held]
                )

    def pay(self, vendor_id: str, location: Mapping[str, Any]) -> None:
        """An owed mail came or went: what stood for it is withdrawn."""
        if self.owed.pop(vendor_id, None) is not None:
            self.withdrawn.append(tombstone(unfetched_id(vendor_id), location))

    def vanished(self, held: Iterable[str]) -> list[str]:
        """Remote ids that are held here and that no folder has any more."""
        starts = ((remote_id, digest_start_of(remote_id)) for remote_id in held)
        return [
            remote_id
            for remote_id, start in starts
            if start is not None and start[1] > self.seen.count(start[0])
        ]

    def note_left_out(self, reason: str) -> None:
        """Counts a mail that is not wanted."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


class Fetcher:
    """Fetches mails with a few threads and gathers them into pages, in order.

    Args:
        known: the cursor's memory, which it moves.
        hand_over: asks the vendor for one mail; raises `NotFoundError` for one that is gone.
        is_up: one cheap call that works where the vendor does; raises where it does not.
        still_there: of known mails in a container, the keys of those that are still there.
        filler: bounds of pages.
        label: how log lines name the mailbox.
    """

    def __init__(
        self,
        known: KnownMails,
        hand_over: Callable[[Wanted], Handed],
        is_up: Callable[[], object],
        still_there: Callable[[str, Collection[int]], Collection[int]],
        filler: PageFiller,
        label: str,
    ) -> None:
        """Starts with an empty page."""
        self.filler = filler
        self._known, self._hand_over, self._is_up = known, hand_over, is_up
        self._still_there, self._label = still_there, label

    def pages(self, wanted: Sequence[Wanted]) -> Iterator[list[RawRecord]]:
        """Full pages of what is wanted; the last one, not full, is left in the filler.

        What was fetched before an error is given as a page, then the error is raised.
        """
        try:
            for one, answer in self._answers(wanted):
                handed, problem = self._judged(one, answer)
                size = len(handed.payload) if handed is not None else 0
                if self.filler.is_full_for(size):
                    yield self.filler.take()
                self._take(one, handed, problem)
        except ConnectorError:
            if self.filler.records:
                yield self.filler.take()
            raise

    def _answers(self, wanted: Sequence[Wanted]) -> Iterator[tuple[Wanted, "Future[Handed]"]]:
        """Answers in order, never more of them in memory than there are workers."""
        waiting: deque[tuple[Wanted, Future[Handed]]] = deque()
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="mail") as pool:
            try:
                for one in wanted:
                    if len(waiting) >= WORKERS:
                        yield waiting.popleft()
                    waiting.append((one, pool.submit(self._hand_over, one)))
                while waiting:
                    yield waiting.popleft()
            finally:
                pool.shutdown(cancel_futures=True)

    def _judged(self, one: Wanted, answer: "Future[Handed]") -> tuple[Handed | None, str]:
        """The mail, or why it cannot be had; neither for one that is gone.

        Raises:
            ConnectorError: nothing of this mail's own: the vendor is down, or refuses us.
        """
        try:
            return answer.result(), ""
        except NotFoundError:
            self._known.note_left_out("gone before it was fetched")
            logger.info("%s: mail %s was deleted before it was fetched", self._label, one.vendor_id)
            return None, ""
        except (RejectedError, UnavailableError) as error:
            # Where the vendor still answers, it is this mail that it cannot hand over.
            self._is_up()
            return None, str(error)[:500]

    def _take(self, one: Wanted, handed: Handed | None, problem: str) -> None:
        known = self._known
        if problem:
            known.owed[one.vendor_id] = one.container
            location = {**one.location, "problem": problem}
            self.filler.add(
                RawRecord(STREAM, unfetched_id(one.vendor_id), b"", MEDIA_TYPE, location=location)
            )
            return
        known.pay(one.vendor_id, one.location)
        if handed is None:
            return
        if handed.left_out:
            known.note_left_out(handed.left_out)
            return
        self._forget_moved(handed.payload)
        location = {**one.location, **handed.location}
        key = known.key_of(one.vendor_id)
        self.filler.add(mail_record(handed.payload, one.container, key, known.seen, location))

    def _forget_moved(self, payload: bytes) -> None:
        """Looks whether known mails with the same bytes are still there, before a number is given.

        One that was moved under another id (to an archive and back, out and in again) would count as a second one.
        """
        digest = hashlib.sha256(payload).digest()
        if not self._known.seen.count(digest):
            return
        holders: dict[str, set[int]] = {}
        for container, key in self._known.seen.holders([digest]):
            holders.setdefault(container, set()).add(key)
        for container, keys in holders.items():
            self._known.leave(container, keys - set(self._still_there(container, keys)))
