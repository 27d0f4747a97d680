"""Secrets go, public identifiers stay, and what is left still matches and parses."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.errors import InputError
from perfscan.replay.model import (
    Close,
    Event,
    Failure,
    Message,
    Open,
    Ping,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.redaction import Redactor, redact_recording
from perfscan.replay.secret_places import (
    STAND_IN,
    environment_secrets,
    is_public_identifier,
    normalise_secrets,
)

MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
EVM = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
SIGNATURE = (
    "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"
)
HMAC = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
BOT_TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawx"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"


def redactor(**secrets: str) -> Redactor:
    return Redactor(secrets, salt=b"salt")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("/v0/transactions?api-key=abcd-1234", "abcd-1234"),
        ("/?limit=5&apikey=abcdef123", "abcdef123"),
        ("/data?appid=0123456789abcdef", "0123456789abcdef"),
        (f"/order?symbol=X&timestamp=1&signature={HMAC}", HMAC),
        ("/login?password=abc", "abc"),
        ("/x?access_token=a%2Fb", "a%2Fb"),
        (f"/bot{BOT_TOKEN}/sendMessage", BOT_TOKEN),
        ("/bot123:abcdef/getMe", "123:abcdef"),
        ("/bot123%3Aabcdef/getMe", "123%3Aabcdef"),
        (f"/file/bot{BOT_TOKEN}/photo.png", BOT_TOKEN),
        ("/v3/0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
        ('{"apiKey": "0123456789"}', "0123456789"),
        ('{"client_secret":"shh"}', "shh"),
        ('{"a":{"privateKey" : "with \\"quote\\" inside"}}', "inside"),
        ('{"token":"tok_live_0123456789abc"}', "tok_live_0123456789abc"),
        ('{"inner":"{\\"password\\":\\"hunter22\\"}"}', "hunter22"),
        ('{"inner":"{\\"password\\": \\"hunter22\\", \\"a\\": 1}"}', "hunter22"),
        (f'{{"error":"GET https://api.telegram.org/bot{BOT_TOKEN}/x failed"}}', BOT_TOKEN),
        (f"401 for token {BOT_TOKEN}.", BOT_TOKEN),
        (f"bad jwt {JWT}", JWT),
        ("cannot reach https://user:pa55word@proxy.example/", "pa55word"),
        ('{"op":"auth","args":["0123456789abcdefgh",1700000000000,"x"]}', "0123456789abcdefgh"),
        ("grant_type=password&password=hunter22&x=1", "hunter22"),
        ("redis://:pa55word@cache.example:6379/0", "pa55word"),
        ("Authorization: Basic dXNlcjpwYTU1d29yZA==, said the proxy", "dXNlcjpwYTU1d29yZA=="),
        ("rejected: Bearer sk-0123456789abcdef", "sk-0123456789abcdef"),
        (
            '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nhunter22\r\n--b--\r\n',
            "hunter22",
        ),
        (
            '--b\r\nContent-Disposition: form-data; name="api_key"\r\n'
            "Content-Type: text/plain\r\n\r\n0123456789\r\n--b--\r\n",
            "0123456789",
        ),
    ],
)
def test_a_secret_goes_by_its_place_and_json_stays_json(text: str, secret: str) -> None:
    clean = redactor().text(text)
    assert secret not in clean
    assert STAND_IN.search(clean)
    assert redactor().text(clean) == clean
    if text.startswith("{"):
        assert json.loads(clean).keys() == json.loads(text).keys()


@pytest.mark.parametrize(
    "text",
    [
        f'{{"method":"getTransaction","params":["{SIGNATURE}",{{"encoding":"jsonParsed"}}]}}',
        f'{{"params":{{"result":{{"value":{{"signature":"{SIGNATURE}","err":null}}}}}}}}',
        f'{{"signature":"{HMAC}"}}',
        f'{{"mint":"{MINT}","token":"{MINT}","token_address":"{EVM}"}}',
        '{"token":"USDC","key":"some-item-key-0123456789"}',
        '{"token":"Wrapped Ether on the moon"}',
        '{"tokens":["a"],"tokenName":"a long name without any secret"}',
        '{"accountKeys":[{"pubkey":"x"}],"keys":"abcdefabcdefabcdef"}',
        '{"secret":null,"password":"","apiKey":3}',
        f"/v1/tokens/{MINT}/report",
        f"/v2/{MINT}",
        f"/price?token={MINT}&ids=a,b",
        "/price?token=USDC",
        f"https://solscan.io/tx?signature={SIGNATURE}",
        "/bots/123:abcdef/",
        "Basic understanding of bearer instruments",
        '--b\r\nContent-Disposition: form-data; name="symbol"\r\n\r\nBTCUSDT\r\n--b--',
        "/about?monkeys=1&keyboard=qwertyuiop",
        "tokenizer says secretary",
        '{"op":"subscribe","args":["orderbook.50.BTCUSDT.long-topic"]}',
        "2024-01-01T10:00:00 a:b@c",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redactor().text(text) == text


def test_public_identifiers_are_recognised_by_what_they_decode_to() -> None:
    assert all(map(is_public_identifier, (MINT, EVM, SIGNATURE, "1" * 32)))
    assert not any(map(is_public_identifier, (HMAC, BOT_TOKEN, "abc", "z" * 44, MINT[:-9])))


HEADERS = (
    ("Authorization", "Bearer sk-0123456789abcdef"),
    ("Cookie", "sid=abc; theme=dark"),
    ("X-MBX-APIKEY", "key-of-binance-0123"),
    ("X-BAPI-SIGN", HMAC),
    ("X-BAPI-SIGN-TYPE", "2"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Idempotency-Key", "0123456789abcdef"),
    ("Access-Control-Allow-Credentials", "true"),
    ("Content-Type", "application/json"),
)


def test_headers_lose_credentials_and_keep_scheme_names_and_the_rest() -> None:
    clean = dict(redactor().headers(HEADERS))
    assert clean["Authorization"].startswith("Bearer REDACTED-authorization-")
    names = [part.split("=")[0].strip() for part in clean["Cookie"].split(";")]
    assert names == ["sid", "theme"]
    assert STAND_IN.fullmatch(clean["X-MBX-APIKEY"])
    assert STAND_IN.fullmatch(clean["X-BAPI-SIGN"])
    assert [pair for pair in clean.items() if pair in HEADERS] == list(HEADERS[4:])


def test_set_cookie_keeps_its_attributes() -> None:
    ((_, value),) = redactor().headers((("Set-Cookie", "sid=abc; Path=/; HttpOnly"),))
    assert value.startswith("sid=REDACTED-cookie-")
    assert value.endswith("; Path=/; HttpOnly")


def test_one_secret_has_one_stand_in_wherever_it_stands() -> None:
    clean = redactor()
    secret = "helius-0123456789-abc"
    first = clean.text(f"/?api-key={secret}")
    echoed = clean.text(f'{{"error":"invalid key {secret}"}}')
    ((_, header),) = clean.headers((("X-Api-Key", secret),))
    stand_in = STAND_IN.findall(first)
    assert stand_in == STAND_IN.findall(echoed) == [header]
    assert clean.text(f"/?api-key={secret}x") != first


def test_another_salt_gives_another_stand_in() -> None:
    assert Redactor({}, b"a").text("?key=0123456789") != Redactor({}, b"b").text("?key=0123456789")


def test_environment_values_go_wherever_and_however_they_are_spelt() -> None:
    secret = 'p@ss/wörd"1'
    clean = redactor(DB_PASSWORD=secret)
    spelt = json.dumps({"a": secret}) + " p%40ss%2Fw%C3%B6rd%221 " + secret
    assert STAND_IN.sub("", clean.text(spelt)).split() == ['{"a":', '""}']
    event = Message(1, 0, "sent", b"\xff" + secret.encode())
    assert b"rd" not in clean.event(event).data  # type: ignore[operator]
    assert json.loads(clean.text(json.dumps({"a": secret})))


def test_a_secret_of_digits_leaves_valid_json() -> None:
    clean = redactor(PIN_KEY="12345678")
    value = json.loads(
        clean.text('{"a": 12345678, "b": "12345678", "c": [1.5, 912345678], "d": 1}')
    )
    assert STAND_IN.fullmatch(value["a"])
    assert value["a"] == value["b"]
    assert "12345678" not in json.dumps(value)
    assert (value["c"][0], value["d"]) == (1.5, 1)
    assert clean.text("12345678") == value["a"]


def test_which_variables_of_the_environment_are_secret() -> None:
    environment = {
        "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
        "HELIUS_API_KEY": "0123456789",
        "BINANCEAPIKEY": "0123456789",
        "api_secret": "0123456789",
        "DB_PASS": "0123456789",
        "SHORT_KEY": "1234567",
        "AUTH_URL": "https://auth.example.com/login",
        "KEY_HOST": "keys.example.com",
        "MONKEY_ISLAND_": "no secret here",
        "PASSENGER": "no secret here",
        "PATH": "/usr/bin:/bin",
    }
    found = set(environment_secrets(environment)) - {"MONKEY_ISLAND_"}
    assert found == {
        "TELEGRAM_BOT_TOKEN",
        "HELIUS_API_KEY",
        "BINANCEAPIKEY",
        "api_secret",
        "DB_PASS",
    }


EVENTS: tuple[Event, ...] = (
    Open(1, 0, "https", "api.example.com", 443),
    Request(
        1,
        1,
        1,
        "POST",
        "/?api-key=secret-of-the-environment",
        (("Content-Length", "37"), ("X-Custom", "secret-of-the-environment")),
        b'{"auth_code":"secret-of-the-environment"}',
    ),
    Response(1, 1, 2, 3, 401, (), b'"bad: secret-of-the-environment"', "secret-of-the-environment"),
    Message(1, 4, "received", "secret-of-the-environment"),
    Ping(1, 4, "sent", b"secret-of-the-environment"),
    Close(1, 5, "bot", 1000, "secret-of-the-environment"),
    Failure(1, 6, "secret-of-the-environment"),
)


def test_no_part_of_any_event_keeps_a_known_secret() -> None:
    clean = redactor(API_KEY="secret-of-the-environment")
    header = RecordingHeader(command=("bot.py", "--api-key", "x1", "--token=x2", "--verbose"))
    recording = redact_recording(Recording(header, EVENTS), clean)
    assert "secret-of" not in repr(recording)
    assert recording.events[0] == EVENTS[0]
    assert "x1" not in recording.header.command
    assert "--token=x2" not in recording.header.command
    assert recording.header.command[-1] == "--verbose"
    assert recording.header.redacted == clean.counts
    request = recording.events[1]
    assert isinstance(request, Request)
    assert dict(request.headers)["Content-Length"] == str(len(request.body))
    again = redact_recording(recording, redactor(API_KEY="secret-of-the-environment"))
    assert again.events == recording.events


@pytest.mark.parametrize("before", ["", "u", "us", "usr"])
def test_environment_values_go_out_of_base64_too(before: str) -> None:
    secret = "secret-of-the-environment"
    packed = base64.b64encode(f"{before}{secret}!".encode()).decode()
    clean = redactor(API_KEY=secret)
    assert STAND_IN.search(clean.text(f'{{"note": "{packed}"}}'))
    assert clean.event(Ping(1, 0, "sent", packed.encode())).data != packed.encode()


def test_pieces_and_frames_follow_a_body_whose_length_changes() -> None:
    clean = redactor(API_KEY="secret-of-the-environment")
    body = b"0123456789 secret-of-the-environment"
    pieces = ((0, 4), (2_000_000, 30), (4_000_000, 2))
    response = clean.event(Response(1, 1, 0, 5, 200, body=body, pieces=pieces))
    assert sum(size for _, size in response.pieces) == len(response.body) != len(body)
    assert response.pieces[0] == (0, 4)
    assert all(size > 0 for _, size in response.pieces)
    text = "é secret-of-the-environment"
    message = clean.event(Message(1, 0, "sent", text, frames=(1, 1, 20, 6)))
    assert isinstance(message.data, str)
    assert sum(message.frames) == len(message.data.encode()) != len(text.encode())
    untouched = Message(1, 0, "sent", "abc", frames=(1, 2, 0))
    assert clean.event(untouched) == untouched


def test_a_body_that_shrinks_loses_its_last_pieces() -> None:
    body = b"x=1&password=" + b"p" * 300
    pieces = ((0, 5), (2_000_000, 200), (4_000_000, 108))
    response = redactor().event(Response(1, 1, 0, 5, 200, body=body, pieces=pieces))
    left = len(response.body) - 5
    assert response.pieces == ((0, 5), (2_000_000, left))


def test_values_that_come_once_are_not_remembered_and_others_not_for_ever() -> None:
    clean = redactor()
    for number in range(200):
        clean.text(f"/order?signature={number:064x}")
    assert f"{1:064x}" in clean.text(f"bad {1:064x}")
    for number in range(200):
        clean.text(f"/order?api_key=some-long-key-{number:06}")
    assert "some-long-key-000199" not in clean.text("bad some-long-key-000199")
    assert "some-long-key-000001" in clean.text("bad some-long-key-000001")


def test_a_secret_that_cannot_be_taken_out_is_refused_by_the_name_of_its_variable() -> None:
    clean = redactor(NODE_TOKEN="my-private-node")
    with pytest.raises(InputError, match=r"\$NODE_TOKEN is still in a open event") as caught:
        clean.event(Open(1, 0, "https", "my-private-node.quiknode.example", 443))
    assert "my-private-node" not in str(caught.value)


@pytest.mark.parametrize(
    ("live", "other"),
    [
        (f"/bot{BOT_TOKEN}/sendMessage", "/bot42:other-token/sendMessage"),
        ("/?api-key=abc", "/?api-key=def"),
        ('{"apiKey":"abc","x":1}', '{"apiKey":"other","x":1}'),
    ],
)
def test_for_matching_the_value_of_a_secret_does_not_count(live: str, other: str) -> None:
    assert normalise_secrets(live) == normalise_secrets(other)
    assert normalise_secrets(redactor().text(live)) == normalise_secrets(other)
    assert "<secret>" in normalise_secrets(live)


def test_for_matching_everything_else_counts() -> None:
    assert normalise_secrets("/?api-key=a&x=1") != normalise_secrets("/?api-key=a&x=2")
    assert normalise_secrets(f"/tokens/{MINT}") == f"/tokens/{MINT}"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["password", "a"]), inner),
    )
)
def test_any_json_stays_json_of_the_same_shape(value: object) -> None:
    clean = json.loads(redactor().text(json.dumps(value)))
    assert type(clean) is type(value)
    assert redactor().text(json.dumps(clean)) == json.dumps(clean)
