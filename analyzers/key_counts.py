"""How many keys a container may see: as many as the configuration names, or one for each event."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.containers import Growth
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Value

FEW = re.compile(
    r"symbol|pair|market|coin|ticker|exchange|interval|timeframe|chain|currency|side|status|type"
    r"|level|mode|kind|name|field|column|user|chat|guild|channel|member|room|account|wallet"
    r"|lang|locale|provider|model|server|callback|handler|logger|plugin|config|setting|option"
    r"|endpoint|family|slug|class|func|feature|version|stream|topic|host|domain|strategy|component"
    r"|integration|region|tier|role|group|categor|lineno|path|(^|_)(app|cls|env|loop)(_|$)",
    re.IGNORECASE,
)
"""Names of keys that grow with the configuration or the audience, not with time."""


def is_few(key: Value | None, growth: Growth, where: Where) -> bool:
    """Tell whether the keys are constants or come from a collection that the bot starts with."""
    if key is None or growth.container.kind == "list":
        return False  # a list takes the same item again and again
    if key.kind == "const" or (key.ref and key.ref.rpartition(".")[2].isupper()):
        return True
    if key.kind in {"fstring", "tuple"} and key.items and not key.names:
        return True
    for loop in where.around(growth.block, "for", "comp"):
        if key.names and set(key.names) <= set(loop.targets):
            return loop.value is not None and _is_configured(loop.value, where)
    return False


def _is_configured(iterable: Value, where: Where) -> bool:
    """Tell whether a loop runs over something that is there already, not over a fresh answer."""
    call = where.call_of(iterable)
    if call is None:
        return not iterable.ref.startswith("@")
    if call.func in {"tuple", "list", "sorted", "enumerate", "set"} and call.args:
        return _is_configured(call.args[0], where)
    receiver, _, verb = call.func.rpartition(".")
    return verb in {"items", "keys", "values"} and not receiver.startswith("@")


def is_few_by_name(growth: Growth, where: Where) -> bool:
    """Tell from what a key is made of whether it stays the same for long."""
    key = growth.key
    if key is None:
        return True
    if key.ref.startswith(("self.", "cls.")) and "[]" not in key.ref:
        return True  # one for each object
    words = [word for ref in _made_of(key, growth, where) for word in ref.split(".")]
    said = [word for word in words if word not in {"self", "cls"}]
    return not said or any(FEW.search(word) for word in said)


def _made_of(key: Value, growth: Growth, where: Where) -> Iterator[str]:
    """Yield the references in a key, those behind a local name included."""
    yield from _references(key)
    if key.kind != "ref" or not key.ref.isidentifier():
        return
    function = where.file.blocks[growth.block].function
    for assign in where.file.assigns:
        if assign.target == key.ref and where.file.blocks[assign.block].function == function:
            yield from _references(assign.value)
            call = where.call_of(assign.value)
            if call is not None:
                if "." not in call.func:
                    yield call.func  # type(x), not self.stream.get()
                for argument in call.args:
                    yield from _references(argument)


def _references(value: Value) -> Iterator[str]:
    if value.kind == "ref" and not value.ref.startswith(("@", "$")):
        yield value.ref
    for item in value.items:
        yield from _references(item)
