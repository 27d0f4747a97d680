"""Which servers are known to refuse a client that asks too often, how often that is, and why."""

from __future__ import annotations

from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.literals import address, host

_ROLE = "rate_limited"


class Limit(NamedTuple):
    """How often a server may be asked."""

    server: str
    words: str
    source: str


_TELEGRAM = Limit(
    "Telegram",
    "about 30 messages a second, one a second to the same chat",
    "https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this",
)
_BINANCE = Limit(
    "Binance",
    "6,000 of request weight a minute for each address",
    "https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits",
)
_BYBIT = Limit(
    "Bybit",
    "600 requests in 5 seconds for each address, 10 to 50 a second for each account",
    "https://bybit-exchange.github.io/docs/v5/rate-limit",
)
_SHEETS = Limit(
    "Google Sheets",
    "60 requests a minute for each user",
    "https://developers.google.com/workspace/sheets/api/limits",
)
_NODES = Limit(
    "the RPC provider",
    "10 to 50 requests a second on most plans",
    "https://www.helius.dev/docs/billing/rate-limits",
)
_SCANNERS = Limit(
    "the block explorer",
    "3 calls a second on the free plan",
    "https://docs.etherscan.io/rate-limits",
)

_LIBRARIES = {
    "pyTelegramBotAPI": _TELEGRAM,
    "python-telegram-bot": _TELEGRAM,
    "aiogram": _TELEGRAM,
    "python-binance": _BINANCE,
    "binance-connector": _BINANCE,
    "gspread": _SHEETS,
    "web3": _NODES,
    "solana": _NODES,
}
"""By the library's name in the knowledge base; its role ``rate_limited`` says which calls count.

ccxt, discord.py and praw space their requests, pybit waits when it is told to: they are not here.
"""

_HOSTS = {
    "api.telegram.org": _TELEGRAM,
    "api.binance.com": _BINANCE,
    "fapi.binance.com": _BINANCE,
    "api.bybit.com": _BYBIT,
    "api.bytick.com": _BYBIT,
    "sheets.googleapis.com": _SHEETS,
    "helius-rpc.com": _NODES._replace(server="Helius"),
    "api.helius.xyz": _NODES._replace(server="Helius"),
    "solana.com": Limit(
        "the public Solana node",
        "100 requests in 10 seconds, 40 for one method",
        "https://solana.com/docs/references/clusters",
    ),
    "infura.io": _NODES,
    "alchemy.com": _NODES,
    "quiknode.pro": _NODES,
    "etherscan.io": _SCANNERS,
    "polygonscan.com": _SCANNERS,
    "bscscan.com": _SCANNERS,
    "arbiscan.io": _SCANNERS,
    "api.coingecko.com": Limit(
        "CoinGecko", "30 calls a minute on the free plan", "https://docs.coingecko.com"
    ),
    "api.dexscreener.com": Limit(
        "DEX Screener",
        "60 to 300 requests a minute",
        "https://docs.dexscreener.com/api/reference",
    ),
    "discord.com": Limit(
        "Discord", "50 requests a second", "https://discord.com/developers/docs/topics/rate-limits"
    ),
    "api.github.com": Limit(
        "GitHub",
        "60 requests an hour, 5,000 with a token",
        "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api",
    ),
}
"""By host, or the end of it."""


def limit_of(call: Call, where: Where) -> Limit | None:
    """Return the known limit of the server that a call asks."""
    effect = where.effect(call)
    if effect is None or effect.cost != "network":
        return None
    if _ROLE in where.roles(call):
        return _LIBRARIES.get(effect.library)
    for position, keyword in ((0, "url"), (1, "")):
        name = host(address(where.argument(call, position, keyword), where, call.block))
        if name:
            return limit_of_host(name)
    return None


def limit_of_host(name: str) -> Limit | None:
    """Return the known limit of a host."""
    parts = name.split(".")
    for start in range(len(parts) - 1):
        known = _HOSTS.get(".".join(parts[start:]))
        if known is not None:
            return known
    return None
