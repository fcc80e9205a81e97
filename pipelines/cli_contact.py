"""`deskbridge contact`: who is one person: what is doubtful, why, and what somebody decides.

Belongs here: options and what is printed. Does not belong here: work (`contacts`, `same_people`).
"""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines import terminal
from pipelines.cli_options import Client, Config, Json, clients_of, one_client

if TYPE_CHECKING:
    from pipelines.contacts import Word
    from pipelines.erasure import Scope
    from pipelines.same_people import SamePeople

contact_app = typer.Typer(
    help="Who is one person: doubts, reasons, decisions.", no_args_is_help=True
)

Who = Annotated[str, typer.Argument(help="Our key, an e-mail address, or source/id.")]
Other = Annotated[str, typer.Argument(help="The other one, in the same ways.")]
Kind = Annotated[str | None, typer.Option("--kind", help="Only: contact, agent or organisation.")]


@contact_app.command("review")
def review(
    config: Config = None,
    client: Client = None,
    kind: Kind = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many pairs.")] = 20,
    json: Json = False,
) -> None:
    """List pairs that may be one person or organisation, surest first.

    Nobody is merged on a doubt. Decide with `contact same` or `contact different`; a pair that was decided is
    not listed again.
    """
    from connectors.warehouse.persons import TABLES
    from pipelines.contacts import doubts
    from pipelines.runtime import opened
    from pipelines.settings import SettingsError

    if kind is not None and kind not in TABLES:
        raise SettingsError(f"--kind: {kind!r} is none of {', '.join(TABLES)}")
    with opened(config) as runtime:
        found = [
            (key, one)
            for key in clients_of(runtime.settings, client)
            for one in doubts(runtime, key, kind, limit)
        ]
    if json:
        terminal.as_json(
            [
                {
                    "client": key,
                    "kind": one.kind,
                    "left": _key(one.left),
                    "right": _key(one.right),
                    "bits": one.bits,
                    "reason": one.reason,
                }
                for key, one in found
            ]
        )
        return
    if not found:
        terminal.say("nothing is doubtful")
        return
    terminal.table(
        "May be one",
        ["client", "one", "and the other", "bits#", "what speaks for and against"],
        [
            [key, _told(one.left), _told(one.right), _bits(one.bits), one.reason]
            for key, one in found
        ],
    )
    terminal.say("decide: deskbridge contact same|different KEY KEY --client CLIENT")


@contact_app.command("show")
def show(who: Who, config: Config = None, client: Client = None, json: Json = False) -> None:
    """Show who somebody is: every source's record, and why they are one."""
    from pipelines import contacts
    from pipelines.runtime import opened

    with opened(config) as runtime:
        client_key = one_client(runtime.settings, client)
        found = contacts.show(runtime, client_key, who)
    if json:
        terminal.as_json(
            {
                "kind": found.person.kind,
                "leader": found.leader,
                "keys": found.keys,
                "records": found.records,
                "links": found.links,
                "decisions": found.decisions,
                "tickets": found.tickets,
                "erased": found.erased,
            }
        )
        return
    terminal.say(f"{found.person.kind} {_told(found.leader)}")
    if found.erased is not None:
        terminal.warn(found.erased)
    terminal.table(
        "What sources say",
        ["source", "id", "name", "addresses", "phones", "key"],
        [
            [
                row["source_key"],
                row["remote_id"],
                row["name"] or "–",
                ", ".join(row["emails"]) or "–",
                ", ".join(row["phones"]) or "–",
                row["person_key"],
            ]
            for row in sorted(found.records, key=lambda r: (r["source_key"], r["remote_id"]))
        ],
    )
    if found.links:
        terminal.table(
            "Why",
            ["", "one", "and the other", "rests on", "reason"],
            [
                [row["verdict"], row["left_key"], row["right_key"], row["basis"], row["reason"]]
                for row in found.links
            ],
        )
    terminal.table(
        "Tickets",
        ["key", "tickets#"],
        [[key, str(found.tickets.get(key, 0))] for key in found.keys],
    )


@contact_app.command("same")
def same(who: Who, other: Other, config: Config = None, client: Client = None) -> None:
    """Decide that two are one; it is remembered and goes before every rule."""
    _decide(config, client, who, other, "same")


