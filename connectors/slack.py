"""Tells people in a Slack channel, with Slack's own client.

Belongs here: a `Message` as a post, Slack's limits and escaping, looking a post up again, files. Does not
belong here: retries (the outbox does them), reading what people write, buttons.

Slack has no idempotency key: each post carries our key as message metadata, and a possible repeat looks for it
in the channel first.

Source: docs.slack.dev, chat.postMessage, rate limits, formatting text, message metadata.
"""

import http.client
import re
import urllib.error
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from connectors.contract import CheckResult, Message, Receipt
from connectors.errors import (
    AuthError,
    ConnectorError,
    NotFoundError,
    PermanentError,
    RateLimitedError,
    RejectedError,
    TransientError,
    UnavailableError,
)
from connectors.text_limits import clean, cut, key_within, one_line

HEADER_LIMIT = 150
SECTION_LIMIT = 3_000
FIELD_LIMIT = 2_000
FIELDS_LIMIT = 10
TEXT_LIMIT = 3_900
"""Of the fallback text; Slack cuts at 40,000 and recommends to stay below 4,000."""
TOTAL_LIMIT = 8_000
"""Of all blocks together. Slack refuses somewhere between 11 and 13 thousand, which no document says
(bolt-js issues 2509 and 2867)."""
KEY_LIMIT = 255
TIMEOUT_SECONDS = 10
EVENT_TYPE = "deskbridge_message"
LOOK_BACK_PAGES = 3
LOOK_BACK_PAGE_SIZE = 200

_ICONS: Mapping[str, str] = {
    "critical": ":red_circle:",
    "error": ":large_orange_circle:",
    "warning": ":large_yellow_circle:",
    "info": ":large_blue_circle:",
}
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{6,}")
_USER_ID = re.compile(r"[UW][A-Z0-9]{5,}")

_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    OSError,
)

_AUTH_WORDS = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "ekm_access_denied",
        "access_denied",
        "team_access_not_granted",
        "restricted_action",
    }
)
_NOT_FOUND_WORDS = frozenset(
    {"channel_not_found", "not_in_channel", "is_archived", "message_not_found"}
)
_RATE_WORDS = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_TRANSIENT_WORDS = frozenset(
    {
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "org_login_required",
    }
)


