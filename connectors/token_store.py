"""Where OAuth pairs live and whose turn a refresh is: the protocol, and a store for one process.

Belongs here: what a store promises. Does not belong here: the store of all workers
(`connectors.warehouse.oauth_tokens`), refreshing (`oauth`).
"""

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A pair as it was given out. `refresh_token` None: the client's own right needs none.

    `expires_at` None: the vendor did not say. `seed_sha256` names the configured secret that it descends from.
    """

    seed_sha256: str
    access_token: str
    refresh_token: str | None
    expires_at: datetime | None
    rotated_at: datetime

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"StoredToken(expires_at={self.expires_at}, rotated_at={self.rotated_at})"


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn a refresh is. `abandoned_by`: the worker whose own refresh never came to an end."""

    is_ours: bool
    abandoned_by: str | None = None


class TokenStore(Protocol):
    """Pairs by credential, and the lease that lets one worker refresh. All instants are aware UTC."""

    def load(self, credential: str) -> StoredToken | None:
        """The newest pair."""
        ...

    def begin(self, credential: str, owner: str, now: datetime, until: datetime) -> Turn:
        """Takes the lease where it is free or has run out."""
        ...

    def finish(self, credential: str, owner: str, token: StoredToken) -> None:
        """Keeps the new pair and gives the lease back, in one step."""
        ...

    def release(self, credential: str, owner: str) -> None:
        """Gives the lease back: the pair is as it was."""
        ...

    def abandon(
        self, credential: str, owner: str, now: datetime, on_behalf_of: str | None = None
    ) -> None:
        """Ends the lease now; the next to begin is told that the outcome is not known.

        Args:
            credential: whose.
            owner: who holds the lease.
            now: the present.
            on_behalf_of: who is named to the next one; the owner when left out.
        """
        ...


class MemoryTokenStore:
    """Pairs of one process, for tests and one-off use: a rotated token is lost when the process ends."""

    def __init__(self) -> None:
        """Starts empty."""
        self._lock = threading.Lock()
        self._tokens: dict[str, StoredToken] = {}
        self._leases: dict[str, tuple[str, datetime]] = {}

    def load(self, credential: str) -> StoredToken | None:
        """See `TokenStore`."""
        with self._lock:
            return self._tokens.get(credential)

    def begin(self, credential: str, owner: str, now: datetime, until: datetime) -> Turn:
        """See `TokenStore`."""
        with self._lock:
            held = self._leases.get(credential)
            if held is not None and held[1] > now:
                return Turn(is_ours=False)
            self._leases[credential] = (owner, until)
            return Turn(is_ours=True, abandoned_by=held[0] if held is not None else None)

    def finish(self, credential: str, owner: str, token: StoredToken) -> None:
        """See `TokenStore`."""
        with self._lock:
            self._tokens[credential] = token
            self._end(credential, owner)

    def release(self, credential: str, owner: str) -> None:
        """See `TokenStore`."""
        with self._lock:
            self._end(credential, owner)

    def abandon(
        self, credential: str, owner: str, now: datetime, on_behalf_of: str | None = None
    ) -> None:
        """See `TokenStore`."""
        with self._lock:
            if self._end(credential, owner):
                self._leases[credential] = (on_behalf_of or owner, now)

    def _end(self, credential: str, owner: str) -> bool:
        held = self._leases.get(credential)
        if held is None or held[0] != owner:
            return False
        del self._leases[credential]
        return True
