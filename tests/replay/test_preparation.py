"""What is done in a run's folder before its bot starts."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.model import Implementation
from perfscan.replay.preparation import LOG, prepare_home, words_from


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bots" / "optimized").mkdir(parents=True)
    (tmp_path / "bots" / "make.py").write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "print('making')\n"
        "if len(sys.argv) < 2: sys.exit('tell me a name')\n"
        "Path(sys.argv[1]).write_text(os.environ['WORD'])\n",
        "utf-8",
    )
    (tmp_path / "run" / "bot").mkdir(parents=True)
    return tmp_path / "run" / "bot"


def prepared(home: Path, *words: str, **options: object) -> None:
    side = Implementation(
        "optimized",
        ("python", "bot.py"),
        home.parents[1] / "bots" / "optimized",
        prepare=words,
    )
    environment = {"WORD": "otter", "PATH": os.environ["PATH"]}
    prepare_home(side, home, home.parent, python=sys.executable, environment=environment, **options)


def test_it_works_in_the_runs_own_copy_with_the_bots_environment(home: Path) -> None:
    prepared(home, "python", "../make.py", "state.db")
    assert (home / "state.db").read_text("utf-8") == "otter"
    assert not (home.parents[1] / "bots" / "optimized" / "state.db").exists()
    assert (home.parent / LOG).read_text("utf-8") == "making\n"


def test_only_what_lies_beside_the_folder_keeps_its_place(home: Path) -> None:
    bots = home.parents[1] / "bots"
    words = ("python", "../make.py", "state.db", "../missing.py", "a../make.py", "/etc")
    assert words_from(bots / "optimized", words) == (
        *("python", str(bots / "make.py"), "state.db", "../missing.py", "a../make.py", "/etc"),
    )


def test_a_failure_says_what_was_printed_last_and_what_to_do(home: Path) -> None:
    with pytest.raises(InputError) as caught:
        prepared(home, "python", "../make.py")
    assert caught.value.where == "implementations.optimized.prepare"
    assert caught.value.what == (
        "the preparation of the optimized bot fails: exit status 1: tell me a name"
    )
    assert str(caught.value.remedy).endswith("bots/optimized: python ../make.py")
    assert "making" in (home.parent / LOG).read_text("utf-8")


def test_a_program_that_is_not_there(home: Path) -> None:
    with pytest.raises(InputError, match="cannot start: No such file"):
        prepared(home, "no-such-program-anywhere")


def test_it_ends_with_the_bench_and_at_its_limit(home: Path) -> None:
    endless = ("python", "-c", "import threading; threading.Event().wait()")
    stopped = threading.Event()
    stopped.set()
    prepared(home, *endless, interrupted=stopped)
    with pytest.raises(InputError, match="not done after 0 s"):
        prepared(home, *endless, limit_s=0.2)
