"""What hosts allow: pure, so that time is an argument."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perfscan.replay.model import Ban, HostLimits, Rate, RateLimit
from perfscan.replay.server.limits import Address, Gate, TokenBucket

S = 10**9
URL = "https://api.example.com/v1/depth"
HOST = "api.example.com"
DEPTH, TIME = (Address("GET", HOST, target) for target in ("/v1/depth?limit=5", "/v1/time"))


def gate(rate: str = "10/1s", **values: object) -> Gate:
    amount, seconds = rate.removesuffix("s").split("/")
    limit = {"rate": Rate(float(amount), int(seconds) * S), "burst": float(amount), **values}
    return Gate([HostLimits("api.example.com", rate=RateLimit(**limit))])  # type: ignore[arg-type]


def allowed(one: Gate, now_ns: int, asked: Address = DEPTH) -> bool:
    return one.request(now_ns, asked) is None


steps = st.lists(st.tuples(st.integers(0, 3 * S), st.floats(0.1, 5)), min_size=1, max_size=60)


@given(st.floats(0.5, 500), st.integers(S // 10, 60 * S), st.floats(5, 50), steps)
def test_never_more_than_rate_times_time_and_burst(
    amount: float, per_ns: int, burst: float, asked: list[tuple[int, float]]
) -> None:
    bucket, now_ns, begun_ns, taken = TokenBucket(Rate(amount, per_ns), burst), 0, 0, 0.0
    for after_ns, tokens in asked:
        now_ns += after_ns
        if bucket.wait_ns(now_ns, tokens) == 0:
            bucket.take(now_ns, tokens)
            taken += tokens
            rounding = amount / per_ns
            assert taken <= (now_ns - begun_ns) * amount / per_ns + burst + rounding + 1e-6


@given(st.floats(0.5, 500), st.integers(S // 10, 60 * S), st.floats(5, 50), steps)
def test_who_waits_as_long_as_told_is_let_in(
    amount: float, per_ns: int, burst: float, asked: list[tuple[int, float]]
) -> None:
    bucket, now_ns = TokenBucket(Rate(amount, per_ns), burst), 0
    for after_ns, tokens in asked:
        now_ns += after_ns
        now_ns += bucket.wait_ns(now_ns, tokens)
        assert bucket.wait_ns(now_ns, tokens) == 0
        bucket.take(now_ns, tokens)


def test_a_burst_then_the_rate() -> None:
    one = gate("10/1s", burst=3)
    assert [allowed(one, 0) for _ in range(4)] == [True, True, True, False]
    assert [allowed(one, S // 10), allowed(one, S // 10)] == [True, False]


def test_a_refusal_tells_how_long_to_wait() -> None:
    one = gate("10/1s", burst=1)
    assert allowed(one, 0)
    refused = one.request(0, DEPTH)
    assert refused is not None
    assert (refused.status, refused.wait_ns) == (429, S // 10)
    assert allowed(one, refused.wait_ns)


def test_weights_and_the_header_that_tells_them() -> None:
    weights = {"GET https://api.example.com/v1/*": 5.0}
    one = gate("10/1s", weights=weights, weight_header="X-Used")
    assert allowed(one, 0)
    assert one.headers(0, DEPTH) == (("X-Used", "5"),)
    assert allowed(one, 0)
    assert not allowed(one, 0), "a third request of weight 5"
    assert one.headers(S // 2, DEPTH) == (("X-Used", "5"),), "half of 10 is filled in again"


def test_a_limit_for_some_requests_only() -> None:
    one = gate("1/1s", requests=("GET https://api.example.com/v1/depth",))
    assert [allowed(one, 0), allowed(one, 0)] == [True, False]
    assert allowed(one, 0, TIME)
    assert one.headers(0, DEPTH) == ()


def test_a_request_that_one_limit_refuses_takes_nothing_from_another() -> None:
    wide, narrow = Rate(100, S), Rate(1, S)
    limits = [HostLimits("h", rate=RateLimit(wide, 100, weight_header="X-Wide"))]
    limits += [HostLimits("h", rate=RateLimit(narrow, 1))]
    one = Gate(limits)
    assert [allowed(one, 0), allowed(one, 0), allowed(one, 0)] == [True, False, False]
    assert one.headers(0, DEPTH) == (("X-Wide", "1"),)


def test_who_goes_on_is_banned_from_everything_for_a_while() -> None:
    one = gate("1/1s", requests=(f"GET {URL}",), ban=Ban(after=3, for_ns=60 * S))
    assert allowed(one, 0)
    refused = [one.request(0, DEPTH) for _ in range(3)]
    assert [one.status for one in refused if one] == [429, 429, 418]
    elsewhere = one.request(30 * S, TIME)
    assert elsewhere is not None
    assert (elsewhere.status, elsewhere.wait_ns) == (418, 30 * S)
    assert allowed(one, 60 * S)


def test_refusals_far_apart_do_not_ban() -> None:
    one = gate("1/1s", burst=1, ban=Ban(after=2, for_ns=60 * S))
    for second in range(0, 20, 2):
        assert allowed(one, second * S)
        refused = one.request(second * S, DEPTH)
        assert refused is not None
        assert refused.status == 429


def test_connections_at_once_and_per_interval() -> None:
    one = Gate([HostLimits("h", connections=2, new_connections=Rate(3, S))])
    assert [one.connect(0, number) for number in (1, 2, 3)] == [True, True, False]
    one.leave(1)
    assert one.connect(0, 4)
    one.leave(2)
    assert not one.connect(0, 5), "the fourth within a second"
    assert one.connect(S, 6)


def test_websockets_at_once() -> None:
    one = Gate([HostLimits("h", websockets=1)])
    assert [one.connect_websocket(1), one.connect_websocket(2)] == [True, False]
    one.leave(1)
    assert one.connect_websocket(3)


@given(st.integers(1, 4), st.lists(st.integers(1, 100), min_size=1, max_size=30))
def test_no_more_at_once_than_the_service_works_on(workers: int, service: list[int]) -> None:
    one = Gate([HostLimits("h", concurrency=workers)])
    spans = []
    for number, service_ns in enumerate(service):
        begins = number + one.queue(number, service_ns)
        spans.append((begins, begins + service_ns))
    for begins, _ in spans:
        assert sum(other <= begins < end for other, end in spans) <= workers
    assert [begins for begins, _ in spans] == sorted(begins for begins, _ in spans), "in turn"


def test_without_a_limit_nobody_waits() -> None:
    one = Gate([HostLimits("h")])
    assert one.queue(0, S) == one.queue(0, S) == 0
    assert one.connect(0, 1)
    assert one.connect_websocket(1)
    assert allowed(one, 0)
