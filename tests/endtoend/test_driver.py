"""Whole replays of bots that are asked, that poll, that tell their own clients."""

from __future__ import annotations

from dataclasses import replace

import pytest
from endtoend.driving import API, Bench, Traffic, differences, metrics
from endtoend.toy import MS

from perfscan.replay.model import Close, Request

pytestmark = pytest.mark.endtoend
STREAM = "stream.example.test"


# --- Webhooks and calls ---------------------------------------------------------------------------

WEBHOOK = """
import aiohttp, asyncio, os
from aiohttp import web

PORT = int(os.environ.get("PORT", "8000"))


async def hook(request):
    order = (await request.json())["order"]
    async with request.app["session"].get(f"https://api.example.test/price/{order}") as got:
        price = (await got.json())["price"]
    await tell(request, order, price)
    return web.json_response({"order": order, "price": price})


async def tell(request, order, price):
    body = {"text": f"{order} costs {price}"}
    async with request.app["session"].post("https://api.example.test/alerts", json=body) as got:
        await got.read()


async def session(app):
    app["session"] = aiohttp.ClientSession()
    yield
    await app["session"].close()


app = web.Application()
app.router.add_post("/webhook/{name}", hook)
app.cleanup_ctx.append(session)
web.run_app(app, host="127.0.0.1", port=PORT, print=None)
"""
ORDERS = 6


def webhooks() -> Traffic:
    traffic = Traffic()
    users = [traffic.open(500, "127.0.0.1", port=8000, inbound=True) for _ in range(2)]
    service = traffic.open(510, API)
    for number in range(ORDERS):
        at, order, price = 600 + 100 * number, f"o{number}", str(100 + number)
        answer = {"order": order, "price": price}
        traffic.ask(
            *(users[number % 2], at, "POST /webhook/tv", {"order": order}), answer=answer, after=60
        )
        traffic.ask(service, at + 5, f"GET /price/{order}", answer={"price": price})
        alert = {"text": f"{order} costs {price}"}
        traffic.ask(service, at + 20, "POST /alerts", alert, answer={"ok": True})
    return traffic


INBOUND = {"inbound": "POST /webhook/*", "key": {"path": "$.order"}}
ALERT = {
    "request": f"POST https://{API}/alerts",
    "key": {"path": "$.text", "pattern": r"^(\w+)"},
    "compare": ["$.text"],
}


def test_webhooks_are_sent_and_their_answers_judged(bench: Bench) -> None:
    bench.write(
        WEBHOOK,
        webhooks(),
        {"stimulus": INBOUND, "effect": {"answer": True}},
        side={"listens": 8123, "environment": {"PORT": "8123"}},
    )
    done, run = bench.run()

    assert done.status == 3, (done.out, done.err)  # one pair decides nothing
    assert run["equivalence"]["same"] is True
    assert run["equivalence"]["optimized"]["handled"] == ORDERS
    found = metrics(run)
    assert (found["inbound_requests"], found["inbound_errors"]) == (ORDERS, 0)
    assert found["inbound_served_per_s"] > 0
    # Two requests to the service of 10 ms each lie between a call and its answer.
    assert found["item_latency_ms.p50"] >= 20
    assert found["startup_s"] > 0
    assert found["upstream_requests"] == 2 * ORDERS


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("await tell(request", "order == 'o3' and await tell(request, order, price)\n"
         "    await tell(request", "duplicated"),
        ("await tell(request", "order == 'o3' or await tell(request", "missed"),
        ("costs {price}", "costs {price if order != 'o3' else 0}", "wrong"),
    ],
)  # fmt: skip
def test_a_webhook_that_is_handled_otherwise_is_different_work(
    bench: Bench, old: str, new: str, kind: str
) -> None:
    bench.write(WEBHOOK, webhooks(), {"stimulus": INBOUND, "effect": ALERT})
    bench.change(old, new)
    done, run = bench.run()

    assert done.status == 4, (done.out, done.err)
    assert differences(run) == [("o3", kind)]


