r"""A stand-in for the mail part of Microsoft Graph: one mailbox, its folders, their changes.

Belongs here: what Graph documents, and what its users report of it. Does not belong here: anything but mail, any writing.

    with GraphStandin("info@acme.example") as graph:
        inbox = graph.folder("inbox")
        graph.deliver(inbox, b"Subject: hello\r\n\r\n…")

Kept: folders with children, hidden ones and well-known names; `messages/delta` with opaque links, page sizes and
`@removed`; immutable ids where they are asked for, and ids that change with each move where not; `$value`; four requests
at a time; 10,000 in ten minutes. Left out: batches, filters, personal accounts.

Source: Microsoft Graph, "message: delta", "Get incremental changes to messages in a folder", "Obtain immutable
identifiers", "Outlook service limits", "Microsoft Graph error responses"; microsoftgraph/microsoft-graph-docs-contrib
issue 72: with immutable ids a mail that was moved out and back is told as removed only.
"""

import itertools
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.standins.faults import Fault
from connectors.standins.oauth import TokenDesk
from connectors.standins.rate_limit import RateLimit, retry_after_text
from connectors.standins.server import Request, Response, Route, StandIn

WELL_KNOWN = {
    "inbox": "Inbox",
    "sentitems": "Sent Items",
    "drafts": "Drafts",
    "archive": "Archive",
    "deleteditems": "Deleted Items",
    "junkemail": "Junk Email",
    "outbox": "Outbox",
}

_USER = r"/v1\.0/users/(?P<user>[^/]+)"
_PAGE_SIZE = re.compile(r"odata\.maxpagesize=(\d+)")


@dataclass(slots=True)
class Folder:
    """A folder; `log` holds (number, message, what happened)."""

    id: str
    name: str
    parent: str | None = None
    is_hidden: bool = False
    log: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Mail:
    """A mail; `id` is the immutable one."""

    id: str
    folder: str
    content: bytes
    received_at: datetime
    is_draft: bool = False


@dataclass(slots=True)
class _Link:
    """What an opaque link stands for: ids still to be told, and how far the log is told behind them."""

    folder: str
    generation: int
    reached: int
    rows: list[tuple[str, str]] | None = None
    """(message, what happened); None: a delta link, the changes since `reached`."""


