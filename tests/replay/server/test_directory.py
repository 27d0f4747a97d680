from __future__ import annotations

from wire.air import Client, air, session
from wire.talk import MS, RULES

from perfscan.replay.keys import Key
from perfscan.replay.server.draft import websocket_key


def test_the_nth_handshake_takes_as_long_as_the_nth_did() -> None:
    on = air(session(3, 0), session(5, 100))
    handshakes = [on.open() for _ in range(6)]
    found = [(one.outcome, one.service_ns // MS, one.exchange) for one in handshakes if one]
    assert found[:2] == [("hit", 3, 3), ("hit", 5, 5)]
    assert {outcome for outcome, _, _ in found[2:]} == {"extra"}
    assert {service for _, service, _ in found[2:]} <= {3, 5}


def test_without_recorded_latency_handshakes_take_no_time() -> None:
    handshake = air(session(3, 0), latency_known=False).open()
    assert handshake is not None
    assert handshake.service_ns == 0


def test_the_address_decides_then_the_path_then_any_host() -> None:
    on = air(session(1, 0, target="/ws?streams=a"), session(2, 9, target="/ws?streams=b"))

    def exchange(target: str, host: str = "a.example", *, any_host: bool = False) -> int | None:
        handshake = on.open(target, host, any_host=any_host)
        return None if handshake is None else handshake.exchange

    assert exchange("/ws?streams=b") == 2
    assert exchange("/ws?streams=a") == 1
    assert exchange("/ws?token=c") is not None
    assert exchange("/other") is None
    assert exchange("/ws?streams=b", "b.example") is None
    assert exchange("/ws?streams=b", "b.example", any_host=True) == 2
    assert exchange("/ws", "b.example", any_host=True) is not None


def test_solo_connections_have_streams_of_their_own() -> None:
    on = air(session(1, 0, (101, "a")), session(2, 5000, (5102, "b")), solo=True)
    clients = []
    for number in range(3):
        client = on.tune_in(number)
        clients.append(client)
    handshakes = [on.open() for _ in range(2)]
    assert len({id(one.stations[0]) for one in handshakes if one}) == 2
    assert on.directory.started == 0


def test_a_websocket_key_is_no_request_key() -> None:
    key = websocket_key("a.example", "/ws?b=1&a=2", RULES)
    assert key == Key("WEBSOCKET", "a.example", "/ws", (("a", "2"), ("b", "1")), "")


def test_topics_in_the_address_can_be_asked_for_apart() -> None:
    """Recorded as one connection with two topics, asked for as two."""
    both = "/stream?streams=btcusdt@trade/ethusdt@depth"
    on = air(
        session(
            1,
            0,
            (101, '{"stream":"btcusdt@trade","data":1}'),
            (102, '{"stream":"ethusdt@depth","data":2}'),
            target=both,
        )
    )
    handshake = on.open("/stream?streams=ethusdt@depth")
    assert handshake is not None
    (station,) = handshake.stations
    client = Client(1, on, handshake.topics)
    station.join(client)
    station.start(on.alarm.now())
    on.alarm.run_to(1000)
    assert client.heard == ['{"stream":"ethusdt@depth","data":2}']
    assert on.open("/stream?streams=ethusdt@trade") is None
    assert on.open("/stream?streams=btcusdt@trade/bnbusdt@trade") is None


def test_topics_of_several_connections_can_be_asked_for_on_one() -> None:
    one, other = "/ws/btcusdt@trade", "/ws/ethusdt@trade"
    on = air(session(1, 0, (101, "a"), target=one), session(2, 0, (102, "b"), target=other))
    handshake = on.open("/ws/btcusdt@trade/ethusdt@trade")
    assert handshake is not None
    assert len(handshake.stations) == 2
    client = Client(1, on, handshake.topics)
    for station in handshake.stations:
        station.join(client)
        station.start(on.alarm.now())
    on.alarm.run_to(1000)
    assert client.heard == ["a", "b"]
    assert on.open("/ws/btcusdt@depth") is None


def test_a_key_of_the_client_in_the_address_is_no_topic() -> None:
    on = air(session(1, 0, (101, '{"a":"b"}'), target="/ws?listenKey=abcdefgh"))
    assert on.open("/ws?listenKey=xyz") is not None
