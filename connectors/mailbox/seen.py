"""Which mails a mailbox source has already given, packed small enough to live in its cursor.

Belongs here: occurrence numbers of byte-identical mails. Does not belong here: how mails are found.

A mail's identity is the sha256 of its bytes. Where the same bytes lie in a source more than once (a copy in
Archive, a label, an import that ran twice), the second one is another item of the ledger and needs an id of
its own: `sha256:…#2`. The number is one more than the identical mails met so far, counted per container (a
folder or a file), so that a container can be listed again from its start (changed UIDVALIDITY, replaced
file) and comes to ids that exist already.

Each mail costs five bytes in the cursor (the start of its digest; 30,000 mails are 200 KB of base64). Two
different mails that agree in those 40 bits would only make one of them carry a number that it does not
need: ids stay unique, because they hold the whole digest.
"""

import base64
from collections import Counter
from collections.abc import Iterable, Mapping

PREFIX_BYTES = 5
"""Bytes of each digest that are remembered."""


class SeenMails:
    """The mails given so far, by container, in the order in which they were given."""

    def __init__(self, packed: Mapping[str, str] | None = None) -> None:
        """Restores what `packed` gave; None starts empty."""
        self._digests = {
            container: bytearray(base64.b64decode(text))
            for container, text in (packed or {}).items()
        }
        self._counts: Counter[bytes] = Counter()
        for digests in self._digests.values():
            self._counts.update(_split(digests))

    def packed(self) -> dict[str, str]:
        """Container → base64 of its digests' starts, for the cursor."""
        return {
            container: base64.b64encode(digests).decode("ascii")
            for container, digests in self._digests.items()
            if digests
        }

    def add(self, container: str, digest: bytes) -> int:
        """Notes a mail and gives its occurrence number in the whole source, from 1."""
        prefix = digest[:PREFIX_BYTES]
        self._digests.setdefault(container, bytearray()).extend(prefix)
        self._counts[prefix] += 1
        return self._counts[prefix]

    def take_back(self, container: str) -> None:
        """Forgets the latest mail of a container (the last mail of a file, which has grown since)."""
        digests = self._digests[container]
        self._counts[bytes(digests[-PREFIX_BYTES:])] -= 1
        del digests[-PREFIX_BYTES:]

    def forget(self, container: str) -> None:
        """Forgets a container that is about to be listed again."""
        digests = self._digests.pop(container, bytearray())
        self._counts.subtract(_split(digests))

    def keep_only(self, containers: Iterable[str]) -> None:
        """Forgets every container that is not among these (removed, renamed or no longer configured)."""
        for container in set(self._digests) - set(containers):
            self.forget(container)


def _split(digests: bytearray) -> list[bytes]:
    return [
        bytes(digests[start : start + PREFIX_BYTES])
        for start in range(0, len(digests), PREFIX_BYTES)
    ]
