"""Finds or creates the people that imported tickets name, silently.

Belongs here: e-mail address or name → user id. Does not belong here: tickets.

A known user is never renamed and never given another role. A new one is an end user, also where the old
system knew an agent: seats cost money, and only a person may give them out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from zenpy import Zenpy
from zenpy.lib.api_objects import User

from connectors.http import PolicySession
from connectors.zendesk.client import translated
from connectors.zendesk.jobs import Jobs

PER_JOB = 100


@dataclass(frozen=True, slots=True)
class Person:
    """A person as an old system knew it. The address is the identity; without one, the name is."""

    email: str | None
    name: str | None

    @property
    def key(self) -> str:
        """The same person gives the same key."""
        if self.email:
            return self.email.strip().lower()
        return "deskbridge-" + sha256(self.shown_name.encode("utf-8", "replace")).hexdigest()[:20]

    @property
    def shown_name(self) -> str:
        """A name is required of a new user."""
        given = (self.name or "").strip()
        return (given or (self.email or "").partition("@")[0].strip() or "Unknown sender")[:255]


class People:
    """The account's people, remembered for the life of this object."""

    def __init__(self, session: PolicySession, client: Zenpy, jobs: Jobs) -> None:
        """Keeps what it asks with; makes no call."""
        self._session = session
        self._client = client
        self._jobs = jobs
        self._ids: dict[str, str] = {}
        self._emails: dict[str, str | None] = {}

    def ensure(self, people: Iterable[Person]) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Finds or creates them: (key → user id, key → why not)."""
        wanted = {person.key: person for person in people}
        for key, person in wanted.items():
            if key not in self._ids and person.email:
                found = self._find(key)
                if found is not None:
                    self._ids[key] = found
        missing = [key for key in wanted if key not in self._ids]
        refused: dict[str, str] = {}
        for start in range(0, len(missing), PER_JOB):
            refused.update(self._create([wanted[key] for key in missing[start : start + PER_JOB]]))
        return {key: self._ids[key] for key in wanted if key in self._ids}, refused

    def emails(self, user_ids: Iterable[str]) -> Mapping[str, str | None]:
        """User id → address."""
        wanted = list(dict.fromkeys(user_ids))
        missing = [number for number in wanted if number not in self._emails]
        for start in range(0, len(missing), PER_JOB):
            chunk = missing[start : start + PER_JOB]
            body = self._session.get_json(
                "api/v2/users/show_many.json", params={"ids": ",".join(chunk)}
            )
            for user in body.get("users") or ():
                self._emails[str(user["id"])] = user.get("email")
        return {number: self._emails.get(number) for number in wanted}

    def _find(self, email: str) -> str | None:
        """By search, which lags; a user it does not know yet is then found by create-or-update itself."""
        if '"' in email or "\\" in email:
            return None
        body = self._session.get_json(
            "api/v2/users/search.json", params={"query": f'email:"{email}"'}
        )
        for user in body.get("users") or ():
            if str(user.get("email") or "").strip().lower() == email:
                return str(user["id"])
        return None

    def _create(self, people: list[Person]) -> dict[str, str]:
        with translated(self._session, f"creating {len(people)} users"):
            job = self._client.users.create_or_update([_user(person) for person in people])
        results = self._jobs.results(job, len(people))
        refused: dict[str, str] = {}
        for place, person in enumerate(people):
            result = results[place] if results is not None else None
            if result is not None and result.remote_id is not None:
                self._ids[person.key] = result.remote_id
            else:
                refused[person.key] = result.reason if result else "the job failed"
        return refused


def _user(person: Person) -> User:
    """The role is not told: a new user is an end user, and one that the search lags behind keeps its own."""
    fields: dict[str, Any] = {
        "name": person.shown_name,
        "skip_verify_email": True,
    }
    if person.email:
        fields["email"] = person.key
    else:
        fields["external_id"] = person.key
    return User(**fields)
