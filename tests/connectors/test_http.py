"""The HTTP policy: limits, retries, deadlines, credentials at home, secrets nowhere else."""

import gzip
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import (
    AuthError,
    ConfigurationError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from connectors.http import Policy, PolicySession, proxies_for, redact, retry_after_seconds
from connectors.network_faults import tls_fault

NOW = datetime(2026, 11, 4, 13, tzinfo=UTC)
TOKEN = "tok-3f9a71c2"
Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Host:
    """A server that gives prepared answers in turn (the last one for ever) and remembers what it was asked."""

    url: str
    answers: list[Answer]
    asked: list[tuple[str, str, str | None, bytes]] = field(default_factory=list)


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.slept.append(seconds)
            self.now += seconds


def say(
    status: int = 200, body: bytes = b"{}", headers: dict[str, str] | None = None, kind: str = "application/json"
) -> Answer:  # fmt: skip
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def drop(handler: BaseHTTPRequestHandler) -> None:
    """Takes the request in and cuts the line."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Promises more than it sends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"tickets": [')
    handler.close_connection = True


@pytest.fixture
def make_host() -> Iterator[Callable[..., Host]]:
    servers: list[ThreadingHTTPServer] = []

    def make(*answers: Answer) -> Host:
        host = Host("", list(answers))

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                host.asked.append((self.command, self.path, self.headers["Authorization"], body))
                number = min(len(host.asked), len(host.answers)) - 1
                host.answers[number](self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_CONNECT = respond

            def log_message(self, *_: Any) -> None:
                """Nothing on stderr."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        host.url = f"http://127.0.0.1:{server.server_port}"
        return host

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def session_on(url: str, clock: Clock | None = None, **options: Any) -> PolicySession:
    clock = clock or Clock()
    settings: dict[str, Any] = {
        "auth": ("ops@acme.example/token", TOKEN),
        "secrets": (TOKEN,),
        "label": "client acme, source zendesk",
        "clock": clock,
        "sleep": clock.sleep,
        "wall_clock": lambda: NOW,
    }
    return PolicySession(url, **(settings | options))


# Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("-3", 0),
        ("1.5", 1.5),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0),
        ("Wed, 04 Nov 2026 13:00:30 -0000", 30),
        ("99999999999", 99_999_999_999),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Fri, 31 Feb 2026 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_every_form(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_breaks_anything(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@pytest.mark.parametrize(
    ("header", "slept"),
    [({"Retry-After": "7"}, 7), ({"Retry-After": "1.5"}, 1.5),
     ({"Retry-After": format_datetime(NOW + timedelta(seconds=40), usegmt=True)}, 40)],
)  # fmt: skip
def test_a_limit_is_waited_for_as_told(make_host, header: dict[str, str], slept: float) -> None:
    clock, host = Clock(), make_host(say(429, headers=header), say())
    with session_on(host.url, clock) as session:
        assert session.get_json("/a") == {}
        assert clock.slept == [pytest.approx(slept)]
        assert session.seconds_waited == pytest.approx(slept)
        assert session.calls == len(host.asked) == 2


def test_a_huge_retry_after_ends_the_run_and_says_so(make_host) -> None:
    clock, host = Clock(), make_host(say(429, headers={"Retry-After": "86400"}))
    with (
        session_on(host.url, clock) as session,
        pytest.raises(
            RateLimitedError, match="GET /a has to wait 86400 s for the rate limit"
        ) as caught,
    ):
        session.get_json("/a")
    assert caught.value.retry_after_seconds == pytest.approx(86_400)
    assert clock.slept == []
    assert "the next run goes on from here" in str(caught.value)


def test_a_limit_without_retry_after_is_backed_off_from_until_the_deadline(make_host) -> None:
    clock, host = Clock(), make_host(say(429))
    with (
        session_on(host.url, clock, policy=Policy(deadline_seconds=300)) as session,
        pytest.raises(RateLimitedError, match="next run goes on from here"),
    ):
        session.get_json("/a")
    assert 3 <= len(host.asked) < 60, "a limit without a time is not hammered"
    assert clock.now <= 300


def test_a_limit_that_never_ends_is_given_up_at_the_deadline(make_host) -> None:
    clock, host = Clock(), make_host(say(429, headers={"Retry-After": "50"}))
    with (
        session_on(host.url, clock, policy=Policy(tries=2, deadline_seconds=240)) as session,
        pytest.raises(RateLimitedError),
    ):
        session.get_json("/a")
    assert clock.slept == [pytest.approx(50)] * 4, "a limit is no failure: more than the two tries"
    assert len(host.asked) == 5


def test_a_budget_told_as_used_up_is_waited_for_before_the_next_call(make_host) -> None:
    spent = {"ratelimit-remaining": "0", "ratelimit-reset": "12"}
    clock, host = Clock(), make_host(say(headers=spent), say())
    with session_on(host.url, clock) as session:
        session.get_json("/a")
        assert session.budget("default").remaining == 0
        assert clock.slept == []
        session.get_json("/b")
    assert clock.slept == [pytest.approx(12)]


@pytest.mark.parametrize("told", ["many", "", "nan"])
def test_a_budget_that_cannot_be_read_is_passed_over(make_host, told: str) -> None:
    headers = {"X-Rate-Limit-Remaining": told, "ratelimit-reset": told}
    clock, host = Clock(), make_host(say(headers=headers))
    with session_on(host.url, clock) as session:
        session.get_json("/a")
        session.get_json("/b")
    assert clock.slept == []


def test_each_endpoint_class_has_a_budget_of_its_own(make_host) -> None:
    clock = Clock()
    host = make_host(say(headers={"ratelimit-remaining": "0", "ratelimit-reset": "60"}), say())
    with session_on(host.url, clock, classify=lambda _method, path: path) as session:
        session.get_json("/exports")
        session.get_json("/tickets")
        assert clock.slept == []
        session.get_json("/exports")
    assert clock.slept == [pytest.approx(60)]


def test_a_limit_met_by_one_thread_holds_back_all(make_host) -> None:
    gate = threading.Event()

    def slow_limit(handler: BaseHTTPRequestHandler) -> None:
        gate.wait(5)
        say(429, headers={"Retry-After": "30"})(handler)

    clock, host = Clock(), make_host(slow_limit, say())
    with session_on(host.url, clock) as session:
        first = threading.Thread(target=session.get_json, args=("/a",))
        first.start()
        gate.set()
        first.join(5)
        assert clock.now == pytest.approx(30)
        session.budget("default").blocked_until = 75.0
        others = [threading.Thread(target=session.get_json, args=(f"/{n}",)) for n in range(4)]
        for one in others:
            one.start()
        for one in others:
            one.join(5)
    assert clock.now >= 75, "nobody went before the limit had passed"
    assert len(host.asked) == 6
    assert session.seconds_waited == pytest.approx(sum(clock.slept))


def test_a_wait_that_another_worker_prolongs_is_waited_for_again(make_host) -> None:
    host, clock = make_host(say()), Clock()
    session = session_on(host.url, clock)
    budget = session.budget("default")
    budget.blocked_until = 10.0

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now == 10.0:
            budget.blocked_until = 25.0

    session._sleep = sleep
    with session:
        session.get_json("/a")
    assert clock.slept == [10.0, 15.0]


# Tries


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("fault", [drop, say(500), say(502), say(504), say(408)])
def test_what_changes_nothing_when_sent_twice_is_tried_again(
    make_host, method: str, fault: Answer
) -> None:
    host = make_host(fault, fault, say())
    with session_on(host.url) as session:
        assert session.request(method, "/a").status_code == 200
    assert len(host.asked) == 3


def test_a_post_whose_answer_is_lost_is_sent_once(make_host) -> None:
    host = make_host(drop, say())
    with (
        session_on(host.url) as session,
        pytest.raises(UnavailableError, match=r"in 1 try .*Whether it arrived is not known"),
    ):
        session.request("POST", "/a", json={})
    assert len(host.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 504, 408])
def test_a_post_that_may_have_been_done_is_sent_once(make_host, status: int) -> None:
    host = make_host(say(status), say())
    with session_on(host.url) as session, pytest.raises(UnavailableError) as caught:
        session.request("POST", "/a", json={})
    assert caught.value.status == status
    assert len(host.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_post_that_was_not_taken_in_is_sent_again(make_host, status: int) -> None:
    host = make_host(say(status, headers={"Retry-After": "1"}), say())
    with session_on(host.url) as session:
        session.request("POST", "/a", json={"a": 1})
    assert [body for *_, body in host.asked] == [b'{"a": 1}'] * 2


def test_tries_end_and_the_status_is_kept(make_host) -> None:
    host = make_host(say(502))
    with (
        session_on(host.url, policy=Policy(tries=3)) as session,
        pytest.raises(
            UnavailableError, match=r"GET /a answered 502 in 3 tries\. The fault is on the other"
        ) as caught,
    ):
        session.get_json("/a?token=abc")
    assert caught.value.status == 502
    assert len(host.asked) == 3


def test_a_body_cut_short_is_asked_for_again(make_host) -> None:
    host = make_host(cut, say(body=b'{"tickets": []}'))
    with session_on(host.url) as session:
        assert session.get_json("/a") == {"tickets": []}


def test_a_damaged_compression_is_asked_for_again(make_host) -> None:
    broken = say(
        body=gzip.compress(b"{}")[:-9] + b"rubbish!!", headers={"Content-Encoding": "gzip"}
    )
    host = make_host(broken, say())
    with session_on(host.url) as session:
        assert session.get_json("/a") == {}


def test_the_deadline_ends_tries_that_are_left(make_host) -> None:
    clock, host = Clock(), make_host(say(503, headers={"Retry-After": "60"}))
    policy = Policy(tries=20, deadline_seconds=100)
    with session_on(host.url, clock, policy=policy) as session, pytest.raises(RateLimitedError):
        session.get_json("/a")
    assert clock.now <= 100
    assert len(host.asked) == 2


def test_a_silent_host_is_given_up_after_the_timeout_of_the_policy(make_host) -> None:
    held = threading.Event()
    host = make_host(lambda handler: held.wait(10) and None)
    policy = Policy(tries=2, read_timeout_seconds=0.2)
    started = time.monotonic()
    try:
        with (
            session_on(host.url, policy=policy) as session,
            pytest.raises(UnavailableError, match=r"in 2 tries \(silent for 0\.2 s\)"),
        ):
            session.get_json("/a")
    finally:
        held.set()
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthError), (403, AuthError), (404, NotFoundError), (410, NotFoundError),
                         (400, RejectedError), (422, RejectedError), (409, RejectedError)],
)  # fmt: skip
def test_refusals_become_errors_that_say_what_to_do(make_host, status: int, kind: Any) -> None:
    host = make_host(say(status, b'{"error": "no"}'))
    with session_on(host.url, policy=Policy(tries=2)) as session, pytest.raises(kind) as caught:
        session.get_json("/a")
    assert f"client acme, source zendesk: GET /a answered {status}" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "http://127.0.0.1:9",
            r"got no answer from 127\.0\.0\.1:9 in 2 tries \(Connection refused\)",
        ),
        ("http://nowhere.invalid", r"nowhere\.invalid in 2 tries \(the name does not resolve\)"),
    ],
)
def test_an_unreachable_host_is_named_with_the_reason(url: str, told: str) -> None:
    with (
        session_on(url, policy=Policy(tries=2)) as session,
        pytest.raises(UnavailableError, match=told),
    ):
        session.get_json("/a")


