"""A Freshdesk account that lives: agents, customers and the system change it while somebody reads it.

Belongs here: single acts of a life and a random stream of them. Does not belong here: HTTP, limits, the dump
(`FreshdeskStandin.dump`). Acts take effect at the stand-in's now and take its lock.
"""

import json
import random
from collections.abc import Container, Sequence
from datetime import timedelta
from typing import Any

from connectors.standins.freshdesk import FreshdeskStandin
from connectors.standins.freshdesk_account import stamp
from connectors.standins.server import Request

QUIET = timedelta(days=1)


class FreshdeskLife:
    """Changes an account.

    Args:
        freshdesk: the account.
        rng: what is random; the same seed and calls give the same life.
        calm: tickets to which something happens ten times less often.
    """

    def __init__(
        self, freshdesk: FreshdeskStandin, rng: random.Random, calm: Container[int] = ()
    ) -> None:
        """Changes nothing yet."""
        self._calm = calm
        self._freshdesk = freshdesk
        self._account = freshdesk.account
        self._writes = freshdesk.writes
        self._rng = rng
        self._ids = sorted(self._account.tickets)

    def act(self) -> str:
        """One random act; returns its name."""
        acts = {
            "change": 10, "customer_reply": 8, "reply": 5, "note": 4, "create": 6, "delete": 3, "restore": 3,
            "spam": 2, "no_spam": 2, "merge": 1, "archive": 2, "rate": 2,
        }  # fmt: skip
        (name,) = self._rng.choices(list(acts), list(acts.values()))
        with self._freshdesk.lock:
            self._do(name)
        return name

    def bulk_edit(self, ticket_ids: Sequence[int]) -> None:
        """An agent changes many tickets within one second."""
        priority = self._rng.randint(1, 4)
        self._freshdesk.touch(ticket_ids, priority=priority)

    def live(self, count: int) -> list[int]:
        """Some tickets that the list of live ones has, calm ones aside."""
        with self._freshdesk.lock:
            ids = [
                number
                for number in self._ids
                if self._kind(number) == "live" and number not in self._calm
            ]
        return self._rng.sample(ids, min(count, len(ids)))

    def _do(self, name: str) -> None:
        kind = {"restore": "deleted", "no_spam": "spam"}.get(name, "live")
        number = self._one(kind)
        if name == "create":
            made = self._ask(self._writes.create_ticket, {}, self._new())
            self._ids.append(int(json.loads(made.content)["id"]))
        elif number is None:
            return
        elif name == "change":
            fields = {"status": self._rng.choice([2, 3, 4, 5]), "priority": self._rng.randint(1, 4)}
            self._ask(self._writes.update_ticket, {"id": number}, fields)
        elif name == "customer_reply":
            self._writes.customer_reply(number, f"Said {self._rng.randrange(10**9)}")
        elif name in ("reply", "note"):
            said = {"body": f"<p>Answered {self._rng.randrange(10**9)}</p>"}
            write = self._writes.add_reply if name == "reply" else self._writes.add_note
            self._ask(write, {"id": number}, said)
        elif name in ("delete", "restore"):
            write = self._writes.delete_ticket if name == "delete" else self._writes.restore_ticket
            self._ask(write, {"id": number}, {})
        elif name in ("spam", "no_spam"):
            self._freshdesk.touch([number], spam=name == "spam")
        elif name == "merge":
            self._ask(
                self._writes.merge_tickets,
                {},
                {"primary_id": number, "ticket_ids": [self._one("live")]},
            )
        elif name == "archive" and self._is_quiet(number):
            self._freshdesk.archive(number)
        elif name == "rate":
            self._rate(number)

    def _rate(self, number: int) -> None:
        at = self._account.stamp()
        rating = {
            "id": self._account.next_id(),
            "ticket_id": number,
            "ratings": {"default_question": self._rng.choice([103, 100, -103])},
            "feedback": None,
            "created_at": at,
            "updated_at": at,
        }
        self._account.apply({"ratings": [rating]})

    def _new(self) -> dict[str, Any]:
        return {
            "subject": f"New {self._rng.randrange(10**9)}",
            "description": f"<p>Asked {self._rng.randrange(10**9)}</p>",
            "email": f"person{self._rng.randrange(200)}@example.com",
            "priority": self._rng.randint(1, 4),
            "status": 2,
        }

    def _one(self, kind: str) -> int | None:
        for _ in range(400):
            number = self._rng.choice(self._ids)
            if number in self._calm and self._rng.random() < 0.9:
                continue
            if self._kind(number) == kind:
                return number
        return None

    def _is_quiet(self, number: int) -> bool:
        """Whether nothing happened for a day (120 of them at Freshdesk): only such tickets are archived."""
        return bool(
            self._account.tickets[number]["updated_at"] < stamp(self._freshdesk.now() - QUIET)
        )

    def _kind(self, number: int) -> str:
        if number in self._account.archived:
            return "archived"
        ticket = self._account.tickets[number]
        return "deleted" if ticket["deleted"] else "spam" if ticket["spam"] else "live"

    def _ask(self, write: Any, params: dict[str, int], body: dict[str, Any]) -> Any:
        request = Request(
            "POST",
            "",
            {},
            {},
            json.dumps(body).encode(),
            {name: str(value) for name, value in params.items()},
        )
        response = write(request)
        if response.status >= 400:
            raise RuntimeError(f"the account refused {body}: {response.content!r}")
        return response
