"""Webhooks: who sent them, what they say, and what a stranger may cost."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigurationError, UnavailableError
from connectors.freshdesk.webhook import FreshdeskHook
from connectors.warehouse.inbound import InboundEvent
from connectors.webhooks.contract import HookRequest, Place, UnverifiedError, ticket_ids
from connectors.webhooks.http_server import Limits
from connectors.webhooks.receiver import Receiver
from connectors.zendesk.webhook import ZendeskHook

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECRET = "dGhpcy1pcy1tYWRlLXVw"
BODY = b'{"ticket_id":"1005"}'
SIGNATURE = "JlMtIBwXHClvL2/LqESZ3Qcx90BApUPWLfhzXeQ5HhA="
"""By openssl dgst -sha256 -hmac SECRET -binary over the timestamp and the body, in base64."""

SIGNED = {
    "x-zendesk-webhook-signature": SIGNATURE,
    "x-zendesk-webhook-signature-timestamp": "2026-06-01T12:00:00Z",
    "x-zendesk-webhook-invocation-id": "01HXABC",
}


class TestZendesk:
    def test_a_signature_made_by_another_program_is_accepted(self) -> None:
        ZendeskHook([SECRET]).verify(HookRequest(SIGNED, BODY), NOW)

    def test_both_secrets_are_accepted_while_one_replaces_the_other(self) -> None:
        ZendeskHook(["the-new-one-of-today", SECRET]).verify(HookRequest(SIGNED, BODY), NOW)
        ZendeskHook([SECRET, "the-old-one-of-before"]).verify(HookRequest(SIGNED, BODY), NOW)

    @pytest.mark.parametrize(
        ("headers", "body", "why"),
        [
            ({}, BODY, "not signed"),
            ({**SIGNED, "x-zendesk-webhook-signature": ""}, BODY, "not signed"),
            (SIGNED, BODY + b" ", "not that of the configured secret"),
            (
                {**SIGNED, "x-zendesk-webhook-signature-timestamp": "2026-06-01T12:00:01Z"},
                BODY,
                "not that of the configured secret",
            ),
            ({**SIGNED, "x-zendesk-webhook-signature": SIGNATURE[:-4]}, BODY, "not that of"),
            ({**SIGNED, "x-zendesk-webhook-signature": "ü" * 44}, BODY, "not that of"),
        ],
    )
    def test_anything_else_is_not(self, headers: dict[str, str], body: bytes, why: str) -> None:
        with pytest.raises(UnverifiedError, match=why):
            ZendeskHook([SECRET]).verify(HookRequest(headers, body), NOW)

    @pytest.mark.parametrize(
        ("seconds", "is_taken"), [(299, True), (301, False), (-299, True), (-301, False)]
    )
    def test_a_right_signature_of_another_hour_is_a_replay(
        self, seconds: int, is_taken: bool
    ) -> None:
        now = NOW + timedelta(seconds=seconds)
        hook, request = ZendeskHook([SECRET]), HookRequest(SIGNED, BODY)
        if is_taken:
            hook.verify(request, now)
        else:
            with pytest.raises(UnverifiedError, match="last five minutes"):
                hook.verify(request, now)

    def test_a_subscribed_event_names_its_ticket_and_itself(self) -> None:
        body = {
            "type": "zen:event-type:ticket.comment_added",
            "id": "cbe4028c-7239-495d-b020-f22348516046",
            "time": "2026-06-01T11:59:58Z",
            "subject": "zen:ticket:5158",
            "detail": {"id": "5158", "status": "OPEN"},
            "event": {"comment": {"id": "99", "is_public": True}},
        }
        event = ZendeskHook([SECRET]).read(HookRequest(SIGNED, json.dumps(body).encode()))
        assert event.event_id == "cbe4028c-7239-495d-b020-f22348516046"
        assert event.event_type == "zen:event-type:ticket.comment_added"
        assert event.occurred_at == NOW - timedelta(seconds=2)
        assert event.payload == {"ticket_ids": ["5158"]}

    def test_a_triggers_own_body_is_known_by_its_invocation(self) -> None:
        hook = ZendeskHook([SECRET])
        event = hook.read(HookRequest(SIGNED, BODY))
        assert event.payload == {"ticket_ids": ["1005"]}
        assert event.event_id is not None
        assert event.event_id.startswith("01HXABC-")
        other = hook.read(HookRequest(SIGNED, b'{"ticket_id": 1006}'))
        assert other.event_id != event.event_id, (
            "the header is not signed: it cannot hide another body"
        )
        assert hook.read(HookRequest({}, BODY)).event_id is None

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\xff\xfe",
            b"[]",
            b"null",
            b"{" * 100_000,
            b'{"ticket_id": "{{ticket.id}}"}',
            b'{"ticket_id": true}',
            b'{"ticket_id": 99999999999999999999}',
            b'{"type": "zen:event-type:user.created", "id": "1", "detail": {"id": "7"}}',
            b'{"type": 5, "detail": 7}',
        ],
    )
    def test_what_is_not_understood_gives_an_event_without_payload(self, body: bytes) -> None:
        assert not ZendeskHook([SECRET]).read(HookRequest({}, body)).is_understood

    @given(
        st.binary(max_size=300),
        st.dictionaries(st.sampled_from(sorted(SIGNED)), st.text(max_size=60)),
    )
    def test_no_request_makes_it_fail(self, body: bytes, headers: dict[str, str]) -> None:
        hook, request = ZendeskHook([SECRET]), HookRequest(headers, body)
        with pytest.raises(UnverifiedError):
            hook.verify(request, NOW)
        hook.read(request)


class TestFreshdesk:
    HOOK = FreshdeskHook(["a-secret-made-up-1", "a-secret-made-up-2"])

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-deskbridge-secret": "a-secret-made-up-1"},
            {"x-deskbridge-secret": "a-secret-made-up-2"},
            {
                "authorization": "Basic "
                + base64.b64encode(b"deskbridge:a-secret-made-up-1").decode()
            },
            {"authorization": "basic " + base64.b64encode(b"a-secret-made-up-2:X").decode()},
        ],
    )
    def test_the_secret_comes_in_a_header_or_as_basic_authentication(
        self, headers: dict[str, str]
    ) -> None:
        self.HOOK.verify(HookRequest(headers, b""), NOW)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"x-deskbridge-secret": "a-secret-made-up-3"},
            {"x-deskbridge-secret": ""},
            {"authorization": "Bearer a-secret-made-up-1"},
            {"authorization": "Basic %%%"},
            {"authorization": "Basic " + base64.b64encode(b":").decode()},
        ],
    )
    def test_nothing_else_is_taken(self, headers: dict[str, str]) -> None:
        with pytest.raises(UnverifiedError) as refused:
            self.HOOK.verify(HookRequest(headers, b""), NOW)
        assert "made-up" not in str(refused.value)

    def test_bodies(self) -> None:
        simple = {
            "freshdesk_webhook": {"ticket_id": 7, "triggered_event": "{ticket_action:created}"}
        }
        event = self.HOOK.read(HookRequest({}, json.dumps(simple).encode()))
        assert event.payload == {"ticket_ids": ["7"]}
        assert event.event_id is None, (
            "nothing tells two deliveries apart, so none may hide another"
        )
        assert self.HOOK.read(HookRequest({}, b'{"ticket_id": "0012"}')).payload == {
            "ticket_ids": ["12"]
        }
        assert not self.HOOK.read(HookRequest({}, b"ticket 12")).is_understood


def test_ids_are_numbers_of_64_bits_each_once() -> None:
    given_values = ["12", 12, " 13 ", "-1", "0", 1.5, None, True, ["14", "x", 2**63], "١٢"]
    assert ticket_ids(*given_values) == ["12", "13", "14"]


class Kept:
    """A store in memory that can be slow or refuse."""

    def __init__(self) -> None:
        self.batches: list[Sequence[InboundEvent]] = []
        self.seconds = 0.0
        self.is_down = False

    def __call__(self, events: Sequence[InboundEvent]) -> None:
        time.sleep(self.seconds)
        if self.is_down:
            raise UnavailableError("the warehouse is away")
        if events:
            self.batches.append(list(events))

    @property
    def events(self) -> list[InboundEvent]:
        return [event for batch in self.batches for event in batch]


LIMITS = Limits(
    body_bytes=20_000, head_bytes=4_096, request_seconds=0.6, idle_seconds=0.8, connections=8
)
PATH = "/hooks/acme/desk"
OURS = {"X-Deskbridge-Secret": "a-secret-made-up-1"}


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def refusals() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def receiver(kept: Kept, refusals: list[tuple[str, str]]) -> Iterator[Receiver]:
    hooks = {Place("acme", "desk"): TestFreshdesk.HOOK, Place("acme", "zen"): ZendeskHook([SECRET])}
    made = Receiver(
        hooks,
        kept,
        lambda: NOW,
        limits=LIMITS,
        on_refused=lambda path, why: refusals.append((path, why)),
    )
    with made.start("127.0.0.1", 0):
        yield made


def url(receiver: Receiver, path: str = PATH) -> str:
    return f"http://127.0.0.1:{receiver.port}{path}"


def talk(receiver: Receiver, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Sends bytes and reads what comes until the line is cut."""
    with socket.create_connection(("127.0.0.1", receiver.port), 5) as line:
        for piece in pieces:
            try:
                line.sendall(piece)
            except OSError:
                break
            time.sleep(pause)
        got = b""
        while data := line.recv(65_536):
            got += data
        return got


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


