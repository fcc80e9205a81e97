"""From articles of the unified model to the warehouse's rows: keys filled in.

Belongs here: the last pure step before article rows are written. Does not belong here: tickets (`rows`), reading or
writing.
"""

from collections.abc import Iterable, Mapping

from transforms.model import SourceArticle, SourceAttachment, utc
from transforms.rows import LONGEST_TEXT, Origin, Row


def article_rows(
    articles: Iterable[SourceArticle],
    keys: Mapping[str, str],
    people: Mapping[str, str],
    origin: Origin,
) -> list[Row]:
    """The rows of `article`.

    Args:
        articles: of one source.
        keys: article's `remote_id` → our key.
        people: the source's id of a person → our key; authors who are not known have none.
        origin: whose rows, which transform.
    """
    return [
        {
            "article_key": keys[article.remote_id],
            "client_key": origin.client_key,
            "source_key": origin.source_key,
            "remote_id": article.remote_id,
            "article_remote_id": article.article_remote_id,
            "title": article.title,
            "body_text": article.text[:LONGEST_TEXT],
            "body_html": article.html,
            "language": article.language,
            "url": article.url,
            "created_at": utc(article.created_at) if article.created_at else None,
            "updated_at": utc(article.updated_at) if article.updated_at else None,
            "is_published": article.is_published,
            "is_translation": article.is_translation,
            "visibility": article.visibility,
            "category": article.category,
            "section": article.section,
            "labels": list(article.labels),
            "attachments": [_attachment(one) for one in article.attachments],
            "author_key": people.get(article.author_remote_id or ""),
            "raw_stream": article.raw_stream,
            "raw_remote_id": article.raw_remote_id,
            "transform_version": origin.transform_version,
        }
        for article in articles
    ]


def _attachment(attachment: SourceAttachment) -> Row:
    return {
        "remote_id": attachment.remote_id,
        "file_name": attachment.file_name,
        "media_type": attachment.media_type,
        "size_bytes": attachment.size_bytes,
        "remote_url": attachment.remote_url,
        "is_inline": attachment.is_inline,
    }
