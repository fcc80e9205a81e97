"""A small HTTP/1.1 server for strangers' requests: every size and every wait has a limit.

Belongs here: sockets, limits, an orderly end. Does not belong here: what is answered (`receiver`).

One event loop in a thread of its own serves all connections, so that a hundred clients who send a byte now and then cost
nothing but their sockets, each for `request_seconds` at most. h11 reads and writes the messages: a parser written here
would be the part to attack. No TLS: a reverse proxy ends it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Self

import h11

from connectors.errors import ConfigurationError

READ_BYTES = 65_536

LINGER_SECONDS = 1.0
"""How long a refused sender is listened to, so that it gets to read the answer before the line is cut."""

GRACE_SECONDS = 15.0
"""How long requests under way may take when the server ends."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stranger may cost: bytes, seconds and connections."""

    body_bytes: int = 1_000_000
    head_bytes: int = 16_384
    request_seconds: float = 10.0
    """From a request's first byte (or the connection's beginning) to its last one, and for taking the answer."""
    idle_seconds: float = 30.0
    """How long a connection may stay open between requests."""
    connections: int = 512


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A whole request; header names are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer of JSON."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[HttpRequest], Awaitable[HttpResponse]]


class _TooLargeError(Exception):
    """Head or body is larger than allowed; `status` says which."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class HttpServer:
    """Serves until `stop`; requests that are under way then are answered."""

    def __init__(self, answer: Answer, limits: Limits | None = None) -> None:
        """Keeps the settings; opens nothing.

        Args:
            answer: called for each whole request, on the server's own loop; must not block.
            limits: what a stranger may cost.
        """
        self._answer = answer
        self._limits = limits or Limits()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self.port = 0

    def start(self, host: str, port: int) -> Self:
        """Listens; port 0 takes a free one, which `port` then names.

        Raises:
            ConfigurationError: the address cannot be listened on.
        """
        started = threading.Event()
        failure: list[OSError] = []
        self._loop = asyncio.new_event_loop()
        self._is_stopping = False
        self._thread = threading.Thread(
            target=self._run, args=(host, port, started, failure), name="webhooks"
        )
        self._thread.start()
        started.wait()
        if failure:
            self._thread.join()
            raise ConfigurationError(
                f"{host}:{port} cannot be listened on: {(failure[0].strerror or str(failure[0])).lower()}. Is another "
                "process there, or is the address not this machine's? Choose others with --host and --port"
            )
        return self

    def stop(self) -> None:
        """Takes no more connections, answers what is under way, closes; again is harmless."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def _run(self, host: str, port: int, started: threading.Event, failure: list[OSError]) -> None:
        loop = self._loop
        assert loop is not None
        asyncio.set_event_loop(loop)
        try:
            try:
                self._server = loop.run_until_complete(
                    asyncio.start_server(self._accept, host, port, backlog=512)
                )
                self.port = self._server.sockets[0].getsockname()[1]
            except OSError as error:
                failure.append(error)
                return
            finally:
                started.set()
            loop.run_forever()
            loop.run_until_complete(self._end())
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            loop.close()

    async def _end(self) -> None:
        assert self._server is not None
        self._is_stopping = True
        self._server.close()
        for task in list(self._idle):
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        is_full = len(self._tasks) >= self._limits.connections
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        connection = _Connection(reader, writer, self._limits)
        try:
            if is_full or self._is_stopping:
                await connection.send(_error(503, {"retry-after": "5"}), is_last=True)
                return
            while await self._exchange(connection, task):
                pass
        except (OSError, TimeoutError, h11.ProtocolError, asyncio.CancelledError):
            # The stranger went away or was too slow, or the server ends: nobody is there to be told.
            pass
        finally:
            await connection.close()

    async def _exchange(self, connection: "_Connection", task: asyncio.Task[None]) -> bool:
        """One request and its answer; whether another one may follow."""
        self._idle.add(task)
        try:
            request = await connection.receive(lambda: self._idle.discard(task))
        except _TooLargeError as error:
            await connection.send(_error(error.status), is_last=True)
            return False
        except TimeoutError:
            if connection.has_begun:
                await connection.send(_error(408), is_last=True)
            return False
        except h11.RemoteProtocolError as error:
            await connection.send(_error(error.error_status_hint), is_last=True)
            return False
        finally:
            self._idle.discard(task)
        if request is None:
            return False
        response = await self._answer(request)
        return await connection.send(response, is_last=self._is_stopping)