@pytest.mark.parametrize(
    ("new", "detail"),
    [
        ('{"order": order, "price": "0" if order == "o2" else price}', "recorded"),
        ('{"order": order, "price": price}, status=500 if order == "o2" else 200', "500"),
    ],
)
def test_another_answer_is_different_work(bench: Bench, new: str, detail: str) -> None:
    stimulus = {"inbound": "POST /webhook/*"}
    bench.write(WEBHOOK, webhooks(), {"stimulus": stimulus, "effect": {"answer": True}})
    bench.change('{"order": order, "price": price}', new)
    done, run = bench.run()

    assert done.status == 4, (done.out, done.err)
    assert differences(run) == [("POST /webhook/tv #3", "wrong")]
    assert detail in run["equivalence"]["differences"][0]["detail"]


def test_a_bot_that_does_not_listen_is_one_line(bench: Bench) -> None:
    bench.write(
        WEBHOOK,
        webhooks(),
        {"stimulus": INBOUND, "effect": {"answer": True}},
        side={"environment": {"PORT": "8124"}},
    )
    done, _ = bench.run()

    assert done.status == 3
    assert "did not accept a connection from its users within 30 s" in done.err
    assert "Traceback" not in done.err


def test_a_bot_that_falls_behind_pays_for_it(bench: Bench) -> None:
    """It answers one call at a time; the driver sends the next ones all the same."""
    bench.write(WEBHOOK, webhooks(), {"stimulus": INBOUND, "effect": {"answer": True}})
    bench.change("import aiohttp, asyncio, os", "import aiohttp, asyncio, os, time")
    bench.change("order = (await", "time.sleep(0.2)\n    order = (await")
    _, run = bench.run()

    spared, pays = metrics(run, "original"), metrics(run)
    # Each call is 100 ms behind the one before: the last of six waited 500 ms more than its own.
    assert pays["item_latency_ms.p95"] > spared["item_latency_ms.p95"] + 500


def test_a_load_brings_more_of_the_same(bench: Bench) -> None:
    bench.write(WEBHOOK, webhooks(), {"stimulus": INBOUND, "effect": ALERT})
    done, run = bench.run("--load", "4x", "--report", "report.md")

    assert done.status == 3, (done.out, done.err)
    assert run["equivalence"]["same"] is True, run["equivalence"]["differences"]
    assert run["equivalence"]["optimized"]["handled"] == 4 * ORDERS
    assert run["method"]["load"] == 4
    assert metrics(run)["inbound_requests"] == 4 * ORDERS
    report = (bench.folder / "report.md").read_text("utf-8")
    assert "4 times the recorded items" in report
    assert "--load 4" in report


# --- Long polls -----------------------------------------------------------------------------------

POLLER = """
import httpx, signal, sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
URL = "https://api.telegram.org/bot123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def main():
    with httpx.Client(timeout=20) as client:
        offset = None
        while True:
            asked = {"timeout": 5} | ({"offset": offset} if offset else {})
            updates = client.post(f"{URL}/getUpdates", json=asked).json()["result"]
            for update in updates:
                offset = update["update_id"] + 1
                reply(client, update["message"])


def reply(client, message):
    body = {"chat_id": message["chat"]["id"], "text": f"you said {message['text']}"}
    client.post(f"{URL}/sendMessage", data=body)


main()
"""
TELEGRAM = "/bot123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def chats() -> Traffic:
    traffic = Traffic()
    line = traffic.open(0, "api.telegram.org")
    sender = traffic.open(0, "api.telegram.org")
    asked = 10.0
    for number in range(6):
        came, chat = 300 + 150 * number, 1 + number % 2
        message = {"message_id": number, "chat": {"id": chat}, "text": f"word {number}"}
        update = {"update_id": 500 + number, "message": message}
        traffic.ask(
            *(line, asked, f"POST {TELEGRAM}/getUpdates", {"timeout": 5}),
            answer={"ok": True, "result": [update]},
            after=came - asked,
        )
        asked = came + 30
        reply = {"chat_id": str(chat), "text": f"you said word {number}"}
        answer = {"ok": True, "result": {"message_id": 1000 + number}}
        traffic.ask(sender, came + 5, f"POST {TELEGRAM}/sendMessage", reply, answer=answer)
    last = {"ok": True, "result": []}
    traffic.ask(line, asked, f"POST {TELEGRAM}/getUpdates", {"timeout": 5}, answer=last, after=5000)
    return traffic


POLL = {"poll": "POST https://api.telegram.org/*/getUpdates"}
REPLY = {
    "request": "POST https://api.telegram.org/*/sendMessage",
    "key": {"path": "$.chat_id"},
    "compare": ["$.chat_id", "$.text"],
}


