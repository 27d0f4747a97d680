"""What computes for long, and which functions come to it."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.computing import computing, way_to_computing
from perfscan.analyzers.context import Where

Look = Callable[[dict[str, str]], Where]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("bcrypt.hashpw(b'x', b'y')", "heavy"),
        ("pickle.dump(data, file)", "state"),
        ("pickle.dumps(self.positions)", "state"),
        ("pickle.dumps(STATE)", "state"),
        ("pickle.dumps(data)", None),
        ("zlib.compress(data)", None),
        ("zlib.compress(self.positions)", "state"),
        ("json.load(file)", "document"),
        ("json.loads(data)", None),
        ("Image.open(data)", None),
        ("data.hashpw()", None),
    ],
)
def test_kinds(look: Look, code: str, kind: str | None) -> None:
    head = "import bcrypt, json, pickle, zlib\nfrom PIL import Image\n\n"
    where = look({"bot.py": f"{head}def f(self, data, file):\n    {code}\n"})
    found = computing(where.file.calls[-1], where)
    assert (found.kind if found else None) == kind


def test_the_way_to_computing_is_short(look: Look) -> None:
    code = "import bcrypt\n\ndef f0():\n    bcrypt.hashpw(b'x', b'y')\n"
    code += "".join(f"\ndef f{n}():\n    f{n - 1}()\n" for n in range(1, 5))
    where = look({"bot.py": code})
    ways = [way_to_computing((0, number), where) for number in range(5)]
    assert [len(way.path) if way else 0 for way in ways] == [1, 2, 3, 0, 0]


def test_a_coroutine_is_no_helper(look: Look) -> None:
    where = look({"bot.py": "import bcrypt\n\nasync def f():\n    bcrypt.hashpw(b'x', b'y')\n"})
    assert way_to_computing((0, 0), where) is None
