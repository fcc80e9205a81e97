"""Zendesk's two products for customers' ratings as one: 1 (worst) to 5.

Belongs here: legacy ratings, survey responses, and that a ticket rated in both counts once. Does not belong here:
which of them an account has (`connectors.zendesk`).

Decisions:
- Legacy: good is 5, bad is 1; `offered` and `unoffered` are no verdicts.
- Surveys: the answer to the satisfaction question, stretched from the scale that the question offers (2, 3 or 5
  steps; numbers, emoji and words alike carry a number) to 1–5. Where no number is told, its category: good 5, bad 1.
- A survey that was sent and not answered, or whose rating was skipped, is no verdict.
- A ticket that has a survey's rating has no other: an account that changed products repeats the one in the other.

Source: Zendesk developer documentation, "Satisfaction ratings", "CSAT survey responses".
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from transforms.model import RawRecord, SourceChange, SourceRating, SourceTicket
from transforms.payload import (
    UnreadableError,
    id_of,
    instant_of,
    object_of,
    objects_of,
    required_id,
    required_instant,
    text_of,
)
from transforms.zendesk_words import Reading

SCORES: Mapping[str, int] = {"good": 5, "bad": 1}
"""The legacy rating's verdicts on our scale."""

CATEGORIES: Mapping[str, int] = {"good": 5, "neutral": 3, "bad": 1}
"""A survey's category of a rating, where it tells no number."""

SATISFACTION = "customer_satisfaction"
LOWEST, HIGHEST = 1, 5


def read_surveys(reading: Reading, records: Iterable[RawRecord]) -> set[str]:
    """Adds the ratings of survey responses; returns the tickets that have one."""
    rated: set[str] = set()
    for record in records:
        try:
            body = object_of(record)
            rating = _survey_rating(body, record.ticket_remote_id)
        except UnreadableError as error:
            reading.reject(record, error)
            continue
        if rating is not None:
            reading.batch.ratings.append(rating)
            rated.add(rating.ticket_remote_id)
    return rated


def read_ratings(reading: Reading, records: Iterable[RawRecord], surveyed: set[str]) -> set[str]:
    """Adds the legacy ratings of tickets that no survey rates; returns the tickets that have one."""
    rated: set[str] = set()
    for record in records:
        try:
            body = object_of(record)
            score = str(body.get("score") or "").lower()
            if score in ("offered", "unoffered"):
                continue
            if score not in SCORES:
                raise UnreadableError("unknown score", f"score={body.get('score')!r}")
            ticket_id = required_id(body, "ticket_id")
            moment = "updated_at" if body.get("updated_at") else "created_at"
            rating = SourceRating(
                remote_id=required_id(body, "id"),
                ticket_remote_id=ticket_id,
                kind="csat",
                score=SCORES[score],
                source_score=score,
                rated_at=required_instant(body, moment),
                comment=text_of(body, "comment"),
            )
        except UnreadableError as error:
            reading.reject(record, error)
            continue
        rated.add(ticket_id)
        if ticket_id in surveyed:
            reading.warn(ticket_id, "rated in both products", "the survey's rating counts")
            continue
        reading.batch.ratings.append(rating)
    return rated


def rating_of_row(
    reading: Reading,
    body: Mapping[str, Any],
    ticket: SourceTicket,
    changes: Iterable[SourceChange],
    rated: set[str],
) -> None:
    """Adds the rating that only the ticket's row carries, where the list of ratings is not to be had."""
    told = body.get("satisfaction_rating")
    if ticket.remote_id in rated or not isinstance(told, dict):
        return
    score = str(told.get("score") or "").lower()
    if score not in SCORES:
        return
    moments: list[datetime] = [
        change.occurred_at
        for change in changes
        if change.field == "satisfaction_score" and change.new_value is not None
    ]
    if not moments:
        reading.warn(
            ticket.remote_id, "rating without its instant", "dated by the ticket's last update"
        )
    reading.batch.ratings.append(
        SourceRating(
            remote_id=id_of(told, "id") or f"{ticket.remote_id}:row",
            ticket_remote_id=ticket.remote_id,
            kind="csat",
            score=SCORES[score],
            source_score=score,
            rated_at=moments[-1] if moments else ticket.updated_at,
            comment=text_of(told, "comment"),
        )
    )


def _survey_rating(body: Mapping[str, Any], ticket_id: str | None) -> SourceRating | None:
    """The verdict of a survey response; None where there is none, or it is about no ticket."""
    answers = objects_of(body, "answers")
    answer = next((one for one in answers if _is_verdict(one)), None)
    if answer is None or ticket_id is None:
        return None
    return SourceRating(
        remote_id=f"survey-{required_id(body, 'id')}",
        ticket_remote_id=ticket_id,
        kind="csat",
        score=_score(answer),
        source_score=_told(answer),
        rated_at=instant_of(answer, "updated_at") or required_instant(answer, "created_at"),
        comment=_comment(answers),
    )


def _is_verdict(answer: Mapping[str, Any]) -> bool:
    if not str(answer.get("type") or "").startswith("rating_scale"):
        return False
    question = answer.get("question")
    kind = question.get("sub_type") if isinstance(question, dict) else None
    return kind in (None, SATISFACTION)


def _score(answer: Mapping[str, Any]) -> int:
    rating = _number(answer.get("rating"))
    question = answer.get("question")
    steps = [
        step
        for option in (objects_of(question, "options") if isinstance(question, dict) else ())
        if (step := _number(option.get("rating"))) is not None
    ]
    if rating is not None and len(set(steps)) > 1 and min(steps) <= rating <= max(steps):
        place = (rating - min(steps)) / (max(steps) - min(steps))
        return LOWEST + int(place * (HIGHEST - LOWEST) + 0.5)
    if rating is not None and rating.is_integer() and LOWEST <= rating <= HIGHEST:
        return int(rating)
    category = str(answer.get("rating_category") or "").lower()
    if category in CATEGORIES:
        return CATEGORIES[category]
    raise UnreadableError(
        "unknown score", f"rating={answer.get('rating')!r}, category={category!r}"
    )


def _told(answer: Mapping[str, Any]) -> str:
    """The source's own words: the number, and the category beside it where it tells both."""
    rating, category = answer.get("rating"), text_of(answer, "rating_category")
    if rating is None or isinstance(rating, bool | dict | list):
        return category or ""
    return f"{rating} ({category})" if category else str(rating)


def _comment(answers: Iterable[Mapping[str, Any]]) -> str | None:
    texts = [
        text
        for answer in answers
        if answer.get("type") == "open_ended" and (text := text_of(answer, "value")) is not None
    ]
    return "\n\n".join(texts) or None


def _number(value: Any) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1_000_000 else None
