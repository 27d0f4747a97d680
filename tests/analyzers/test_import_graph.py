"""When a file is loaded: at the start, or when somebody asks."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.import_graph import Loading, loading

FILES = {
    "bot.py": "import prices\nfrom shop import cart\n\ndef chart():\n    import charts\n",
    "prices.py": "try:\n    import fast\nexcept ImportError:\n    fast = None\n",
    "fast.py": "",
    "charts.py": "import colours\n",
    "colours.py": "",
    "shop/__init__.py": "",
    "shop/cart.py": "if TYPE_CHECKING:\n    from . import types_only\n",
    "shop/types_only.py": "",
    "shop/plugin.py": "",
    "shop/tool.py": 'if __name__ == "__main__":\n    main()\n',
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bot.py", Loading(imported=False, at_start=True)),
        ("prices.py", Loading(imported=True, at_start=True)),
        ("fast.py", Loading(imported=True, at_start=True)),
        ("charts.py", Loading(imported=True, at_start=False)),
        ("colours.py", Loading(imported=True, at_start=False)),
        ("shop/__init__.py", Loading(imported=True, at_start=True)),
        ("shop/cart.py", Loading(imported=True, at_start=True)),
        ("shop/types_only.py", Loading(imported=True, at_start=False)),
        ("shop/plugin.py", Loading(imported=False, at_start=False)),
        ("shop/tool.py", Loading(imported=False, at_start=True)),
    ],
)
def test_when_a_file_is_loaded(
    look: Callable[[dict[str, str]], Where], name: str, expected: Loading
) -> None:
    where = look(FILES)
    assert loading(where.sibling(where.program.paths.index(name))) == expected


def test_files_that_import_each_other_are_loaded_somehow(
    look: Callable[[dict[str, str]], Where],
) -> None:
    where = look({"a.py": "import b\n", "b.py": "import a\n"})
    assert loading(where) == Loading(imported=True, at_start=True)
