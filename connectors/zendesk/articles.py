"""Zendesk's Help Center: articles with their translations and attachments, sections, categories, user segments.

Belongs here: how these streams are walked and when an article counts as gone. Does not belong here: what an article
means (`transforms.zendesk_articles`).

- Changes come by the incremental export, which goes by seconds: its pages repeat the rows of their edge, and it never
  gets past a second with more rows than a page. Then, and every `SWEEP_EVERY`, the whole list is walked instead.
- The export tells nothing of archived or deleted articles: what a walk of the whole list no longer has is asked for
  once more, and is a tombstone where the answer is 404.
- Translations and attachments cost a call each, so they are read for changed articles; and, since nothing says that a
  change of theirs moves their article's time, for all articles once per `AGAIN_EVERY`.
- Whatever the source's start, the knowledge base is read whole: an article of 2015 is still read today.

Source: Zendesk developer documentation, "Understanding incremental article exports", "Articles", "Translations",
"Article attachments", "User segments", "Pagination".
"""

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from connectors.contract import Cursor, Page
from connectors.errors import AuthError, NotFoundError, PermanentError, UnavailableError
from connectors.http import PolicySession
from transforms.model import RawRecord

logger = logging.getLogger(__name__)

LISTS: Mapping[str, str] = {
    "article_categories": "categories",
    "article_sections": "sections",
    "user_segments": "user_segments",
}
"""Reference streams → the name of their list."""

STREAMS = (*LISTS, "articles")

VOLATILE: Mapping[str, Sequence[str]] = {"articles": ("vote_sum", "vote_count")}
"""Fields that readers change."""

EVERY = timedelta(hours=1)
"""How often the reference lists are read, and a Help Center that is not there is looked for."""
SWEEP_EVERY = timedelta(hours=6)
"""How often the whole list of articles is walked."""
AGAIN_EVERY = timedelta(days=1)
EXPORT_ROWS = 1_000
"""Most rows of an export's page; so many of one second and it cannot get on."""
LIST_ROWS = 100
ARTICLES_PER_PAGE = 50
"""Articles that are committed together, each with two calls of its own."""

_API = "api/v2/help_center"
_CHANGES_WITH = ("updated_at", "edited_at", "draft", "section_id", "user_segment_id")
"""Fields by which an article is seen to have changed."""

_Step = tuple[list[RawRecord], dict[str, Any], bool]
"""Records, the cursor behind them, whether nothing more is there for now."""


