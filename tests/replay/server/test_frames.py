from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from perfscan.replay.server.frames import (
    WINDOW_BITS,
    Deflater,
    agree_on_compression,
    frame_of,
    parts_of,
    ping_of,
)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 70_000])
def test_frames_are_those_of_a_server(length: int) -> None:
    text = "x" * length
    assert frame_of(text) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    assert frame_of(text.encode()) == Frame(Opcode.BINARY, text.encode()).serialize(mask=False)
    assert list(parts_of(frame_of(text) * 2)) == [(0x81, text.encode())] * 2


@pytest.mark.parametrize("sizes", [(1, 2, 3), (6, 0), (0, 0, 6), (4, 100), (1, 1)])
def test_fragments_have_the_recorded_sizes_as_far_as_the_message_goes(
    sizes: tuple[int, ...],
) -> None:
    parts = list(parts_of(frame_of("abcdef", sizes)))
    assert [first for first, _ in parts] == [1, *[0] * (len(sizes) - 2), 0x80]
    assert b"".join(payload for _, payload in parts) == b"abcdef"


def test_half_of_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert frame_of("\ud800") == b"\x81\x03\xed\xa0\x80"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.text() | st.binary(), st.lists(st.integers(0, 5), max_size=3)), min_size=1
    ),
    st.permutations(range(9)),
)
def test_compressed_frames_are_understood_in_any_selection(
    messages: list[tuple[str | bytes, list[int]]], order: list[int]
) -> None:
    deflate = Deflater()
    packed = [deflate(frame_of(data, sizes)) for data, sizes in messages]
    client = Protocol(Side.CLIENT, state=OPEN, max_size=None)
    client.extensions = [PerMessageDeflate(False, True, WINDOW_BITS, 15)]  # remembers, as most do
    for place in order:
        if place >= len(packed):
            continue
        client.receive_data(packed[place] + deflate(ping_of(b"!")))
        *frames, ping = client.events_received()
        heard = b"".join(frame.data for frame in frames if isinstance(frame, Frame))
        data = messages[place][0]
        assert heard == (data.encode() if isinstance(data, str) else data)
        assert isinstance(ping, Frame)
        assert ping.opcode is Opcode.PING


RECORDED = "permessage-deflate; server_no_context_takeover"


@pytest.mark.parametrize(
    ("offered", "recorded", "agreed"),
    [
        ("permessage-deflate", RECORDED, True),
        ("permessage-deflate; client_max_window_bits", RECORDED, True),
        ("permessage-deflate; server_max_window_bits=12", RECORDED, True),
        ("permessage-deflate; server_max_window_bits=9", RECORDED, False),
        ("permessage-deflate; server_max_window_bits=9, permessage-deflate", RECORDED, True),
        ("permessage-deflate", "", False),
        ("", RECORDED, False),
        ("x-webkit-deflate-frame", RECORDED, False),
        ("permessage-deflate; =", RECORDED, False),
    ],
)
def test_what_is_agreed_on(offered: str, recorded: str, agreed: bool) -> None:
    found = agree_on_compression(offered, recorded)
    assert (found is not None) is agreed
    if found is not None:
        assert "server_no_context_takeover" in found[0]


def test_a_decoder_with_a_small_window_suffices() -> None:
    text = "".join(f"{number:06}" for number in range(5000)) * 2
    ((_, payload),) = parts_of(Deflater()(frame_of(text)))
    decoder = zlib.decompressobj(wbits=-WINDOW_BITS)
    assert decoder.decompress(payload + b"\x00\x00\xff\xff") == text.encode()
