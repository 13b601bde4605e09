"""What a request must be before it is looked at: of this host, of one kind, not too large, not too often.

The page is for the person at this machine. Any site that is open in the same browser can send requests to it,
so they must name this host (against DNS rebinding) and carry JSON (which another site's form cannot).
"""

import json
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL = ("localhost", "127.0.0.1", "[::1]")
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
CLIENTS = 1000  # that are remembered


@dataclass(frozen=True)
class Limits:
    """What is too much.

    Args:
        body: bytes of a request.
        rate: requests a second of one client, in the long run.
        burst: requests at once.
    """

    body: int = 1_000_000
    rate: float = 20.0
    burst: int = 60


class Guard:
    """An ASGI application around another.

    Args:
        app: what answers requests that pass.
        hosts: the names under which this machine is asked.
        limits: what is too much.
        clock: seconds.
    """

    def __init__(
        self, app: App, hosts: Sequence[str], limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._limits, self._clock = app, limits, clock
        self._hosts = {host.lower() for host in (*LOCAL, *hosts)}
        self._left: dict[str, tuple[float, float]] = {}  # client -> requests left, when that was so
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what does not pass, hands on what does."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        given = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if refused := self._refused(scope, given):
            await _answer(send, *refused)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limits.body:
                raise HTTPException(413, self._too_large()[1])
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_headers()]
            await send(message)

        await self._app(scope, counted, with_headers)

    def _refused(self, scope: Scope, given: dict[str, str]) -> tuple[int, str, dict[str, str]] | None:
        """Status, message and headers for a request that does not pass."""
        if _host(given.get("host", "")) not in self._hosts:
            return 400, "this host is not served here", {}
        wait = self._wait((scope.get("client") or ("",))[0])
        if wait:
            return 429, "too many requests", {"retry-after": str(int(wait) + 1)}
        kind = given.get("content-type", "").split(";")[0].strip().lower()
        if scope["method"] not in ("GET", "HEAD", "DELETE") and kind != "application/json":
            return 415, "the content type must be application/json", {}
        length = given.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > self._limits.body:
            return self._too_large()
        return None

    def _too_large(self) -> tuple[int, str, dict[str, str]]:
        return 413, f"a request has at most {self._limits.body:,} bytes", {"connection": "close"}

    def _wait(self, client: str) -> float:
        """Seconds until the client may ask again; 0 for now."""
        with self._lock:
            now = self._clock()
            if client not in self._left and len(self._left) >= CLIENTS:
                self._left.clear()
            left, at = self._left.get(client, (float(self._limits.burst), now))
            left = min(self._limits.burst, left + (now - at) * self._limits.rate)
            self._left[client] = (left - 1 if left >= 1 else left, now)
            return 0.0 if left >= 1 else (1 - left) / self._limits.rate


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    name, _, port = header.rpartition(":")
    return (name if port.isdecimal() else header).lower()


def _headers() -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in HEADERS.items()]


async def _answer(send: Send, status: int, message: str, further: dict[str, str]) -> None:
    body = json.dumps({"error": message}).encode()
    own = {"content-type": "application/json", "content-length": str(len(body)), **further}
    headers = [(name.encode(), value.encode()) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_headers()]})
    await send({"type": "http.response.body", "body": body})
