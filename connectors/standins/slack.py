"""A local Slack workspace: posts, threads, history with metadata, files, limits and errors as Slack gives them.

Belongs here: what Slack's documents say of the Web API methods we call. Does not belong here: events, buttons,
people's clients.

Source: docs.slack.dev, the methods' pages, rate limits, Block Kit reference.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.standins.server import (
    RateLimit,
    Request,
    Response,
    Route,
    StandIn,
    retry_after_text,
)

BLOCKS_LIMIT = 50
TOTAL_LIMIT = 13_000
TEXT_LIMIT = 40_000
_TEXT_LIMITS = {"header": 150, "section": 3_000}

Arguments = Mapping[str, Any]


class SlackStandIn(StandIn):
    """One workspace with some channels; what was posted is rebuilt from the ledger.

    Args:
        tokens: the bot tokens it knows; None takes any that begins with `xoxb-`.
        channels: id → name.
        posts_per_second: per channel, with bursts of five seconds' worth, in scaled time.
        scopes: what the token may do; a call without its scope is refused with `missing_scope`.
        options: see `StandIn`.
    """

    def __init__(
        self,
        *,
        tokens: Sequence[str] | None = None,
        channels: Mapping[str, str] | None = None,
        posts_per_second: int = 1,
        scopes: Sequence[str] = ("chat:write", "channels:history", "channels:read", "files:write"),
        **options: Any,
    ) -> None:
        """Replays the ledger, if there is one."""
        super().__init__(**options)
        self._tokens = tokens
        self._channels = dict(channels or {"C0SUPPORT1": "support"})
        self._scopes = frozenset(scopes)
        self._limit = RateLimit(5 * posts_per_second, 5, self.time_scale)
        self.posts: list[dict[str, Any]] = []
        """Every post, oldest first: `channel`, `ts`, `text`, `blocks`, `metadata`, `thread_ts`."""
        self.files: list[dict[str, Any]] = []
        """Every completed file: `id`, `name`, `title`, `channel`, `size`, `content`."""
        self._uploads: dict[str, dict[str, Any]] = {}
        self._last_second = 0
        self._in_second = 0
        for entry in self.ledger.entries():
            self._replay(entry)

    def routes(self) -> Sequence[Route]:
        """The Web API under `/api/`, and the address that files are sent to."""
        methods = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post_message,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.list": self._list,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete_upload,
        }
        api = [
            Route(name, method, f"/api/{name.replace('.', '[.]')}", handler)
            for name, handler in methods.items()
            for method in ("POST", "GET")
        ]
        return [*api, Route("upload", "POST", r"/upload/v1/(?P<file_id>F\w+)", self._upload)]

    @property
    def api_url(self) -> str:
        """What a client takes as `base_url`."""
        return f"{self.base_url}/api/"

    def before(self, request: Request, route: Route) -> Response | None:
        """Checks the token; the upload address carries its own permission."""
        if route.name == "upload":
            return None
        token = request.bearer() or _arguments(request).get("token")
        if not token:
            return _fail("not_authed")
        known = token in self._tokens if self._tokens is not None else token.startswith("xoxb-")
        return None if known else _fail("invalid_auth")

    def with_key(self, key: str, action: str | None = None) -> list[dict[str, Any]]:
        """Posts that carry this key in their metadata."""
        with self.lock:
            return [
                post
                for post in self.posts
                if (payload := (post.get("metadata") or {}).get("event_payload") or {}).get("key")
                == key
                and action in (None, payload.get("action"))
            ]

    def _auth_test(self, request: Request) -> Response:
        return _ok(
            url=f"{self.base_url}/",
            team="Acme Support",
            user="deskbridge",
            team_id="T0ACME001",
            user_id="U0DESKB01",
            bot_id="B0DESKB01",
        )

    def _post_message(self, request: Request) -> Response:
        arguments = _arguments(request)
        if "chat:write" not in self._scopes:
            return _fail(
                "missing_scope", needed="chat:write", provided=",".join(sorted(self._scopes))
            )
        channel = self._channel(arguments.get("channel"))
        if channel is None:
            return _fail("channel_not_found")
        allowance = self._limit.take(channel)
        if not allowance.is_allowed:
            wait = retry_after_text(allowance.retry_after_seconds, self.time_scale)
            body = {"ok": False, "error": "ratelimited"}
            return Response.json(body, 429, {"Retry-After": wait})
        refused = _refusal(arguments)
        if refused is not None:
            return refused
        post = {
            "type": "message",
            "channel": channel,
            "ts": self._next_ts(),
            "user": "U0DESKB01",
            "text": str(arguments.get("text") or "")[:TEXT_LIMIT],
            "blocks": _json_of(arguments.get("blocks")) or [],
            "metadata": _json_of(arguments.get("metadata")),
        }
        if arguments.get("thread_ts"):
            post["thread_ts"] = str(arguments["thread_ts"])
        self.posts.append(post)
        self.ledger.append("post", post=post)
        return _ok(channel=channel, ts=post["ts"], message=_shown(post, with_metadata=True))

    def _update(self, request: Request) -> Response:
        arguments = _arguments(request)
        post = self._post_of(arguments)
        if post is None:
            return _fail("message_not_found")
        refused = _refusal(arguments)
        if refused is not None:
            return refused
        change = {
            name: _json_of(arguments[name]) if name != "text" else arguments[name]
            for name in ("text", "blocks", "metadata")
            if name in arguments
        }
        post.update(change)
        self.ledger.append("update", channel=post["channel"], ts=post["ts"], change=change)
        return _ok(channel=post["channel"], ts=post["ts"], text=post["text"])

    def _history(self, request: Request) -> Response:
        return self._page(request, lambda post, _: "thread_ts" not in post)

    def _replies(self, request: Request) -> Response:
        return self._page(
            request, lambda post, ts: ts in (post["ts"], post.get("thread_ts")), newest_first=False
        )

    def _page(self, request: Request, belongs: Any, newest_first: bool = True) -> Response:
        arguments = _arguments(request)
        if "channels:history" not in self._scopes:
            return _fail(
                "missing_scope", needed="channels:history", provided=",".join(sorted(self._scopes))
            )
        # History takes ids only; a name that chat.postMessage accepts is not found here.
        channel = arguments.get("channel")
        if channel not in self._channels:
            return _fail("channel_not_found")
        found = [
            p for p in self.posts if p["channel"] == channel and belongs(p, arguments.get("ts"))
        ]
        oldest = str(arguments.get("oldest") or "")
        found = [post for post in found if post["ts"] > oldest]
        if newest_first:
            found.reverse()
        limit = min(999, int(arguments.get("limit") or 100))
        start = int(arguments.get("cursor") or 0)
        with_metadata = str(arguments.get("include_all_metadata", "")).lower() in ("true", "1")
        page = [_shown(post, with_metadata) for post in found[start : start + limit]]
        more = start + limit < len(found)
        cursor = str(start + limit) if more else ""
        return _ok(messages=page, has_more=more, response_metadata={"next_cursor": cursor})

    def _list(self, request: Request) -> Response:
        if "channels:read" not in self._scopes:
            return _fail(
                "missing_scope", needed="channels:read", provided=",".join(sorted(self._scopes))
            )
        channels = [
            {"id": key, "name": name, "is_channel": True} for key, name in self._channels.items()
        ]
        return _ok(channels=channels, response_metadata={"next_cursor": ""})

    def _upload_url(self, request: Request) -> Response:
        arguments = _arguments(request)
        if not arguments.get("filename") or not str(arguments.get("length", "")).isdecimal():
            return _fail("invalid_arguments")
        file_id = f"F{len(self._uploads) + len(self.files) + 1:010d}"
        self._uploads[file_id] = {
            "id": file_id,
            "name": arguments["filename"],
            "length": int(arguments["length"]),
        }
        return _ok(upload_url=f"{self.base_url}/upload/v1/{file_id}", file_id=file_id)

    def _upload(self, request: Request) -> Response:
        upload = self._uploads.get(request.params["file_id"])
        if upload is None:
            return Response(404, b"no such upload", media_type="text/plain")
        upload["content"] = request.body
        return Response(200, f"OK - {len(request.body)}".encode(), media_type="text/plain")

    def _complete_upload(self, request: Request) -> Response:
        arguments = _arguments(request)
        channel = arguments.get("channel_id") or arguments.get("channels")
        if channel and channel not in self._channels:
            return _fail("channel_not_found")
        done = []
        for given in _json_of(arguments.get("files")) or []:
            upload = self._uploads.pop(given.get("id"), None)
            if upload is None or "content" not in upload:
                return _fail("file_not_found")
            file = {
                "id": upload["id"],
                "name": upload["name"],
                "title": given.get("title") or upload["name"],
                "channel": channel,
                "size": len(upload["content"]),
                "content": upload["content"],
            }
            self.files.append(file)
            kept = {name: value for name, value in file.items() if name != "content"}
            self.ledger.append("file", file=kept)
            done.append({"id": file["id"], "title": file["title"]})
        return _ok(files=done)

    def _replay(self, entry: Mapping[str, Any]) -> None:
        if entry["kind"] == "post":
            self.posts.append(dict(entry["post"]))
            second, _, number = entry["post"]["ts"].partition(".")
            self._last_second, self._in_second = int(second), int(number)
        elif entry["kind"] == "update":
            post = self._post_of(entry)
            if post is not None:
                post.update(entry["change"])
        elif entry["kind"] == "file":
            self.files.append({**entry["file"], "content": None})

    def _channel(self, given: Any) -> str | None:
        if given in self._channels:
            return str(given)
        name = str(given or "").removeprefix("#")
        return next((key for key, known in self._channels.items() if known == name), None)

    def _post_of(self, arguments: Arguments) -> dict[str, Any] | None:
        wanted = (arguments.get("channel"), arguments.get("ts"))
        return next((p for p in self.posts if (p["channel"], p["ts"]) == wanted), None)

    def _next_ts(self) -> str:
        """Unique in the channel and rising, as Slack's are."""
        second = max(int(self.now().timestamp()), self._last_second)
        self._in_second = self._in_second + 1 if second == self._last_second else 1
        self._last_second = second
        return f"{second}.{self._in_second:06d}"


