"""The key of a person's record, and which identities it shows: by rule, from the record alone.

Belongs here: the key a record gets at first sight, the identities it can be known by. Does not belong here:
normal forms (`identity_values`), who is one person (`persons`), reading or writing what is known.

A record's key is derived from its first identity: its own e-mail address, else its external id, else what
its source calls it. So records that are first known by the same address share their key at once, in every
source, and neither order nor batches matter. A record that shows two keys to be one person changes none of
them: `persons` links them, and a link can be taken back.
"""

from transforms.identity_values import is_role_address, normalise_email
from transforms.model import SourcePerson, key_of

Identity = tuple[str, str]
"""(kind, value): `email`, `external_id` or `source` (`source id/remote id`)."""


def identities_of(person: SourcePerson, source_key: str) -> tuple[Identity, ...]:
    """Everything by which this record can be known again, strongest first, each once.

    An address of a function (info@) counts only for a record that has nothing stronger. Agents are not known
    by an external id: customers' systems fill that field.

    Args:
        person: as the source knows it.
        source_key: the source's id.
    """
    emails = [email for text in person.emails if (email := normalise_email(text)) is not None]
    own = [email for email in emails if not is_role_address(email)]
    external = "" if person.is_agent else (person.external_id or "").strip()
    shown = own if own or external else emails
    found = [("email", email) for email in shown]
    if external:
        found.append(("external_id", external))
    found.append(("source", f"{source_key}/{person.remote_id}"))
    return tuple(dict.fromkeys(found))


def first_key(client_key: str, kind: str, source_key: str, person: SourcePerson) -> str:
    """The key that a record gets when it is seen for the first time; a function of the record alone."""
    first, value = identities_of(person, source_key)[0]
    if first == "source":
        return key_of(kind, client_key, source_key, person.remote_id)
    return key_of(kind, client_key, first, value)


def spoken(identity: Identity) -> str:
    """An identity in words, for reasons."""
    kind, value = identity
    words = {"email": "e-mail address", "external_id": "external id", "source": "record"}
    return f"{words[kind]} {value}"
