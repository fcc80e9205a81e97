"""acme's knowledge base, as Zendesk's Help Center and as Freshdesk's solutions.

Belongs here: both vendors' objects of articles. Does not belong here: the texts (`texts/articles.yaml`), tickets.

Source: Zendesk developer documentation: Articles, Sections, Categories, Translations, User segments; Freshdesk API v2
reference: Solutions.
"""

from collections.abc import Sequence
from typing import Any

from pipelines.demo.hours import DAY, iso
from pipelines.demo.phrases import LANGUAGES, texts

LOCALES = {"en": "en-gb", "de": "de", "tr": "tr"}
STAFF = "staff"
_ZENDESK_URL = "https://acme.zendesk.com/hc"
_ARTICLES, _SECTIONS, _CATEGORIES, _SEGMENT = 340_000_000, 341_000_000, 342_000_001, 343_000_001
_SOLUTIONS, _FOLDERS, _SOLUTION_CATEGORY = 44_000_000, 45_000_000, 46_000_001
_PUBLIC, _AGENTS_ONLY = 1, 3
_DRAFT, _PUBLISHED = 1, 2


def articles() -> Sequence[dict[str, Any]]:
    """The articles with their number, category, audience and texts; the same every time."""
    told: Any = texts("articles")
    return [{"number": number, **one} for number, one in enumerate(told, start=1)]


def html_of(sentences: Sequence[str]) -> str:
    """The paragraphs of an article; the first of its sentences is its title."""
    return "".join(f"<p>{sentence}</p>" for sentence in sentences[1:])


def help_center(opened_at: int, author_ids: Sequence[int]) -> dict[str, Any]:
    """Articles, translations, sections, categories and segments as the Zendesk stand-in wants them."""
    told = articles()
    return {
        "articles": [_zendesk_article(one, opened_at, author_ids) for one in told],
        "article_translations": {
            _ARTICLES + one["number"]: [
                _translation(one, language, opened_at) for language in LANGUAGES if language in one
            ]
            for one in told
        },
        "article_sections": [
            {
                "id": _SECTIONS + place,
                "name": name.capitalize(),
                "category_id": _CATEGORIES,
                "locale": LOCALES["en"],
            }
            for place, name in enumerate(_categories(told), start=1)
        ],
        "article_categories": [
            {"id": _CATEGORIES, "name": "acme Help", "locale": LOCALES["en"]},
        ],
        "user_segments": [
            {"id": _SEGMENT, "name": "Agents and admins", "user_type": "staff", "built_in": True}
        ],
    }


def solutions(opened_at: int, author_ids: Sequence[int]) -> dict[str, Any]:
    """Articles, translations, folders and categories as the Freshdesk stand-in wants them."""
    told = articles()
    folders = list(dict.fromkeys((one["category"], one.get("audience")) for one in told))
    numbers = {key: _FOLDERS + place for place, key in enumerate(folders, start=1)}
    return {
        "solution_categories": [{"id": _SOLUTION_CATEGORY, "name": "acme Help"}],
        "solution_folders": [
            {
                "id": numbers[category, audience],
                "name": category.capitalize() + (" (agents)" if audience else ""),
                "category_id": _SOLUTION_CATEGORY,
                "visibility": _AGENTS_ONLY if audience == STAFF else _PUBLIC,
            }
            for category, audience in folders
        ],
        "solution_articles": [
            {
                "id": _SOLUTIONS + one["number"],
                "folder_id": numbers[one["category"], one.get("audience")],
                "category_id": _SOLUTION_CATEGORY,
                "tags": [one["category"]],
                **_solution(one, "en", opened_at, author_ids),
            }
            for one in told
        ],
        "article_translations": {
            _SOLUTIONS + one["number"]: {
                language: {
                    "id": _SOLUTIONS + one["number"],
                    **_solution(one, language, opened_at, author_ids),
                }
                for language in LANGUAGES
                if language != "en" and language in one
            }
            for one in told
        },
        "helpdesk_settings": {
            "primary_language": "en",
            "supported_languages": [one for one in LANGUAGES if one != "en"],
        },
    }


def _categories(told: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(one["category"] for one in told))


def _zendesk_article(
    one: dict[str, Any], opened_at: int, author_ids: Sequence[int]
) -> dict[str, Any]:
    number = _ARTICLES + one["number"]
    place = _categories(articles()).index(one["category"]) + 1
    return {
        **_translation(one, "en", opened_at),
        "id": number,
        "author_id": author_ids[one["number"] % len(author_ids)],
        "source_locale": LOCALES["en"],
        "section_id": _SECTIONS + place,
        "user_segment_id": _SEGMENT if one.get("audience") == STAFF else None,
        "label_names": [one["category"]],
        "promoted": one["number"] == 1,
        "vote_sum": 0,
        "vote_count": 0,
    }


def _translation(one: dict[str, Any], language: str, opened_at: int) -> dict[str, Any]:
    number = _ARTICLES + one["number"]
    return {
        "id": number * 10 + LANGUAGES.index(language),
        "locale": LOCALES[language],
        "title": one[language][0],
        "body": html_of(one[language]),
        "draft": one.get("draft", False),
        "html_url": f"{_ZENDESK_URL}/{LOCALES[language]}/articles/{number}",
        **_stamps(one, opened_at),
    }


def _solution(
    one: dict[str, Any], language: str, opened_at: int, author_ids: Sequence[int]
) -> dict[str, Any]:
    return {
        "agent_id": author_ids[one["number"] % len(author_ids)],
        "title": one[language][0],
        "description": html_of(one[language]),
        "description_text": " ".join(one[language][1:]),
        "status": _DRAFT if one.get("draft") else _PUBLISHED,
        **_stamps(one, opened_at),
    }


def _stamps(one: dict[str, Any], opened_at: int) -> dict[str, str]:
    """Written in the account's first days, the drafts a year later."""
    at = opened_at + (360 if one.get("draft") else one["number"]) * DAY
    return {"created_at": iso(at), "updated_at": iso(at)}