class GraphStandin(StandIn):
    """One mailbox. Change it through its methods; take `lock` where clients are busy.

    Args:
        user: its address.
        oauth: gives out tokens at `/{tenant}/oauth2/v2.0/token`; any token is good where left out.
        requests_per_window: of the ten-minute limit.
        options: those of `StandIn`.
    """

    def __init__(
        self,
        user: str,
        *,
        oauth: TokenDesk | None = None,
        requests_per_window: int = 10_000,
        **options: Any,
    ) -> None:
        """An empty mailbox with the folders that every mailbox has."""
        super().__init__(**options)
        self.user = user
        self.oauth = oauth
        self.folders: dict[str, Folder] = {}
        self.well_known: dict[str, str] = {}
        self.mails: dict[str, Mail] = {}
        self.is_permitted = True
        """False: the app may not read this mailbox (403)."""
        self.hides_moves = False
        """True: a mail that was moved into a folder is not told there (reported with immutable ids)."""
        self.tells_little = False
        """True: a changed mail's row holds nothing but its id, as the documents allow."""
        self.leads_back = False
        """True: each page of changes leads to itself."""
        self.broken: set[str] = set()
        """Mails whose content cannot be made (500)."""
        self.vanishing: set[str] = set()
        """Mails that are deleted when their content is asked for."""
        self.without_immutable: list[str] = []
        """Paths that were asked without immutable ids."""
        self.most_at_once = 0
        self._at_once = 0
        self._gauge = threading.Lock()
        self._limit = RateLimit(requests_per_window, 600, self.time_scale)
        self._numbers = itertools.count(1)
        self._generation = 0
        self._links: dict[str, _Link] = {}
        for use, name in WELL_KNOWN.items():
            self.well_known[use] = self.add_folder(name).id

    def folder(self, name: str) -> Folder:
        """A folder by its id, well-known name, or name."""
        found = self.folders.get(self.well_known.get(name, name))
        return found or next(one for one in self.folders.values() if one.name == name)

    def add_folder(
        self, name: str, parent: Folder | None = None, *, is_hidden: bool = False
    ) -> Folder:
        """A new folder."""
        made = Folder(
            f"AQMkFolder{next(self._numbers):06d}==", name, parent.id if parent else None, is_hidden
        )
        self.folders[made.id] = made
        return made

    def remove_folder(self, folder: Folder) -> None:
        """Deletes a folder with its mails."""
        for mail in [one for one in self.mails.values() if one.folder == folder.id]:
            self.remove(mail)
        del self.folders[folder.id]

    def deliver(
        self,
        folder: Folder,
        content: bytes,
        *,
        is_draft: bool = False,
        received_at: datetime | None = None,
    ) -> Mail:
        """A new mail in a folder."""
        number = next(self._numbers)
        # Ids that differ in case alone are different mails.
        mark = f"{number // 2:06d}{'aA'[number % 2]}"
        mail = Mail(
            f"AAkALgAAImmutable{mark}/+=", folder.id, content, received_at or self.now(), is_draft
        )
        self.mails[mail.id] = mail
        self._note(folder.id, mail.id, "created")
        return mail

    def change(self, mail: Mail, *, is_draft: bool | None = None) -> None:
        """Something about a mail changes (it is read, flagged, sent)."""
        if is_draft is not None:
            mail.is_draft = is_draft
        self._note(mail.folder, mail.id, "changed")

    def move(self, mail: Mail, folder: Folder) -> None:
        """Moves a mail; its immutable id stays."""
        self._note(mail.folder, mail.id, "removed")
        mail.folder = folder.id
        self._note(folder.id, mail.id, "moved")

    def reimport(self, mail: Mail, folder: Folder) -> Mail:
        """Takes a mail out and in again: the same content under another id."""
        self.remove(mail)
        return self.deliver(folder, mail.content, received_at=mail.received_at)

    def remove(self, mail: Mail) -> None:
        """Deletes a mail for good."""
        self._note(mail.folder, mail.id, "removed")
        del self.mails[mail.id]

    def forget_state(self) -> None:
        """Every link that was given out is refused from now on (410)."""
        self._generation += 1

    def dump(self, *folders: Folder) -> dict[str, bytes]:
        """Immutable id → content of all mails in these folders, drafts left out."""
        wanted = {folder.id for folder in folders}
        return {
            mail.id: mail.content
            for mail in self.mails.values()
            if mail.folder in wanted and not mail.is_draft
        }

    def token_url(self, tenant: str = "acme.example") -> str:
        """Where tokens are given out."""
        return f"{self.base_url}/{tenant}/oauth2/v2.0/token"

    def routes(self) -> Sequence[Route]:
        """Token endpoint and mailbox."""
        folder = rf"{_USER}/mailFolders/(?P<folder>[^/]+)"
        token = [self.oauth.route(r"/[^/]+/oauth2/v2\.0/token")] if self.oauth else []
        return [
            *token,
            Route("folders", "GET", rf"{_USER}/mailFolders", self._folders),
            Route("child_folders", "GET", rf"{folder}/childFolders", self._folders),
            Route("delta", "GET", rf"{folder}/messages/delta", self._delta),
            Route("messages", "GET", rf"{folder}/messages", self._messages),
            Route("folder", "GET", folder, self._folder),
            Route("mime", "GET", rf"{_USER}/messages/(?P<id>[^/]+)/\$value", self._mime),
            Route("message", "GET", rf"{_USER}/messages/(?P<id>[^/]+)", self._message),
        ]

    def before(self, request: Request, route: Route) -> Response | None:
        """Credential, mailbox, right, limit."""
        if route.name == "oauth_token":
            return None
        if self.oauth is not None and not self.oauth.accepts(request.bearer()):
            return _refusal(401, "InvalidAuthenticationToken", "Access token has expired.")
        if request.params["user"] != self.user:
            return _refusal(404, "ErrorInvalidUser", "The requested user is invalid.")
        if not self.is_permitted:
            return _refusal(403, "ErrorAccessDenied", "Access is denied. Check credentials.")
        allowance = self._limit.take()
        if not allowance.is_allowed:
            wait = retry_after_text(allowance.retry_after_seconds, self.time_scale)
            return _throttled("Application is over its limit.", wait)
        if not self._is_immutable(request):
            self.without_immutable.append(request.path)
        return None

    def not_found(self, request: Request) -> Response:
        """Graph's form."""
        return _refusal(400, "BadRequest", "Resource not found for the segment.")

    def _answer(self, request: Request) -> tuple[Response | None, Fault | None]:
        with self._gauge:
            self._at_once += 1
            at_once = self._at_once
            self.most_at_once = max(self.most_at_once, at_once)
        try:
            if at_once > 4:
                text = "Application is over its MailboxConcurrency limit."
                return _throttled(text, "1"), None
            return super()._answer(request)
        finally:
            with self._gauge:
                self._at_once -= 1

    def _folders(self, request: Request) -> Response:
        parent = None
        if "folder" in request.params:
            found = self._found(request)
            if found is None:
                return _no_folder()
            parent = found.id
        shows_hidden = request.first("includeHiddenFolders") == "true"
        rows = [
            self._folder_row(one)
            for one in self.folders.values()
            if one.parent == parent and (shows_hidden or not one.is_hidden)
        ]
        return self._listed(request, rows)

    def _folder(self, request: Request) -> Response:
        folder = self._found(request)
        return _no_folder() if folder is None else Response.json(self._folder_row(folder))

    def _messages(self, request: Request) -> Response:
        folder = self._found(request)
        if folder is None:
            return _no_folder()
        rows = [self._row(one, request) for one in self._inside(folder.id)]
        return self._listed(request, rows)

    def _message(self, request: Request) -> Response:
        mail = self._mail(request)
        return _no_item() if mail is None else Response.json(self._row(mail, request))

    def _mime(self, request: Request) -> Response:
        mail = self._mail(request)
        if mail is None:
            return _no_item()
        if mail.id in self.vanishing:
            self.remove(mail)
            return _no_item()
        if mail.id in self.broken:
            return _refusal(500, "ErrorMimeContentConversionFailed", "The conversion failed.")
        return Response(200, mail.content, media_type="text/plain")

    def _delta(self, request: Request) -> Response:
        folder = self._found(request)
        if folder is None:
            return _no_folder()
        token = request.first("$skiptoken") or request.first("$deltatoken")
        if token is None:
            rows = [(mail.id, "created") for mail in self._inside(folder.id)]
            link = _Link(folder.id, self._generation, self._last(folder), rows)
        else:
            known = self._links.get(token)
            if known is None or known.generation != self._generation:
                text = "The sync state generation is not found; generation=605;[highest=841]."
                return _refusal(410, "SyncStateNotFound", text)
            link = known
            if link.rows is None:
                rows = self._since(folder, link.reached)
                link = _Link(folder.id, self._generation, self._last(folder), rows)
        assert link.rows is not None, "a delta link was opened above"
        asked = _PAGE_SIZE.search(request.headers.get("prefer", ""))
        size = int(asked[1]) if asked else 10
        told, left = link.rows[:size], link.rows[size:]
        body: dict[str, Any] = {"value": [self._told(*one, request) for one in told]}
        if self.leads_back:
            body["@odata.nextLink"] = f"{self.base_url}{request.path}?$skiptoken={token or ''}"
        elif left:
            following = _Link(folder.id, self._generation, link.reached, left)
            body["@odata.nextLink"] = self._link("$skiptoken", request, following)
        else:
            following = _Link(folder.id, self._generation, link.reached)
            body["@odata.deltaLink"] = self._link("$deltatoken", request, following)
        return Response.json(body)

    def _since(self, folder: Folder, reached: int) -> list[tuple[str, str]]:
        """Changes behind a number, each mail once."""
        found: dict[str, str] = {}
        for number, mail_id, what in folder.log:
            if number <= reached or (what == "moved" and self.hides_moves):
                continue
            # Moved out and back: removed is the last that is told of it.
            found[mail_id] = "removed" if found.get(mail_id) == "removed" else what
        return list(found.items())

    def _told(self, mail_id: str, what: str, request: Request) -> dict[str, Any]:
        mail = self.mails.get(mail_id)
        if what == "removed" or mail is None:
            return {"id": mail_id, "@removed": {"reason": "deleted"}}
        row = self._row(mail, request)
        return {"id": row["id"]} if what == "changed" and self.tells_little else row

    def _link(self, name: str, request: Request, link: _Link) -> str:
        token = f"t{next(self._numbers)}"
        self._links[token] = link
        return f"{self.base_url}{request.path}?{name}={token}"

    def _listed(self, request: Request, rows: list[dict[str, Any]]) -> Response:
        size, skip = int(request.first("$top") or 10), int(request.first("$skip") or 0)
        body: dict[str, Any] = {"value": rows[skip : skip + size]}
        if skip + size < len(rows):
            hidden = request.first("includeHiddenFolders")
            more = f"&includeHiddenFolders={hidden}" if hidden else ""
            link = f"{self.base_url}{request.path}?$top={size}&$skip={skip + size}{more}"
            body["@odata.nextLink"] = link
        return Response.json(body)

    def _row(self, mail: Mail, request: Request) -> dict[str, Any]:
        mail_id = mail.id
        if not self._is_immutable(request):
            mail_id = f"AAMkDefault{mail.id}in{mail.folder}"
        return {
            "id": mail_id,
            "isDraft": mail.is_draft,
            "conversationId": "AAQkConversation=",
            "receivedDateTime": mail.received_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _folder_row(self, folder: Folder) -> dict[str, Any]:
        return {
            "id": folder.id,
            "displayName": folder.name,
            "parentFolderId": folder.parent or "root",
            "childFolderCount": sum(one.parent == folder.id for one in self.folders.values()),
            "totalItemCount": len(self._inside(folder.id)),
            "isHidden": folder.is_hidden,
        }

    def _inside(self, folder_id: str) -> list[Mail]:
        """Newest first."""
        return [one for one in reversed(self.mails.values()) if one.folder == folder_id]

    def _found(self, request: Request) -> Folder | None:
        name = request.params["folder"]
        return self.folders.get(self.well_known.get(name.lower(), name))

    def _mail(self, request: Request) -> Mail | None:
        mail_id = request.params["id"]
        if mail_id.startswith("AAMkDefault"):
            inner, _, folder = mail_id.removeprefix("AAMkDefault").rpartition("in")
            mail = self.mails.get(inner)
            return mail if mail is not None and mail.folder == folder else None
        return self.mails.get(mail_id)

    def _note(self, folder_id: str, mail_id: str, what: str) -> None:
        self.folders[folder_id].log.append((next(self._numbers), mail_id, what))

    def _last(self, folder: Folder) -> int:
        return folder.log[-1][0] if folder.log else 0

    @staticmethod
    def _is_immutable(request: Request) -> bool:
        return 'idtype="immutableid"' in request.headers.get("prefer", "").lower()


def contents(mails: Iterable[Mail]) -> list[bytes]:
    """The bytes of mails, sorted, to compare with what came."""
    return sorted(mail.content for mail in mails)


def _refusal(status: int, code: str, message: str) -> Response:
    return Response.json({"error": {"code": code, "message": message, "innerError": {}}}, status)


def _throttled(message: str, retry_after: str) -> Response:
    error = {"code": "ApplicationThrottled", "message": message}
    return Response.json({"error": error}, 429, {"Retry-After": retry_after})


def _no_folder() -> Response:
    return _refusal(404, "ErrorItemNotFound", "The specified folder was not found in the store.")


def _no_item() -> Response:
    return _refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")
