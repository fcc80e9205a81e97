"""The author's own words in the warehouse's rows."""

from datetime import UTC, datetime

from transforms.model import Batch, SourceComment, SourceTicket
from transforms.rows import Keys, Origin, ticket_rows

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
WROTE = "On Tue, Mar 3, 2026 at 4:05 PM A <a@b.example> wrote:"


def _comment(remote_id: str, text: str, html: str | None = None) -> SourceComment:
    return SourceComment(
        remote_id, "1", AT, author_kind="customer", is_public=True, text=text, html=html
    )


def test_a_comments_row_holds_the_full_text_and_what_its_author_wrote() -> None:
    ticket = SourceTicket("1", "Lamp", "open", "open", None, None, AT, AT)
    quoted = f"It blinks.\n\n{WROTE}\n\n> Does it blink?\n"
    html = (
        f'<p>It blinks.</p><p>{WROTE}</p><blockquote type="cite">Does it?</blockquote><p>Red.</p>'
    )
    comments = [
        _comment("a", "It is broken."),
        _comment("b", quoted),
        _comment("c", "> all quoted"),
        _comment("d", f"It blinks.\n\n{WROTE}\n\nDoes it?\n\nRed.", html),
    ]
    rows = ticket_rows(
        Batch(tickets=[ticket], comments=comments),
        Keys(ticket={"1": "ticket-1"}),
        Origin("acme", "desk", "v1", AT),
    ).comment
    assert [row["reply_text"] for row in rows] == [None, "It blinks.", "", "It blinks.\n\nRed."]
    assert [row["body_text"] for row in rows] == [comment.text for comment in comments]
