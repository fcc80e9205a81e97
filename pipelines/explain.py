"""`deskbridge explain`: one ticket from its raw records to its clocks, its pages and its cell.

Belongs here: gathering the trail as sections of lines. Does not belong here: the terminal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from connectors.warehouse import history, issues, problems, trail
from connectors.warehouse.engine import reading
from pipelines.contacts import erased_words
from pipelines.history import told
from pipelines.rules import is_reply_metric, load_rules
from pipelines.runtime import Runtime
from pipelines.settings import SettingsError
from pipelines.triage import RULE_FIELD
from sla_rules.engine import evaluate, explain
from transforms.mail_place import place_of
from transforms.text import one_line

Row = dict[str, Any]

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the trail. A column whose name ends in `#` holds numbers."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[str]]
    stacks: tuple[tuple[str, ...], ...] = ()
    """Columns that a terminal shows one below the other, as one; where given, every column is in one of them."""

    def shown(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows for a terminal, stacks as one column each.

        A stack's cell has a line for each of its columns; in one that stands alone the last word has its own.
        """
        if not self.stacks:
            return list(self.columns), self.rows
        places = [[self.columns.index(name) for name in stack] for stack in self.stacks]
        columns = [
            "\n".join(name.rstrip("#") for name in stack) + "#" * stack[-1].endswith("#")
            for stack in self.stacks
        ]
        return columns, [[_stacked([row[at] for at in one]) for one in places] for row in self.rows]


def _stacked(cells: Sequence[str]) -> str:
    return "\n".join(cells if len(cells) > 1 else cells[0].rsplit(" ", 1))


def explain_ticket(
    runtime: Runtime, text: str, client_key: str | None, as_of: datetime
) -> list[Section]:
    """The trail of a ticket.

    Args:
        runtime: settings and warehouse.
        text: our key, the ticket's number, `source/number`, or a mail's Message-ID or record id.
        client_key: whose; needed where several clients have a ticket of that number.
        as_of: aware instant up to which clocks are evaluated.

    Raises:
        SettingsError: no such ticket, or several; the message lists them.
    """
    with reading(runtime.engine) as connection:
        found = trail.find_tickets(connection, text, client_key)
        if len(found) > 1:
            shown = ", ".join(f"{one['source_key']}/{one['number']}" for one in found[:10])
            raise SettingsError(f"several tickets are called '{text}': {shown}. Name one of these")
        if not found:
            _tell_quarantined(connection, text, client_key)
            raise SettingsError(
                f"there is no ticket '{text}', expected its number, source/number, our key, or a mail's Message-ID. Has it been "
                "synced since it came in?"
            )
        ticket = found[0]
        zone = runtime.settings.zone(ticket["client_key"])
        teller = _Teller(ticket, zone)
        key = ticket["ticket_key"]
        raw = trail.raw_versions(connection, ticket)
        mails = trail.mails_of(connection, key)
        links = trail.links_of(connection, key)
        moves = trail.moves_of(connection, key)
        verdicts = trail.source_verdicts_of(connection, key)
        histories = history.read_histories(connection, [key])
        words = trail.words_of(connection, key)
        timers, escalations, messages = trail.told_about(connection, key)
        audited = trail.audited(
            connection,
            ticket["client_key"],
            [*(t["timer_key"] for t in timers), *(m["delivery_key"] for m in messages)],
        )
        cells = issues.cells_of(connection, ticket["client_key"], key)
        people = [
            row[field]
            for rows in (histories.comments, histories.changes)
            for row in rows.get(key, [])
            for field in ("author_key", "actor_key", "old_value", "new_value")
            if row.get(field)
        ]
        names = trail.names_of(connection, list(dict.fromkeys(people)))
        erased = erased_words(connection, key)
    sections = [teller.ticket(links, moves, erased), teller.raw(raw), teller.mails(mails)]
    sections.append(teller.events(histories, names, words))
    if histories.tickets:
        rules = load_rules(runtime.settings, ticket["client_key"], as_of.date())
        facts, events = told(histories)
        # As in the report: where a source tells no answers, no reply clock is judged.
        is_silent = ticket["source_key"] in rules.without_messages
        clocks = [
            clock
            for clock in evaluate(facts, events[key], rules.policies, as_of)
            if not (is_silent and is_reply_metric(clock.metric))
        ]
        intervals = [
            one
            for one in explain(facts[0], events[key], rules.policies, as_of)
            if not (is_silent and is_reply_metric(one.metric))
        ]
        sections.extend([teller.clocks(clocks), teller.intervals(intervals)])
    sections.append(teller.verdicts(verdicts))
    sections.extend([teller.ladder(timers, escalations), teller.messages(messages)])
    sections.extend([teller.audit(audited), teller.cells(cells)])
    return [section for section in sections if section.rows]