@contact_app.command("different")
def different(who: Who, other: Other, config: Config = None, client: Client = None) -> None:
    """Decide that two are not one: undoes a merge, which stays undone."""
    _decide(config, client, who, other, "different")


@contact_app.command("undecide")
def undecide(who: Who, other: Other, config: Config = None, client: Client = None) -> None:
    """Take a decision back: rules and scores hold again."""
    _decide(config, client, who, other, "undecided")


@contact_app.command("erase")
def erase(
    who: Who,
    config: Config = None,
    client: Client = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Erase. Without it only what would go is shown.")
    ] = False,
    json: Json = False,
) -> None:
    """Erase a customer from every record, table and file, with all figures kept.

    It cannot be undone. What was erased stays erased when a source sends it again. Ids, instants, statuses and tags stay. Erase the person
    at the source as well: what is written there under new tickets is new. Killed, run it again.
    """
    import secrets

    from pipelines import erasure
    from pipelines.runtime import opened

    with opened(config) as runtime:
        client_key = one_client(runtime.settings, client)
        if not yes:
            scope = erasure.preview(runtime, client_key, who)
            terminal.as_json(_scope_json(scope)) if json else _tell_scope(scope)
            terminal.warn("nothing was changed; to erase it for good, say it again with --yes")
            raise typer.Exit(2)
        done = erasure.erase(runtime, client_key, who, getpass.getuser(), secrets.token_hex(16))
    if json:
        told = {
            "erasure": done.erasure_key,
            "raw_records": done.raw_records,
            "files_deleted": done.files_deleted,
        }
        terminal.as_json(_scope_json(done.scope) | told)
        return
    _tell_scope(done.scope)
    terminal.say(
        f"{client_key}: erased ({done.erasure_key}); records of sources written anew: {done.raw_records}, files deleted: "
        f"{done.files_deleted}"
    )


def _scope_json(scope: "Scope") -> dict[str, Any]:
    return {
        "client": scope.client_key,
        "leader": scope.person.leader,
        "keys": list(scope.person.keys),
        "counts": scope.counts,
        "sources": scope.by_source(),
        "doubtful": scope.doubtful,
        "reports": [
            {name: row[name] for name in ("report", "period_start", "period_end", "file_name")}
            for row in scope.reports
        ],
    }


def _tell_scope(scope: "Scope") -> None:
    terminal.say(f"contact {scope.person.leader}, known by {len(scope.person.keys)} keys")
    terminal.table(
        "What is theirs",
        ["source", "records#", "tickets#", "messages#"],
        [
            [source, str(one["records"]), str(one["tickets"]), str(one["messages"])]
            for source, one in scope.by_source().items()
        ],
    )
    terminal.say(
        f"files: {scope.files}; messages on others' tickets: {len(scope.elsewhere)}; others' records that name an address "
        f"of theirs: {len(scope.mentions)}"
    )
    if scope.doubtful:
        terminal.warn(
            f"may be the same person, and stay: {', '.join(scope.doubtful)}. Decide first: deskbridge contact same"
        )
    if scope.reports:
        files = ", ".join(str(row["file_name"] or row["report"]) for row in scope.reports)
        terminal.warn(f"reports that were given away may name them, and are out of reach: {files}")


def _decide(config: Path | None, client: str | None, who: str, other: str, word: "Word") -> None:
    from pipelines.contacts import decide
    from pipelines.runtime import opened

    with opened(config) as runtime:
        client_key = one_client(runtime.settings, client)
        done = decide(runtime, client_key, [who, other], word, getpass.getuser())
    terminal.say(f"{client_key}: remembered; {_outcome(done)}")


def _outcome(done: "SamePeople") -> str:
    return (
        f"merged: {done.contacts_merged} contacts, {done.agents_merged} agents, "
        f"{done.organisations_merged} organisations; doubtful: {done.doubtful}"
    )


def _key(row: dict[str, Any]) -> str:
    return next(str(row[f"{kind}_key"]) for kind in _KINDS if f"{kind}_key" in row)


_KINDS = ("contact", "agent", "organisation")
"""In this order: a contact's row has an organisation's key as well."""


def _told(row: dict[str, Any]) -> str:
    parts = [row.get("name"), row.get("email"), row.get("phone"), *(row.get("domains") or ())]
    return "\n".join([*(str(part) for part in parts if part), _key(row)])


def _bits(bits: float | None) -> str:
    return "–" if bits is None else f"{bits:.1f}"
