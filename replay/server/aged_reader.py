"""Reads requests off a connection and knows the old ones among them."""

from __future__ import annotations

from collections import deque

from perfscan.replay.wire import HttpRequest, RequestReader


class AgedReader(RequestReader):
    """Also remembers which requests speak HTTP/1.0."""

    def __init__(self) -> None:
        super().__init__()
        self._old: deque[bool] = deque()

    def on_message_complete(self) -> None:
        """Note how old the request is that is complete."""
        self._old.append(self._parser.get_http_version() == "1.0")
        super().on_message_complete()

    def take_all(self) -> list[tuple[HttpRequest, bool]]:
        """Return and forget the complete requests, each with whether it speaks HTTP/1.0."""
        return [(request, self._old.popleft()) for request in self.take()]