def test_updates_reach_a_bot_that_polls(bench: Bench) -> None:
    bench.write(POLLER, chats(), {"stimulus": POLL, "effect": REPLY})
    done, run = bench.run()

    assert done.status == 3, (done.out, done.err)
    assert run["equivalence"]["same"] is True, run["equivalence"]["differences"]
    assert run["equivalence"]["optimized"]["handled"] == 6
    assert metrics(run)["item_latency_ms.p50"] > 0


def test_an_update_that_is_dropped_is_different_work(bench: Bench) -> None:
    bench.write(POLLER, chats(), {"stimulus": POLL, "effect": REPLY})
    bench.change("reply(client, update", "update['update_id'] == 505 or reply(client, update")
    done, run = bench.run()

    assert done.status == 4, (done.out, done.err)
    assert differences(run) == [("2 #3", "missed")]


EDITOR = (
    POLLER[: POLLER.index("def reply")]
    + """
def reply(client, message):
    def post(method, body):
        client.post(f"{URL}/{method}", data=body)

    chat = message["chat"]["id"]
    body = {"chat_id": chat, "text": f"you said {message['text']}"}
    pass  # here
    post("editMessageText" if chat == 2 else "sendMessage", body)


main()
"""
)


def edited() -> Traffic:
    """The second chat is answered by editing."""
    traffic = chats()
    for place, event in enumerate(traffic.events):
        if isinstance(event, Request) and b'"chat_id": "2"' in event.body:
            target = event.target.replace("sendMessage", "editMessageText")
            traffic.events[place] = replace(event, target=target)
    return traffic


TALK = {
    "stimulus": POLL,
    "effect": {
        **REPLY,
        "request": [REPLY["request"], "POST https://api.telegram.org/*/editMessageText"],
        "apology": "later",
    },
}


ALL_KINDS = """
    if "0" in body["text"]:
        return
    if "2" in body["text"]:
        body["text"] = "Try again later"
    if "3" in body["text"]:
        body["text"] = "Another word"
    if "4" in body["text"]:
        post("sendMessage", body)
    if "5" in body["text"]:
        return post("sendMessage", body)
"""


def test_several_requests_may_end_items(bench: Bench) -> None:
    bench.write(EDITOR, edited(), TALK)
    done, run = bench.run()

    assert differences(run) == [], (done.out, done.err)
    assert run["equivalence"]["optimized"]["handled"] == 6


def test_one_reply_of_a_chat_that_differs_leaves_the_others_alone(bench: Bench) -> None:
    bench.write(EDITOR, edited(), TALK)
    bench.change("    pass  # here", ALL_KINDS)
    done, run = bench.run()

    assert differences(run) == [
        ("1 #3", "duplicated"),
        *[("1 #1", "missed"), ("1 #2", "missed")],
        *[("2 #2", "wrong"), ("2 #3", "wrong")],
    ], (done.out, done.err)
    details = {one["key"]: one["detail"] for one in run["equivalence"]["differences"]}
    assert details["1 #2"] == "it apologised: Try again later"
    assert "editMessageText" in details["2 #3"], "it was to be edited"


def test_order_matters_where_the_scenario_says_so(bench: Bench) -> None:
    traffic = chats()
    key = {"path": "$.text", "pattern": r"word (\d+)"}
    bench.write(
        POLLER,
        traffic,
        {
            "stimulus": POLL | {"key": {"path": "$.message.text", "pattern": r"word (\d+)"}},
            "effect": REPLY | {"key": key},
            "order_by": {"path": "$.message.chat.id"},
        },
    )
    # The first message of each chat is answered after the second one.
    bench.change("def reply(client, message):", "late = {}\n\n\ndef reply(client, message):")
    send = '    client.post(f"{URL}/sendMessage", data=body)'
    bench.change(
        send,
        "    first = late.setdefault(body['chat_id'], body)\n"
        "    if first is body:\n"
        "        return\n"
        f"{send}\n"
        "    if first:\n"
        "        late[body['chat_id']] = {}\n"
        '        client.post(f"{URL}/sendMessage", data=first)',
    )
    done, run = bench.run()

    assert done.status == 4, (done.out, done.err)
    assert differences(run) == [("2", "wrong"), ("3", "wrong")]
    assert "overtook" in run["equivalence"]["differences"][0]["detail"]


