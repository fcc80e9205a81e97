r"""A stand-in for the reading part of the Gmail API: one mailbox, its labels, the history of its changes.

Belongs here: what Gmail documents. Does not belong here: sending, drafts' own endpoints, push.

    with GmailStandin("info@acme.example") as gmail:
        gmail.deliver(b"Subject: hello\r\n\r\n…", {"INBOX"})

Kept: lists newest first with opaque tokens, drafts and chats among the mails, junk and trash left out; `format=raw` in
base64url without padding; history ids with gaps between them that are forgotten (404); quota units of a minute, refused
as 429, as 403, or with a time in a sentence. Where the documents are silent: a mail in a history record carries the labels
that it had then (`tells_labels`; they say that only ids are sure).

Source: Gmail API reference (profile, messages, history, labels), "Usage limits", "Resolve errors", "Synchronize clients".
"""

import base64
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connectors.standins.oauth import TokenDesk
from connectors.standins.rate_limit import RateLimit, retry_after_text
from connectors.standins.server import Request, Response, Route, StandIn

_USER = r"/gmail/v1/users/(?P<user>[^/]+)"
_COSTS = {"profile": 1, "labels": 1, "messages": 5, "message": 5, "history": 2}
_SYSTEM = ("INBOX", "SENT", "DRAFT", "CHAT", "SPAM", "TRASH", "UNREAD", "STARRED")
_REASONS = {"403": "userRateLimitExceeded", "429": "rateLimitExceeded"}


@dataclass(slots=True)
class Mail:
    """A message."""

    id: str
    thread_id: str
    content: bytes
    labels: set[str]
    at: datetime
    history_id: int = 0


@dataclass(frozen=True, slots=True)
class _Change:
    """One record of the history."""

    id: int
    kind: str
    mail: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


