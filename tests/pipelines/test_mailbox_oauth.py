"""A mailbox behind OAuth, wired from a configuration: an expired access token is refreshed once and kept."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from connectors.oauth import MemoryTokenStore
from connectors.standins.imap import ImapStandin
from pipelines.settings import load_settings
from pipelines.stores import Stores
from pipelines.wiring import wire


@contextmanager
def token_endpoint(server: ImapStandin, asked: list[dict[str, list[str]]]) -> Iterator[str]:
    """Gives out tokens that the mailbox takes, the first one already refused by it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            token = f"access-{len(asked)}"
            if len(asked) > 1:
                server.tokens.add(token)
            body = json.dumps({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: object) -> None:
            """Keeps the test's output clean."""

    endpoint = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=endpoint.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{endpoint.server_port}/token"
    finally:
        endpoint.shutdown()
        thread.join()
        endpoint.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ImapStandin]:
    (tmp_path / "imap" / "INBOX").mkdir(parents=True)
    (tmp_path / "imap" / "INBOX" / "1.eml").write_bytes(b"Subject: hello\r\n\r\nhello\r\n")
    with ImapStandin(tmp_path / "imap", {"info@acme.example": "unused"}) as running:
        running.tokens.add("of-somebody-else")
        yield running


def test_a_refused_token_is_refreshed_once(tmp_path: Path, server: ImapStandin) -> None:
    asked: list[dict[str, list[str]]] = []
    with token_endpoint(server, asked) as url:
        path = tmp_path / "deskbridge.yaml"
        path.write_text(
            f"""
clients:
  acme:
    time_zone: Europe/Istanbul
    sources:
      - id: info
        type: imap
        host: 127.0.0.1
        port: {server.port}
        tls: false
        username: info@acme.example
        oauth: {{client_id: a, refresh_token: seed, token_url: "{url}"}}
"""
        )
        settings = load_settings(path, {})
        (source,) = settings.client("acme").sources
        stores = Stores(tokens=MemoryTokenStore())
        reader = wire(settings, "acme", source, settings_clock, stores).source
        records = [record for page in reader.pull("mails", None) for record in page.records]
        assert len(records) == 1
        assert [each["refresh_token"] for each in asked] == [["seed"], ["seed"]]
        list(reader.pull("mails", None))
        assert len(asked) == 2


def settings_clock() -> object:
    raise AssertionError("a mailbox needs no clock")
