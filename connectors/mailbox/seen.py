"""Which mails a mailbox source has already given, packed small enough to live in its cursor.

Belongs here: occurrence numbers of byte-identical mails. Does not belong here: how mails are found.

A mail's identity is the sha256 of its bytes. Where the same bytes lie in a source more than once at a time (a
copy in Archive, a label, an import that ran twice), the second one is another item of the ledger and needs an
id of its own: `sha256:…#2`. The number is one more than the identical mails that are remembered. Mails are
remembered per container (a folder or a file) and key (UID, number in the file, file name), so that one that
was moved to another folder, or a container that is listed again from its start, comes to the ids it had.

Each mail costs the key and five bytes of its digest: with 32-bit UIDs, 30,000 mails are 360 KB of base64 in the
cursor. Two different mails that agree in those 40 bits would only make one of them carry a number that it does
not need: ids stay unique, because they hold the whole digest.
"""

import base64
from collections import Counter
from collections.abc import Iterable, Mapping

PREFIX_BYTES = 5
"""Bytes of each digest that are remembered."""


class SeenMails:
    """The mails given so far, by container and key, in the order in which they were given."""

    def __init__(self, packed: Mapping[str, str] | None = None, *, key_bytes: int = 4) -> None:
        """Restores what `packed` gave; None starts empty. Keys are below 256 to the power of `key_bytes`."""
        self._key_bytes = key_bytes
        self._packed = {
            container: bytearray(base64.b64decode(text))
            for container, text in (packed or {}).items()
        }
        self._mails = {
            container: self._unpacked(content) for container, content in self._packed.items()
        }
        self._counts: Counter[bytes] = Counter()
        for mails in self._mails.values():
            self._counts.update(mails.values())

    def packed(self) -> dict[str, str]:
        """Container → base64 of its keys and digests' starts, for the cursor."""
        return {
            container: base64.b64encode(content).decode("ascii")
            for container, content in self._packed.items()
            if content
        }

    def keys(self, container: str) -> Iterable[int]:
        """The keys of the mails remembered for a container."""
        return self._mails.get(container, {}).keys()

    def is_same(self, container: str, key: int, digest: bytes) -> bool:
        """Whether the mail remembered under this key has this digest."""
        return self._mails.get(container, {}).get(key) == digest[:PREFIX_BYTES]

    def add(self, container: str, key: int, digest: bytes) -> int:
        """Notes a mail and gives its occurrence number in the whole source, from 1."""
        prefix = digest[:PREFIX_BYTES]
        self._mails.setdefault(container, {})[key] = prefix
        content = self._packed.setdefault(container, bytearray())
        content += key.to_bytes(self._key_bytes, "big") + prefix
        self._counts[prefix] += 1
        return self._counts[prefix]

    def drop(self, container: str, keys: Iterable[int]) -> None:
        """Forgets mails that are no longer there."""
        mails = self._mails.get(container, {})
        gone = [key for key in keys if key in mails]
        if not gone:
            return
        self._counts.subtract(mails.pop(key) for key in gone)
        self._packed[container] = bytearray(
            b"".join(key.to_bytes(self._key_bytes, "big") + prefix for key, prefix in mails.items())
        )

    def forget(self, container: str) -> None:
        """Forgets a container that is about to be listed again."""
        self._counts.subtract(self._mails.pop(container, {}).values())
        self._packed.pop(container, None)

    def keep_only(self, containers: Iterable[str]) -> None:
        """Forgets every container that is not among these (removed, renamed or no longer configured)."""
        for container in set(self._mails) - set(containers):
            self.forget(container)

    def _unpacked(self, content: bytearray) -> dict[int, bytes]:
        width = self._key_bytes + PREFIX_BYTES
        return {
            int.from_bytes(content[start : start + self._key_bytes], "big"): bytes(
                content[start + self._key_bytes : start + width]
            )
            for start in range(0, len(content), width)
        }
