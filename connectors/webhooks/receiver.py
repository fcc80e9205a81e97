"""Takes vendors' webhooks in: verify, store, answer; what is acknowledged is in the warehouse.

Belongs here: the order of these steps, many events in one transaction, what is answered when. Does not belong here: a
vendor's signature (`contract.Hook`), sockets (`http_server`), what is done about an event (`pipelines`).

While one transaction commits, the events that come meanwhile wait and make the next one: a quiet hour costs a transaction
per event, a burst of a thousand a handful. The answer goes out behind the commit.
"""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Self

from connectors.errors import ConnectorError
from connectors.warehouse.inbound import InboundEvent
from connectors.webhooks.contract import Hook, HookRequest, Place, UnverifiedError
from connectors.webhooks.http_server import HttpRequest, HttpResponse, HttpServer, Limits

MOST_AT_ONCE = 1_000
"""Events of one transaction."""

MOST_WAITING_BYTES = 64_000_000
"""Bodies that wait for the warehouse; beyond, a vendor is asked to come again."""

STORE_SECONDS = 8.0
"""Zendesk waits 10 to 12 seconds for an answer, PagerDuty 5: later, nobody listens any more."""

COME_AGAIN = {"retry-after": "5"}
"""Zendesk tries again after a 503 where this is under a minute."""


Store = Callable[[Sequence[InboundEvent]], object]
"""Writes events that are not there yet, in one transaction."""


class Receiver:
    """The receiving side of `deskbridge serve`.

    Args:
        hooks: verifier of each client's source that has a webhook.
        store: writes events; called from one thread at a time.
        now: aware UTC instants, for signatures that carry a time and for `received_at`.
        on_stored: told of the places whose events were committed; must not block.
        on_refused: told of a path and why a request to it was refused; must not block.
        limits: what a stranger may cost.
    """

    def __init__(
        self,
        hooks: Mapping[Place, Hook],
        store: Store,
        now: Callable[[], datetime],
        *,
        on_stored: Callable[[set[Place]], None] = lambda _places: None,
        on_refused: Callable[[str, str], None] = lambda _path, _why: None,
        limits: Limits | None = None,
    ) -> None:
        """Keeps the settings; opens nothing."""
        self._hooks = {place.path: (place, hook) for place, hook in hooks.items()}
        self._store = store
        self._now = now
        self._on_stored = on_stored
        self._on_refused = on_refused
        self._server = HttpServer(self._answer, limits)
        self._pool = ThreadPoolExecutor(1, "webhook-writer")
        self._waiting: list[tuple[InboundEvent, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._is_store_down = False
        self.answers: Counter[int] = Counter()
        """Answers by status, since the start."""
        self.transactions = 0

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    def start(self, host: str, port: int) -> Self:
        """Listens; port 0 takes a free one.

        Raises:
            ConfigurationError: the address cannot be listened on.
        """
        self._server.start(host, port)
        return self

    def stop(self) -> None:
        """Takes nothing new in, stores and answers what is under way."""
        self._server.stop()
        self._pool.shutdown()

    def __enter__(self) -> Self:
        """The receiver itself, started or not."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops."""
        self.stop()

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            response = await self._response(request)
        except Exception as error:  # noqa: BLE001 - one request's fault is not the others'
            self._on_refused(request.path, f"{type(error).__name__} while it was answered")
            response = HttpResponse(500)
        self.answers[response.status] += 1
        return response

    async def _response(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return await self._health(request)
        if not request.path.startswith("/hooks/"):
            return HttpResponse(404)
        if request.method != "POST":
            return HttpResponse(405, headers={"allow": "POST"})
        event = self._verified(request)
        if event is None:
            return HttpResponse(401)
        if self._waiting_bytes + len(request.body) > MOST_WAITING_BYTES:
            return HttpResponse(503, headers=COME_AGAIN)
        try:
            await asyncio.wait_for(self._stored(event), STORE_SECONDS)
        except (TimeoutError, ConnectorError):
            # What was too late may be stored all the same; when it comes again it is known by its id.
            return HttpResponse(503, headers=COME_AGAIN)
        return HttpResponse(202)

    async def _health(self, request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponse(405, headers={"allow": "GET, HEAD"})
        if self._is_store_down:
            # Nothing may come any more while we are called unhealthy: look again.
            await self._write([])
        told = {"status": "warehouse unavailable" if self._is_store_down else "ok"}
        return HttpResponse(503 if self._is_store_down else 200, json.dumps(told).encode())

    def _verified(self, request: HttpRequest) -> InboundEvent | None:
        """The event, or None where the sender proves nothing. A place that there is not looks the same from outside."""
        found = self._hooks.get(request.path)
        if found is None:
            self._on_refused(request.path, "no source has a webhook here")
            return None
        place, hook = found
        told = HookRequest(request.headers, request.body)
        now = self._now()
        try:
            hook.verify(told, now)
        except UnverifiedError as error:
            self._on_refused(request.path, str(error))
            return None
        event = hook.read(told)
        return InboundEvent(
            provider=hook.provider,
            event_id=f"{place.client_key}/{place.source_key}/{event.event_id or uuid.uuid4().hex}",
            client_key=place.client_key,
            source_key=place.source_key,
            event_type=event.event_type,
            payload=event.payload,
            body=request.body,
            occurred_at=event.occurred_at,
            received_at=now,
            is_understood=event.is_understood,
        )

    async def _stored(self, event: InboundEvent) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        self._waiting_bytes += len(event.body)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await future

    async def _write_all(self) -> None:
        while self._waiting:
            batch = self._waiting[:MOST_AT_ONCE]
            del self._waiting[:MOST_AT_ONCE]
            failure = await self._write([event for event, _ in batch])
            for event, future in batch:
                # What the database does not take for one event's sake is tried without the others.
                alone = failure
                if failure is not None and not self._is_store_down and len(batch) > 1:
                    alone = await self._write([event])
                self._waiting_bytes -= len(event.body)
                if future.done():
                    continue
                if alone is None:
                    future.set_result(None)
                else:
                    future.set_exception(alone)

    async def _write(self, events: Sequence[InboundEvent]) -> ConnectorError | None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._pool, self._store, events)
        except ConnectorError as error:
            if not self._is_store_down:
                self._on_refused("the warehouse", str(error))
            self._is_store_down = True
            return error
        except Exception as error:  # noqa: BLE001 - the writer outlives whatever one batch does to it
            self._on_refused("the warehouse", f"{type(error).__name__} while events were stored")
            return ConnectorError(f"events could not be stored: {type(error).__name__}")
        self.transactions += 1
        self._is_store_down = False
        self._on_stored({Place(one.client_key, one.source_key) for one in events})
        return None
