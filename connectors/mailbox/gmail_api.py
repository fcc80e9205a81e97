"""Calls to the Gmail API for one mailbox: the session, its units, and limits that come as 403.

Belongs here: paths, quota and error reasons of Gmail. Does not belong here: what is read in which order (`gmail`).

Source: Gmail API reference (users.getProfile, users.messages.list and get, users.history.list, users.labels.list), "Usage
limits", "Resolve errors".
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from connectors.budget import BudgetStore, Limit
from connectors.errors import (
    AuthError,
    ConfigurationError,
    CursorExpiredError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from connectors.http import Policy, PolicySession

SCOPE = "https://www.googleapis.com/auth/gmail.readonly"

UNITS = "quota units"
"""The budget of one user: 15,000 units a minute."""

_COSTS = {"messages": 5.0, "history": 2.0, "other": 1.0}
_SHORT_LIMITS = frozenset({"ratelimitexceeded", "userratelimitexceeded"})
_LONG_LIMITS = frozenset({"dailylimitexceeded", "quotaexceeded"})
_UNTIL = re.compile(r"[Rr]etry after (\d{4}-\d\d-\d\dT[\d:.]+Z)")


def open_session(
    base_url: str,
    auth: Any,
    *,
    label: str = "",
    policy: Policy | None = None,
    budgets: BudgetStore | None = None,
    time_scale: float = 1.0,
) -> PolicySession:
    """The session of one mailbox, which counts units, not calls."""
    session = PolicySession(
        base_url,
        auth,
        label=label,
        policy=policy,
        classify=_class_of,
        limits={UNITS: Limit(15_000, 60)},
        account_class=UNITS,
        budgets=budgets,
        time_scale=time_scale,
        amend=limits_as_429,
    )
    session.budget(UNITS).cost.update(_COSTS)
    return session


def limits_as_429(response: requests.Response) -> None:
    """Gives a limit its own status, 429, and its own header: Gmail says it as 403 too, and the time in a sentence."""
    if response.status_code not in (403, 429):
        return
    reason, message = reason_of(response)
    if response.status_code == 403 and reason in _SHORT_LIMITS:
        response.status_code = 429
    until = _UNTIL.search(message)
    if response.status_code == 429 and until and "Retry-After" not in response.headers:
        at = datetime.fromisoformat(until[1])
        response.headers["Retry-After"] = format_datetime(at.astimezone(UTC), usegmt=True)


class GmailApi:
    """Reads one mailbox. All methods raise the errors of `connectors.errors`."""

    def __init__(self, session: PolicySession, user: str) -> None:
        """`user`: the mailbox's address."""
        self.session = session
        self.user = user
        self._mailbox = f"users/{quote(user, safe='@')}"

    def profile(self) -> dict[str, Any]:
        """Address, number of messages, and the id of the latest change."""
        return self._get("profile")

    def labels(self) -> dict[str, str]:
        """Name → id of every label."""
        rows = self._get("labels").get("labels") or []
        return {str(row["name"]): str(row["id"]) for row in rows}

    def messages(self, label_id: str | None, page_token: str | None) -> dict[str, Any]:
        """One page of all messages, newest first, without junk and trash.

        Raises:
            CursorExpiredError: the page token is not accepted any more.
        """
        params = {"maxResults": 500, "includeSpamTrash": "false"}
        return self._page("messages", params, {"labelIds": label_id, "pageToken": page_token})

    def history(self, start: str, page_token: str | None) -> dict[str, Any]:
        """One page of changes since an id.

        Raises:
            CursorExpiredError: the id is too old; everything has to be listed again.
        """
        params = {"startHistoryId": start, "maxResults": 500}
        try:
            return self._page("history", params, {"pageToken": page_token})
        except NotFoundError as error:
            raise CursorExpiredError(str(error)) from None

    def raw(self, message_id: str) -> dict[str, Any]:
        """A message with `raw` decoded to bytes, as `bytes`."""
        message = self._get(f"messages/{quote(message_id, safe='')}", {"format": "raw"})
        try:
            text = str(message.pop("raw"))
            return {
                **message,
                "bytes": base64.b64decode(text + "=" * (-len(text) % 4), b"-_", True),
            }
        except (KeyError, ValueError, binascii.Error):
            raise UnavailableError(
                f"{self.session.label}: message {message_id} came without its bytes (raw)"
            ) from None

    def label_ids(self, message_id: str) -> list[str]:
        """The labels that a message has now.

        Raises:
            NotFoundError: it is gone.
        """
        message = self._get(f"messages/{quote(message_id, safe='')}", {"format": "minimal"})
        return [str(label) for label in message.get("labelIds") or []]

    def _page(
        self, path: str, params: Mapping[str, Any], optional: Mapping[str, str | None]
    ) -> dict[str, Any]:
        given = {name: value for name, value in optional.items() if value}
        try:
            return self._get(path, {**params, **given})
        except RejectedError as error:
            if error.status == 400 and "pageToken" in given:
                raise CursorExpiredError(str(error)) from None
            raise

    def _get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        response = self.session.request("GET", f"{self._mailbox}/{path}", params=params)
        self._refuse(response)
        answer = self.session.json_of(response)
        if not isinstance(answer, dict):
            raise UnavailableError(
                f"{self.session.label}: {urlsplit(response.url).path} gave no object; is the address that of the "
                "Gmail API?"
            )
        return answer

    def _refuse(self, response: requests.Response) -> None:
        """Turns a refusal into an error that says what to do."""
        if response.status_code < 400:
            return
        reason, message = reason_of(response)
        if response.status_code == 403 and reason in _LONG_LIMITS:
            raise RateLimitedError(
                f"{self.session.label}: the quota of the Google Cloud project is used up ({reason}); the next run "
                "goes on from here"
            )
        if reason == "failedprecondition" and "mail service" in message.casefold():
            raise ConfigurationError(
                f"{self.session.label}: {self.user} has no Gmail mailbox ({message[:200]})"
            )
        try:
            self.session.check_status(response)
        except AuthError as error:
            raise AuthError(
                f"{error} Enable the Gmail API in the Google Cloud project of the OAuth client, allow the scope "
                f"{SCOPE}, and authorise as {self.user}"
            ) from None


def reason_of(response: requests.Response) -> tuple[str, str]:
    """Google's reason for a refusal, lower case, and its sentence; empty where there are none."""
    try:
        error = response.json()["error"]
        rows = error.get("errors") or [{}]
        reason = str(rows[0].get("reason") or error.get("status") or "")
        return reason.replace("_", "").casefold(), str(error.get("message") or "")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "", ""


def _class_of(_method: str, path: str) -> str:
    _, _, rest = path.partition("/users/")
    kind = rest.split("/")[1] if "/" in rest else ""
    return kind if kind in _COSTS else "other"