class _Connection:
    """One stranger's connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._is_head = False
        self._is_reused = False
        self.has_begun = False
        """Whether a byte of the request has come."""

    async def receive(self, on_begin: Callable[[], None]) -> HttpRequest | None:
        """The next whole request, None where the stranger hung up.

        Raises:
            TimeoutError: it took too long.
        """
        limits = self._limits
        self.has_begun = bool(self._http.trailing_data[0])
        patience = limits.idle_seconds if self._is_reused else limits.request_seconds
        head: h11.Request | None = None
        body: list[bytes] = []
        size = 0
        async with asyncio.timeout(limits.request_seconds if self.has_begun else patience) as timer:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    if self._http.they_are_waiting_for_100_continue:
                        go_on = h11.InformationalResponse(status_code=100, headers=[])
                        self._writer.write(self._http.send(go_on))
                    data = await self._reader.read(READ_BYTES)
                    if data and not self.has_begun:
                        self.has_begun = True
                        on_begin()
                        timer.reschedule(asyncio.get_running_loop().time() + limits.request_seconds)
                    self._http.receive_data(data)
                elif isinstance(event, h11.Request):
                    on_begin()
                    head = event
                    self._is_head = event.method == b"HEAD"
                    if (
                        sum(len(name) + len(value) for name, value in event.headers)
                        > limits.head_bytes
                    ):
                        raise _TooLargeError(431)
                    if _told_length(event) > limits.body_bytes:
                        raise _TooLargeError(413)
                elif isinstance(event, h11.Data):
                    size += len(event.data)
                    if size > limits.body_bytes:
                        raise _TooLargeError(413)
                    body.append(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    assert head is not None
                    return _whole(head, b"".join(body))
                else:
                    return None

    async def send(self, response: HttpResponse, *, is_last: bool = False) -> bool:
        """Sends an answer; whether the connection can be used again."""
        headers = {
            "date": format_datetime(datetime.now(UTC), usegmt=True),
            "content-type": "application/json",
            "content-length": str(len(response.body)),
            **response.headers,
        }
        if is_last:
            headers["connection"] = "close"
        message = self._http.send(
            h11.Response(
                status_code=response.status,
                headers=list(headers.items()),
                reason=HTTPStatus(response.status).phrase.encode(),
            )
        )
        if not self._is_head:
            message = (message or b"") + (self._http.send(h11.Data(data=response.body)) or b"")
        message = (message or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        self._writer.write(message)
        async with asyncio.timeout(self._limits.request_seconds):
            await self._writer.drain()
        if is_last:
            await self._linger()
        if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            return False
        self._http.start_next_cycle()
        self._is_reused = True
        return not is_last

    async def _linger(self) -> None:
        """Reads on for a moment: closing on unread bytes would take the answer from the one who sends them."""
        with suppress(OSError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(LINGER_SECONDS):
                while await self._reader.read(READ_BYTES):
                    pass

    async def close(self) -> None:
        """Closes the socket."""
        self._writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await self._writer.wait_closed()


def _told_length(head: h11.Request) -> int:
    for name, value in head.headers:
        if name == b"content-length":
            return int(value)
    return 0


def _whole(head: h11.Request, body: bytes) -> HttpRequest:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    target = head.target.decode("latin-1")
    return HttpRequest(head.method.decode("latin-1"), target.partition("?")[0], headers, body)


def _error(status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(status, headers=headers or {})