def test_a_page_where_json_is_expected_names_what_came(make_host) -> None:
    host = make_host(say(200, b"<html>Log in</html>", kind="text/html; charset=utf-8"))
    with (
        session_on(host.url) as session,
        pytest.raises(UnavailableError, match="answered 200 with text/html of 19 bytes, which is"),
    ):
        session.get_json("/a")


def test_a_port_without_tls_is_a_wrong_configuration(make_host) -> None:
    host = make_host(say())
    with (
        session_on(host.url.replace("http:", "https:")) as session,
        pytest.raises(ConfigurationError, match="Does this port speak https"),
    ):
        session.get_json("/a")
    assert host.asked == []


def test_authorities_that_are_not_there_are_named(make_host, monkeypatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/company.pem")
    with (
        session_on("https://127.0.0.1:9") as session,
        pytest.raises(UnavailableError, match=r"/nowhere/company\.pem"),
    ):
        session.get_json("/a")


# Credentials


def test_the_credential_goes_to_its_own_host_only(make_host) -> None:
    own, other = make_host(say()), make_host(say())
    with session_on(own.url) as session:
        session.get_json("/a")
        session.get_json(own.url + "/b")
        session.request("GET", other.url + "/c")
        session.request("GET", other.url + "/d", auth=("me", "mine"))
    assert all(sent and sent.startswith("Basic ") for _, _, sent, _ in own.asked)
    assert [sent for _, _, sent, _ in other.asked] == [None, None]


def test_a_redirect_to_another_host_does_not_carry_the_credential(make_host) -> None:
    other = make_host(say(body=b'{"from": "other"}'))
    own = make_host(say(302, headers={"Location": other.url + "/file", "Set-Cookie": "sid=1"}))
    with session_on(own.url) as session:
        assert session.get_json("/attachment") == {"from": "other"}
    assert own.asked[0][2]
    assert other.asked[0][2] is None


def test_a_redirect_on_the_same_host_keeps_it(make_host) -> None:
    own = make_host(say(301, headers={"Location": "/b"}), say())
    with session_on(own.url) as session:
        session.get_json("/a")
    assert [(path, bool(sent)) for _, path, sent, _ in own.asked] == [("/a", True), ("/b", True)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_is_never_sent_on_elsewhere(make_host, method: str, status: int) -> None:
    other = make_host(say())
    own = make_host(say(status, headers={"Location": other.url + "/b"}))
    with session_on(own.url) as session, pytest.raises(RejectedError) as caught:
        session.request(method, "/a", data=b"a customer's words")
    assert f"is sent on to {other.url}/b" in str(caught.value)
    assert "set it as base_url" in str(caught.value)
    assert other.asked == []


def test_a_log_in_page_behind_a_redirect_is_told_with_its_host(make_host) -> None:
    page = make_host(say(body=b"<html>", kind="text/html"))
    own = make_host(say(302, headers={"Location": page.url + "/login"}))
    with session_on(own.url) as session, pytest.raises(UnavailableError) as caught:
        session.get_json("/a")
    assert f"/login on {page.url.removeprefix('http://')} (redirected there)" in str(caught.value)


def test_a_netrc_is_never_read(make_host, monkeypatch, tmp_path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    own, other = make_host(say()), make_host(say())
    with session_on(own.url) as session:
        session.request("GET", other.url + "/a")
    assert other.asked[0][2] is None


def test_secrets_stand_in_no_error_and_no_log_line(make_host, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    basic = "b3BzQGFjbWUuZXhhbXBsZS90b2tlbjp0b2stM2Y5YTcxYzI="

    def echo(handler: BaseHTTPRequestHandler) -> None:
        sent = handler.headers["Authorization"]
        assert sent == f"Basic {basic}"
        say(422, json.dumps({"seen": sent, "token": "xyz-other", "a": TOKEN}).encode())(handler)

    host = make_host(echo)
    with session_on(host.url, secrets=()) as session, pytest.raises(RejectedError) as caught:
        session.get_json("/a", headers={"X-More": "1"})
    shown = str(caught.value) + caught.value.body + caplog.text
    for secret in (TOKEN, basic, "xyz-other"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("authorization=Bearer abc.def", "abc.def"),
        ('{"api_key": "k-123"}', "k-123"),
        ("https://h/x?token=t-1&page=2", "t-1"),
        ("password: geheim", "geheim"),
        ("X-Amz-Signature=abcdef", "abcdef"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, hidden: str) -> None:
    shown = redact(text)
    assert hidden not in shown
    assert "***" in shown


# Proxies


def test_the_environments_proxy_is_used_but_never_for_this_machine(monkeypatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "intern.example")
    assert proxies_for("https://acme.zendesk.com/a")["https"] == "http://proxy.example:3128"
    assert proxies_for("https://desk.intern.example/a") == {}
    for local in (
        "http://127.0.0.1:80",
        "http://localhost:80",
        "http://[::1]:80",
        "http://127.9.9.9",
    ):
        assert proxies_for(local) == {}


def test_a_call_goes_through_the_proxy_and_its_refusal_is_told(make_host, monkeypatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    proxy = make_host(say(407, b"", {"Proxy-Authenticate": "Basic"}))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with (
        session_on("https://acme.example", policy=Policy(tries=1)) as session,
        pytest.raises(UnavailableError, match=r"the proxy: Tunnel connection failed: 407"),
    ):
        session.get_json("/a")
    assert proxy.asked[0][:3] == ("CONNECT", "acme.example:443", None), "no credential to the proxy"


def test_a_plain_call_through_a_proxy_reaches_it(make_host, monkeypatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    proxy = make_host(say(body=b'{"by": "proxy"}'))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    with session_on("http://acme.example") as session:
        assert session.get_json("/a") == {"by": "proxy"}
    assert proxy.asked[0][1] == "http://acme.example/a"


def test_an_untrusted_certificate_is_named() -> None:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_message = "self-signed certificate"
    assert "self-signed certificate. Check the host's name" in tls_fault(error)
