"""How fast Freshdesk's stand-in can be read at all on this machine: a bare socket that looks at no answer.

    python -m tests.bench.ceiling [--tickets N] [--comments N] [--connections N]

One call a ticket, as every reader of Freshdesk has to make it, over kept connections, nothing parsed and nothing stored.
No reader beside the same server can be faster, so this bounds what `tests.bench.speed` may show without latency.
"""

import argparse
import base64
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

from tests.bench.speed import served

_KEY = base64.b64encode(b"freshdesk-key:X").decode("ascii")


def read(base_url: str, ticket_ids: range) -> None:
    """Asks for each ticket's conversations over one connection, and takes the answers off the line."""
    address = urlsplit(base_url)
    assert address.hostname is not None
    assert address.port is not None
    with socket.create_connection((address.hostname, address.port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in ticket_ids:
            line.sendall(
                f"GET /api/v2/tickets/{number}/conversations?per_page=100&page=1 HTTP/1.1\r\n"
                f"Host: {address.netloc}\r\nAuthorization: Basic {_KEY}\r\n\r\n".encode("ascii")
            )
            head, _, body = _until(line, b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise ValueError(f"ticket {number}: {head[:100]!r}")
            told = head.lower().partition(b"content-length:")[2]
            left = int(told.partition(b"\r\n")[0]) - len(body)
            while left > 0:
                left -= len(line.recv(min(left, 1 << 16)) or _cut())


def _until(line: socket.socket, mark: bytes) -> tuple[bytes, bytes, bytes]:
    data = b""
    while mark not in data:
        data += line.recv(1 << 16) or _cut()
    return data.partition(mark)


def _cut() -> bytes:
    raise ConnectionError("the stand-in closed the line")


def calls_a_second(base_url: str, tickets: int, connections: int) -> float:
    """Calls answered in a second, over so many connections."""
    readers = [
        threading.Thread(target=read, args=(base_url, range(first + 1, tickets + 1, connections)))
        for first in range(connections)
    ]
    began = time.perf_counter()
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return tickets / (time.perf_counter() - began)


def main() -> None:
    """Prints the bound."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tickets", type=int, default=3_000)
    arguments.add_argument("--comments", type=int, default=6)
    arguments.add_argument("--connections", type=int, default=4)
    chosen = arguments.parse_args()
    with served("freshdesk", chosen.tickets, chosen.comments) as base_url:
        rate = max(calls_a_second(base_url, chosen.tickets, chosen.connections) for _ in range(3))
    sys.stdout.write(
        f"freshdesk, {chosen.connections} connections, nothing parsed, nothing stored: {rate:,.0f} calls a second, "
        f"{rate * chosen.comments:,.0f} records a second at most\n"
    )


if __name__ == "__main__":
    main()
