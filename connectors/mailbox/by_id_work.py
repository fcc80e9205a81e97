"""One pull or recount of a mailbox that hands out its mails one by one: the frame that Graph and the Gmail API share.

Belongs here: the order of a recount, pages with the cursor behind them, mails that are owed. Does not belong here: what a
vendor's lists and changes say (`graph`, `gmail`), what is remembered of single mails (`by_id`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from connectors.contract import ContainerCount, Page, Recount
from connectors.errors import ConfigurationError
from connectors.http import PolicySession
from connectors.mailbox.by_id import Fetcher, Handed, KnownMails, Wanted
from connectors.mailbox.pages import PageFiller, digest_start_of
from transforms.model import RawRecord

Row = Mapping[str, Any]
"""A mail as a list names it; `id` is the vendor's."""


class ByIdWork(ABC):
    """The cursor as it moves, and what went wrong with single containers (a folder, a whole mailbox)."""

    def __init__(self, session: PolicySession, known: KnownMails, filler: PageFiller) -> None:
        """Starts with an empty page.

        Args:
            session: whose calls and waiting the pages tell.
            known: what the cursor remembers of single mails.
            filler: bounds of pages.
        """
        self.known, self.session, self.filler = known, session, filler
        self.troubles: list[str] = []
        """What is told, as one error, after everything else was read."""
        self._fetcher = Fetcher(
            known, self.hand_over, self.is_up, self.still_there, filler, session.label
        )
        self._calls_told = session.calls
        self._waited_told = session.seconds_waited

    @abstractmethod
    def open(self) -> Sequence[str]:
        """Keys of the containers to be read, as the cursor remembers mails under them."""

    @abstractmethod
    def name_of(self, container: str) -> str:
        """What people call a container."""

    @abstractmethod
    def follow(self, container: str) -> Iterator[Page]:
        """Reads a container's changes since the cursor."""

    @abstractmethod
    def listing(self, container: str) -> Collection[Row] | None:
        """Everything in a container that is a mail; None where it is gone, which is noted as a trouble."""

    @abstractmethod
    def take_listing(self, container: str, rows: Collection[Row]) -> Iterator[Page]:
        """Settles what is in a container by its list: fetches what is not known, leaves what is not there."""

    @abstractmethod
    def owed_location(self, container: str, vendor_id: str) -> dict[str, Any]:
        """Where a mail lies that could not be handed over."""

    @abstractmethod
    def cursor(self) -> dict[str, Any]:
        """The vendor's part of the cursor."""

    @abstractmethod
    def hand_over(self, one: Wanted) -> Handed:
        """Asks for one mail; see `Fetcher`."""

    @abstractmethod
    def is_up(self) -> object:
        """One cheap call; see `Fetcher`."""

    @abstractmethod
    def still_there(self, container: str, keys: Collection[int]) -> Collection[int]:
        """Which of known mails are still there; see `Fetcher`."""

    def retry_owed(self) -> Iterator[Page]:
        """Asks again for mails that could not be handed over."""
        owed = [
            Wanted(container, one, self.owed_location(container, one))
            for one, container in self.known.owed.items()
        ]
        yield from self.fetched(owed)
        yield from self.rest()

    def compare(
        self, container: str, before: set[int], arrived: set[int], found: Recount
    ) -> Iterator[Page]:
        """Lists a container, counts what is found, and fetches what is missing.

        Args:
            container: its key.
            before: keys of the mails that were known to be in it.
            arrived: keys of those that its changes brought.
            found: takes the figures.
        """
        rows = self.listing(container)
        if rows is None:
            return
        listed = {self.known.key_of(str(row["id"])) for row in rows}
        missing = sum(not self.known.is_remembered(key) for key in listed)
        found.containers.append(
            ContainerCount(
                name=self.name_of(container),
                listed=len(listed),
                known=len(listed - arrived) - missing,
                missing=missing,
                arrived=len(arrived & listed),
                vanished=len(before - listed),
            )
        )
        yield from self.take_listing(container, rows)

    def fetched(self, wanted: Sequence[Wanted]) -> Iterator[Page]:
        """Full pages of what is wanted; the rest stays in the page under way."""
        for records in self._fetcher.pages(wanted):
            yield self.page(records, complete=False)

    def rest(self) -> Iterator[Page]:
        """The page under way, so that nothing which fails later takes it along."""
        if self.filler.records or self.known.withdrawn:
            yield self.page(self.filler.take(), complete=False)

    def last_page(self, found: Recount | None = None, held: Collection[str] = ()) -> Iterator[Page]:
        """The cursor behind everything, then what went wrong with single containers.

        Args:
            found: of a recount; is told which of the `held` mails no container has any more, if all could be read.
            held: remote ids.

        Raises:
            ConfigurationError: some containers could not be read.
        """
        if found is not None and not self.troubles:
            found.gone.extend(self.known.vanished(held))
        yield self.page(self.filler.take(), complete=not self.troubles)
        if self.troubles:
            raise ConfigurationError("; ".join(self.troubles))

    def page(self, records: Sequence[RawRecord], *, complete: bool) -> Page:
        """A page with the cursor behind it, and the calls made since the page before."""
        calls, waited = self.session.calls, self.session.seconds_waited
        page = Page(
            [*self.known.withdrawn, *records],
            {**self.cursor(), **self.known.packed()},
            complete,
            calls=calls - self._calls_told,
            seconds_waited=waited - self._waited_told,
        )
        self.known.withdrawn.clear()
        self._calls_told, self._waited_told = calls, waited
        return page


def recount_of(begin: Callable[[], ByIdWork], held: Collection[str]) -> Recount:
    """A recount under way; nothing is called before its first page is asked for.

    Args:
        begin: starts the work.
        held: see `connectors.contract.Recounting`.
    """
    found = Recount(iter(()))
    found.pages = _recounted(begin, held, found)
    return found


def _recounted(
    begin: Callable[[], ByIdWork], held: Collection[str], found: Recount
) -> Iterator[Page]:
    work = begin()
    work.known.lose({start[0] for start in map(digest_start_of, held) if start is not None})
    # Opened first: which container an owed mail lies in, and whether it is still read, is known after that.
    containers = work.open()
    yield from work.retry_owed()
    for container in containers:
        # One by one: what moved into a container that was read before is no mail that vanished from this one.
        before = set(work.known.seen.keys(container))
        yield from work.follow(container)
        arrived = set(work.known.seen.keys(container)) - before
        yield from work.compare(container, before, arrived, found)
    yield from work.last_page(found, held)
