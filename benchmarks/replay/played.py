"""The one exchange that every server plays."""

from __future__ import annotations

HOST = "api.example"
TARGET = "/v1/ticker?symbol=BTCUSDT"
TYPE = "application/json"
BODY = b'{"symbol":"BTCUSDT","price":"64250.10","volume":"1834.22"}'
