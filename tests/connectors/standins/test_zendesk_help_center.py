"""The Zendesk stand-in's Help Center and business rules, as zenpy and plain HTTP see them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from connectors.standins.zendesk import ZendeskStandin
from connectors.standins.zendesk_sample import Clock, account
from connectors.zendesk.account import open_session
from connectors.zendesk.client import zenpy_over


def article(number: int, updated_at: str) -> dict[str, Any]:
    return {
        "id": number,
        "title": f"Article {number}",
        "body": "<p>Text</p>",
        "locale": "en-us",
        "source_locale": "en-us",
        "section_id": 601,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": updated_at,
    }


@pytest.fixture
def zendesk() -> Iterator[ZendeskStandin]:
    data = {
        **account(1),
        "articles": [article(n, f"2026-05-0{1 + n // 3}T00:00:00Z") for n in range(1, 9)],
        "article_sections": [{"id": 601, "name": "Printers", "category_id": 701}],
        "article_categories": [{"id": 701, "name": "Hardware"}],
        "article_translations": {3: [{"id": 1, "locale": "de", "title": "Drei", "body": ""}]},
        "sla_policies": [{"id": n, "title": f"P{n}", "position": n} for n in range(1, 131)],
        "schedules": [{"id": 47, "name": "Office", "time_zone": "Berlin", "intervals": []}],
        "holidays": {47: [{"id": 1, "name": "New year", "start_date": "2027-01-01"}]},
    }
    with ZendeskStandin(data, now=Clock()) as standin:
        yield standin


def get(
    zendesk: ZendeskStandin, path: str, token: str = "made-up-token", **params: Any
) -> requests.Response:
    return requests.get(
        f"{zendesk.base_url}/api/v2/{path}",
        params=params,
        auth=(f"{zendesk.email}/token", token),
        timeout=10,
    )


def test_zenpy_reads_articles_translations_sections_and_policies(zendesk: ZendeskStandin) -> None:
    with open_session(zendesk.base_url, zendesk.email, zendesk.token) as session:
        client = zenpy_over(session)
        assert sorted(one.id for one in client.help_center.articles()) == list(range(1, 9))
        assert client.help_center.articles(id=3).title == "Article 3"
        locales = [one.locale for one in client.help_center.articles.translations(3)]
        assert locales == ["en-us", "de"]
        assert [one.name for one in client.help_center.sections()] == ["Printers"]
        assert [one.name for one in client.help_center.categories()] == ["Hardware"]
        assert [one.id for one in client.sla_policies()] == list(range(1, 131))


def test_export_goes_by_seconds_and_repeats_the_edge_of_a_page(zendesk: ZendeskStandin) -> None:
    zendesk.help_center.page_rows = 4
    start = int(datetime(2026, 5, 2, tzinfo=UTC).timestamp())
    first = get(zendesk, "help_center/incremental/articles.json", start_time=start).json()
    assert [one["id"] for one in first["articles"]] == [3, 4, 5, 6]
    assert (first["count"], first["end_time"]) == (4, start + 86_400)
    assert first["next_page"].endswith(f"start_time={start + 86_400}")
    second = get(zendesk, "help_center/incremental/articles", start_time=first["end_time"]).json()
    assert [one["id"] for one in second["articles"]] == [6, 7, 8]


def test_archived_article_is_in_no_list_and_a_vote_is_no_change(zendesk: ZendeskStandin) -> None:
    zendesk.help_center.vote(3)
    zendesk.help_center.archive(4)
    body = get(zendesk, "help_center/en-us/articles.json", **{"page[size]": 100}).json()
    assert [one["id"] for one in body["articles"]] == [1, 2, 3, 5, 6, 7, 8]
    told = next(one for one in body["articles"] if one["id"] == 3)
    assert (told["vote_sum"], told["updated_at"]) == (1, "2026-05-02T00:00:00Z")
    for path in ("articles/4", "articles/4/translations", "articles/4/attachments"):
        assert get(zendesk, f"help_center/{path}").status_code == 404


def test_wrong_start_and_strangers_are_refused(zendesk: ZendeskStandin) -> None:
    assert get(zendesk, "help_center/incremental/articles").status_code == 400
    assert get(zendesk, "help_center/articles", token="another").status_code == 401
    assert get(zendesk, "slas/policies", token="another").status_code == 401


def test_account_without_a_help_center_answers_404(zendesk: ZendeskStandin) -> None:
    with ZendeskStandin(account(1)) as bare:
        for path in ("articles", "sections", "categories", "user_segments"):
            assert get(bare, f"help_center/{path}").status_code == 404


def test_its_limit_is_its_own() -> None:
    data = {**account(1), "articles": []}
    with ZendeskStandin(data, calls_per_minute=3) as standin:
        statuses = [get(standin, "help_center/articles").status_code for _ in range(4)]
        assert statuses == [200, 200, 200, 429]
        answer = get(standin, "help_center/articles")
        assert float(answer.headers["Retry-After"]) > 0
        assert get(standin, "groups").status_code == 200


def test_schedules_have_their_holidays_below_them(zendesk: ZendeskStandin) -> None:
    (schedule,) = get(zendesk, "business_hours/schedules.json").json()["schedules"]
    holidays = get(zendesk, f"business_hours/schedules/{schedule['id']}/holidays").json()
    assert [one["name"] for one in holidays["holidays"]] == ["New year"]
    assert get(zendesk, "business_hours/schedules/99/holidays").status_code == 404
    zendesk.business.lacks = {"group_sla_policies"}
    assert get(zendesk, "group_slas/policies").status_code == 403
