"""Servers that count requests."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.limits import limit_of, limit_of_host

Look = Callable[[dict[str, str]], Where]


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("api.telegram.org", "Telegram"),
        ("mainnet.helius-rpc.com", "Helius"),
        ("eth-mainnet.g.alchemy.com", "the RPC provider"),
        ("api.etherscan.io", "the block explorer"),
    ],
)
def test_hosts_are_known_by_their_end(host: str, server: str) -> None:
    limit = limit_of_host(host)
    assert limit is not None
    assert limit.server == server
    assert limit.source.startswith("https://")


@pytest.mark.parametrize("host", ["example.org", "telegram.org.example.org", "org", ""])
def test_other_hosts(host: str) -> None:
    assert limit_of_host(host) is None


@pytest.mark.parametrize(
    ("call", "server"),
    [
        ("requests.post('https://api.telegram.org/bot1/sendMessage', timeout=5)", "Telegram"),
        ("requests.request('GET', 'https://api.bybit.com/v5')", "Bybit"),
        ("telebot.TeleBot('t').send_message(1, 'x')", "Telegram"),
        ("telebot.TeleBot('t').get_me()", ""),
        ("requests.get('https://example.org')", ""),
        ("print('https://api.telegram.org')", ""),
    ],
)
def test_calls(look: Look, call: str, server: str) -> None:
    where = look({"bot.py": f"import requests, telebot\n{call}"})
    limit = limit_of(where.file.calls[-1], where)
    assert (limit.server if limit else "") == server
