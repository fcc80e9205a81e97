"""What the generator knows about its world, as plain JSON for tests and for the demo's own checks.

Belongs here: counts, planted things, expectations. Does not belong here: making any of it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.demo.case import Case
from pipelines.demo.expectation import Verdict, first_reply, is_counted, resolution
from pipelines.demo.hours import BusinessHours, iso
from pipelines.demo.mail_noise import EXCLUSION_RULES
from pipelines.demo.mail_shape import Mail
from pipelines.demo.people import AGENTS, LEGACY_ADDRESS, SHARED_ADDRESS, TEAMS, Customer
from pipelines.demo.planted import Pair


def of_cases(cases: Sequence[Case]) -> dict[str, Any]:
    """Counts of one helpdesk's tickets."""
    comments = sum(1 for case in cases for step in case.steps if step.message)
    return {
        "tickets": len(cases),
        "comments": comments,
        "ratings": sum(case.rating is not None for case in cases),
        "by_status": _counted(case.status for case in cases),
        "by_priority": _counted(case.priority for case in cases),
        "by_category": _counted(case.issue.category for case in cases),
        "by_language": _counted(case.language for case in cases),
        "reopened": sum(_is_reopened(case) for case in cases),
        "handed_over": sum(case.team != "support" for case in cases),
        "deleted": [case.number for case in cases if case.is_deleted],
        "spam": [case.number for case in cases if case.is_spam],
        "merged": {
            str(case.number): case.merged_into.number
            for case in cases
            if case.merged_into is not None
        },
    }


def of_sla(cases: Sequence[Case], hours: BusinessHours, as_of: int) -> dict[str, Any]:
    """Decided promises by metric and priority, and overall, by the shipped rules."""
    met: Counter[str] = Counter()
    decided: Counter[str] = Counter()
    for case in cases:
        if not is_counted(case):
            continue
        for metric, judge in (("first_reply", first_reply), ("resolution", resolution)):
            verdict = judge(case, hours, as_of)
            if verdict.state not in ("met", "breached"):
                continue
            for key in (metric, f"{metric}.{case.priority}", "all"):
                decided[key] += 1
                met[key] += verdict.state == "met"
    return {
        key: {
            "met": met[key],
            "decided": decided[key],
            "pct": round(100 * met[key] / decided[key], 2),
        }
        for key in sorted(decided)
    }


def of_open(cases: Sequence[Case], hours: BusinessHours, as_of: int) -> list[dict[str, Any]]:
    """Planted open cases with the state of their clocks; a mail's `number` is its thread's."""
    rows = []
    for case in sorted(cases, key=lambda one: (one.created_at, one.source)):
        reply, solution = first_reply(case, hours, as_of), resolution(case, hours, as_of)
        rows.append(
            {
                "source": case.source,
                "number": case.number,
                "subject": case.subject[:200],
                "issue": case.issue.key,
                "priority": case.priority if case.source != "mail" else None,
                "status": case.status if case.source != "mail" else None,
                "created_at": iso(case.created_at),
                "planted": sorted(case.planted),
                "first_reply": _verdict(reply),
                "resolution": _verdict(solution),
            }
        )
    return rows


def of_people(customers: Sequence[Customer], seen: Mapping[int, set[str]]) -> dict[str, Any]:
    """Who writes on two channels and under which addresses; acme's own people and addresses."""
    return {
        "agents": [
            {"name": one.name, "email": one.email, "team": TEAMS[one.team]} for one in AGENTS
        ],
        "own_addresses": [SHARED_ADDRESS, LEGACY_ADDRESS, *(one.email for one in AGENTS)],
        "two_channel": [
            {
                "name": one.name,
                "addresses": sorted({one.address(source) for source in one.sources}),
                "sources": sorted(one.sources),
            }
            for one in customers
            if len(seen.get(one.number, set())) > 1
        ],
    }


def of_pairs(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """The planted duplicates: a portal ticket and a mail thread."""
    return [
        {
            "source": pair.portal.source,
            "ticket": pair.portal.number,
            "mail_thread": pair.mail.number,
            "address_portal": pair.portal.address,
            "address_mail": pair.mail.address,
            "subject": pair.portal.subject,
            "seconds_apart": abs(pair.portal.created_at - pair.mail.created_at),
        }
        for pair in pairs
    ]


def of_mailbox(mails: Sequence[Mail], places: Sequence[str]) -> dict[str, Any]:
    """Each mail with where it lies (`places`, same order) and what should become of it; each thread with its mails."""
    index = {id(mail): number for number, mail in enumerate(mails)}
    rows = []
    for number, mail in enumerate(mails):
        rows.append(
            {
                "index": number,
                "place": places[number],
                "message_id": mail.message_id,
                "kind": mail.kind,
                "ticket": mail.case.number if mail.case is not None else None,
                "copy_of": index[id(mail.copy_of)] if mail.copy_of is not None else None,
                "rule": mail.rule,
                "linked_by": mail.linked_by if mail.case is not None else None,
                "traits": sorted(mail.traits),
                "at": iso(mail.at),
            }
        )
    threads: dict[int, list[int]] = {}
    for number, mail in enumerate(mails):
        if mail.case is not None:
            threads.setdefault(mail.case.number, []).append(number)
    first = {number: mails[indexes[0]] for number, indexes in threads.items()}
    return {
        "mails": rows,
        "tickets": [
            {
                "number": number,
                "subject": first[number].subject[:200],
                "requester": first[number].sender,
                "first_message_id": first[number].message_id,
                "mails": indexes,
                "messages": sum(mails[one].kind != "copy" for one in indexes),
            }
            for number, indexes in sorted(threads.items())
        ],
        "totals": {
            "mails": len(mails),
            "tickets": len(threads),
            **dict(sorted(Counter(mail.kind for mail in mails).items())),
        },
        "exclusion_rules": EXCLUSION_RULES,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "state": verdict.state,
        "elapsed_seconds": verdict.elapsed_seconds,
        "target_seconds": verdict.target_seconds,
        "due_at": iso(verdict.due_at) if verdict.due_at is not None else None,
    }


def _is_reopened(case: Case) -> bool:
    return any(
        change.field == "status" and change.old == "solved" and change.new == "open"
        for step in case.steps
        for change in step.changes
    )


def _counted(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
