"""The Zendesk stand-in's Help Center: articles, translations, attachments, sections, categories, user segments.

Belongs here: these reads, their own rate limit, and what people do to articles. Does not belong here: credentials
(`zendesk`).

What it does as documented: the incremental export goes by seconds, gives up to 1,000 articles a page, repeats the rows
of a page's last second with the next one, and leaves archived articles out, as every list does.

Source: Zendesk developer documentation, "Understanding incremental article exports", "Articles", "Translations",
"Article attachments", "User segments"; "Rate limits" (the Help Center has a counter of its own).
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.standins.server import RateLimit, Request, Response, Route, retry_after_text

Row = dict[str, Any]
Listing = Callable[[str, Sequence[Row], Request], Response]


class HelpCenter:
    """The account's Help Center.

    Args:
        data: `articles`, `article_sections`, `article_categories`, `user_segments` (lists), and
            `article_translations`, `article_attachments`: article id → list. Without `articles` the account has no
            Help Center: every path answers 404.
        now: aware UTC now.
        base_url: gives the stand-in's own address.
        listing: answers a list with the vendor's paging.
        calls_per_minute: of its own counter.
        time_scale: documented seconds that pass in a real one.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        now: Callable[[], datetime],
        base_url: Callable[[], str],
        listing: Listing,
        *,
        calls_per_minute: int = 700,
        time_scale: float = 1.0,
    ) -> None:
        """Copies the data."""
        self.is_there = "articles" in data
        self.articles: dict[int, Row] = {
            int(row["id"]): copy.deepcopy(dict(row)) for row in data.get("articles", ())
        }
        self.sections = [dict(row) for row in data.get("article_sections", ())]
        self.categories = [dict(row) for row in data.get("article_categories", ())]
        self.segments = [dict(row) for row in data.get("user_segments", ())]
        self.translations = _by_article(data.get("article_translations", {}))
        self.attachments = _by_article(data.get("article_attachments", {}))
        self.page_rows = 1_000
        self._now = now
        self._base_url = base_url
        self._listing = listing
        self._limit = RateLimit(calls_per_minute, 60, time_scale)
        self._time_scale = time_scale

    def edit(self, article_id: int, **fields: Any) -> None:
        """Changes an article as an author would: its `updated_at` moves."""
        self.articles[article_id].update(fields, updated_at=self._stamp())

    def vote(self, article_id: int, up: int = 1) -> None:
        """A reader votes: the sums move, `updated_at` does not."""
        article = self.articles[article_id]
        article["vote_sum"] = article.get("vote_sum", 0) + up
        article["vote_count"] = article.get("vote_count", 0) + 1

    def archive(self, article_id: int) -> None:
        """Takes an article out of every list and export."""
        del self.articles[article_id]

    def routes(self) -> Sequence[Route]:
        """The documented paths, each with and without `.json`, lists also below a locale."""
        one = r"articles/(?P<id>\d+)"
        return [
            self._route("articles_export", "incremental/articles", self._export),
            self._route("article_translations", f"{one}/translations", self._translations),
            self._route("article_attachments", f"{one}/attachments", self._attachments),
            self._route("article", one, self._article),
            self._list("articles", lambda: list(self.articles.values())),
            self._list("sections", lambda: self.sections),
            self._list("categories", lambda: self.categories),
            self._list("user_segments", lambda: self.segments),
        ]

    def _list(self, key: str, rows: Callable[[], Sequence[Row]]) -> Route:
        path = rf"(?:[a-z]{{2}}(?:-[a-z]{{2}})?/)?{key}"
        return self._route(key, path, lambda request: self._listing(key, rows(), request))

    def _route(self, name: str, path: str, handler: Callable[[Request], Response]) -> Route:
        def answer(request: Request) -> Response:
            allowance = self._limit.take()
            headers = {
                "X-Rate-Limit": str(allowance.limit),
                "X-Rate-Limit-Remaining": str(allowance.remaining),
            }
            if not allowance.is_allowed:
                wait = retry_after_text(allowance.retry_after_seconds, self._time_scale)
                return Response.json(
                    {"error": "TooManyRequests"}, 429, {**headers, "Retry-After": wait}
                )
            given = handler(request) if self.is_there else _not_found()
            return Response(
                given.status, given.content, {**headers, **given.headers}, given.media_type
            )

        return Route(
            f"help_center_{name}", "GET", rf"/api/v2/help_center/{path}(?:\.json)?", answer
        )

    def _export(self, request: Request) -> Response:
        told = request.first("start_time") or ""
        if not told.isdigit():
            return Response.json({"error": "BadRequest", "description": "start_time"}, 400)
        start = int(told)
        rows = sorted(
            (row for row in self.articles.values() if _second(row) >= start),
            key=lambda row: (_second(row), row["id"]),
        )
        page = rows[: self.page_rows]
        end_time = _second(page[-1]) if page else None
        url = f"{self._base_url()}{request.path}?start_time={end_time}"
        return Response.json(
            {
                "articles": page,
                "count": len(page),
                "end_time": end_time,
                "next_page": url if page else None,
            }
        )

    def _article(self, request: Request) -> Response:
        article = self.articles.get(int(request.params["id"]))
        return _not_found() if article is None else Response.json({"article": article})

    def _translations(self, request: Request) -> Response:
        """Those in other languages, and the article's own text as the one in its source locale."""
        article = self.articles.get(int(request.params["id"]))
        if article is None:
            return _not_found()
        own = {
            "id": int(article["id"]) * 10,
            "source_id": article["id"],
            "source_type": "Article",
            **{name: article.get(name) for name in ("locale", "title", "body", "draft")},
            **{name: article.get(name) for name in ("created_at", "updated_at", "html_url")},
            "outdated": False,
        }
        rows = [own, *self.translations.get(int(article["id"]), [])]
        return self._listing("translations", rows, request)

    def _attachments(self, request: Request) -> Response:
        number = int(request.params["id"])
        if number not in self.articles:
            return _not_found()
        return self._listing("article_attachments", self.attachments.get(number, []), request)

    def _stamp(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _second(row: Mapping[str, Any]) -> int:
    return int(datetime.fromisoformat(row["updated_at"]).timestamp())


def _not_found() -> Response:
    return Response.json({"error": "RecordNotFound", "description": "Not found"}, 404)


def _by_article(told: Mapping[Any, Sequence[Row]]) -> dict[int, list[Row]]:
    return {int(number): [dict(row) for row in rows] for number, rows in told.items()}
