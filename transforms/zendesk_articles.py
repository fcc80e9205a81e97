"""Zendesk's Help Center in the unified model.

Belongs here: how an article row with its translations becomes articles, and who may read them. Does not belong here:
tickets (`zendesk`), I/O.

Decisions:
- Each language of an article is an article; the one in the source locale is the original.
- A Help Center's permissions are those of a user segment: none means everybody. A segment that is not known, or is
  narrowed by tags, organisations or groups, means some (`restricted`).
- An article's `draft` is that of the language it is shown in; each translation has its own.

Source: Zendesk developer documentation, "Articles", "Translations", "User segments", "Sections".
"""

from collections.abc import Iterable, Mapping
from typing import Any

from transforms.article_lists import rows_by_id
from transforms.model import (
    Batch,
    DataWarning,
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

VERSION = "zendesk-articles-1"

PATH_MARK = " / "
"""Between the names of nested sections."""

_DEEPEST = 10
_NARROWED = ("tags", "or_tags", "organization_ids", "group_ids", "added_user_ids")


def normalise_articles(records: Mapping[str, Iterable[RawRecord]]) -> Batch:
    """The articles of some raw records.

    Args:
        records: `articles` (with their `translations` and `attachments`), and `article_sections`,
            `article_categories`, `user_segments` whole.

    Returns:
        A batch of articles; tombstones give none, records that could not be understood are in its `rejected`.
    """
    batch = Batch()
    sections = rows_by_id(batch, records.get("article_sections", ()))
    categories = rows_by_id(batch, records.get("article_categories", ()))
    segments = rows_by_id(batch, records.get("user_segments", ()))
    for record in records.get("articles", ()):
        if record.is_tombstone:
            continue
        try:
            batch.articles.extend(_languages(batch, record, sections, categories, segments))
        except UnreadableError as error:
            batch.rejected.append(
                Rejected(record.stream, record.remote_id, error.reason, error.detail)
            )
    return batch


Rows = Mapping[str, Mapping[str, Any]]


def _languages(
    batch: Batch, record: RawRecord, sections: Rows, categories: Rows, segments: Rows
) -> Iterable[SourceArticle]:
    body = object_of(record)
    article_id = required_id(body, "id")
    path, category = _place(id_of(body, "section_id"), sections, categories)
    attachments = tuple(_attachments(body))
    visibility = _visibility(body, segments)
    source_locale = text_of(body, "source_locale") or text_of(body, "locale")
    shown = {
        locale: one
        for one in objects_of(body, "translations")
        if (locale := text_of(one, "locale"))
    }
    own = text_of(body, "locale") or source_locale or ""
    # The row itself is one of its translations; where the list of them was not to be had, it is all there is.
    if own or not shown:
        shown.setdefault(own, body)
    for locale, told in shown.items():
        html = text_of(told, "body") or ""
        title = one_line(text_of(told, "title") or "")
        if not title and not html:
            batch.warnings.append(
                DataWarning(
                    None, "article without text", f"article {article_id}, language {locale}"
                )
            )
        yield SourceArticle(
            remote_id=f"{article_id}/{locale}",
            article_remote_id=article_id,
            title=title,
            text=html_to_text(html),
            html=html or None,
            language=locale or None,
            url=text_of(told, "html_url") or text_of(body, "html_url"),
            created_at=instant_of(told, "created_at") or instant_of(body, "created_at"),
            updated_at=instant_of(told, "updated_at") or instant_of(body, "updated_at"),
            visibility=visibility,
            is_published=not (told.get("draft") or told.get("hidden")),
            is_translation=locale != source_locale,
            category=category,
            section=path,
            labels=texts_of(body, "label_names"),
            author_remote_id=id_of(body, "author_id"),
            attachments=attachments,
            raw_stream=record.stream,
            raw_remote_id=record.remote_id,
        )


def _place(
    section_id: str | None, sections: Rows, categories: Rows
) -> tuple[str | None, str | None]:
    """(path of section names, name of the category)."""
    names: list[str] = []
    category: str | None = None
    while section_id is not None and len(names) < _DEEPEST:
        section = sections.get(section_id)
        if section is None:
            break
        names.insert(0, one_line(text_of(section, "name") or section_id))
        category = category or id_of(section, "category_id")
        section_id = id_of(section, "parent_section_id")
    told = categories.get(category or "")
    name = one_line(text_of(told, "name") or "") if told else ""
    return PATH_MARK.join(names) or None, name or None


def _visibility(body: Mapping[str, Any], segments: Rows) -> Visibility:
    many = body.get("user_segment_ids")
    ids = [str(one) for one in many if one is not None] if isinstance(many, list) else []
    one = id_of(body, "user_segment_id")
    ids = ids or ([one] if one else [])
    if not ids:
        return "public"
    kinds = {_segment(segments.get(segment_id)) for segment_id in ids}
    order: tuple[Visibility, ...] = ("signed_in", "restricted", "internal")
    return next(kind for kind in order if kind in kinds)


def _segment(segment: Mapping[str, Any] | None) -> Visibility:
    """Who a segment lets in, as one of the three that are not everybody."""
    if segment is None:
        return "restricted"
    if segment.get("user_type") == "staff":
        return "internal"
    if segment.get("user_type") == "signed_in_users" and not any(
        segment.get(name) for name in _NARROWED
    ):
        return "signed_in"
    return "restricted"


def _attachments(body: Mapping[str, Any]) -> Iterable[SourceAttachment]:
    for told in objects_of(body, "attachments"):
        remote_id = id_of(told, "id")
        if remote_id is None:
            continue
        size = told.get("size")
        yield SourceAttachment(
            remote_id=remote_id,
            file_name=one_line(text_of(told, "file_name") or remote_id),
            media_type=text_of(told, "content_type") or "application/octet-stream",
            size_bytes=size if isinstance(size, int) and not isinstance(size, bool) else None,
            remote_url=text_of(told, "content_url"),
            is_inline=told.get("inline") is True,
        )