def escape(text: str) -> str:
    """Text that can ping nobody and link nowhere: Slack reads `& < >` as markup, so `<!channel>` would.

    Source: docs.slack.dev, "Formatting message text", escaping.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class SlackNotifier:
    """One Slack channel.

    A `trigger` is a post; `resolve`, `acknowledge` and `note` are answers in its thread where
    `previous_provider_id` is known, else posts of their own. `body["mention"]` may list Slack user ids to call.

    Args:
        token: a bot token with `chat:write`; `channels:history` (or `groups:history`) to look repeats up,
            `channels:read` when `conversation` is a name, `files:write` for files.
        conversation: `#name` or a channel id.
        base_url: a stand-in's address, up to and including `/api/`.
        timeout_seconds: how long Slack may stay silent.
    """

    channel = "slack"

    def __init__(
        self,
        token: str,
        conversation: str,
        *,
        base_url: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Opens no connection."""
        self.destination = conversation
        self._channel_id = conversation if _CHANNEL_ID.fullmatch(conversation) else None
        address = (base_url or WebClient.BASE_URL).rstrip("/") + "/"
        # The SDK's default handler sends a post again after a dropped reply, which Slack shows twice.
        self._client = WebClient(
            token,
            base_url=address,
            timeout=timeout_seconds,  # type: ignore[arg-type]
            retry_handlers=[],
        )

    def deliver(self, message: Message) -> Receipt:
        """Posts once. A possible repeat looks for its key in the channel before it posts again, marked so.

        Raises:
            RateLimitedError: 429, with the seconds Slack asks for.
            UnavailableError: 5xx, no answer, a cut line: the post may be there or not.
            AuthError, NotFoundError, RejectedError: trying again does not help.
        """
        thread = message.previous_provider_id if message.action != "trigger" else None
        if message.is_possible_repeat:
            found = self._find(message, thread)
            if found is not None:
                return Receipt(provider_id=found, status="found", was_repeat=True)
        doing = f"posting {message.action} {message.key} to Slack {self.destination}"
        answer = self._call(
            doing,
            "chat.postMessage",
            {
                "channel": self._channel_id or self.destination,
                "text": _fallback(message),
                "blocks": _blocks(message),
                "metadata": {"event_type": EVENT_TYPE, "event_payload": _identity(message)},
                "unfurl_links": False,
                "unfurl_media": False,
                "link_names": False,
                **({"thread_ts": thread} if thread else {}),
            },
        )
        self._channel_id = answer.get("channel") or self._channel_id
        return Receipt(provider_id=str(answer["ts"]), status="posted")

    def update(self, provider_id: str, message: Message) -> Receipt:
        """Rewrites a post (a status line, a digest); never used for pages, an edit notifies nobody."""
        doing = f"updating {message.key} in Slack {self.destination}"
        answer = self._call(
            doing,
            "chat.update",
            {
                "channel": self._need_channel_id(doing),
                "ts": provider_id,
                "text": _fallback(message),
                "blocks": _blocks(message),
                "metadata": {"event_type": EVENT_TYPE, "event_payload": _identity(message)},
            },
        )
        return Receipt(provider_id=str(answer["ts"]), status="updated")

    def upload(self, file_name: str, content: bytes, title: str, comment: str = "") -> Receipt:
        """Shares a file (a report) in the channel. Not keyed: a repeat shares it again."""
        doing = f"uploading {one_line(file_name)} to Slack {self.destination}"
        channel_id = self._need_channel_id(doing)
        try:
            answer = self._client.files_upload_v2(
                channel=channel_id,
                filename=cut(one_line(file_name), 255),
                title=cut(one_line(title), 255),
                content=content,
                initial_comment=escape(cut(clean(comment), SECTION_LIMIT)) or None,
            )
        except SlackApiError as error:
            raise _error_of(error, doing) from error
        except (SlackClientError, *_NETWORK_ERRORS) as error:
            raise _unavailable(error, doing) from error
        files = answer.get("files") or [{}]
        return Receipt(provider_id=files[0].get("id"), status="uploaded")

    def check(self) -> CheckResult:
        """Asks Slack whose token this is; posts nothing."""
        name = f"slack {self.destination}"
        try:
            answer = self._call("checking the token", "auth.test", {})
        except ConnectorError as error:
            return CheckResult(name, False, str(error))
        return CheckResult(
            name, True, f"bot {answer.get('user')} of workspace {answer.get('team')}"
        )

    def _find(self, message: Message, thread: str | None) -> str | None:
        """The post that carries this message's key, if the channel shows one.

        Raises:
            TransientError: Slack could not be asked now; posting blindly would risk a second post.
        """
        wanted = _identity(message)
        doing = f"looking for {message.key} in Slack {self.destination}"
        try:
            for post in self._recent(doing, thread):
                metadata = post.get("metadata") or {}
                if metadata.get("event_type") != EVENT_TYPE:
                    continue
                payload = metadata.get("event_payload") or {}
                if all(payload.get(name) == value for name, value in wanted.items()):
                    return str(post["ts"])
        except PermanentError:
            # No right to read the history: better told twice, and marked so, than not at all.
            return None
        return None

    def _recent(self, doing: str, thread: str | None) -> Iterator[Mapping[str, Any]]:
        method = "conversations.replies" if thread else "conversations.history"
        arguments: dict[str, Any] = {
            "channel": self._need_channel_id(doing),
            "include_all_metadata": True,
            "limit": LOOK_BACK_PAGE_SIZE,
            **({"ts": thread} if thread else {}),
        }
        for _ in range(LOOK_BACK_PAGES):
            answer = self._call(doing, method, arguments)
            yield from answer.get("messages") or ()
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            arguments["cursor"] = cursor

    def _need_channel_id(self, doing: str) -> str:
        """The channel's id; looked up by its name once."""
        if self._channel_id is None:
            name = self.destination.removeprefix("#")
            arguments: dict[str, Any] = {"limit": LOOK_BACK_PAGE_SIZE, "exclude_archived": True}
            while True:
                answer = self._call(doing, "conversations.list", arguments)
                for conversation in answer.get("channels") or ():
                    if conversation.get("name") == name:
                        self._channel_id = str(conversation["id"])
                        return self._channel_id
                cursor = (answer.get("response_metadata") or {}).get("next_cursor")
                if not cursor or cursor == arguments.get("cursor"):
                    break
                arguments["cursor"] = cursor
            raise NotFoundError(
                f"{doing}: the token's owner sees no channel {self.destination}; invite the bot, or write the "
                "channel's id"
            )
        return self._channel_id

    def _call(self, doing: str, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        is_read = method.startswith(("conversations.", "auth."))
        try:
            answer = (
                self._client.api_call(method, params=dict(arguments))
                if is_read
                else self._client.api_call(method, json=dict(arguments))
            )
        except SlackApiError as error:
            raise _error_of(error, doing) from error
        except (SlackClientError, *_NETWORK_ERRORS) as error:
            raise _unavailable(error, doing) from error
        data = answer.data
        if not isinstance(data, dict):
            raise UnavailableError(f"{doing}: Slack's answer is not JSON")
        return data


def _identity(message: Message) -> dict[str, str]:
    return {"key": key_within(message.key, KEY_LIMIT), "action": message.action}


def _title(message: Message) -> str:
    word = {"resolve": "Resolved: ", "acknowledge": "Acknowledged: "}.get(message.action, "")
    return word + (
        one_line(message.body.get("title") or message.body.get("text") or "") or "(no title)"
    )


def _mentions(message: Message) -> str:
    given = message.body.get("mention") or ()
    ids = [given] if isinstance(given, str) else list(given)
    return " ".join(f"<@{one}>" for one in ids if _USER_ID.fullmatch(str(one)))


def _fallback(message: Message) -> str:
    text = escape(cut(_title(message), 1_000))
    return cut(f"{_mentions(message)} {text}".strip(), TEXT_LIMIT)


def _link(body: Mapping[str, Any]) -> str:
    url = clean(body.get("url") or "").strip()
    if urlsplit(url).scheme not in ("http", "https") or re.search(r"[\s|<>]", url):
        return ""
    return f"<{url.replace('&', '&amp;')}|Open the ticket>"


def _blocks(message: Message) -> list[dict[str, Any]]:
    """Header, text, up to ten fields, one line of context; together below Slack's unwritten total."""
    body = message.body
    icon = _ICONS.get(str(body.get("severity", "")).lower(), "")
    header = cut(_title(message).replace("<", "‹").replace(">", "›"), HEADER_LIMIT)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}}
    ]
    room = TOTAL_LIMIT - len(header) - 500
    lines = [
        part
        for part in (_mentions(message), _cut_escaped(body.get("text"), 2_400), _link(body))
        if part
    ]
    if lines:
        section = "\n".join(lines)
        room -= len(section)
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": section}})
    fields: list[dict[str, str]] = []
    for name, value in list((body.get("details") or {}).items())[:FIELDS_LIMIT]:
        text = f"*{_cut_escaped(one_line(name), 100)}*\n{_cut_escaped(value, 500)}"
        if len(text) > min(FIELD_LIMIT, room):
            break
        room -= len(text)
        fields.append({"type": "mrkdwn", "text": text})
    if fields:
        blocks.append({"type": "section", "fields": fields})
    notes = [note for note in (f"{icon} {body.get('severity')}" if icon else "",) if note]
    notes += [_cut_escaped(one_line(body["source"]), 150)] if body.get("source") else []
    notes += ["possible repeat"] if message.is_possible_repeat else []
    if notes:
        blocks.append(
            {"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(notes)}]}
        )
    return blocks


def _cut_escaped(text: object, limit: int) -> str:
    """Escaped text of at most `limit` characters, never cut within an escape."""
    if text is None or text == "":
        return ""
    plain = clean(text)
    escaped = escape(cut(plain, limit))
    while len(escaped) > limit:
        plain = cut(plain, max(1, len(plain) - max(1, (len(escaped) - limit) // 4)), "")
        escaped = escape(plain + "…")
    return escaped


def _unavailable(error: Exception, doing: str) -> TransientError:
    reason = getattr(error, "reason", None) or error
    said = cut(one_line(getattr(reason, "strerror", None) or reason), 200) or type(reason).__name__
    return UnavailableError(f"{doing}: no answer from Slack ({said}). Is it reachable from here?")


def _error_of(error: SlackApiError, doing: str) -> ConnectorError:
    response = error.response
    status = int(getattr(response, "status_code", 0) or response.get("status", 0) or 0)
    raw = getattr(response, "data", response)
    data = raw if isinstance(raw, dict) else {}
    word = str(data.get("error", ""))
    headers = {str(k).lower(): v for k, v in dict(getattr(response, "headers", {}) or {}).items()}
    if status == 429 or word in _RATE_WORDS:
        return RateLimitedError(
            f"{doing}: Slack asks to slow down ({word or status}); it is tried again later",
            _seconds(headers.get("retry-after")),
        )
    if status >= 500 or word in _TRANSIENT_WORDS or not re.fullmatch("[a-z0-9_]+", word):
        # The SDK puts the sentence "received a response in a non-JSON format" where a word should be.
        word = cut(one_line(word), 200)
        return UnavailableError(f"{doing}: Slack answered {status} {word}".rstrip())
    if word in _AUTH_WORDS:
        needed = f", needed: {data['needed']}" if data.get("needed") else ""
        return AuthError(
            f"{doing}: Slack refuses the token ({word}{needed}). Check the token, its scopes, and that the app is "
            "installed"
        )
    if word in _NOT_FOUND_WORDS:
        return NotFoundError(f"{doing}: {word}; check the channel's name and invite the bot to it")
    details = "; ".join((data.get("response_metadata") or {}).get("messages") or ())
    return RejectedError(f"{doing}: Slack refused it ({word}) {details}".rstrip(), status, word)


def _seconds(value: Any) -> float | None:
    if isinstance(value, list):
        value = value[0] if value else None
    try:
        return None if value is None else max(0.0, float(value))
    except ValueError:
        return None
