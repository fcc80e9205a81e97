"""Articles of Zendesk's Help Center and Freshdesk's solutions in the unified model."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import freshdesk_articles, zendesk_articles
from transforms.model import RawRecord

UPDATED = "2026-03-04T05:06:07Z"


def raw(stream: str, body: Any, *, is_tombstone: bool = False) -> RawRecord:
    remote_id = str(body.get("id")) if isinstance(body, dict) else "x"
    return RawRecord(stream, remote_id, json.dumps(body).encode(), is_tombstone=is_tombstone)


def zendesk_article(**fields: Any) -> dict[str, Any]:
    return {
        "id": 501,
        "title": "Printer\nis shy",
        "body": "<p>Turn it <b>off</b>.</p><script>alert(1)</script>",
        "locale": "en-us",
        "source_locale": "en-us",
        "section_id": 62,
        "user_segment_id": None,
        "author_id": 21,
        "draft": False,
        "label_names": ["printer", ""],
        "html_url": "https://acme.example/hc/en-us/articles/501",
        "created_at": "2026-01-02T08:00:00Z",
        "updated_at": UPDATED,
        **fields,
    }


def zendesk(*articles: Any, segments: Any = ()) -> Any:
    return zendesk_articles.normalise_articles(
        {
            "articles": [raw("articles", one) for one in articles],
            "article_sections": [
                raw("article_sections", {"id": 61, "name": "Printers", "category_id": 71}),
                raw("article_sections", {"id": 62, "name": "Laser", "parent_section_id": 61}),
            ],
            "article_categories": [raw("article_categories", {"id": 71, "name": "Hardware"})],
            "user_segments": [raw("user_segments", one) for one in segments],
        }
    )


def test_zendesk_article_when_it_has_languages_then_each_is_an_article() -> None:
    german = {
        "locale": "de",
        "title": "Drucker",
        "body": "<p>Aus.</p>",
        "draft": True,
        "updated_at": "2026-03-05T00:00:00Z",
    }
    files = [
        {"id": 9, "file_name": "map.png", "content_type": "image/png", "size": 3, "inline": True}
    ]
    own = {"locale": "en-us", "title": "Printer is shy", "body": "<p>Off.</p>", "draft": False}
    batch = zendesk(zendesk_article(translations=[own, german], attachments=files))
    assert (batch.rejected, batch.warnings) == ([], [])
    english, other = batch.articles
    assert (english.remote_id, other.remote_id) == ("501/en-us", "501/de")
    assert (english.article_remote_id, other.article_remote_id) == ("501", "501")
    assert (english.title, english.text, english.html) == ("Printer is shy", "Off.", "<p>Off.</p>")
    assert (english.is_published, english.is_translation) == (True, False)
    assert (other.is_published, other.is_translation, other.language) == (False, True, "de")
    assert other.updated_at == datetime(2026, 3, 5, tzinfo=UTC)
    assert other.created_at == english.created_at == datetime(2026, 1, 2, 8, tzinfo=UTC)
    assert (english.category, english.section) == ("Hardware", "Printers / Laser")
    assert english.labels == ("printer",)
    assert english.author_remote_id == "21"
    (file,) = english.attachments
    assert (file.file_name, file.media_type, file.size_bytes, file.is_inline) == (
        "map.png",
        "image/png",
        3,
        True,
    )


def test_zendesk_article_when_its_translations_were_not_to_be_had_then_the_row_is_it() -> None:
    (article,) = zendesk(zendesk_article(draft=True)).articles
    assert article.title == "Printer is shy"
    assert article.text == "Turn it off."
    assert not article.is_published


@pytest.mark.parametrize(
    ("segment", "visibility"),
    [
        ({"user_type": "staff"}, "internal"),
        ({"user_type": "signed_in_users", "tags": []}, "signed_in"),
        ({"user_type": "signed_in_users", "tags": ["vip"]}, "restricted"),
        ({"user_type": "signed_in_users", "organization_ids": [1]}, "restricted"),
        (None, "restricted"),
    ],
)
def test_zendesk_article_when_a_segment_may_read_it_then_the_segment_says_who(
    segment: dict[str, Any] | None, visibility: str
) -> None:
    known = [{"id": 801, "name": "Some", **segment}] if segment else []
    (article,) = zendesk(zendesk_article(user_segment_id=801), segments=known).articles
    assert article.visibility == visibility
    (everybody,) = zendesk(zendesk_article(), segments=known).articles
    assert everybody.visibility == "public"


def test_zendesk_when_several_segments_may_read_then_the_widest_of_them_counts() -> None:
    segments = [
        {"id": 801, "user_type": "staff"},
        {"id": 802, "user_type": "signed_in_users"},
    ]
    (article,) = zendesk(zendesk_article(user_segment_ids=[801, 802]), segments=segments).articles
    assert article.visibility == "signed_in"


def test_tombstones_give_nothing_and_nonsense_is_rejected() -> None:
    gone = raw("articles", {"id": 501, "is_gone": True}, is_tombstone=True)
    odd = [raw("articles", "nonsense"), raw("articles", {"title": "no id"})]
    late = raw("articles", {"id": 7, "updated_at": "yesterday"})
    for transform in (zendesk_articles, freshdesk_articles):
        batch = transform.normalise_articles({"articles": [gone, *odd, late]})
        assert batch.articles == []
        assert [one.reason for one in batch.rejected] == [
            "not an object",
            "missing id",
            "unreadable updated_at",
        ]


def test_sections_that_contain_each_other_then_end() -> None:
    sections = [
        raw("article_sections", {"id": 1, "name": "A", "parent_section_id": 2}),
        raw("article_sections", {"id": 2, "name": "B", "parent_section_id": 1}),
    ]
    batch = zendesk_articles.normalise_articles(
        {"articles": [raw("articles", zendesk_article(section_id=1))], "article_sections": sections}
    )
    assert batch.articles[0].section is not None


def freshdesk(visibility: int | None = 1, **fields: Any) -> Any:
    article = {
        "id": 9,
        "folder_id": 61,
        "category_id": 70,
        "title": "Printer",
        "description": "<p>Off &amp; on</p>",
        "status": 2,
        "agent_id": 3,
        "tags": ["printer"],
        "language": "en",
        "translations": {},
        "created_at": "2026-01-02T08:00:00Z",
        "updated_at": UPDATED,
        **fields,
    }
    folders = [
        {"id": 60, "name": "Printers", "category_id": 70, "visibility": 1},
        {"id": 61, "name": "Laser", "parent_folder_id": 60, "visibility": visibility},
    ]
    return freshdesk_articles.normalise_articles(
        {
            "articles": [raw("articles", article)],
            "article_folders": [raw("article_folders", one) for one in folders],
            "article_categories": [raw("article_categories", {"id": 70, "name": "Hardware"})],
        },
        base_url="https://acme.example/",
    )


def test_freshdesk_article_when_it_has_languages_then_each_is_an_article() -> None:
    turkish = {"title": "Yazıcı", "description": "<p>Kapat</p>", "status": 1, "agent_id": 4}
    batch = freshdesk(translations={"tr": turkish})
    english, other = batch.articles
    assert (english.remote_id, english.language, english.is_translation) == ("9/en", "en", False)
    assert (english.text, english.html) == ("Off & on", "<p>Off &amp; on</p>")
    assert (english.category, english.section) == ("Hardware", "Printers / Laser")
    assert (english.is_published, other.is_published) == (True, False)
    assert (other.remote_id, other.title, other.author_remote_id) == ("9/tr", "Yazıcı", "4")
    assert other.updated_at == english.updated_at == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert english.url == "https://acme.example/support/solutions/articles/9"


@pytest.mark.parametrize(
    ("visibility", "expected"),
    [(1, "public"), (2, "signed_in"), (3, "internal"), (4, "restricted"), (None, "restricted")],
)
def test_freshdesk_folder_says_who_may_read(visibility: int | None, expected: str) -> None:
    assert freshdesk(visibility).articles[0].visibility == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
_NAMES = st.sampled_from(
    ["id", "title", "body", "description", "translations", "attachments", "locale", "language",
     "source_locale", "section_id", "folder_id", "user_segment_id", "user_segment_ids", "label_names",
     "tags", "draft", "status", "created_at", "updated_at"]
)  # fmt: skip


@given(st.dictionaries(_NAMES, _JSON))
def test_anything_at_all_gives_articles_or_a_reason_and_never_an_exception(
    body: dict[str, Any],
) -> None:
    record = {"articles": [raw("articles", {"id": 1, **body})]}
    for transform in (zendesk_articles, freshdesk_articles):
        batch = transform.normalise_articles(record)
        assert batch.articles or batch.rejected
        assert len({one.remote_id for one in batch.articles}) == len(batch.articles)
