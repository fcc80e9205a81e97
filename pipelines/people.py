"""Gives keys to a batch's people, organisations and teams, and writes them.

Belongs here: reading what is known, asking `transforms.identity`, writing what it decided. Does not belong
here: when two records are one person.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from connectors.warehouse import aliases, loading
from transforms.model import Batch, SourceOrganisation, SourcePerson, SourceTeam, key_of

Row = dict[str, Any]


class PeopleLoader:
    """Keys of everybody seen in one run of a source; each record is written once, however often it comes."""

    def __init__(self, client_key: str, source_key: str) -> None:
        """Knows nobody yet."""
        self.client_key = client_key
        self.source_key = source_key
        self.person: dict[str, str] = {}
        self.organisation: dict[str, str] = {}
        self.team: dict[str, str] = {}