class GmailStandin(StandIn):
    """One mailbox. Change it through its methods; take `lock` where clients are busy.

    Args:
        user: its address; `me` means the same.
        oauth: gives out tokens at `/token`; any token is good where left out.
        units_per_minute: of the user's quota.
        options: those of `StandIn`.
    """

    def __init__(
        self,
        user: str,
        *,
        oauth: TokenDesk | None = None,
        units_per_minute: int = 15_000,
        **options: Any,
    ) -> None:
        """An empty mailbox with the system's labels."""
        super().__init__(**options)
        self.user = user
        self.oauth = oauth
        self.mails: dict[str, Mail] = {}
        self.labels: dict[str, str] = {name: name for name in _SYSTEM}
        self.is_enabled = True
        """False: the API is not enabled in the client's project (403)."""
        self.refuses_as: Literal["429", "403", "sentence"] = "429"
        self.tells_labels = True
        self.leads_back = False
        """True: each page of a list leads to itself."""
        self.broken: set[str] = set()
        """Mails whose bytes cannot be had (500)."""
        self.vanishing: set[str] = set()
        """Mails that are deleted when they are asked for."""
        self.refused = 0
        """Calls refused by the quota."""
        self._limit = RateLimit(units_per_minute, 60, self.time_scale)
        self._numbers = itertools.count(0x18C0_0000_0000_0001, 0x1_0001)
        self._history_id = 1_000
        self._history: list[_Change] = []
        self._oldest = 0
        self._tokens = 0

    @property
    def history_id(self) -> int:
        """Of the latest change."""
        return self._history_id

    def add_label(self, name: str) -> str:
        """A label of the user's own; its id."""
        self.labels[name] = f"Label_{len(self.labels)}"
        return self.labels[name]

    def deliver(
        self, content: bytes, labels: Collection[str] = ("INBOX",), *, at: datetime | None = None
    ) -> Mail:
        """A new message under label ids."""
        mail_id = f"{next(self._numbers):x}"
        mail = Mail(mail_id, mail_id, content, set(labels), at or self.now())
        self.mails[mail_id] = mail
        self._note("messagesAdded", mail)
        return mail

    def relabel(
        self, mail: Mail, *, add: Collection[str] = (), remove: Collection[str] = ()
    ) -> None:
        """Labels come and go; trash, junk and the inbox are labels too."""
        if add:
            mail.labels |= set(add)
            self._note("labelsAdded", mail, add)
        if remove:
            mail.labels -= set(remove)
            self._note("labelsRemoved", mail, remove)

    def remove(self, mail: Mail) -> None:
        """Deletes a message for good."""
        del self.mails[mail.id]
        self._note("messagesDeleted", mail)

    def forget_history(self) -> None:
        """Ids given out so far are refused from now on (404)."""
        self._history_id += 1_000
        self._oldest = self._history_id

    def forget_tokens(self) -> None:
        """Page tokens given out so far are refused from now on (400)."""
        self._tokens += 1

    def dump(self) -> dict[str, bytes]:
        """Id → content of all mail but drafts, chats, junk and trash."""
        aside = {"DRAFT", "CHAT", "SPAM", "TRASH"}
        return {one.id: one.content for one in self.mails.values() if not one.labels & aside}

    @property
    def token_url(self) -> str:
        """Where tokens are given out."""
        return f"{self.base_url}/token"

    def routes(self) -> Sequence[Route]:
        """Token endpoint and mailbox."""
        token = [self.oauth.route("/token")] if self.oauth else []
        return [
            *token,
            Route("profile", "GET", rf"{_USER}/profile", self._profile),
            Route("labels", "GET", rf"{_USER}/labels", self._labels),
            Route("messages", "GET", rf"{_USER}/messages", self._messages),
            Route("message", "GET", rf"{_USER}/messages/(?P<id>[^/]+)", self._message),
            Route("history", "GET", rf"{_USER}/history", self._changes),
        ]

    def before(self, request: Request, route: Route) -> Response | None:
        """Credential, project, mailbox, quota."""
        if route.name == "oauth_token":
            return None
        if self.oauth is not None and not self.oauth.accepts(request.bearer()):
            return _refusal(401, "authError", "Invalid Credentials")
        if not self.is_enabled:
            text = "Gmail API has not been used in project 1 before or it is disabled."
            return _refusal(403, "accessNotConfigured", text)
        if request.params["user"] not in (self.user, "me"):
            return _refusal(403, "forbidden", f"Delegation denied for {self.user}")
        allowance = self._limit.take(cost=_COSTS[route.name])
        if allowance.is_allowed:
            return None
        self.refused += 1
        if self.refuses_as == "sentence":
            until = datetime.fromtimestamp(self.now().timestamp() + 1, self.now().tzinfo)
            text = f"User-rate limit exceeded.  Retry after {until:%Y-%m-%dT%H:%M:%S}.000Z"
            return _refusal(429, "rateLimitExceeded", text)
        wait = retry_after_text(allowance.retry_after_seconds, self.time_scale)
        headers = {"Retry-After": wait} if self.refuses_as == "429" else {}
        status = int(self.refuses_as)
        return _refusal(status, _REASONS[self.refuses_as], "Rate Limit Exceeded", headers)

    def not_found(self, request: Request) -> Response:
        """Google's form."""
        return _refusal(404, "notFound", "Requested entity was not found.")

    def _profile(self, _request: Request) -> Response:
        return Response.json(
            {
                "emailAddress": self.user,
                "messagesTotal": len(self.mails),
                "threadsTotal": len({one.thread_id for one in self.mails.values()}),
                "historyId": str(self._history_id),
            }
        )

    def _labels(self, _request: Request) -> Response:
        rows = [{"id": label_id, "name": name} for name, label_id in self.labels.items()]
        return Response.json({"labels": rows})

    def _messages(self, request: Request) -> Response:
        wanted = set(request.query.get("labelIds", []))
        hidden = set() if request.first("includeSpamTrash") == "true" else {"SPAM", "TRASH"}
        mails = [
            one
            for one in sorted(self.mails.values(), key=lambda mail: int(mail.id, 16), reverse=True)
            if wanted <= one.labels and not (one.labels & hidden)
        ]
        position = self._position(request)
        if position is None:
            return _refusal(400, "invalidArgument", "Invalid pageToken")
        if position:
            mails = [one for one in mails if int(one.id, 16) < position]
        size = min(int(request.first("maxResults") or 100), 500)
        body: dict[str, Any] = {"resultSizeEstimate": len(mails)}
        if mails:
            body["messages"] = [{"id": one.id, "threadId": one.thread_id} for one in mails[:size]]
        if self.leads_back:
            body["nextPageToken"] = request.first("pageToken") or f"{self._tokens}:{1 << 64}"
        elif len(mails) > size:
            body["nextPageToken"] = f"{self._tokens}:{int(mails[size - 1].id, 16)}"
        return Response.json(body)

    def _message(self, request: Request) -> Response:
        mail = self.mails.get(request.params["id"])
        if mail is not None and mail.id in self.vanishing:
            self.remove(mail)
            mail = None
        if mail is None:
            return self.not_found(request)
        row: dict[str, Any] = {
            "id": mail.id,
            "threadId": mail.thread_id,
            "labelIds": sorted(mail.labels),
            "historyId": str(mail.history_id),
            "internalDate": str(int(mail.at.timestamp() * 1000)),
            "sizeEstimate": len(mail.content),
        }
        if request.first("format") == "raw":
            if mail.id in self.broken:
                return _refusal(500, "backendError", "Backend Error")
            row["raw"] = base64.urlsafe_b64encode(mail.content).decode().rstrip("=")
        return Response.json(row)

    def _changes(self, request: Request) -> Response:
        start = int(request.first("startHistoryId") or 0)
        if start < self._oldest:
            return self.not_found(request)
        position = self._position(request)
        if position is None:
            return _refusal(400, "invalidArgument", "Invalid pageToken")
        changes = [one for one in self._history if one.id > max(start, position)]
        size = min(int(request.first("maxResults") or 100), 500)
        body: dict[str, Any] = {"historyId": str(self._history_id)}
        if changes:
            body["history"] = [self._record(one) for one in changes[:size]]
        if self.leads_back:
            body["nextPageToken"] = request.first("pageToken") or f"{self._tokens}:0"
        elif len(changes) > size:
            body["nextPageToken"] = f"{self._tokens}:{changes[size - 1].id}"
        return Response.json(body)

    def _record(self, change: _Change) -> dict[str, Any]:
        mail = change.mail if self.tells_labels else {k: change.mail[k] for k in ("id", "threadId")}
        told: dict[str, Any] = {"message": mail}
        if change.labels:
            told["labelIds"] = list(change.labels)
        short = {name: mail[name] for name in ("id", "threadId")}
        return {"id": str(change.id), "messages": [short], change.kind: [told]}

    def _position(self, request: Request) -> int | None:
        """What a page token stands for; 0 without one, None where it is not accepted."""
        token = request.first("pageToken")
        if not token:
            return 0
        generation, _, position = token.partition(":")
        return int(position) if generation == str(self._tokens) else None

    def _note(self, kind: str, mail: Mail, labels: Collection[str] = ()) -> None:
        self._history_id += 7
        mail.history_id = self._history_id
        told = {"id": mail.id, "threadId": mail.thread_id, "labelIds": sorted(mail.labels)}
        self._history.append(_Change(self._history_id, kind, told, tuple(labels)))


def _refusal(
    status: int, reason: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    errors = [{"domain": "global", "reason": reason, "message": message}]
    body = {"error": {"code": status, "message": message, "errors": errors}}
    return Response.json(body, status, headers)
