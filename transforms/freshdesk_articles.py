"""Freshdesk's solution articles in the unified model.

Belongs here: how an article with its translations becomes articles, and who may read them. Does not belong here:
tickets (`freshdesk`), I/O.

Decisions:
- Each language of an article is an article; the one in the account's primary language is the original.
- A folder says who may read what is in it; a folder that is not known means some (`restricted`).

Source: Freshdesk API v2 reference, "Solutions" (categories, folders, articles, their translations).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from transforms.article_lists import rows_by_id
from transforms.model import (
    Batch,
    RawRecord,
    Rejected,
    SourceArticle,
    SourceAttachment,
    Visibility,
)
from transforms.payload import (
    UnreadableError,
    id_of,
    instant_of,
    object_of,
    objects_of,
    required_id,
    text_of,
    texts_of,
)
from transforms.text import html_to_text, one_line

VERSION = "freshdesk-articles-1"

PATH_MARK = " / "
"""Between the names of nested folders."""

PUBLISHED = 2
"""An article's `status`; 1 is a draft."""

VISIBILITY: Mapping[str, Visibility] = {"1": "public", "2": "signed_in", "3": "internal"}
"""A folder's `visibility`: everybody, signed-in users, agents. Companies (4), bots (5), segments (6, 7) are some."""

_DEEPEST = 10


def normalise_articles(records: Mapping[str, Iterable[RawRecord]], *, base_url: str = "") -> Batch:
    """The articles of some raw records.

    Args:
        records: `articles` (with their `language` and `translations`), and `article_folders`,
            `article_categories` whole.
        base_url: the account's address, for links; may be empty.

    Returns:
        A batch of articles; tombstones give none, records that could not be understood are in its `rejected`.
    """
    batch = Batch()
    folders = rows_by_id(batch, records.get("article_folders", ()))
    categories = rows_by_id(batch, records.get("article_categories", ()))
    for record in records.get("articles", ()):
        if record.is_tombstone:
            continue
        try:
            batch.articles.extend(_languages(record, folders, categories, base_url.rstrip("/")))
        except UnreadableError as error:
            batch.rejected.append(
                Rejected(record.stream, record.remote_id, error.reason, error.detail)
            )
    return batch


Rows = Mapping[str, Mapping[str, Any]]


def _languages(
    record: RawRecord, folders: Rows, categories: Rows, base_url: str
) -> Iterable[SourceArticle]:
    body = object_of(record)
    article_id = required_id(body, "id")
    folder = folders.get(id_of(body, "folder_id") or "")
    path, category = _place(body, folders, categories)
    visibility = VISIBILITY.get(str((folder or {}).get("visibility")), "restricted")
    translations = body.get("translations")
    told = translations if isinstance(translations, dict) else {}
    original = text_of(body, "language")
    # The row itself wins over a translation that bears its language, or none.
    shown = {original or "": body}
    for code, one in told.items():
        if isinstance(one, dict):
            shown.setdefault(str(code), one)
    for language, one in shown.items():
        html = text_of(one, "description") or ""
        yield SourceArticle(
            remote_id=f"{article_id}/{language}",
            article_remote_id=article_id,
            title=one_line(text_of(one, "title") or ""),
            text=html_to_text(html) or text_of(one, "description_text") or "",
            html=html or None,
            language=language or None,
            url=f"{base_url}/support/solutions/articles/{article_id}" if base_url else None,
            created_at=instant_of(one, "created_at") or instant_of(body, "created_at"),
            updated_at=instant_of(one, "updated_at") or instant_of(body, "updated_at"),
            visibility=visibility,
            is_published=one.get("status") == PUBLISHED,
            is_translation=one is not body,
            category=category,
            section=path,
            labels=texts_of(body, "tags"),
            author_remote_id=id_of(one, "agent_id") or id_of(body, "agent_id"),
            attachments=tuple(_attachments(one)),
            raw_stream=record.stream,
            raw_remote_id=record.remote_id,
        )


def _place(
    body: Mapping[str, Any], folders: Rows, categories: Rows
) -> tuple[str | None, str | None]:
    """(path of folder names, name of the category)."""
    names: list[str] = []
    category = id_of(body, "category_id")
    folder_id = id_of(body, "folder_id")
    while folder_id is not None and len(names) < _DEEPEST:
        folder = folders.get(folder_id)
        if folder is None:
            break
        names.insert(0, one_line(text_of(folder, "name") or folder_id))
        category = category or id_of(folder, "category_id")
        folder_id = id_of(folder, "parent_folder_id")
    told = categories.get(category or "")
    name = one_line(text_of(told, "name") or "") if told else ""
    return PATH_MARK.join(names) or None, name or None


def _attachments(body: Mapping[str, Any]) -> Iterable[SourceAttachment]:
    for told in objects_of(body, "attachments"):
        remote_id = id_of(told, "id")
        if remote_id is None:
            continue
        size = told.get("size")
        yield SourceAttachment(
            remote_id=remote_id,
            file_name=one_line(text_of(told, "name") or remote_id),
            media_type=text_of(told, "content_type") or "application/octet-stream",
            size_bytes=size if isinstance(size, int) and not isinstance(size, bool) else None,
            remote_url=text_of(told, "attachment_url"),
        )
