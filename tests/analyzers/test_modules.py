import pytest

from perfscan.analyzers.modules import Modules

PATHS = [
    "bot/main.py",
    "bot/helpers.py",
    "bot/json.py",
    "src/pkg/__init__.py",
    "src/pkg/core.py",
    "src/pkg/sub/__init__.py",
    "src/pkg/sub/leaf.py",
    "src/pkg/requests.py",
    "tests/test_core.py",
]


def found(importer: str, module: str) -> str | None:
    modules = Modules(PATHS, frozenset({"requests"}))
    parts = modules.absolute(PATHS.index(importer), module)
    return None if parts is None else ".".join(parts)


@pytest.mark.parametrize(
    ("importer", "module", "parts"),
    [
        ("bot/main.py", "helpers", "bot.helpers"),
        ("bot/main.py", "bot.helpers", "bot.helpers"),
        ("src/pkg/core.py", "pkg.sub.leaf", "src.pkg.sub.leaf"),
        ("tests/test_core.py", "pkg.core", "src.pkg.core"),
        ("bot/main.py", "json", "bot.json"),
    ],
    ids=["sibling script", "from the root", "own package", "src layout", "shadowing script"],
)
def test_finds_scanned_modules(importer: str, module: str, parts: str) -> None:
    assert found(importer, module) == parts


@pytest.mark.parametrize(
    ("importer", "module"),
    [
        ("src/pkg/core.py", "requests"),
        ("bot/main.py", "requests"),
        ("bot/json.py", "json"),
        ("bot/main.py", "leaf"),
    ],
    ids=["sibling inside a package", "installed", "itself", "elsewhere"],
)
def test_leaves_libraries_alone(importer: str, module: str) -> None:
    assert found(importer, module) is None


@pytest.mark.parametrize(
    ("level", "module", "parts"),
    [(1, "leaf", "leaf"), (2, "core", "core"), (2, "", ""), (9, "x", None)],
)
def test_relative_imports(level: int, module: str, parts: str | None) -> None:
    modules = Modules(PATHS, frozenset())
    index = PATHS.index("src/pkg/sub/leaf.py")
    answer = modules.relative(index, PATHS[index], level, module)
    base = {1: ("src", "pkg", "sub"), 2: ("src", "pkg")}.get(level, ())
    expected = None if parts is None else base + (tuple(parts.split(".")) if parts else ())
    assert answer == expected


def test_names_start_at_the_package() -> None:
    modules = Modules(PATHS, frozenset())
    assert modules.name(PATHS.index("src/pkg/sub/leaf.py")) == "pkg.sub.leaf"
    assert modules.name(PATHS.index("src/pkg/__init__.py")) == "pkg"
    assert modules.name(PATHS.index("bot/main.py")) == "main"