class HelpCenter:
    """The Help Center of an account.

    Args:
        session: of the account.
        now: aware UTC now.
        is_signed_in: whether the credential is good at all; asked only where the Help Center refuses.
    """

    def __init__(
        self,
        session: PolicySession,
        *,
        now: Callable[[], datetime],
        is_signed_in: Callable[[], bool],
    ) -> None:
        """Keeps what it asks with; makes no call."""
        self._session = session
        self._now = now
        self._is_signed_in = is_signed_in

    def pull(self, stream: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of one of `STREAMS`; an account without a Help Center has empty ones.

        Raises:
            ConnectorError: as the calls fail.
        """
        state = dict(cursor or {})
        if self._is_recent(state.get("absent_at"), EVERY):
            yield Page([], state, complete=True, calls=0)
            return
        state.pop("absent_at", None)
        calls, waited = self._session.calls, self._session.seconds_waited
        walk = self._articles(state) if stream == "articles" else self._list_of(stream, state)
        while True:
            try:
                records, state, complete = next(walk)
            except StopIteration:
                return
            except (AuthError, NotFoundError) as error:
                if isinstance(error, AuthError) and not self._is_signed_in():
                    raise
                logger.info("%s: no Help Center that this login may read", self._session.label)
                records, state, complete = [], {**state, "absent_at": _text(self._now())}, True
                walk = iter(())
            yield Page(
                records,
                state,
                complete,
                calls=self._session.calls - calls,
                seconds_waited=self._session.seconds_waited - waited,
            )
            calls, waited = self._session.calls, self._session.seconds_waited

    def _list_of(self, stream: str, state: Mapping[str, Any]) -> Iterator[_Step]:
        """A reference list, whole, at most once per `EVERY`."""
        place = state.get("place")
        if place is None and self._is_recent(state.get("listed_at"), EVERY):
            yield [], dict(state), True
            return
        begun_at = state.get("listed_at") if place is not None else _text(self._now())
        key = LISTS[stream]
        for rows, following in self._pages(key, f"{_API}/{key}.json", place):
            records = [_record(stream, row) for row in rows]
            yield records, {"listed_at": begun_at, "place": following}, following is None

    def _articles(self, state: dict[str, Any]) -> Iterator[_Step]:
        """First what changed, then, where it is due, the whole list."""
        known: dict[str, str] = dict(state.get("known") or {})
        start = int(state.get("start_time") or 0)
        swept_at, again_at = state.get("swept_at"), state.get("again_at")
        if not state.get("sweep"):
            if not start and not known:
                # The first export is the whole list itself.
                swept_at = again_at = _text(self._now())
            for records, place, is_last, is_stuck in self._changed(start, known):
                sweeps = is_last and (is_stuck or not self._is_recent(swept_at, SWEEP_EVERY))
                behind: dict[str, Any] = {
                    "start_time": place + 1 if is_stuck else place,
                    "known": dict(known),
                    "swept_at": swept_at,
                    "again_at": again_at,
                }
                if sweeps:
                    again = not self._is_recent(again_at, AGAIN_EVERY)
                    behind["sweep"] = {"place": None, "seen": [], "again": again}
                yield records, behind, is_last and not sweeps
                state = behind
            if not state.get("sweep"):
                return
        yield from self._swept(state, known)

    def _changed(
        self, start: int, known: dict[str, str]
    ) -> Iterator[tuple[list[RawRecord], int, bool, bool]]:
        """(changed articles, start of the next call, whether that was all, whether the export cannot get on)."""
        while True:
            body = self._object(f"{_API}/incremental/articles.json", {"start_time": start})
            rows = self._rows(body, "articles")
            told = body.get("end_time")
            end_time = int(told) if isinstance(told, int | float) else start
            is_stuck = end_time <= start and len(rows) >= EXPORT_ROWS
            is_last = is_stuck or not rows or end_time <= start or not body.get("next_page")
            for chunk, ends_page in self._whole_articles(rows, known):
                if ends_page:
                    start = max(start, end_time)
                yield chunk, start, is_last and ends_page, is_stuck and ends_page
            if is_last:
                return

    def _swept(self, state: Mapping[str, Any], known: dict[str, str]) -> Iterator[_Step]:
        """The whole list; what it no longer has is gone."""
        sweep = dict(state["sweep"])
        seen: dict[str, None] = dict.fromkeys(sweep["seen"])
        place = sweep["place"]
        for rows, following in self._pages("articles", f"{_API}/articles.json", place):
            seen.update((str(row["id"]), None) for row in rows if _has_id(row))
            for chunk, ends_page in self._whole_articles(rows, known, again=sweep["again"]):
                if ends_page and following is None:
                    yield self._end_of_sweep(state, chunk, seen, known)
                    return
                place = following if ends_page else place
                sweep |= {"place": place, "seen": [*seen]}
                yield chunk, {**state, "known": dict(known), "sweep": dict(sweep)}, False

    def _end_of_sweep(
        self,
        state: Mapping[str, Any],
        chunk: list[RawRecord],
        seen: Collection[str],
        known: dict[str, str],
    ) -> _Step:
        gone = [one for one in known if one not in seen and self._is_gone(one)]
        for remote_id in gone:
            del known[remote_id]
        behind = {name: value for name, value in state.items() if name != "sweep"}
        behind |= {"known": dict(known), "swept_at": _text(self._now())}
        if state["sweep"]["again"]:
            behind["again_at"] = behind["swept_at"]
        return [*chunk, *map(_tombstone, gone)], behind, True

    def _whole_articles(
        self, rows: Sequence[Any], known: dict[str, str], *, again: bool = False
    ) -> Iterator[tuple[list[RawRecord], bool]]:
        """(articles that changed, or all of them `again`, with what belongs to them; whether these are the page's last); at least once.

        `known` learns of each article no sooner than it is given.
        """
        changed = [
            row
            for row in rows
            if again or not _has_id(row) or known.get(str(row["id"])) != _mark(row)
        ]
        for first in range(0, len(changed) or 1, ARTICLES_PER_PAGE):
            chunk = changed[first : first + ARTICLES_PER_PAGE]
            records = [record for row in chunk if (record := self._whole(row)) is not None]
            known.update((r.remote_id, _mark(row)) for r, row in records if _has_id(row))
            yield [r for r, _ in records], first + ARTICLES_PER_PAGE >= len(changed)

    def _whole(self, row: Any) -> tuple[RawRecord, Any] | None:
        """An article's record beside its row; None where it went away since the list was made."""
        if not _has_id(row):
            return _record("articles", row), row
        path = f"{_API}/articles/{row['id']}"
        try:
            parts = {
                "translations": self._all("translations", f"{path}/translations.json"),
                "attachments": self._all("article_attachments", f"{path}/attachments.json"),
            }
        except (AuthError, NotFoundError):
            # Archived or hidden: the next walk of the whole list says so.
            return None
        return _record("articles", {**row, **parts}), row

    def _is_gone(self, remote_id: str) -> bool:
        try:
            self._object(f"{_API}/articles/{remote_id}.json", {})
        except NotFoundError:
            return True
        except AuthError:
            return False
        return False

    def _all(self, key: str, path: str) -> list[Any]:
        return [row for rows, _ in self._pages(key, path, None) for row in rows]

    def _pages(
        self, key: str, path: str, place: Mapping[str, Any] | None
    ) -> Iterator[tuple[Sequence[Any], dict[str, Any] | None]]:
        """(rows, where the next page is) of a list: by cursor, or by page number where the list knows no cursors.

        Raises:
            PermanentError: the list gives a page a second time.
        """
        walked: list[Any] = []
        while True:
            asked: dict[str, Any] = {"page[size]": LIST_ROWS}
            if place and "after" in place:
                asked["page[after]"] = place["after"]
            elif place:
                asked = {"page": place["page"], "per_page": LIST_ROWS}
            body = self._object(path, asked)
            place = _following(body, place)
            if place is not None and place in walked:
                raise PermanentError(
                    f"{self._session.label}: {path} gave a page a second time without having ended"
                )
            walked.append(place)
            yield self._rows(body, key), place
            if place is None:
                return

    def _object(self, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        body = self._session.get_json(path, params=dict(params))
        if not isinstance(body, dict):
            raise UnavailableError(f"{self._session.label}: {path} gave no object")
        return body

    def _rows(self, body: Mapping[str, Any], key: str) -> Sequence[Any]:
        rows = body.get(key)
        if not isinstance(rows, list):
            raise UnavailableError(
                f"{self._session.label}: the Help Center answered without {key}; is this a Zendesk account?"
            )
        return rows

    def _is_recent(self, instant: Any, span: timedelta) -> bool:
        return isinstance(instant, str) and self._now() - datetime.fromisoformat(instant) < span


def _following(body: Mapping[str, Any], place: Mapping[str, Any] | None) -> dict[str, Any] | None:
    meta = body.get("meta")
    if isinstance(meta, dict):
        return {"after": meta["after_cursor"]} if meta.get("has_more") else None
    return {"page": (place or {}).get("page", 1) + 1} if body.get("next_page") else None


def _has_id(row: Any) -> bool:
    return isinstance(row, dict) and row.get("id") is not None


def _mark(row: Mapping[str, Any]) -> str:
    """Twelve letters that change with the article."""
    told = json.dumps([row.get(name) for name in _CHANGES_WITH], default=str)
    return sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _record(stream: str, row: Any) -> RawRecord:
    payload = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    return RawRecord(
        stream=stream,
        remote_id=str(row["id"])
        if _has_id(row)
        else f"unreadable-{sha256(payload).hexdigest()[:20]}",
        payload=payload,
        source_updated_at=_instant(row.get("updated_at")) if isinstance(row, dict) else None,
    )


def _tombstone(remote_id: str) -> RawRecord:
    body = {"id": int(remote_id) if remote_id.isdigit() else remote_id, "is_gone": True}
    return RawRecord("articles", remote_id, json.dumps(body).encode(), is_tombstone=True)


def _instant(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
