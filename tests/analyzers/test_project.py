"""Names, callbacks, reachability and heat, asked through the view that rules get."""

import ast
import textwrap

from perfscan.analyzers.context import Where
from perfscan.analyzers.extraction import extract
from perfscan.analyzers.facts import Call
from perfscan.analyzers.knowledge import load_knowledge
from perfscan.analyzers.linking import linked


def view(**files: str) -> Where:
    """Link files (``a__b`` is ``a/b.py``) and return the view of the first."""
    facts = []
    for name, source in files.items():
        text = textwrap.dedent(source)
        path = name.replace("__init__", "@").replace("__", "/").replace("@", "__init__") + ".py"
        facts.append(extract(ast.parse(text), path, text.count("\n")))
    return Where(linked(facts, load_knowledge()), 0)


def call_to(where: Where, func: str) -> Call:
    return next(call for call in where.file.calls if call.func.endswith(func))


def path_of(func: str, **files: str) -> str:
    where = view(**files)
    return where.path(call_to(where, func))


def test_the_last_assignment_counts_in_straight_code() -> None:
    source = """
        import requests
        def f():
            s = requests.Session()
            s = make()
            s.get("u")
    """
    assert path_of("s.get", main=source) == ""


def test_branches_keep_all_their_meanings() -> None:
    where = view(
        main="""
        import requests, httpx
        def f(flag):
            if flag:
                s = requests.Session()
            else:
                s = httpx.Client()
            s.get("u")
        """
    )
    assert set(where.paths(call_to(where, "s.get"))) == {
        "requests.Session().get",
        "httpx.Client().get",
    }


def test_a_loop_may_use_what_its_end_assigns() -> None:
    source = """
        import requests
        def f():
            s = None
            while True:
                if s is None:
                    s = requests.Session()
                s.get("u")
    """
    assert path_of("s.get", main=source) == "requests.Session().get"


def test_reexports_and_star_imports_are_followed() -> None:
    files = {
        "main": "from pkg import *\nSESSION.get('u')",
        "pkg____init__": "from .inner import session as SESSION",
        "pkg__inner": "import requests\nsession = requests.Session()",
    }
    assert path_of("SESSION.get", **files) == "requests.Session().get"


def test_a_package_imports_its_own_module() -> None:
    files = {
        "main": "import pkg.inner\npkg.inner.session.get('u')",
        "pkg____init__": "from . import inner",
        "pkg__inner": "import requests\nsession = requests.Session()",
    }
    assert path_of("session.get", **files) == "requests.Session().get"


def test_an_abstract_method_stands_for_its_overrides() -> None:
    where = view(
        main="""
        from abc import ABC, abstractmethod
        class Base(ABC):
            def run(self): self.step()
            @abstractmethod
            def step(self): ...
        class Child(Base):
            def step(self): pass
        """
    )
    names = {where.program.function(t).qualname for t in where.targets(call_to(where, "self.step"))}
    assert names == {"Base.step", "Child.step"}


def test_recursion_in_names_ends() -> None:
    source = """
        def f(x): return g(x)
        def g(x): return f(x)
        y = f(1)
        y = y.z()
        y.get("u")
    """
    assert path_of("y.get", main=source) == ""


def test_a_parameter_is_what_callers_pass() -> None:
    source = """
        import requests
        def fetch(session): session.get("u")
        def one(): fetch(session=requests.Session())
    """
    assert path_of("session.get", main=source) == "requests.Session().get"


def test_who_hands_a_function_over_waits_for_it() -> None:
    where = view(
        main="""
        import requests
        def run(work): work()
        def slow(): requests.get("u")
        def quick(): pass
        def one(): run(slow)
        def other(): run(quick)
        """
    )
    blocking = {
        function.name
        for function in where.file.functions
        if where.blocking((0, function.number)) is not None
    }
    assert blocking == {"slow", "one"}


def test_methods_come_from_bases_and_go_to_overrides() -> None:
    where = view(
        main="""
        class Base:
            def run(self): self.step()
        class Child(Base):
            def step(self): pass
        """
    )
    (target,) = where.targets(call_to(where, "self.step"))
    step = where.program.function(target)
    assert step is not None
    assert step.qualname == "Child.step"


