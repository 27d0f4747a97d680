"""Measured imports: what -X importtime says, and what is never run."""

import sys
from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze
from perfscan.analyzers.import_cost import (
    cumulative,
    is_module_name,
    library_of,
    measure_imports,
)
from perfscan.errors import InputError

SAID = """\
import time: self [us] | cumulative | imported package
import time:       210 |        210 |   _json
import time:       300 |        510 | json.decoder
import time:      1000 |       9000 |   pandas.core
import time:      2500 |     412345 | pandas
Hello from the library | 5 | pandas
"""


def test_the_cumulative_time_of_the_module_itself() -> None:
    assert cumulative(SAID, "pandas") == 412_345
    assert cumulative(SAID, "pandas.core") == 9_000
    assert cumulative(SAID, "_json") == 210


@pytest.mark.parametrize("text", ["", "import time: a | b | pandas", "no such output", SAID])
def test_a_module_that_is_not_mentioned(text: str) -> None:
    assert cumulative(text, "numpy") is None


def test_the_quicker_of_two_runs_counts() -> None:
    said = iter(["import time: 1 | 900 | a\n", "import time: 1 | 300 | a\n"])
    found = measure_imports(["a"], Path("python"), lambda interpreter, module: next(said))
    cost = found["a"]
    assert cost is not None
    assert cost.microseconds == 300


def test_each_module_is_measured_with_the_chosen_interpreter() -> None:
    asked = []

    def run(interpreter: str, module: str) -> str:
        asked.append((interpreter, module))
        return f"import time: 1 | 2 | {module}\n"

    assert sorted(measure_imports(["b", "a", "b"], Path("/some/python"), run)) == ["a", "b"]
    assert asked == [("/some/python", name) for name in ("a", "a", "b", "b")]


def test_a_failed_import_has_no_cost() -> None:
    assert measure_imports(["a"], Path("python"), lambda interpreter, module: None) == {"a": None}


@pytest.mark.parametrize("name", ["os; print(1)", "a b", "", "a.", "class", "a.b-c", "a\nb"])
def test_code_does_not_pass_as_a_name(name: str) -> None:
    assert not is_module_name(name)
    with pytest.raises(InputError):
        measure_imports([name], Path("python"), lambda interpreter, module: "")


@pytest.mark.parametrize("name", ["pandas", "matplotlib.pyplot", "_json"])
def test_names_of_modules(name: str) -> None:
    assert is_module_name(name)


def test_a_real_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "this_is_scanned.py").write_text("raise SystemExit('imported')", "utf-8")
    monkeypatch.chdir(tmp_path)
    found = measure_imports(["colorsys", "this_is_scanned"], Path(sys.executable))
    assert found["this_is_scanned"] is None  # the scanned folder is not on the path
    cost = found["colorsys"]
    assert cost is not None
    assert cost.microseconds > 0


def test_a_wrong_interpreter_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        measure_imports(["colorsys"], tmp_path / "python")
    assert caught.value.where == str(tmp_path / "python")


def test_the_libraries_that_findings_name(tmp_path: Path) -> None:
    text = "import pandas as pd\nimport json\nimport requests\n\ndef f(x):\n    pd.DataFrame(x)\n"
    (tmp_path / "bot.py").write_text(text + "requests.get('https://a.b')\n", "utf-8")
    found = {library_of(one) for one in analyze([tmp_path], root=tmp_path).findings}
    assert found - {""} == {"pandas"}