def _tell_quarantined(connection: Connection, text: str, client_key: str | None) -> None:
    """Says why there is no such ticket where its records could not be understood.

    Raises:
        SettingsError: they are in quarantine.
    """
    rows = problems.quarantined_as(connection, text, client_key)
    if not rows:
        return
    told = []
    for row in rows:
        where = ", ".join(f"{name} {value}" for name, value in (row["location"] or {}).items())
        place = f"{row['source_key']}, {row['stream']} {row['remote_id']}"
        why = ": ".join(filter(None, (row["reason"], row["detail"])))
        told.append(f"{place}{f' ({where})' if where else ''}: {why}")
    raise SettingsError(
        f"'{text}' is no ticket yet, it is in quarantine. {'; '.join(told)}. It becomes one with the next sync after "
        "the source or the mapping was mended (a mended mapping needs deskbridge rebuild); all there is: deskbridge quarantine"
    )


class _Teller:
    """Turns rows of one ticket into sections; instants are shown in the client's report zone."""

    def __init__(self, ticket: Row, zone: ZoneInfo) -> None:
        self._ticket = ticket
        self._zone = zone

    def at(self, instant: datetime | None) -> str:
        """An instant to the second, in the report zone."""
        return instant.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S") if instant else "–"

    def _same_person(self) -> list[list[str]]:
        """Where the customer is one person with other contacts: where to see who and why."""
        others = self._ticket["other_contacts"]
        if not others:
            return []
        noun = "contact" if others == 1 else "contacts"
        look = f"deskbridge contact show {self._ticket['person_key']}"
        return [["same person", f"as {others} other {noun}: {look}"]]

    def ticket(
        self, links: Sequence[Row], moves: Sequence[Row], erased: str | None = None
    ) -> Section:
        """What the ticket is."""
        one = self._ticket
        rows = [
            ["key", one["ticket_key"]],
            ["source", f"{one['source_key']} #{one['number']}  {one['url'] or ''}"],
            ["subject", one["subject"][:200]],
            *([["words", f"{erased}: what follows is structure"]] if erased else []),
            ["state", f"{one['status']} ({one['source_status'] or 'derived'})"],
            ["priority", f"{one['priority'] or 'none'} ({one['source_priority'] or 'not given'})"],
            [
                "customer",
                " · ".join(
                    filter(None, (one["requester"], one["requester_email"], one["organisation"]))
                ),
            ],
            *self._same_person(),
            ["assigned", " · ".join(filter(None, (one["assignee"], one["team"]))) or "nobody"],
            ["created", self.at(one["created_at"])],
            ["solved", self.at(one["solved_at"])],
            ["made by", one["transform_version"]],
        ]
        for link in links:
            is_first = link["ticket_key"] == one["ticket_key"]
            word = (
                link["kind"].replace("_", " ")
                if is_first
                else f"is what another is {link['kind'].replace('_', ' ')}"
            )
            rows.append(
                ["link", f"{word}: {link['other_source']}/{link['number']} ({link['reason']})"]
            )
        rows.extend(
            [
                "moved",
                f"{m['decision']} ({m['state']}) as {m['target_remote_id'] or '–'}, {m['external_id']}",
            ]
            for m in moves
        )
        if (one["fields"] or {}).get(RULE_FIELD):
            rows.insert(5, ["triage", f"priority by the rule '{one['fields'][RULE_FIELD]}'"])
        return Section(f"Ticket · times in {self._zone.key}", ("what", "value"), rows)

    def raw(self, rows: Sequence[Row]) -> Section:
        """The raw records behind it."""
        return Section(
            "Raw records it was made from",
            ("stream", "id", "version#", "bytes#", "sha256", "fetched"),
            [
                [
                    row["stream"],
                    row["remote_id"][:60],
                    str(row["version"]),
                    str(row["size_bytes"]),
                    row["payload_sha256"][:12],
                    self.at(row["fetched_at"]),
                ]
                for row in rows
            ],
        )

    def mails(self, rows: Sequence[Row]) -> Section:
        """Its mails: where they lay when they were read, and what put each into this conversation."""
        return Section(
            "Its mails",
            ("sent", "Message-ID", "where it lay", "placed by"),
            [
                [
                    self.at(row["created_at"]),
                    (row["message_id"] or "–")[:100],
                    place_of(row["location"] or {}) or "–",
                    row["thread_reason"] or "–",
                ]
                for row in rows
            ],
        )

    def events(
        self, histories: history.Histories, names: dict[str, str], words: dict[str, str]
    ) -> Section:
        """Comments, with the first words that their authors wrote, and changes in order."""
        key = self._ticket["ticket_key"]
        rows: list[tuple[datetime, int, list[str]]] = []
        for comment in histories.comments.get(key, []):
            what = "public comment" if comment["is_public"] else "private note"
            if comment["is_automatic"]:
                what = f"automatic {what}"
            if own := one_line(words.get(comment["comment_key"], "")):
                what = f"{what}: {own if len(own) <= _SHOWN else own[: _SHOWN - 1] + '…'}"
            who = names.get(comment["author_key"] or "", "–")
            rows.append(
                (
                    comment["created_at"],
                    1,
                    [self.at(comment["created_at"]), comment["author_kind"], who, what],
                )
            )
        for change in histories.changes.get(key, []):
            old, new = (
                names.get(v, v) if v else "–" for v in (change["old_value"], change["new_value"])
            )
            seen = " (observed)" if change["is_observed"] else ""
            what = f"{change['field']}: {old} → {new}{seen}"
            if change["field"] == "update":
                what = "a row that changes nothing we follow"
            who = names.get(change["actor_key"] or "", "–")
            rows.append(
                (
                    change["occurred_at"],
                    0,
                    [self.at(change["occurred_at"]), change["actor_kind"], who, what],
                )
            )
        rows.sort(key=lambda row: row[:2])
        return Section("History", ("when", "by", "who", "what"), [row[2] for row in rows])

    def clocks(self, clocks: Sequence[Any]) -> Section:
        """The clocks as they stand."""
        return Section(
            "SLA clocks",
            (
                "metric",
                "policy",
                "priority",
                "calendar",
                "target#",
                "elapsed#",
                "due",
                "stopped",
                "breached",
                "state",
            ),
            [
                [
                    f"{clock.metric} {clock.instance}" if clock.instance > 1 else clock.metric,
                    f"{clock.policy} {clock.policy_version}",
                    clock.priority,
                    clock.calendar,
                    _hms(clock.target_seconds),
                    _hms(clock.elapsed_seconds),
                    self.at(clock.due_at),
                    self.at(clock.stopped_at),
                    self.at(clock.breached_at),
                    clock.state + (" (at risk)" if clock.is_at_risk else ""),
                ]
                for clock in clocks
            ],
            stacks=(
                ("metric", "state"),
                ("policy",),
                ("priority", "calendar"),
                ("target#", "elapsed#"),
                ("due",),
                ("stopped",),
                ("breached",),
            ),
        )

    def intervals(self, intervals: Sequence[Any]) -> Section:
        """What counted and why; the counted parts add up to the clock's elapsed time."""
        rows = [
            [
                one.metric,
                self.at(one.start),
                self.at(one.end),
                one.status,
                _hms(one.counted_seconds),
                one.why,
            ]
            for one in intervals
        ]
        for metric in dict.fromkeys(one.metric for one in intervals):
            total = sum(one.counted_seconds for one in intervals if one.metric == metric)
            rows.append([metric, "", "", "sum", _hms(total), "the elapsed time above"])
        return Section(
            "Why: interval by interval", ("metric", "from", "to", "status", "counted#", "why"), rows
        )

    def verdicts(self, rows: Sequence[Row]) -> Section:
        """What the source's own SLA says: promised, breached, fulfilled; its clocks without a promise are left out."""
        promised = {
            (row["metric"], row["instance"])
            for row in rows
            if row["type"] in ("breach", "apply_sla", "apply_group_sla")
        }
        return Section(
            "What the source says of its own SLA",
            ("when", "metric", "what", "policy", "target#"),
            [
                [
                    self.at(row["occurred_at"]),
                    f"{row['metric']} {row['instance']}" if row["instance"] > 1 else row["metric"],
                    row["type"].replace("_", " "),
                    str(detail.get("policy") or "–")[:80],
                    _hms(detail["target_seconds"]) if "target_seconds" in detail else "–",
                ]
                for row in rows
                if (row["metric"], row["instance"]) in promised
                and row["type"] not in ("measure", "update_status")
                for detail in [row["detail"] or {}]
            ],
        )

    def ladder(self, timers: Sequence[Row], escalations: Sequence[Row]) -> Section:
        """Timers and what was decided."""
        decided = {row["escalation_key"]: row for row in escalations}
        rows = []
        for timer in timers:
            made = decided.get(timer["timer_key"], {})
            who = made.get("person") or "–"
            reason = made.get("reason") or timer["reason"] or ""
            rows.append(
                [
                    timer["step"],
                    made.get("level", "–"),
                    self.at(timer["due_at"]),
                    timer["state"],
                    self.at(timer["decided_at"]),
                    who,
                    reason,
                ]
            )
        return Section(
            "Escalation ladder",
            ("step", "level", "due", "state", "decided", "on call", "why"),
            rows,
        )

    def messages(self, messages: Sequence[Row]) -> Section:
        """What left, where to, and what the provider said."""
        return Section(
            "Pages and messages",
            ("channel", "to", "action", "key", "state", "provider's id", "text"),
            [
                [
                    message["channel"],
                    message["destination"],
                    message["action"],
                    message["message_key"],
                    message["state"],
                    message["provider_id"] or "–",
                    str(message["body"].get("title", ""))[:120],
                ]
                for message in messages
            ],
        )

    def audit(self, entries: Sequence[Row]) -> Section:
        """The audit trail's entries about it."""
        return Section(
            "Audit trail",
            ("entry#", "when", "action", "subject", "hash"),
            [
                [
                    str(e["sequence"]),
                    self.at(e["occurred_at"]),
                    e["action"],
                    e["subject"],
                    e["entry_hash"][:12],
                ]
                for e in entries
            ],
        )

    def cells(self, cells: Sequence[Row]) -> Section:
        """Where issued workbooks show it."""
        return Section(
            "In the workbook",
            ("file", "issue#", "metric", "cell"),
            [[c["file_name"], str(c["issue"]), c["metric"], c["cell"]] for c in cells],
        )


def _hms(seconds: int) -> str:
    sign = "-" if seconds < 0 else ""
    minutes, rest = divmod(abs(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02d}:{rest:02d}"
