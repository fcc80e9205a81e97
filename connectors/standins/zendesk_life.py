"""A Zendesk account that lives: agents, customers and the system change it while somebody reads it.

Belongs here: single acts of a life and a random stream of them; the whole state for comparison. Does not belong
here: HTTP, limits. Acts take effect at the stand-in's now; take `zendesk.lock` where clients are busy meanwhile.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime

from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_compose import Composer
from connectors.standins.zendesk_shelf import Row
from connectors.standins.zendesk_state import iso

REDACTED = "▇▇▇"
STATUSES = ("open", "pending", "hold", "solved")


class Life:
    """Changes an account.

    Args:
        zendesk: the account.
        rng: what is random; the same seed and calls give the same life.
        spared: tickets that `act` never deletes, scrubs, merges or archives.
    """

    def __init__(
        self, zendesk: ZendeskStandin, rng: random.Random, spared: Sequence[int] = ()
    ) -> None:
        """Changes nothing yet."""
        self._zendesk = zendesk
        self._state = zendesk.state
        self._rng = rng
        self._spared = frozenset(spared)
        self._composer = Composer(self._state, lambda: zendesk.base_url, zendesk.me)
        self._tickets = list(self._state.tickets.ids())
        self._users = list(self._state.users.ids())

    def act(self) -> str:
        """One random act; returns its name."""
        acts = {
            "comment": 10, "note": 5, "change": 8, "touch": 6, "new_ticket": 6, "redact": 1,
            "delete": 1, "scrub": 1, "merge": 1, "archive": 2, "user": 3, "organization": 2, "group": 1,
        }  # fmt: skip
        (name,) = self._rng.choices(list(acts), list(acts.values()))
        with self._zendesk.lock:
            self._do(name)
        return name

    def comment(self, ticket_id: int, *, is_public: bool = True) -> None:
        """A public reply or a note."""
        text = f"Said {self._rng.randrange(10**9)}"
        self._update(ticket_id, {"comment": {"body": text, "public": is_public}})

    def change(self, ticket_id: int, **fields: object) -> None:
        """Fields and tags of a ticket."""
        self._update(ticket_id, fields)

    def new_ticket(self) -> int:
        """A customer writes; returns the ticket's id."""
        entry = self._composer.imported(
            {
                "subject": f"New {self._rng.randrange(10**9)}",
                "comments": [{"body": f"Asked {self._rng.randrange(10**9)}"}],
                "requester_id": self._rng.choice(self._users),
                "status": "new",
                "priority": self._rng.choice(["low", "normal", "high", "urgent"]),
            },
            archive=False,
        )
        entry["operation"] = "create"
        self._state.record("ticket", **entry)
        number = int(entry["ticket"]["id"])
        self._tickets.append(number)
        return number

    def bulk_edit(self, ticket_ids: Sequence[int]) -> int:
        """An agent changes many tickets within one second; returns that second."""
        with self._zendesk.lock:
            at = self._zendesk.now()
            for number in ticket_ids:
                self._update(number, {"additional_tags": [f"bulk-{at:%H%M%S}"]}, at)
        return int(at.timestamp())

    def changeable(self, most: int) -> list[int]:
        """Ids of tickets that an agent may change now."""
        with self._zendesk.lock:
            rows = (
                row for row in self._state.tickets if row["status"] not in ("deleted", "closed")
            )
            return sorted(row["id"] for row in rows)[:most]

    def redact(self, ticket_id: int, comment_id: int) -> None:
        """Takes words out of an earlier comment: a new audit tells so, the comment's own event stays in its place."""
        state = self._state
        texts = {"body": REDACTED, "html_body": f"<p>{REDACTED}</p>"}
        state.record(
            "redaction", ticket_id=ticket_id, comment_id=comment_id,
            texts={**texts, "plain_body": REDACTED},
        )  # fmt: skip
        child = {
            "id": state.new_id(),
            "event_type": "CommentRedactionEvent",
            "comment_id": comment_id,
            "via": "Web form",
        }
        self._add_event(ticket_id, [child])

    def merge(self, ticket_id: int, into: int) -> None:
        """Closes a ticket by merging it into another one, which gets a comment that says so."""
        now = self._state.now()
        via = {"channel": "web", "source": {"rel": "merge", "from": {"ticket_ids": [ticket_id]}}}
        entry = self._composer.updated(
            self._row(into),
            {"comment": {"body": f"Request #{ticket_id} was merged", "public": False}},
        )
        entry["events"][0]["child_events"][0]["via"] = via
        self._state.record("ticket", **entry)
        row = self._row(ticket_id)
        tags = sorted({*(row.get("tags") or ()), "closed_by_merge"})
        closing = {
            "id": self._state.new_id(),
            "via": "Web form",
            "status": "closed",
            "previous_value": row["status"],
            "event_type": "Change",
        }
        row |= {"status": "closed", "tags": tags, "updated_at": iso(now)}
        self._add_event(ticket_id, [closing], row)

    def _do(self, name: str) -> None:
        rng = self._rng
        number = rng.choice(self._tickets)
        row = self._state.tickets.get(number) or {}
        status = row.get("status")
        if name == "new_ticket":
            self.new_ticket()
        elif name == "touch":
            self._zendesk.touch(number)
        elif name in ("user", "organization", "group"):
            self._people(name)
        elif status == "deleted":
            if name == "scrub":
                self._zendesk.scrub(number)
        elif name == "archive":
            if status == "closed" and number not in self._spared:
                self._state.archived.add(number)
        elif name == "redact":
            comments = self._state.comments_of(number)
            if comments:
                self.redact(number, rng.choice(comments)["id"])
        elif status == "closed":
            return
        elif name in ("comment", "note"):
            self.comment(number, is_public=name == "comment")
        elif name == "change":
            self.change(
                number, status=rng.choice(STATUSES), additional_tags=[f"t{rng.randrange(9)}"]
            )
        elif number not in self._spared:
            self._end(name, number)

    def _end(self, name: str, number: int) -> None:
        if name == "delete":
            self._zendesk.writes.change_row(
                number, status="deleted", updated_at=iso(self._state.now())
            )
        elif name == "scrub":
            self._zendesk.scrub(number)
        elif name == "merge":
            into = self._rng.choice(self._tickets)
            other = self._state.tickets.get(into) or {}
            if into != number and other.get("status") not in ("deleted", "closed"):
                self.merge(number, into)

    def _people(self, name: str) -> None:
        now = iso(self._state.now())
        rng = self._rng
        is_new = rng.random() < 0.5
        word = f"{name} {rng.randrange(10**6)}"
        if name == "group":
            known = rng.choice(list(self._state.groups.values()) or [None])
        else:
            shelf = self._state.users if name == "user" else self._state.organizations
            known = shelf.get(rng.choice(list(shelf.ids()) or [0]))
        row: Row = dict(known or {})
        if is_new or not row:
            row = {"id": self._state.new_id(), "created_at": now}
            if name == "user":
                row |= {"role": "end-user", "active": True}
                self._users.append(row["id"])
        elif rng.random() < 0.1 and row["id"] != self._zendesk.me()["id"]:
            row |= {"active": False} if name == "user" else {"deleted_at": now}
            if name == "group":
                row["deleted"] = True
        row |= {"name": word, "updated_at": now}
        self._state.record(name, **{name: row})

    def _update(self, number: int, body: Row, at: datetime | None = None) -> None:
        """One update, dated now or `at`, for many within one second."""
        entry = self._composer.updated(self._row(number), body)
        if at is not None:
            second = {"updated_at": iso(at), "generated_timestamp": int(at.timestamp())}
            entry["ticket"] |= second
            for event in entry["events"]:
                event |= {"timestamp": int(at.timestamp()), "created_at": iso(at)}
        self._state.record("ticket", **entry)

    def _add_event(self, ticket_id: int, children: list[Row], row: Row | None = None) -> None:
        now = self._state.now()
        row = row or self._row(ticket_id)
        row |= {"updated_at": iso(now), "generated_timestamp": int(now.timestamp())}
        event = {
            "id": self._state.new_id(),
            "ticket_id": ticket_id,
            "timestamp": int(now.timestamp()),
            "created_at": iso(now),
            "updater_id": self._zendesk.me()["id"],
            "via": "Web form",
            "system": {},
            "event_type": "Audit",
            "child_events": children,
        }
        self._state.record("ticket", operation="update", ticket=row, comments=[], events=[event])

    def _row(self, number: int) -> Row:
        row = self._state.tickets.get(number)
        if row is None:
            raise KeyError(number)
        return dict(row)


def dump(zendesk: ZendeskStandin, stream: str) -> Iterator[tuple[int, Row]]:
    """Everything that the account holds in a stream: id and the row as the exports tell it.

    The streams are `users`, `organizations`, `groups`, `tickets` (with `comment_count`) and `ticket_events`.
    """
    state = zendesk.state
    with zendesk.lock:
        if stream == "groups":
            rows: list[Row] = [dict(row) for row in state.groups.values()]
        else:
            shelf = {
                "users": state.users,
                "organizations": state.organizations,
                "tickets": state.tickets,
                "ticket_events": state.events,
            }[stream]
            rows = [zendesk.reads.render(row) for row in shelf]
        if stream == "tickets":
            rows = [{**row, "comment_count": state.comment_count(row["id"])} for row in rows]
    for row in rows:
        yield int(row["id"]), row