class TestReceiver:
    def test_what_is_verified_is_stored_before_it_is_answered(
        self, receiver: Receiver, kept: Kept
    ) -> None:
        answer = requests.post(url(receiver), data=b'{"ticket_id": 5}', headers=OURS, timeout=5)
        assert (answer.status_code, answer.content) == (202, b"{}")
        (event,) = kept.events
        assert (event.client_key, event.source_key, event.provider) == ("acme", "desk", "freshdesk")
        assert event.event_id.startswith("acme/desk/")
        assert event.payload == {"ticket_ids": ["5"]}
        assert event.body == b'{"ticket_id": 5}'
        assert event.received_at == NOW

    def test_the_same_event_has_the_same_id_on_each_try(
        self, receiver: Receiver, kept: Kept
    ) -> None:
        for _ in range(2):
            answer = requests.post(
                url(receiver, "/hooks/acme/zen"), data=BODY, headers=SIGNED, timeout=5
            )
            assert answer.status_code == 202
        assert len({event.event_id for event in kept.events}) == 1

    def test_a_stranger_learns_nothing(
        self, receiver: Receiver, kept: Kept, refusals: list[tuple[str, str]]
    ) -> None:
        wrong = {"X-Deskbridge-Secret": "another-secret-of-some-length"}
        answers = [
            requests.post(url(receiver, path), data=b"{}", headers=headers, timeout=5)
            for path, headers in [(PATH, {}), (PATH, wrong), ("/hooks/nobody/nothing", OURS)]
        ]
        assert {(one.status_code, one.content) for one in answers} == {(401, b"{}")}
        assert kept.events == []
        assert [why for _, why in refusals] == [
            "it carries no secret",
            "its secret is not the configured one",
            "no source has a webhook here",
        ]
        assert "another-secret" not in str(refusals)

    def test_signed_and_not_understood_is_kept(self, receiver: Receiver, kept: Kept) -> None:
        assert requests.post(url(receiver), data=b"?", headers=OURS, timeout=5).status_code == 202
        assert [event.is_understood for event in kept.events] == [False]

    def test_only_what_belongs_here(self, receiver: Receiver) -> None:
        assert requests.get(url(receiver), headers=OURS, timeout=5).status_code == 405
        assert requests.get(url(receiver, "/"), timeout=5).status_code == 404
        health = requests.get(url(receiver, "/healthz"), timeout=5)
        assert (health.status_code, health.json()) == (200, {"status": "ok"})
        assert requests.head(url(receiver, "/healthz"), timeout=5).status_code == 200
        assert requests.post(url(receiver, "/healthz"), timeout=5).status_code == 405

    def test_a_warehouse_that_is_away_is_told_and_looked_for_again(
        self, receiver: Receiver, kept: Kept
    ) -> None:
        kept.is_down = True
        answer = requests.post(url(receiver), data=b"{}", headers=OURS, timeout=5)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert requests.get(url(receiver, "/healthz"), timeout=5).status_code == 503
        kept.is_down = False
        assert requests.get(url(receiver, "/healthz"), timeout=5).status_code == 200

    def test_a_burst_shares_transactions(self, receiver: Receiver, kept: Kept) -> None:
        kept.seconds = 0.1
        done: list[int] = []

        def send() -> None:
            with requests.Session() as session:
                answers = [
                    session.post(url(receiver), data=b"{}", headers=OURS, timeout=5)
                    for _ in range(10)
                ]
            done.extend(answer.status_code for answer in answers)

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done == [202] * 80
        assert len(kept.events) == 80
        assert len(kept.batches) <= 25, "80 events, 8 at a time, in about 10 to 20 transactions"

    def test_what_is_under_way_is_answered_when_it_ends(
        self, receiver: Receiver, kept: Kept
    ) -> None:
        kept.seconds = 0.5
        answers: list[int] = []
        thread = threading.Thread(
            target=lambda: answers.append(
                requests.post(url(receiver), data=b"{}", headers=OURS, timeout=5).status_code
            )
        )
        thread.start()
        time.sleep(0.2)
        receiver.stop()
        thread.join()
        assert answers == [202]
        with pytest.raises(requests.ConnectionError):
            requests.get(url(receiver, "/healthz"), timeout=1)

    def test_an_address_that_is_taken_is_told_with_what_to_do(
        self, receiver: Receiver, kept: Kept
    ) -> None:
        with (
            Receiver({}, kept, lambda: NOW) as other,
            pytest.raises(ConfigurationError, match="--port"),
        ):
            other.start("127.0.0.1", receiver.port)


HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Deskbridge-Secret: a-secret-made-up-1\r\n".encode()


class TestStrangers:
    def test_a_body_that_is_too_large_by_its_own_word(self, receiver: Receiver, kept: Kept) -> None:
        answer = talk(receiver, HEAD + b"Content-Length: 20001\r\n\r\n", b"x" * 20_001)
        assert status_of(answer) == 413
        assert kept.events == []

    def test_a_body_that_grows_too_large(self, receiver: Receiver, kept: Kept) -> None:
        chunk = b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
        answer = talk(receiver, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 4)
        assert status_of(answer) == 413
        assert kept.events == []

    def test_a_head_that_is_too_large(self, receiver: Receiver) -> None:
        assert status_of(talk(receiver, HEAD + b"X-A: " + b"a" * 10_000 + b"\r\n\r\n")) == 431

    @pytest.mark.parametrize(
        "message",
        [
            b"\x16\x03\x01\x02\x00",
            b"GET\r\n\r\n",
            b"POST /hooks/acme/desk HTTP/1.1\r\n\r\n",
            HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            HEAD + b"Content-Length: -1\r\n\r\n",
            HEAD + b"Content-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\nabcde",
        ],
    )
    def test_what_is_no_http(self, receiver: Receiver, kept: Kept, message: bytes) -> None:
        assert status_of(talk(receiver, message)) in (400, 408, 501)
        assert kept.events == []

    def test_a_drop_at_a_time_is_cut_off(self, receiver: Receiver) -> None:
        started = time.monotonic()
        pieces = [HEAD, *[b"X-More: 1\r\n"] * 20]
        assert status_of(talk(receiver, *pieces, pause=0.1)) == 408
        assert time.monotonic() - started < 5

    def test_a_body_that_never_ends_is_cut_off(self, receiver: Receiver) -> None:
        assert status_of(talk(receiver, HEAD + b"Content-Length: 100\r\n\r\nabc")) == 408

    def test_silence_is_cut_off(self, receiver: Receiver) -> None:
        started = time.monotonic()
        assert talk(receiver) == b""
        assert 0.4 < time.monotonic() - started < 3

    def test_connections_are_counted_and_the_next_ones_are_served_again(
        self, receiver: Receiver
    ) -> None:
        lines = [
            socket.create_connection(("127.0.0.1", receiver.port), 5)
            for _ in range(LIMITS.connections)
        ]
        try:
            time.sleep(0.1)
            assert status_of(talk(receiver)) == 503
        finally:
            for line in lines:
                line.close()
        time.sleep(0.2)
        assert requests.get(url(receiver, "/healthz"), timeout=5).status_code == 200

    def test_who_waits_for_a_hundred_is_told_to_go_on(self, receiver: Receiver, kept: Kept) -> None:
        answer = talk(
            receiver,
            HEAD + b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
            b"{}",
            pause=0.1,
        )
        assert answer.startswith(b"HTTP/1.1 100 ")
        assert b"HTTP/1.1 202 " in answer
        assert len(kept.events) == 1

    def test_two_requests_in_one_write_are_two(self, receiver: Receiver, kept: Kept) -> None:
        one = HEAD + b"Content-Length: 2\r\n\r\n{}"
        last = HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
        assert talk(receiver, one + last).count(b"HTTP/1.1 202 ") == 2
        assert len(kept.events) == 2