def _arguments(request: Request) -> Arguments:
    """A call's arguments: JSON, form or query, as Slack takes any of them."""
    query = {name: values[-1] for name, values in request.query.items()}
    if request.headers.get("content-type", "").startswith("application/json"):
        body = request.json() if request.body else {}
        return {**query, **body} if isinstance(body, dict) else query
    return {**query, **request.form()}


def _json_of(value: Any) -> Any:
    """A structured argument, which a form carries as JSON text."""
    return json.loads(value) if isinstance(value, str) and value else value


def _ok(**fields: Any) -> Response:
    return Response.json({"ok": True, **fields})


def _fail(error: str, messages: Sequence[str] = (), **fields: Any) -> Response:
    """Slack answers a refused call with 200 and `ok: false`."""
    body: dict[str, Any] = {"ok": False, "error": error, **fields}
    if messages:
        body["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in messages]}
    return Response.json(body)


def _shown(post: Mapping[str, Any], with_metadata: bool) -> dict[str, Any]:
    """A post as history gives it: without `include_all_metadata` only the event's type is there."""
    shown = {name: value for name, value in post.items() if name not in ("channel", "metadata")}
    metadata = post.get("metadata")
    if metadata:
        shown["metadata"] = metadata if with_metadata else {"event_type": metadata["event_type"]}
    return shown


def _refusal(arguments: Arguments) -> Response | None:
    try:
        blocks = _json_of(arguments.get("blocks")) or []
        metadata = _json_of(arguments.get("metadata"))
    except ValueError:
        return _fail("invalid_blocks_format")
    if not arguments.get("text") and not blocks:
        return _fail("no_text")
    if len(blocks) > BLOCKS_LIMIT:
        return _fail("invalid_blocks", [f"no more than {BLOCKS_LIMIT} items allowed"])
    messages = [message for block in blocks for message in _block_faults(block)]
    if messages:
        return _fail("invalid_blocks", messages)
    if len(json.dumps(blocks, ensure_ascii=False)) > TOTAL_LIMIT:
        return _fail("msg_blocks_too_long")
    if metadata is not None and not (
        isinstance(metadata, dict)
        and isinstance(metadata.get("event_type"), str)
        and isinstance(metadata.get("event_payload"), dict)
    ):
        return _fail("invalid_metadata_format")
    return None


def _block_faults(block: Any) -> list[str]:
    if not isinstance(block, dict) or not block.get("type"):
        return ["must be a block with a type"]
    faults = []
    kind = block["type"]
    text = block.get("text")
    if kind == "header" and (not isinstance(text, dict) or text.get("type") != "plain_text"):
        faults.append("a header needs plain_text")
    if kind == "section" and not text and not block.get("fields"):
        faults.append("a section needs text or fields")
    if isinstance(text, dict):
        size = len(text.get("text") or "")
        if not 1 <= size <= _TEXT_LIMITS.get(kind, 3_000):
            faults.append(
                f"text of a {kind} has {size} characters, at most {_TEXT_LIMITS.get(kind, 3_000)} allowed"
            )
    fields = block.get("fields") or []
    if len(fields) > 10:
        faults.append("no more than 10 fields allowed")
    faults += [
        "a field has more than 2000 characters" for f in fields if len(f.get("text", "")) > 2_000
    ]
    if kind == "actions" and len(block.get("elements") or []) > 25:
        faults.append("no more than 25 elements allowed")
    return faults