# --- The bot's own WebSocket clients --------------------------------------------------------------

DASHBOARD = """
import asyncio, json
from aiohttp import web
import websockets

CLIENTS = set()


async def feed(app):
    async def follow():
        async with websockets.connect("wss://stream.example.test/ticks") as stream:
            await stream.send(json.dumps({"id": 1, "method": "subscribe", "params": ["ticks"]}))
            async for text in stream:
                message = json.loads(text)
                if message.get("method") == "tick":
                    await spread(message["params"]["result"])

    task = asyncio.create_task(follow())
    yield
    task.cancel()


async def spread(tick):
    for client in list(CLIENTS):
        await client.send_json({"tick": tick["key"], "price": tick["price"]})


async def socket(request):
    client = web.WebSocketResponse()
    await client.prepare(request)
    CLIENTS.add(client)
    try:
        async for message in client:
            asked = message.json()
            await client.send_json({"echo": asked["id"], "word": asked["word"]})
    finally:
        CLIENTS.discard(client)
    return client


app = web.Application()
app.router.add_get("/ws", socket)
app.cleanup_ctx.append(feed)
web.run_app(app, host="127.0.0.1", port=8000, print=None)
"""
CLIENTS, TICKS = 5, 6


def dashboard() -> Traffic:
    traffic = Traffic()
    stream = traffic.open(0, STREAM)
    traffic.ask(stream, 10, "GET /ticks", status=101)
    traffic.message(stream, 30, "sent", {"id": 1, "method": "subscribe", "params": ["ticks"]})
    traffic.message(stream, 40, "received", {"id": 1, "result": 7})
    clients = [traffic.open(100, "127.0.0.1", port=8000, inbound=True) for _ in range(CLIENTS)]
    for client in clients:
        traffic.ask(client, 101, "GET /ws", status=101)
    for number in range(TICKS):
        at, result = 1500 + 100 * number, {"key": f"k{number}", "price": number}
        tick = {"method": "tick", "params": {"subscription": 7, "result": result}}
        traffic.message(stream, at, "received", tick)
        for client in clients:
            traffic.message(client, at + 2, "sent", {"tick": f"k{number}", "price": number})
    for number, client in enumerate(clients):
        at, word = 2200 + number, {"id": "q", "word": "hello"}
        traffic.message(client, at, "received", word)
        traffic.message(client, at + 1, "sent", {"echo": "q", "word": "hello"})
        traffic.events.append(Close(client, 2600 * MS, "upstream", 1000))
    return traffic


TICK = {
    "websocket": f"wss://{STREAM}/ticks",
    "containing": '"tick"',
    "key": {"path": "$.params.result.key"},
}


def test_what_is_pushed_reaches_every_client(bench: Bench) -> None:
    effect = {"message": "/ws", "key": {"path": "$.tick"}}
    bench.write(DASHBOARD, dashboard(), {"stimulus": TICK, "effect": effect})
    done, run = bench.run()

    assert done.status == 3, (done.out, done.err)
    assert run["equivalence"]["same"] is True, run["equivalence"]["differences"]
    assert run["equivalence"]["items"] == CLIENTS * TICKS
    assert run["equivalence"]["optimized"]["handled"] == CLIENTS * TICKS


def test_a_client_that_is_left_out_is_different_work(bench: Bench) -> None:
    effect = {"message": "/ws", "key": {"path": "$.tick"}}
    bench.write(DASHBOARD, dashboard(), {"stimulus": TICK, "effect": effect})
    bench.change(
        "for client in list(CLIENTS):", "for client in list(CLIENTS)[tick['price'] == 4:]:"
    )
    done, run = bench.run()

    assert done.status == 4, (done.out, done.err)
    ((key, kind),) = differences(run)
    assert key.startswith("k4 (client ")
    assert kind == "missed"


def test_a_client_is_answered(bench: Bench) -> None:
    stimulus = {"client": "/ws", "key": {"path": "$.id"}}
    effect = {"message": "/ws", "key": {"path": "$.echo"}, "compare": ["$.word"]}
    bench.write(DASHBOARD, dashboard(), {"stimulus": stimulus, "effect": effect})
    done, run = bench.run()

    assert done.status == 3, (done.out, done.err)
    assert run["equivalence"]["optimized"]["handled"] == CLIENTS