def test_who_runs_what() -> None:
    where = view(
        main="""
        import asyncio, threading
        async def coroutine(): helper()
        def helper(): one()
        def worker(): two()
        def callback(): three()
        def nobody(): four()
        threading.Thread(target=worker)
        asyncio.get_event_loop().call_later(1, callback)
        """
    )
    runs = {
        name: (where.on_loop(block), where.reached_from_loop(block), where.in_thread(block))
        for name in ("one", "two", "three", "four")
        for block in (call_to(where, name).block,)
    }
    assert runs == {
        "one": (False, True, False),
        "two": (False, False, True),
        "three": (True, True, False),
        "four": (False, False, False),
    }


def test_a_thread_started_by_the_projects_own_helper() -> None:
    where = view(
        main="""
        import threading
        def worker(): work()
        def spawn(function): threading.Thread(target=function).start()
        spawn(worker)
        """
    )
    assert where.in_thread(call_to(where, "work").block)


def heat_of(source: str) -> str:
    where = view(main=source)
    heat = where.hot(call_to(where, "work").block)
    return heat.label if heat else ""


def test_endless_loops_are_hot() -> None:
    assert heat_of("while True:\n    work()") == "while True loop"
    assert heat_of("def f():\n    while not stop.is_set():\n        work()") == "endless loop in f"
    assert heat_of("class A:\n def f(self):\n  while self.on:\n   work()") == "endless loop in A.f"


def test_loops_that_end_by_themselves_are_not() -> None:
    assert heat_of("while True:\n    if work():\n        break") == ""
    assert heat_of("def f():\n    while True:\n        x = work()\n        if x: return x") == ""
    assert heat_of("while left:\n    left = work()") == ""
    assert heat_of("for x in y:\n    work()") == ""


def test_stop_flags_and_rescues_do_not_end_a_loop() -> None:
    assert heat_of("while True:\n    work()\n    if self.stopping: break")
    assert heat_of("while True:\n    try: work()\n    except KeyboardInterrupt: break")


def test_heat_flows_through_calls() -> None:
    where = view(main="def tick(): inner()\ndef inner(): work()\nwhile True:\n    tick()")
    heat = where.hot(call_to(where, "work").block)
    assert heat is not None
    assert (heat.label, [where.step(step).line for step in heat.via]) == ("while True loop", [4, 1])


def test_start_up_ends_at_the_first_endless_loop() -> None:
    where = view(
        main="""
        import asyncio
        def load(): early()
        async def main():
            load()
            for x in y: many()
            while True: await tick()
            late()
        asyncio.run(main())
        """
    )
    starting = {name: where.starting(call_to(where, name)) for name in ("early", "many", "late")}
    assert starting == {"early": True, "many": False, "late": False}


def test_written_down_loops_are_constant() -> None:
    where = view(
        main="""
        for a in (1, 2): pass
        for b in range(3): pass
        for c in NAMES: pass
        for d in enumerate(["x"]): pass
        for e in names: pass
        for f in range(count): pass
        for g in [*names]: pass
        """
    )
    loops = [block for block in where.file.blocks if block.kind == "for"]
    assert [where.is_constant(loop) for loop in loops] == [True] * 4 + [False] * 3


def test_the_chain_leads_from_helper_to_sink() -> None:
    where = view(
        main="from deep import one\nasync def f(): one()",
        deep="import requests\ndef one(): two()\ndef two(): requests.get('u')",
    )
    (helper,) = where.targets(call_to(where, "one"))
    assert [(step.path, step.line, step.symbol) for step in where.chain(helper)] == [
        ("deep.py", 2, "deep:one"),
        ("deep.py", 3, "deep:two"),
    ]


def test_only_what_precedes_all_work_is_light() -> None:
    where = view(
        main="""
        import asyncio
        def load(): early()
        async def main():
            load()
            first()
            asyncio.create_task(other())
            second()
            while True:
                await tick()
        async def brief():
            third()
        asyncio.run(main())
        asyncio.run(brief())
        """
    )
    names = ("early", "first", "second", "third", "tick")
    light = {name: where.precedes_work(call_to(where, name)) for name in names}
    assert light == {
        "early": True,
        "first": True,
        "second": False,
        "third": False,
        "tick": False,
    }
