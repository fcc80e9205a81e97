"""Freshdesk's solution articles: categories, folders, articles with their translations.

Belongs here: how the tree is walked and when an article counts as gone. Does not belong here: HTTP (`api`), what an
article means (`transforms.freshdesk_articles`).

- No list of articles takes a date, so the tree (categories, folders, articles) is walked whole, at most once per
  `WALK_EVERY`; a killed walk goes on behind its last page.
- Translations cost a call for each language, so they are read for articles that changed since the last walk, and,
  since nothing says that a translation moves its article's `updated_at`, for all of them once per `AGAIN_EVERY`.
- What a walk no longer finds is asked for once more, and is a tombstone where the answer is 404.

Source: Freshdesk API v2 reference, "Solutions", "Helpdesk Settings".
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.contract import Cursor, Page
from connectors.errors import AuthError, NotFoundError, UnavailableError
from connectors.freshdesk.api import (
    PER_PAGE,
    FreshdeskApi,
    Listing,
    instant_of,
    payload_of,
    text_of,
)
from transforms.model import RawRecord

logger = logging.getLogger(__name__)

STREAMS = ("article_categories", "article_folders", "articles")

VOLATILE: Mapping[str, Sequence[str]] = {
    "articles": ("hits", "thumbs_up", "thumbs_down", "feedback_count")
}
"""Fields that readers change."""

WALK_EVERY = timedelta(hours=1)
AGAIN_EVERY = timedelta(days=1)
MOST_PAGES = 1_000
"""Pages of one folder or category; a list without an end is a fault."""

_CATEGORIES = "solutions/categories"
_CHANGES_WITH = ("updated_at", "status", "folder_id", "agent_id")
"""Fields by which an article is seen to have changed."""

_Step = tuple[list[RawRecord], dict[str, Any], bool]
"""Records, the cursor behind them, whether nothing more is there for now."""


class Solutions:
    """The knowledge base of an account.

    Args:
        api: of the account.
        now: aware UTC now.
    """

    def __init__(self, api: FreshdeskApi, now: Callable[[], datetime]) -> None:
        """Keeps what it asks with; makes no call."""
        self._api = api
        self._now = now

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of one of `STREAMS`; an account without solutions has empty ones.

        Raises:
            ConnectorError: as the calls fail.
        """
        state = dict(cursor or {})
        if not state.get("walk") and self._is_recent(state.get("listed_at"), WALK_EVERY):
            yield Page([], state, complete=True, calls=0)
            return
        session = self._api.session
        calls, waited = session.calls, session.seconds_waited
        walk = self._articles(state) if stream == "articles" else self._containers(stream)
        while True:
            try:
                records, state, complete = next(walk)
            except StopIteration:
                return
            except (AuthError, NotFoundError) as error:
                if isinstance(error, AuthError) and not _is_about_solutions(error):
                    raise
                logger.info("%s: no solutions that this key may read", session.label)
                records, complete = [], True
                state = {**state, "walk": None, "listed_at": text_of(self._now())}
                walk = iter(())
            yield Page(
                records,
                state,
                complete,
                calls=session.calls - calls,
                seconds_waited=session.seconds_waited - waited,
            )
            calls, waited = session.calls, session.seconds_waited

    def _containers(self, stream: str) -> Iterator[_Step]:
        """Categories or folders, as one page: even a large knowledge base has some hundred."""
        begun_at = text_of(self._now())
        categories = list(self._rows(_CATEGORIES))
        rows = categories if stream == "article_categories" else list(self._folders(categories))
        yield [_record(stream, row) for row in rows], {"listed_at": begun_at}, True

    def _articles(self, state: Mapping[str, Any]) -> Iterator[_Step]:
        known: dict[str, str] = dict(state.get("known") or {})
        walk = dict(state.get("walk") or self._new_walk(state))
        folders, page = list(walk["folders"]), int(walk["page"])
        seen: dict[str, None] = dict.fromkeys(walk["seen"])
        while folders:
            listing = self._page(f"solutions/folders/{folders[0]}/articles", page)
            records = self._whole_articles(listing.rows, known, walk)
            seen.update((str(row["id"]), None) for row in listing.rows if _has_id(row))
            folders, page = (folders[1:], 1) if listing.is_last else (folders, page + 1)
            place = {**walk, "folders": folders, "page": page, "seen": [*seen]}
            yield records, {**state, "known": dict(known), "walk": place}, False
        gone = [one for one in known if one not in seen and self._is_gone(one)]
        for remote_id in gone:
            del known[remote_id]
        yield (
            [_tombstone(remote_id) for remote_id in gone],
            {
                "known": known,
                "listed_at": walk["begun_at"],
                "again_at": walk["begun_at"] if walk["again"] else state.get("again_at"),
            },
            True,
        )

    def _new_walk(self, state: Mapping[str, Any]) -> dict[str, Any]:
        begun_at = text_of(self._now())
        folders = [
            str(row["id"]) for row in self._folders(list(self._rows(_CATEGORIES))) if _has_id(row)
        ]
        language, others = self._languages()
        return {
            "begun_at": begun_at,
            "folders": list(dict.fromkeys(folders)),
            "page": 1,
            "seen": [],
            "language": language,
            "others": others,
            "again": not self._is_recent(state.get("again_at"), AGAIN_EVERY),
        }

    def _languages(self) -> tuple[str | None, list[str]]:
        """(the account's own language, those it translates into); nothing where the key may not see it."""
        try:
            told = self._api.session.get_json("api/v2/settings/helpdesk")
        except (AuthError, NotFoundError):
            return None, []
        told = told if isinstance(told, dict) else {}
        primary = told.get("primary_language")
        others = told.get("supported_languages")
        return (
            primary if isinstance(primary, str) else None,
            [str(one) for one in others if one != primary] if isinstance(others, list) else [],
        )

    def _folders(self, categories: Sequence[Any]) -> Iterator[Any]:
        """Every folder, those inside other folders too."""
        for category in categories:
            if _has_id(category):
                waiting = list(self._rows(f"{_CATEGORIES}/{category['id']}/folders"))
                while waiting:
                    folder = waiting.pop(0)
                    yield folder
                    if _has_id(folder) and folder.get("sub_folders_count"):
                        waiting += self._rows(f"solutions/folders/{folder['id']}/subfolders")

    def _rows(self, path: str) -> Iterator[Any]:
        """All rows of a list; none where what it hangs on went away meanwhile."""
        for number in range(1, MOST_PAGES + 1):
            try:
                listing = self._page(path, number)
            except NotFoundError:
                if path == _CATEGORIES:
                    raise
                return
            yield from listing.rows
            if listing.is_last:
                return
        raise UnavailableError(f"{self._api.session.label}: {path} has no end")

    def _page(self, path: str, number: int) -> Listing:
        params = {"per_page": PER_PAGE, "page": number}
        try:
            return self._api.list_page(path, params)
        except NotFoundError:
            if path.endswith("/articles"):
                return Listing([], True, self._now())
            raise

    def _whole_articles(
        self, rows: Sequence[Any], known: dict[str, str], walk: Mapping[str, Any]
    ) -> list[RawRecord]:
        """The articles among `rows` that are to be stored, with their translations; `known` learns of each."""
        records = []
        for row in rows:
            if not _has_id(row):
                records.append(_record("articles", row))
                continue
            remote_id, mark = str(row["id"]), _mark(row)
            if known.get(remote_id) == mark and not (walk["again"] and walk["others"]):
                continue
            found = {code: self._translation(remote_id, code) for code in walk["others"]}
            translations = {code: one for code, one in found.items() if one is not None}
            body = {**row, "language": walk["language"], "translations": translations}
            records.append(_record("articles", body))
            known[remote_id] = mark
        return records

    def _translation(self, remote_id: str, language: str) -> Any:
        try:
            return self._api.session.get_json(f"api/v2/solutions/articles/{remote_id}/{language}")
        except NotFoundError:
            return None

    def _is_gone(self, remote_id: str) -> bool:
        try:
            self._api.session.get_json(f"api/v2/solutions/articles/{remote_id}")
        except NotFoundError:
            return True
        except AuthError as error:
            if not _is_about_solutions(error):
                raise
        return False

    def _is_recent(self, instant: Any, span: timedelta) -> bool:
        at = instant_of(instant)
        return at is not None and self._now() - at < span


def _is_about_solutions(error: AuthError) -> bool:
    """Whether a refusal is about this product only, not about the key."""
    return any(word in str(error) for word in ("require_feature", "access_denied"))


def _has_id(row: Any) -> bool:
    return isinstance(row, dict) and row.get("id") is not None


def _mark(row: Mapping[str, Any]) -> str:
    """Twelve letters that change with the article."""
    told = json.dumps([row.get(name) for name in _CHANGES_WITH], default=str)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _record(stream: str, row: Any) -> RawRecord:
    payload = payload_of(row)
    return RawRecord(
        stream=stream,
        remote_id=str(row["id"])
        if _has_id(row)
        else f"no-id-{hashlib.sha256(payload).hexdigest()[:16]}",
        payload=payload,
        source_updated_at=instant_of(row.get("updated_at")) if isinstance(row, dict) else None,
    )


def _tombstone(remote_id: str) -> RawRecord:
    body = {"id": int(remote_id) if remote_id.isdigit() else remote_id, "is_gone": True}
    return RawRecord("articles", remote_id, json.dumps(body).encode(), is_tombstone=True)
