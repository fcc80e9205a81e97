"""Which mails a mailbox source has already given, packed small enough to live in its cursor.

Belongs here: occurrence numbers of byte-identical mails, and marks kept beside them. Does not belong here: how mails
are found.

A mail's identity is the sha256 of its bytes. Where the same bytes lie in a source more than once at a time (a
copy in Archive, a label, an import that ran twice), the second one is another item of the ledger and needs an
id of its own: `sha256:…#2`. The number is one more than the identical mails that are remembered. Mails are
remembered per container (a folder or a file) and key (UID, number in the file, file name), so that one that
was moved to another folder, or a container that is listed again from its start, comes to the ids it had.

Each mail costs the key and five bytes of its digest, and one more where marks are kept: with 32-bit UIDs, 30,000
mails are 360 KB of base64 in the cursor, 400 KB with marks. Two different mails that agree in those 40 bits would
only make one of them carry a number that it does not need: ids stay unique, because they hold the whole digest.
"""

import base64
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

PREFIX_BYTES = 5
"""Bytes of each digest that are remembered."""


class SeenMails:
    """The mails given so far, by container and key, in the order in which they were given."""

    def __init__(
        self,
        packed: Mapping[str, str] | None = None,
        *,
        key_bytes: int = 4,
        has_marks: bool = False,
    ) -> None:
        """Restores what `packed` gave; None starts empty.

        Args:
            packed: container → base64.
            key_bytes: keys are below 256 to this power.
            has_marks: a byte is kept beside each mail (an IMAP server's flags).
        """
        self._key_bytes = key_bytes
        self._has_marks = has_marks
        self._packed = {
            container: bytearray(base64.b64decode(text))
            for container, text in (packed or {}).items()
        }
        self._texts = dict(packed or {})
        """The base64 of containers that did not change since it was made."""
        self._mails = {
            container: self._unpacked(content) for container, content in self._packed.items()
        }
        self._counts: Counter[bytes] = Counter()
        for mails in self._mails.values():
            self._counts.update(entry[:PREFIX_BYTES] for entry in mails.values())

    def packed(self) -> dict[str, str]:
        """Container → base64 of its keys and digests' starts, for the cursor."""
        for container, content in self._packed.items():
            if container not in self._texts:
                self._texts[container] = base64.b64encode(content).decode("ascii")
        return {container: self._texts[container] for container, c in self._packed.items() if c}

    def containers(self) -> Collection[str]:
        """The containers of which mails are remembered."""
        return [container for container, mails in self._mails.items() if mails]

    def keys(self, container: str) -> Collection[int]:
        """The keys of the mails remembered for a container."""
        return self._mails.get(container, {}).keys()

    def is_same(self, container: str, key: int, digest: bytes) -> bool:
        """Whether the mail remembered under this key has this digest."""
        return self.prefix(container, key) == digest[:PREFIX_BYTES]

    def prefix(self, container: str, key: int) -> bytes:
        """The start of the digest remembered under this key; empty where there is none."""
        return self._mails.get(container, {}).get(key, b"")[:PREFIX_BYTES]

    def mark(self, container: str, key: int) -> int:
        """The mark kept beside a mail; 0 where there is none."""
        entry = self._mails.get(container, {}).get(key, b"")
        return entry[PREFIX_BYTES] if len(entry) > PREFIX_BYTES else 0

    def count(self, digest: bytes) -> int:
        """How many mails that begin their digest like this one are remembered."""
        return self._counts[digest[:PREFIX_BYTES]]

    def holders(self, digests: Iterable[bytes]) -> Iterator[tuple[str, int]]:
        """Container and key of every mail that is remembered with one of these digests."""
        wanted = {digest[:PREFIX_BYTES] for digest in digests}
        for container, mails in self._mails.items():
            for key, entry in mails.items():
                if entry[:PREFIX_BYTES] in wanted:
                    yield container, key

    def add(self, container: str, key: int, digest: bytes, mark: int = 0) -> int:
        """Notes a mail and gives its occurrence number in the whole source, from 1."""
        prefix = digest[:PREFIX_BYTES]
        entry = prefix + bytes([mark]) if self._has_marks else prefix
        self._mails.setdefault(container, {})[key] = entry
        content = self._packed.setdefault(container, bytearray())
        content += key.to_bytes(self._key_bytes, "big") + entry
        self._texts.pop(container, None)
        self._counts[prefix] += 1
        return self._counts[prefix]

    def set_marks(self, container: str, marks: Mapping[int, int]) -> None:
        """Sets the marks of mails that are remembered; others are passed over."""
        mails = self._mails.get(container, {})
        changed = {
            key: mark
            for key, mark in marks.items()
            if key in mails and self.mark(container, key) != mark
        }
        for key, mark in changed.items():
            mails[key] = mails[key][:PREFIX_BYTES] + bytes([mark])
        if changed:
            self._pack(container)

    def drop(self, container: str, keys: Iterable[int]) -> None:
        """Forgets mails that are no longer there."""
        mails = self._mails.get(container, {})
        gone = [key for key in keys if key in mails]
        if not gone:
            return
        self._counts.subtract(mails.pop(key)[:PREFIX_BYTES] for key in gone)
        self._pack(container)

    def forget(self, container: str) -> None:
        """Forgets a container that is about to be listed again."""
        mails = self._mails.pop(container, {})
        self._counts.subtract(entry[:PREFIX_BYTES] for entry in mails.values())
        self._packed.pop(container, None)
        self._texts.pop(container, None)

    def keep_only(self, containers: Iterable[str]) -> None:
        """Forgets every container that is not among these (removed, renamed or no longer configured)."""
        for container in set(self._mails) - set(containers):
            self.forget(container)

    def _pack(self, container: str) -> None:
        mails = self._mails[container]
        self._packed[container] = bytearray(
            b"".join(key.to_bytes(self._key_bytes, "big") + entry for key, entry in mails.items())
        )
        self._texts.pop(container, None)

    def _unpacked(self, content: bytearray) -> dict[int, bytes]:
        width = self._key_bytes + PREFIX_BYTES + self._has_marks
        return {
            int.from_bytes(content[start : start + self._key_bytes], "big"): bytes(
                content[start + self._key_bytes : start + width]
            )
            for start in range(0, len(content), width)
        }
