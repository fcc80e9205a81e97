"""The Freshdesk stand-in's knowledge base: categories, folders in folders, articles, translations; helpdesk settings.

Belongs here: these reads, and what people do to articles. Does not belong here: credentials, limits (`freshdesk`).

As documented no list takes a date, folders say who may read, and an article's own view and its translations answer 404
where there are none. Not documented, and so here on the careful side: a translation that is edited does not move its
article's `updated_at`.

Source: Freshdesk API v2 reference, "Solutions", "Helpdesk Settings".
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.standins.freshdesk_paging import as_json, no_feature, page_of
from connectors.standins.server import Request, Response, Route

Row = dict[str, Any]
Counted = Callable[[Callable[[Request], Response]], Callable[[Request], Response]]


class Solutions:
    """The account's knowledge base.

    Args:
        data: `solution_categories`, `solution_folders`, `solution_articles` (lists), `article_translations`:
            article id → language → object, and `helpdesk_settings`.
        now: aware UTC now.
        base_url: gives the stand-in's own address.
    """

    def __init__(
        self, data: Mapping[str, Any], now: Callable[[], datetime], base_url: Callable[[], str]
    ) -> None:
        """Copies the data."""
        self.categories = [dict(row) for row in data.get("solution_categories", ())]
        self.folders = [dict(row) for row in data.get("solution_folders", ())]
        self.articles: dict[int, Row] = {
            int(row["id"]): copy.deepcopy(dict(row)) for row in data.get("solution_articles", ())
        }
        self.translations: dict[int, dict[str, Row]] = {
            int(number): {code: dict(row) for code, row in told.items()}
            for number, told in dict(data.get("article_translations", {})).items()
        }
        self.settings = dict(
            data.get("helpdesk_settings", {"primary_language": "en", "supported_languages": []})
        )
        self.is_there = True
        """False answers 403: the plan has no knowledge base."""
        self._now = now
        self._base_url = base_url

    def edit(self, article_id: int, **fields: Any) -> None:
        """Changes an article as an author would: its `updated_at` moves."""
        at = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.articles[article_id].update(fields, updated_at=at)

    def delete(self, article_id: int) -> None:
        """Takes an article away."""
        del self.articles[article_id]

    def routes(self, counted: Counted) -> Sequence[Route]:
        """The documented paths."""
        root, number = r"/api/v2/solutions", r"(?P<id>\d+)"

        def route(name: str, path: str, handler: Callable[[Request], Response]) -> Route:
            def answer(request: Request) -> Response:
                return handler(request) if self.is_there else no_feature("solutions")

            return Route(name, "GET", f"{root}/{path}", counted(answer))

        return [
            route("solution_categories", "categories", self._categories),
            route("solution_folders", f"categories/{number}/folders", self._folders_of),
            route("solution_subfolders", f"folders/{number}/subfolders", self._subfolders),
            route("solution_articles", f"folders/{number}/articles", self._articles_of),
            route("solution_article", f"articles/{number}", self._article),
            route(
                "solution_translation",
                rf"articles/{number}/(?P<language>[A-Za-z]{{2}}(?:-[A-Za-z]+)?)",
                self._translation,
            ),
            Route(
                "helpdesk_settings",
                "GET",
                r"/api/v2/settings/helpdesk",
                counted(lambda _request: Response.json(self.settings)),
            ),
        ]

    def _categories(self, request: Request) -> Response:
        return self._page(request, self.categories)

    def _folders_of(self, request: Request) -> Response:
        number = int(request.params["id"])
        if number not in {row["id"] for row in self.categories}:
            return Response(404)
        rows = [
            self._counted(row)
            for row in self.folders
            if row.get("category_id") == number and not row.get("parent_folder_id")
        ]
        return self._page(request, rows)

    def _subfolders(self, request: Request) -> Response:
        rows = [self._counted(row) for row in self._inside(int(request.params["id"]))]
        return self._page(request, rows)

    def _articles_of(self, request: Request) -> Response:
        number = int(request.params["id"])
        if number not in {row["id"] for row in self.folders}:
            return Response(404)
        rows = [row for row in self.articles.values() if row.get("folder_id") == number]
        return self._page(request, rows)

    def _article(self, request: Request) -> Response:
        article = self.articles.get(int(request.params["id"]))
        return Response(404) if article is None else Response.json(article)

    def _translation(self, request: Request) -> Response:
        told = self.translations.get(int(request.params["id"]), {}).get(request.params["language"])
        return Response(404) if told is None else Response.json(told)

    def _page(self, request: Request, rows: Sequence[Row]) -> Response:
        return page_of(self._base_url(), request, rows, as_json)

    def _inside(self, folder_id: int) -> list[Row]:
        return [row for row in self.folders if row.get("parent_folder_id") == folder_id]

    def _counted(self, folder: Row) -> Row:
        number = folder["id"]
        articles = sum(row.get("folder_id") == number for row in self.articles.values())
        inside = len(self._inside(number))
        return {**folder, "articles_count": articles, "sub_folders_count": inside}
