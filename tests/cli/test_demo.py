"""``perfscan demo``: every bundled bot, and what it needs."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

from perfscan.cli import demo
from perfscan.cli.main import execute
from perfscan.cli.status import Status
from perfscan.errors import InputError, MissingExtraError

ROOT = Path(__file__).resolve().parents[2]
BOTS = sorted((ROOT / "fixtures" / "bots").glob("*/scenario.yaml"))


def test_an_unknown_bot_names_those_there_are() -> None:
    with pytest.raises(InputError) as caught:
        demo.bundled("no_such_bot")
    for scenario in BOTS:
        assert scenario.parent.name in str(caught.value.remedy)
        assert demo.bundled(scenario.parent.name).is_file()


def test_the_list_has_a_line_for_every_bot(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["demo", "--list"]) == Status.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [path.parent.name for path in BOTS]
    titles = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert titles["pool_alerts"] == "Solana new-pool alerts"


def test_a_bot_whose_library_is_missing_says_which(tmp_path: Path) -> None:
    side = tmp_path / "otter_bot" / "original"
    side.mkdir(parents=True)
    requirements = side / "requirements.txt"
    requirements.write_text("# for people\n\nrich>=13\nno-such-library[fast]>=1,<2\n", "utf-8")
    with pytest.raises(MissingExtraError, match="otter_bot, which uses no-such-library") as caught:
        demo._require_libraries(side.parent)
    assert caught.value.remedy == "pip install 'perfscan[demo]'"
    requirements.write_text("rich>=13\n", "utf-8")
    demo._require_libraries(side.parent)


def test_names_of_distributions_are_read_from_requirements() -> None:
    text = "a-b.c>=1\nd[x]==2 ; python_version > '3'\n-r other.txt\n# e\n\n  f\n"
    assert demo.required(text) == ["a-b.c", "d", "f"]


@pytest.mark.parametrize(
    "requirements",
    sorted((ROOT / "fixtures" / "bots").glob("*/*/requirements.txt")),
    ids=lambda path: "/".join(path.parts[-3:-1]),
)
def test_the_demo_extra_brings_what_the_bots_require(requirements: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    given = demo.required("\n".join([*project["dependencies"], *extras["bench"], *extras["demo"]]))
    given += demo.required("\n".join(requires("aiohttp") or ()))
    missing = set(map(normal, demo.required(requirements.read_text("utf-8")))) - set(
        map(normal, given)
    )
    assert not missing


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
