"""`transforms.reply` on real replies (`DESKBRIDGE_SHARED_DATA`): how often it is right, and what is left over."""

import json
import re
import tarfile
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.bench.replies import Message, bare, discourse, is_right, talon, talon_html
from transforms.reply.html import split_html_reply
from transforms.reply.split import split_reply

pytestmark = pytest.mark.real_data

_LEFT_OVER = re.compile(
    r"^\W*(?:On|Am|Le|El|Il|Op) .*\d{4}.*(?:wrote|schrieb|écrit|escribió|scritto|schreef)\W*$"
    r"|^\W*(?:From|Von|De|Sent|Gesendet|Enviado): .*(?:@|\d{4})|^-+ ?Original Message|^Sent from my "
    r"|mailing list -- \S+@"
)


def _ours(message: Message) -> str:
    return (split_html_reply(message.html) if message.html else split_reply(message.text)).reply


def test_replies_whose_words_their_makers_wrote_down(shared_data: Path) -> None:
    messages = discourse(shared_data)
    right = sum(is_right(one, _ours(one)) for one in messages)
    tools: dict[str, int] = {}
    for line in (shared_data / "mail" / "replies" / "expected.jsonl").read_text().splitlines():
        one = json.loads(line)
        for name, answer in one["tools"].items() if "expected_reply" in one else ():
            tools[name] = tools.get(name, 0) + (bare(answer or "") == bare(one["expected_reply"]))
    print(f"\n{right} of {len(messages)}; others: {tools}")
    assert right >= 0.9 * len(messages)
    assert right > max(tools.values())


def test_replies_of_a_dozen_programs(shared_data: Path) -> None:
    for messages in (talon(shared_data), talon_html(shared_data)):
        missed = [one.name for one in messages if not is_right(one, _ours(one))]
        assert not missed


@pytest.mark.parametrize("name", ["usrp-2022", "usrp-2023"])
def test_no_mark_of_a_quote_is_left_in_the_words_of_a_support_list(
    shared_data: Path, name: str
) -> None:
    mails = left = empty = differing = both = 0
    for text, html in _bodies(shared_data / "mail" / "threads" / f"{name}.tar.xz"):
        parts = split_reply(text)
        assert "".join(text[part.start : part.end] for part in parts.parts) == text
        mails += 1
        empty += bool(text.strip()) and not parts.reply
        left += any(_LEFT_OVER.search(line) for line in parts.reply.splitlines())
        if html and mails % 10 == 0:
            both += 1
            words = _words(split_html_reply(html).reply)
            differing += abs(len(words) - len(_words(parts.reply))) > 0.2 * len(words) + 40
    print(f"\n{name}: {mails} mails, {left} with a mark left over, {empty} without words,"
          f" text and HTML differ in {differing} of {both}")  # fmt: skip
    assert left <= mails // 500
    assert empty <= mails // 100
    assert differing <= both // 10


def _words(text: str) -> str:
    return re.sub(r"https?\S+|\[[^\]]*\]|<[^>]*>|\W", "", text)


def _bodies(archive: Path) -> list[tuple[str, str | None]]:
    found = []
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is None:
                continue
            try:
                message = message_from_bytes(file.read(), policy=policy.default)
                plain, html = message.get_body(("plain",)), message.get_body(("html",))  # type: ignore[attr-defined]
                if plain is not None:
                    found.append((plain.get_content(), html and html.get_content()))
            except (LookupError, ValueError):
                continue
    return found
