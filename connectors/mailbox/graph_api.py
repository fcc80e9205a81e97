"""Calls to Microsoft Graph for one mailbox: the session, links that are followed, what refusals mean.

Belongs here: paths, headers and error codes of Graph. Does not belong here: what is read in which order (`graph`).

Source: Microsoft Graph, "message: delta", "Get MIME content of a message", "List mailFolders", "Obtain immutable
identifiers for Outlook resources", "Outlook service limits", "Microsoft Graph error responses".
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from connectors.budget import BudgetStore, Limit
from connectors.errors import (
    AuthError,
    ConfigurationError,
    CursorExpiredError,
    UnavailableError,
)
from connectors.http import Policy, PolicySession

IMMUTABLE = 'IdType="ImmutableId"'
"""Wanted on every request: without it a mail's id changes with each move."""

_EXPIRED = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired"})
_NO_MAILBOX = frozenset(
    {
        "errorinvaliduser",
        "request_resourcenotfound",
        "resourcenotfound",
        "mailboxnotenabledforrestapi",
        "mailboxnotsupportedforrestapi",
        "errornonexistentmailbox",
    }
)


def open_session(
    base_url: str,
    auth: Any,
    user: str,
    *,
    label: str = "",
    policy: Policy | None = None,
    budgets: BudgetStore | None = None,
    time_scale: float = 1.0,
) -> PolicySession:
    """The session of one mailbox; its limit is the mailbox's own, whoever else shares the credential."""
    mailbox = f"mailbox {user.casefold()}"
    session = PolicySession(
        base_url,
        auth,
        label=label,
        policy=policy,
        classify=lambda _method, _path: mailbox,
        limits={mailbox: Limit(10_000, 600)},
        budgets=budgets,
        time_scale=time_scale,
    )
    session.headers["Prefer"] = IMMUTABLE
    return session


class GraphApi:
    """Reads one mailbox. All methods raise the errors of `connectors.errors`."""

    def __init__(self, session: PolicySession, user: str, page_rows: int) -> None:
        """`page_rows`: mails that a page of changes shall name at most."""
        self.session = session
        self.user = user
        self._mailbox = f"users/{quote(user, safe='@')}"
        self._delta_headers = {"Prefer": f"{IMMUTABLE}, odata.maxpagesize={page_rows}"}

    def folder(self, name: str) -> dict[str, Any]:
        """A folder by its id or well-known name.

        Raises:
            NotFoundError: this mailbox has none.
        """
        return self._object(f"{self._mailbox}/mailFolders/{quote(name, safe='')}", _FOLDER)

    def folders(self, parent: str | None = None) -> Iterator[dict[str, Any]]:
        """The folders at the top, or those in a folder, hidden ones too."""
        path = f"{self._mailbox}/mailFolders"
        if parent is not None:
            path += f"/{quote(parent, safe='')}/childFolders"
        return self._listed(path, {**_FOLDER, "$top": 100, "includeHiddenFolders": "true"})

    def changes(self, folder_id: str, link: str | None) -> dict[str, Any]:
        """One page of a folder's changes; `link` None begins with everything there is.

        Raises:
            CursorExpiredError: the link is no longer accepted.
            NotFoundError: there is no such folder any more.
        """
        if link is not None:
            return self._object(self._own(link), headers=self._delta_headers)
        path = f"{self._mailbox}/mailFolders/{quote(folder_id, safe='')}/messages/delta"
        return self._object(path, {"$select": _ROW}, headers=self._delta_headers)

    def message_rows(self, folder_id: str) -> Iterator[dict[str, Any]]:
        """All mails of a folder as rows, without content."""
        path = f"{self._mailbox}/mailFolders/{quote(folder_id, safe='')}/messages"
        return self._listed(path, {"$select": _ROW, "$top": 1000})

    def message_row(self, message_id: str) -> dict[str, Any]:
        """One mail as a row."""
        return self._object(
            f"{self._mailbox}/messages/{quote(message_id, safe='')}", {"$select": _ROW}
        )

    def mime(self, message_id: str) -> bytes:
        """A mail's bytes."""
        response = self.session.request(
            "GET", f"{self._mailbox}/messages/{quote(message_id, safe='')}/$value"
        )
        self._refuse(response)
        # A mail begins with the name of a header field. Whatever is taken here is never asked for again.
        if response.content.lstrip()[:1] in (b"", b"<"):
            raise UnavailableError(
                f"{self.session.label}: a mail was asked for and {len(response.content)} bytes came that are none. Is "
                "a proxy's or log-in page in between?"
            )
        return response.content

    def _listed(self, path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        page = self._object(path, params)
        links: set[str] = set()
        while True:
            yield from rows_of(page, self.session.label)
            link = page.get("@odata.nextLink")
            if not link:
                return
            if link in links:
                raise UnavailableError(
                    f"{self.session.label}: the list {path} leads back to a page that was read; the next run "
                    "begins it again"
                )
            links.add(link)
            page = self._object(self._own(link))

    def _object(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        response = self.session.request("GET", url, params=params, headers=headers)
        self._refuse(response)
        answer = self.session.json_of(response)
        if not isinstance(answer, dict):
            raise UnavailableError(
                f"{self.session.label}: {urlsplit(url).path} gave no object; is the address that of Microsoft Graph?"
            )
        return answer

    def _own(self, link: str) -> str:
        """A link that the vendor gave: followed as it is, and on its own host only."""
        if not self.session.is_own(link):
            raise UnavailableError(
                f"{self.session.label}: a page leads on to {urlsplit(link).netloc}, which is not the host that the "
                "credential belongs to"
            )
        return link

    def _refuse(self, response: requests.Response) -> None:
        """Turns a refusal into an error that says what to do."""
        if response.status_code < 400:
            return
        code = code_of(response)
        if response.status_code == 410 or code in _EXPIRED:
            raise CursorExpiredError(
                f"{self.session.label}: the state of the last sync is not known there any more ({code})"
            )
        if code in _NO_MAILBOX:
            raise ConfigurationError(
                f"{self.session.label}: there is no mailbox {self.user} ({code}). Set 'user' to its address or id; "
                "a mailbox on a company's own server is not served by Microsoft Graph"
            )
        try:
            self.session.check_status(response)
        except AuthError as error:
            raise AuthError(
                f"{error} The app registration needs the Microsoft Graph permission Mail.Read (Application, with an "
                "admin's consent; or Delegated, and Mail.Read.Shared for somebody else's mailbox), and its access "
                f"policy, if there is one, has to include {self.user}"
            ) from None


_FOLDER = {
    "$select": "id,displayName,parentFolderId,childFolderCount,totalItemCount,isHidden",
}

_ROW = "id,isDraft,conversationId,receivedDateTime"


def code_of(response: requests.Response) -> str:
    """Graph's word for a refusal, lower case; empty where there is none."""
    try:
        error = response.json().get("error")
        return str(error.get("code") if isinstance(error, dict) else error or "").casefold()
    except (ValueError, AttributeError):
        return ""


def rows_of(page: Mapping[str, Any], label: str) -> list[dict[str, Any]]:
    """A page's rows.

    Raises:
        UnavailableError: it has none where they belong.
    """
    rows = page.get("value")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and row.get("id") for row in rows
    ):
        raise UnavailableError(
            f"{label}: an answer without the list 'value'; is the address that of Microsoft Graph?"
        )
    return rows
