"""PS1501: requirements that block an event loop, that nothing uses, or that name no version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.dependencies import Requirement, Requirements, from_setup, requirements
from perfscan.analyzers.discover import Role, role_of
from perfscan.analyzers.knowledge.packages import Package, known_packages
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.survey import survey


class _Use(NamedTuple):
    """Who imports a module."""

    files: int
    first: str
    beside_coroutines: str
    """The first file that imports it and defines coroutines, "" when none does."""


@rule("PS1501", "sync-dependency", Severity.INFO, on=Program)
def sync_dependency(program: Program, where: Where) -> Iterator[Hit]:
    """Report requirements that stand in the way of a fast bot.

    What it does:
        Reads requirements files (with their constraints), pyproject.toml (project, dependency
        groups, Poetry), setup.cfg and the literals of setup(). Reports a blocking library that code
        with coroutines imports although an asynchronous one does the same; a large package that
        nothing in the repository imports; and lists of requirements that name no version.

    Why it costs a bot:
        What is at hand gets used: with requests installed, the next helper blocks the loop again.
        Large packages make every start, image and deployment slower. Without versions, tomorrow's
        install is another program than the one that was measured.

    Example:
        import requests
        from setuptools import setup

        setup(name="bot", install_requires=["requests>=2.32"])

        async def price(url):
            return requests.get(url, timeout=5).json()

    Use instead:
        import aiohttp
        from setuptools import setup

        setup(name="bot", install_requires=["aiohttp>=3.10"])

        async def price(session: aiohttp.ClientSession, url):
            async with session.get(url) as reply:
                return await reply.json()

    When it is fine:
        A blocking library that only scripts and worker threads use; a package that is loaded by
        name at run time.
    """
    asked = program.once(_from_texts)
    direct = (*asked.direct, *_from_setup(where))
    if not direct:
        return
    seen: set[str] = set()
    names = {requirement.name for requirement in direct if not requirement.secondary}
    for requirement in direct:
        package = known_packages().get(requirement.name)
        if package is None or requirement.name in seen or requirement.secondary:
            continue
        seen.add(requirement.name)
        yield from _blocking(requirement, package, where)
        if requirement.path not in asked.frozen and not names & package.needed_by:
            yield from _unused(requirement, package, where)
    yield from _without_versions(asked, where)


def _from_texts(program: Program) -> Requirements:
    return requirements(program.texts)


def _hit(requirement: Requirement, where: Where, message: str, fix: str) -> Hit:
    paths = {path: index for index, path in enumerate(where.program.paths)}
    index = paths.get(requirement.path)
    return Hit(
        requirement.place,
        0,
        message,
        fix,
        confidence=Confidence.PROBABLE,
        file=index,
        text=requirement.path if index is None else "",
    )


def _blocking(requirement: Requirement, package: Package, where: Where) -> Iterator[Hit]:
    uses = [use for module in package.imports if (use := _imports(where).get(module))]
    beside = next((use for use in uses if use.beside_coroutines), None)
    if not package.sibling or beside is None:
        return
    more = f" ({beside.files} files do)" if beside.files > 1 else ""
    yield _hit(
        requirement,
        where,
        f"{requirement.name} blocks the event loop where coroutines use it:"
        f" {beside.beside_coroutines} imports it{more}",
        f"Use {package.sibling} in code with coroutines, and drop {requirement.name}.",
    )


def _unused(requirement: Requirement, package: Package, where: Where) -> Iterator[Hit]:
    if not package.megabytes or any(module in _imports(where) for module in package.imports):
        return
    yield _hit(
        requirement,
        where,
        f"nothing here imports {requirement.name}, which takes about {package.megabytes} MB"
        " with what it brings along",
        f"Drop {requirement.name}, or move it to an optional group.",
    )


def _without_versions(asked: Requirements, where: Where) -> Iterator[Hit]:
    """Report each list of requirements once, at its first line without a version."""
    by_path: dict[str, list[Requirement]] = {}
    for requirement in asked.direct:
        if (
            requirement.listed
            and not requirement.secondary
            and not requirement.path.endswith(".in")
        ):
            by_path.setdefault(requirement.path, []).append(requirement)
    for listed in by_path.values():
        loose = [r for r in listed if not r.pinned and r.name not in asked.settled]
        if loose:
            names = ", ".join(requirement.name for requirement in loose[:3])
            more = ", ..." if len(loose) > 3 else ""
            yield _hit(
                loose[0],
                where,
                f"{len(loose)} of {len(listed)} requirements name no version ({names}{more})",
                "Name versions, or install from a lock file or with constraints.",
            )


# What the code says.


def _together(parts: Sequence[dict[str, tuple[str, bool]]]) -> dict[str, _Use]:
    found: dict[str, _Use] = {}
    for part in parts:
        for module, (path, coroutines) in part.items():
            known = found.get(module, _Use(0, path, ""))
            beside = known.beside_coroutines or (path if coroutines else "")
            found[module] = _Use(known.files + 1, known.first, beside)
    return found


@survey(_together)
def _imports(where: Where) -> dict[str, tuple[str, bool]]:
    """Return the modules that one file imports, by their first names."""
    of_bot = role_of(where.file.path) is Role.BOT
    coroutines = of_bot and any(function.is_async for function in where.file.functions)
    names = {entry.module.partition(".")[0] for entry in where.file.imports if not entry.level}
    return {name: (where.file.path, coroutines) for name in sorted(names) if name}


def _one_after_another(parts: Sequence[Iterable[Requirement]]) -> tuple[Requirement, ...]:
    return tuple(requirement for part in parts for requirement in part)


@survey(_one_after_another)
def _from_setup(where: Where) -> tuple[Requirement, ...]:
    """Return what ``setup(install_requires=[...])`` of one file asks for."""
    for call in where.file.calls:
        if call.func.rpartition(".")[2] != "setup":
            continue
        listed = dict(call.keywords).get("install_requires")
        if listed is not None:
            values = [item.const for item in listed.items if isinstance(item.const, str)]
            return from_setup(values, where.file.path, call.place)
    return ()
