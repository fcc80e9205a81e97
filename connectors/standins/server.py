"""The small HTTP server that every stand-in is built on: routes, requests, answers, faults, a ledger.

Belongs here: what all stand-ins share. Does not belong here: any vendor's paths, fields or limits.
Standard library only; listens on 127.0.0.1; imported by the demo and the tests, by nothing else.

    class Echo(StandIn):
        def routes(self):
            return [Route("echo", "GET", r"/v1/echo/(?P<word>[a-z]+)", self._echo)]

        def _echo(self, request):
            self.ledger.append("echo", word=request.params["word"])
            return Response.json({"word": request.params["word"]})

    with Echo() as echo:
        requests.get(f"{echo.base_url}/v1/echo/hello")
"""

import base64
import binascii
import json
import re
import socket
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from connectors.standins.faults import Fault, Faults
from connectors.standins.ledger import Ledger
from connectors.standins.rate_limit import Allowance, RateLimit, retry_after_text

__all__ = [
    "Allowance",
    "BadRequestError",
    "Fault",
    "Faults",
    "Ledger",
    "RateLimit",
    "Request",
    "Response",
    "Route",
    "StandIn",
    "retry_after_text",
    "system_now",
]

IDLE_SECONDS = 60
"""A kept-alive connection that stays silent this long is closed."""


def system_now() -> datetime:
    """The machine's clock as an aware UTC instant."""
    return datetime.now(UTC)


