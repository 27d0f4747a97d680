from pathlib import Path

import pytest

from perfscan.analyzers.configuration import read_configuration
from perfscan.analyzers.knowledge import Knowledge, load_knowledge
from perfscan.analyzers.knowledge.loading import load_file
from perfscan.errors import InputError

LIBRARY = """
libraries:
  - name: shop
    imports: [shop]
    evidence: docs
    replacement: shop.aio
    timeout: {default: none, parameter: timeout}
    aliases: {shop.client.Client: shop.Client}
    factories: {shop.connect: shop.Client, "shop.Client().cursor": shop.Cursor}
    functions:
      - shop.buy
      - {name: shop.look, async: true, timeout: {default: 5}}
    classes:
      - {name: shop.Client, client: true, blocks: ["*"], pure: [price_*], properties: [stock.count]}
      - {name: shop.Cursor, blocks: [execute], cost: database}
      - {name: "shop.*", blocks: [fetch], constructor: true}
    roles: {metadata: ["shop.*().goods"], backoff: [shop.retry]}
callbacks:
  - {call: shop.later, argument: 1, keyword: [job, work], runs: thread, hot: true, kind: job}
  - {decorator: "shop.Client().on_*", runs: loop}
"""


def known(text: str, folder: Path) -> Knowledge:
    file = folder / "shop.yaml"
    file.write_text(text, "utf-8")
    return Knowledge(*load_file(file))


@pytest.fixture
def shop(tmp_path: Path) -> Knowledge:
    return known(LIBRARY, tmp_path)


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("shop.client.Client().sell", "shop.Client().sell"),
        ("shop.connect().sell", "shop.Client().sell"),
        ("shop.connect().cursor().execute", "shop.Cursor().execute"),
        ("shop.connector().x", "shop.connector().x"),
        ("other.connect()", "other.connect()"),
    ],
)
def test_canonical_paths(shop: Knowledge, path: str, canonical: str) -> None:
    assert shop.canonical(path) == canonical


@pytest.mark.parametrize(
    ("path", "cost"),
    [
        ("shop.buy", "network"),
        ("shop.Client().sell", "network"),
        ("shop.Client().orders.list", "network"),
        ("shop.connect().cursor().execute", "database"),
        ("shop.Market", "network"),
        ("shop.Market().fetch", "network"),
        ("shop.Client", None),
        ("shop.Client().price_of", None),
        ("shop.Client().sell().json", None),
        ("shop.deep.Market().fetch", None),
        ("other.buy", None),
    ],
)
def test_effects(shop: Knowledge, path: str, cost: str | None) -> None:
    effect = shop.effect(path)
    assert (effect.cost if effect else None) == cost


def test_an_effect_carries_what_the_library_says(shop: Knowledge) -> None:
    look, buy = shop.effect("shop.look"), shop.effect("shop.buy")
    assert look is not None
    assert buy is not None
    assert look.timeout is not None
    assert buy.timeout is not None
    assert (look.is_async, look.timeout.default) == (True, 5)
    assert (buy.is_async, buy.timeout.default, buy.replacement) == (False, None, "shop.aio")


def test_properties_do_io_only_when_named(shop: Knowledge) -> None:
    assert shop.property_effect("shop.Client().stock.count") is not None
    assert shop.property_effect("shop.Client().stock.name") is None
    assert shop.property_names == {"count"}


def test_roles(shop: Knowledge) -> None:
    assert shop.roles("shop.Market().goods") == {"metadata"}
    assert shop.roles("shop.retry") == {"backoff"}
    assert shop.roles("shop.buy") == frozenset()


def test_callbacks(shop: Knowledge) -> None:
    (later,) = shop.callbacks("call", "shop.later")
    assert (later.arguments, later.keywords, later.hot) == ((1,), ("job", "work"), True)
    assert len(shop.callbacks("decorator", "shop.Client().on_sale")) == 1
    assert shop.callbacks("decorator", "shop.Client().off") == ()


def test_a_cycle_of_aliases_ends(tmp_path: Path) -> None:
    text = "libraries: [{name: a, imports: [a], aliases: {a.x: a.y, a.y: a.x}}]"
    assert known(text, tmp_path).canonical("a.x") in {"a.x", "a.y"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("libraries: {}", "libraries"),
        ("libraries: [{name: a}]", "libraries[0]"),
        ("libraries: [{name: a, imports: [a], cost: huge}]", "libraries[0].cost"),
        ("libraries: [{name: a, imports: [a], blocks: []}]", "libraries[0]"),
        (
            "libraries: [{name: a, imports: [a], classes: [{name: a.B, client: yes please}]}]",
            "libraries[0].classes[0].client",
        ),
        (
            "libraries: [{name: a, imports: [a], timeout: {default: soon}}]",
            "libraries[0].timeout.default",
        ),
        ("callbacks: [{call: a.b}]", "callbacks[0]"),
        ("callbacks: [{call: a.b, method: c, runs: loop}]", "callbacks[0]"),
        ("callbacks: [{call: a.b, runs: loop, argument: -1}]", "callbacks[0].argument"),
        ("callbacks: [{override: a.B, runs: loop}]", "callbacks[0]"),
        ("libraries: [", ""),
    ],
)
def test_a_mistake_names_file_and_place(text: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        known(text, tmp_path)
    assert caught.value.where == str(tmp_path / "shop.yaml") + (f": {place}" if place else "")
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_is_answered_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'blocks'"):
        known("libraries: [{name: a, imports: [a], classes: [{name: a.B, block: []}]}]", tmp_path)


MANUAL = (Path(__file__).parents[2] / "docs" / "knowledge.md").read_text("utf-8")


def example(name: str) -> str:
    return MANUAL.partition(f"```yaml\n{name}")[2].partition("```")[0]


def test_the_example_of_the_manual(tmp_path: Path) -> None:
    house = known(example("# house.yaml"), tmp_path)
    book = house.effect("house.connect().book().depth")
    assert book is not None
    assert (book.cost, book.replacement, house.host_of("house")) == (
        "network", "house.aio", "api.house.example",
    )  # fmt: skip
    assert house.effect("house.client.Client().get_version") is None
    assert house.property_effect("house.Client().balance") is not None
    cursor, made = house.effect("house.Client().cursor().execute"), house.effect("house.Client")
    assert cursor is not None
    assert cursor.cost == "database"
    assert made is not None
    assert made.timeout is not None
    assert (made.timeout.default, made.timeout.parameter) == (30, "wait")
    assert house.roles("house.Client().orders.create") == {"ordered"}
    assert len(house.callbacks("decorator", "house.Client().on_price")) == 1


def test_the_short_example_of_the_manual(tmp_path: Path) -> None:
    file = tmp_path / "perfscan.yaml"
    file.write_text("blocking:\n" + example("blocking:\n"), "utf-8")
    said = load_knowledge((), read_configuration(file).blocking)
    load = said.effect("house.Client().load")
    assert load is not None
    assert load.cost == "database"
    stated = said.own_effect(lambda: "bot.legacy.book")
    assert stated is not None
    assert stated.cost == "network"
    assert said.own_effect(lambda: "bot.legacy.look") is None


def test_only_a_project_speaks_of_scanned_functions() -> None:
    assert load_knowledge().own_effect(lambda: "requests.get") is None


def test_what_ships_can_be_loaded() -> None:
    shipped = load_knowledge()
    effect = shipped.effect("requests.get")
    assert effect is not None
    assert effect.cost == "network"
