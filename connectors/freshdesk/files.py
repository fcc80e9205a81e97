"""Files of Freshdesk's tickets, whose addresses run out after minutes.

Belongs here: asking for a ticket again to get the address that is good now. Does not belong here: keeping files
(`connectors.content_store`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.errors import NotFoundError, UnavailableError
from connectors.freshdesk.api import FreshdeskApi
from connectors.freshdesk.links import without_signatures


class Files:
    """Files by the unsigned address that a record keeps; remembers the addresses of the last ticket it asked for."""

    def __init__(self, api: FreshdeskApi) -> None:
        """Makes no call."""
        self._api = api
        self._asked: tuple[str, Mapping[str, str]] = ("", {})

    def read(self, ticket_remote_id: str, remote_url: str) -> Iterator[bytes]:
        """A file's bytes.

        Raises:
            NotFoundError: the ticket or the file is not there any more.
            UnavailableError: the file's host does not give it now.
        """
        session = self._api.session
        ticket_id, addresses = self._asked
        if ticket_id != ticket_remote_id:
            addresses = self._addresses(ticket_remote_id)
            self._asked = (ticket_remote_id, addresses)
        signed = addresses.get(remote_url)
        if signed is None:
            raise NotFoundError(
                f"{session.label}: ticket {ticket_remote_id} has no file {remote_url[:120]!r} any more"
            )
        response = session.request("GET", signed)
        if response.status_code in (401, 403) and not session.is_own(signed):
            # The file's host says so of an address, not of our credential: it was never shown any.
            raise UnavailableError(
                f"{session.label}: ticket {ticket_remote_id}: the host of {remote_url[:120]!r} refuses the file"
            )
        session.check_status(response)
        yield response.content

    def _addresses(self, ticket_remote_id: str) -> dict[str, str]:
        """Address as records keep it → address that is good now."""
        view = self._api.whole(ticket_remote_id)
        if view is None:
            raise NotFoundError(f"{self._api.session.label}: no ticket {ticket_remote_id}")
        found: dict[str, str] = {}
        for one in [view, *(view.get("conversations") or ())]:
            files = one.get("attachments") if isinstance(one, dict) else None
            for file in files if isinstance(files, list) else ():
                found |= _pair(file)
        return found


def _pair(file: Any) -> dict[str, str]:
    signed = file.get("attachment_url") if isinstance(file, dict) else None
    if not isinstance(signed, str):
        return {}
    return {without_signatures({"attachment_url": signed})["attachment_url"]: signed}