class BadRequestError(Exception):
    """Raised by `Request.json`: the body is not JSON. `StandIn.bad_request` makes the vendor's answer of it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came. Header names are lower case; `params` are the route's named groups, unquoted."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    params: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; raises `BadRequestError` where it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise BadRequestError(f"the body is not JSON: {error}") from error

    def form(self) -> dict[str, str]:
        """The body as an HTML form (`application/x-www-form-urlencoded`), last value of each name."""
        pairs = parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[-1] for name, values in pairs.items()}

    def first(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default

    def basic_auth(self) -> tuple[str, str] | None:
        """User and password of `Authorization: Basic`, or None."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return (user, password) if colon else None

    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer`, or None."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; `content` is sent as it is."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """An answer with a JSON body, UTF-8."""
        return cls(status, json.dumps(value, ensure_ascii=False).encode(), headers or {})


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path (regular expression, matched whole, without the query) and who answers.

    Routes are tried in order; the first that matches answers. `name` is what faults and counts go by.
    """

    name: str
    method: str
    path: str
    handler: Callable[[Request], Response]


class StandIn:
    """A local server that speaks a vendor's API. Subclasses give `routes`; state lives in the subclass.

    Handlers run one at a time (under `self.lock`), so state needs no locks of its own; tests that look at
    state while clients are busy take `self.lock` too. What must survive a restart is rebuilt by the subclass
    from `self.ledger` in its constructor.

    Args:
        folder: where the ledger lies; None keeps it in memory.
        now: gives aware UTC instants; a demo passes a fixed or moving clock.
        time_scale: how many documented seconds pass in one real second (limits, retry hints).
        port: 0 takes a free one.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        now: Callable[[], datetime] = system_now,
        time_scale: float = 1.0,
        port: int = 0,
    ) -> None:
        """Prepares the stand-in; it listens after `start`."""
        self.now = now
        self.time_scale = time_scale
        self.lock = threading.RLock()
        self.faults = Faults()
        self.ledger = Ledger(folder, now)
        self.calls: Counter[str] = Counter()
        """Requests by route name, faulted ones included."""
        self.recent: deque[tuple[datetime, str, str, int]] = deque(maxlen=1_000)
        """The latest answers: (at, method, path, status; 0 where the connection was cut)."""
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._crashes: list[str] = []
        self._compiled: list[tuple[Route, re.Pattern[str]]] | None = None

    def routes(self) -> Sequence[Route]:
        """The vendor's paths."""
        raise NotImplementedError

    def before(self, request: Request, route: Route) -> Response | None:
        """Runs before each handler (credentials, limits); an answer here keeps the handler from running."""
        return None

    def not_found(self, request: Request) -> Response:
        """The answer for a path that is none of the routes."""
        return Response.json({"error": "not found", "path": request.path}, 404)

    def bad_request(self, request: Request, detail: str) -> Response:
        """The answer for a body that is not JSON where JSON was read."""
        return Response.json({"error": "bad request", "detail": detail}, 400)

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at the end.

        Raises:
            RuntimeError: it was never started.
        """
        if not self._port:
            raise RuntimeError("this stand-in was not started yet")
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listens in a thread of its own; after a `stop` it takes the same port again."""
        if self._server is not None:
            raise RuntimeError("this stand-in is running already")
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Cuts every connection and waits for its threads.

        Raises:
            RuntimeError: a handler crashed meanwhile; a bug of the stand-in must never pass for a vendor's 500.
        """
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = self._thread = None
        server.shutdown()
        thread.join()
        server.cut_connections()
        server.server_close()
        if self._crashes:
            crashes, self._crashes = self._crashes, []
            raise RuntimeError(f"{type(self).__name__} crashed while answering:\n{crashes[0]}")

    def __enter__(self) -> Self:
        """Starts."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stops."""
        self.stop()

    def _answer(self, request: Request) -> tuple[Response | None, Fault | None]:
        """The answer (None: cut the line) and the fault that still has to be done to it."""
        found = self._find(request)
        if found is None:
            return self.not_found(request), None
        route, params = found
        with self.lock:
            self.calls[route.name] += 1
        fault = self.faults.take(route.name)
        if fault is not None:
            if fault.delay_seconds:
                self._pause(fault.delay_seconds)
            if fault.kind == "status":
                return _fault_response(fault), None
            if fault.kind == "drop_request":
                return None, None
        request = Request(
            request.method, request.path, request.query, request.headers, request.body, params
        )
        response = self._handle(route, request)
        return (None, fault) if fault and fault.kind == "drop_reply" else (response, fault)

    def _handle(self, route: Route, request: Request) -> Response:
        try:
            with self.lock:
                early = self.before(request, route)
                return early if early is not None else route.handler(request)
        except BadRequestError as error:
            return self.bad_request(request, str(error))
        except Exception:  # noqa: BLE001 - kept and raised by `stop`
            self._crashes.append(traceback.format_exc())
            return Response.json({"error": "the stand-in crashed"}, 500)

    def _find(self, request: Request) -> tuple[Route, dict[str, str]] | None:
        if self._compiled is None:
            self._compiled = [(route, re.compile(route.path)) for route in self.routes()]
        for route, pattern in self._compiled:
            if route.method != request.method:
                continue
            match = pattern.fullmatch(request.path)
            if match:
                return route, {k: unquote(v) for k, v in match.groupdict().items() if v is not None}
        return None

    def _pause(self, seconds: float) -> None:
        server = self._server
        if server is not None:
            server.stopping.wait(seconds)


def _fault_response(fault: Fault) -> Response:
    if isinstance(fault.body, bytes | str):
        content = fault.body.encode() if isinstance(fault.body, str) else fault.body
        return Response(fault.status, content, fault.headers, "text/plain; charset=utf-8")
    body = {"error": HTTPStatus(fault.status).phrase} if fault.body is None else fault.body
    return Response.json(body, fault.status, fault.headers)


class _Server(ThreadingHTTPServer):
    """Joins its threads on close, and can cut connections that clients keep alive."""

    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        self.stopping.set()
        with self._connections_lock:
            for connection in self._connections:
                _cut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def __getattr__(self, name: str) -> Any:
        """`do_GET`, `do_POST`, …: every method is answered in one place."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        stand_in = self.server.stand_in
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._read_body(),
        )
        response, fault = stand_in._answer(request)
        status = 0 if response is None else response.status
        stand_in.recent.append((stand_in.now(), request.method, request.path, status))
        if response is None:
            self._hang_up()
            return
        self.wfile.write(self._bytes_of(response, fault))
        if fault is not None and fault.kind == "truncate":
            self._hang_up()

    def _bytes_of(self, response: Response, fault: Fault | None) -> bytes:
        """Head and body in one write: two writes cost 40 ms where the client delays its ACK."""
        content = response.content
        headers = {
            "Date": format_datetime(self.server.stand_in.now().astimezone(UTC), usegmt=True),
            "Content-Type": response.media_type,
            **response.headers,
        }
        if response.status not in (204, 304):
            headers["Content-Length"] = str(len(content))
        if fault is not None and fault.kind == "truncate":
            content = content[: len(content) // 2]
        if self.command == "HEAD":
            content = b""
        lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + content

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                continue
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _hang_up(self) -> None:
        self.close_connection = True
        _cut(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the ledger and `recent` are the record."""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
