from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import (
    Claim,
    ClaimResult,
    Comparison,
    Difference,
    Doubt,
    Equivalence,
    Item,
    MetricComparison,
    Miss,
    Result,
    Run,
    SideWork,
)
from perfscan.replay.result import dump_result, encode_result, read_result, write_result

METRIC = MetricComparison(
    *("item_latency_ms.p95", "ms", "lower", 4123.5, 612.25, 0.1484, 0.14, 0.16, 0.969),
    "improved",
    target=1000.0,
    target_met="met",
    floor=411.0,
)
RESULT = Result(
    scenario={"name": "s", "title": "Süß"},
    environment={"python": "3.11"},
    recording={"path": "t.jsonl", "items": 2},
    method={"pairs": 6},
    runs=(
        Run(
            *("original", 0, 0, True, {"cpu_s": 0.1, "upstream_requests": 7}),
            items=(
                Item("a", 5, "handled", 10.5, "c"),
                Item("b", 6, "wrong", None, None, "unasked", expected=False),
            ),
            log="line 1\nline 2",
        ),
        Run(
            *("optimized", 0, 1, False, {}, ()),
            misses=(Miss("GET https://h/", ("GET https://h/x",)),),
            problem="the recording does not hold GET https://h/",
            escapes=("evil.test",),
        ),
    ),
    comparison=Comparison(
        pairs=6,
        metrics=(METRIC,),
        equivalence=Equivalence(
            True,
            1,
            SideWork(1, 0, 0, 0),
            SideWork(0, 1, 0, 0),
            (Difference("k", "original", "wrong", "d", 2),),
        ),
        claims=(
            ClaimResult(
                Claim("5x", "row 1", METRIC.name, (3000.0, 5000.0), (500.0, None), (0.2, 0.2)),
                "confirmed",
                "measured 6.7x less",
            ),
        ),
        noise={METRIC.name: 0.02},
        doubts=(Doubt("NoisyMachine", "what", "remedy"),),
        verdict="faster",
    ),
)


def test_reading_and_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "RUN.json"
    write_result(RESULT, path)

    assert read_result(path) == RESULT
    assert dump_result(read_result(path)) == path.read_text("utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["RUN.json"], "no partial file is left"


def test_the_file_keeps_the_contract() -> None:
    document = encode_result(RESULT)

    assert document["schema"] == "perfscan.run/1"
    first = document["implementations"]["original"]["runs"][0]
    assert (first["ok"], first["items"], first["unmatched"]) == (True, 1, 0)
    metric = document["comparison"]["item_latency_ms.p95"]
    assert metric["claimed"]["ratio"] == (0.2, 0.2)
    assert (metric["claim_verdict"], metric["target"], metric["floor"]) == ("confirmed", 1000, 411)
    assert document["equivalence"]["differences"][0]["kind"] == "wrong"
    assert document["evidence"] is None


def test_additions_of_a_later_version_do_not_hurt(tmp_path: Path) -> None:
    document = json.loads(dump_result(RESULT))
    document["comparison"]["item_latency_ms.p95"]["new"] = 1
    document["doubts"][0]["new"] = document["new"] = 2
    path = tmp_path / "RUN.json"
    path.write_text(json.dumps(document), "utf-8")

    assert read_result(path) == RESULT


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{", "not JSON"),
        (b"\xff\x00", "not a text file"),
        (b"[]", "not a perfscan.run/1 file"),
        (b'{"schema": "perfscan.findings/1"}', "not a perfscan.run/1 file"),
        (b'{"schema": "perfscan.run/1"}', "damaged result"),
        (b'{"schema": "perfscan.run/1", "implementations": 3}', "damaged result"),
    ],
)
def test_what_is_no_result_is_one_clear_line(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "RUN.json"
    path.write_bytes(content)

    with pytest.raises(InputError, match=what) as caught:
        read_result(path)
    assert str(path) in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_result(tmp_path / "gone.json")
    with pytest.raises(InputError, match="cannot write the result"):
        write_result(RESULT, tmp_path / "gone" / "RUN.json")
