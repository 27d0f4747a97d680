"""One walk over a syntax tree: statements to facts."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from perfscan.analyzers.annotations import annotation_of
from perfscan.analyzers.bindings import Bindings
from perfscan.analyzers.expressions import UNKNOWN, plain_names, span_of
from perfscan.analyzers.facts import (
    NOWHERE,
    SCOPES,
    Block,
    Call,
    Class,
    FileFacts,
    Function,
    Import,
    Jump,
    Param,
    Value,
    packed,
)

_Def = ast.FunctionDef | ast.AsyncFunctionDef


def extract(tree: ast.Module, path: str, lines: int) -> FileFacts:
    """Return the facts of the file ``path``; the tree may be dropped afterwards.

    Raises RecursionError when the code is nested more deeply than Python's stack allows.
    """
    return _Extraction().run(tree, path, lines)


class _Extraction(Bindings):
    """The statement half of the walk."""

    def __init__(self) -> None:
        super().__init__()
        self.jumps: list[Jump] = []
        self.functions: list[Function | None] = []
        self.classes: list[Class | None] = []
        self.imports: list[Import] = []
        self._function = -1
        self._class = -1
        self._qualname: tuple[str, ...] = ()
        self._shared: list[set[str]] = [set()]
        self._yields = False
        self._statements = 0

    def run(self, tree: ast.Module, path: str, lines: int) -> FileFacts:
        self.blocks.append(Block(0, "module", -1, 0, -1, packed(*NOWHERE), lines))
        self._walk(tree.body)
        return FileFacts(
            path,
            lines,
            tuple(self.blocks),
            tuple([Call._make(row) for row in self.calls]),
            tuple(self.assigns),
            tuple(self.jumps),
            tuple(self.awaits),
            tuple([function for function in self.functions if function]),
            tuple([cls for cls in self.classes if cls]),
            tuple(self.imports),
            tuple(self.reads),
            tuple(self.subscripts),
            tuple(self.comparisons),
        )

    # Blocks.

    def open_block(
        self,
        kind: str,
        node: Any,
        value: Value | None = None,
        *,
        is_async: bool = False,
        end: Any = None,
        targets: tuple[str, ...] = (),
    ) -> int:
        index = len(self.blocks)
        scope = index if kind in SCOPES else self.blocks[self.block].scope
        last = end or node
        span = packed(node.lineno, node.col_offset, last.end_lineno, last.end_col_offset)
        self.blocks.append(
            Block(
                index,
                kind,
                self.block,
                scope,
                self._function,
                span,
                node.end_lineno,
                value,
                targets,
                is_async,
            )
        )
        return index

    def _inside(self, block: int, body: Sequence[ast.stmt]) -> None:
        outer, self.block = self.block, block
        self._walk(body)
        self.block = outer

    def _walk(self, body: Sequence[ast.stmt]) -> None:
        self._statements += len(body)
        for node in body:
            handler = _STATEMENTS.get(type(node))
            if handler is not None:
                handler(self, node)

    # Simple statements.

    def _expression(self, node: ast.Expr) -> None:
        if type(node.value) is not ast.Constant:  # a docstring
            self.value(node.value, "statement")

    def _return(self, node: ast.Return) -> None:
        value = self.value(node.value, "returned") if node.value else None
        self.jumps.append(Jump("return", self.block, value, span_of(node)))

    def record_yield(self, node: ast.AST, value: Value | None) -> None:
        self._yields = True
        self.jumps.append(Jump("yield", self.block, value, span_of(node)))

    def _raise(self, node: ast.Raise) -> None:
        value = self.value(node.exc) if node.exc else None
        if node.cause:
            self.value(node.cause)
        self.jumps.append(Jump("raise", self.block, value, span_of(node)))

    def _leave(self, node: ast.Break | ast.Continue) -> None:
        self.jumps.append(Jump(type(node).__name__.lower(), self.block, None, span_of(node)))

    def _assert(self, node: ast.Assert) -> None:
        test = self.value(node.test, "test")
        if node.msg:
            self.value(node.msg)
        self.jumps.append(Jump("assert", self.block, test, span_of(node)))

    def _share(self, node: ast.Global | ast.Nonlocal) -> None:
        self._shared[-1].update(node.names)

    def _import(self, node: ast.Import) -> None:
        span = span_of(node)
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            module = alias.name if alias.asname else bound
            self.imports.append(Import(module, "", bound, 0, self.block, span))
            if module != alias.name:  # "import a.b" binds a, but loads a.b
                self.imports.append(Import(alias.name, "", "", 0, self.block, span))

    def _import_from(self, node: ast.ImportFrom) -> None:
        module, level, block, span = node.module or "", node.level, self.block, span_of(node)
        for alias in node.names:
            bound = alias.asname or alias.name
            self.imports.append(Import(module, alias.name, bound, level, block, span))

    # Compound statements.

    def _if(self, node: ast.If) -> None:
        outer = self.block
        while True:  # elif chains can be hundreds long: a loop, not recursion
            test = self.value(node.test, "test")
            self._inside(self.open_block("if", node, test, end=node.test), node.body)
            if not node.orelse:
                break
            self.block = self.open_block("else", node.orelse[0], test)
            if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                node = node.orelse[0]
                continue
            self._walk(node.orelse)
            break
        self.block = outer

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        iterable = self.value(node.iter, "iterated")
        block = self.open_block(
            "for",
            node,
            iterable,
            is_async=isinstance(node, ast.AsyncFor),
            end=node.iter,
            targets=plain_names(node.target),
        )
        outer, self.block = self.block, block
        self.bind(
            node.target, "for", Value("element", "", None, (iterable,), iterable.names), node.target
        )
        self.block = outer
        self._inside(block, node.body)
        self._walk(node.orelse)

    def _while(self, node: ast.While) -> None:
        block = self.open_block("while", node, end=node.test)
        outer, self.block = self.block, block
        test = self.value(node.test, "test")
        self.blocks[block] = self.blocks[block]._replace(value=test)
        self.block = outer
        self._inside(block, node.body)
        self._walk(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        outer = self.block
        for item in node.items:
            value = self.value(item.context_expr, "with")
            self.block = self.open_block(
                "with",
                node,
                value,
                is_async=isinstance(node, ast.AsyncWith),
                end=item.optional_vars or item.context_expr,
            )
            if item.optional_vars is not None:
                self.bind(item.optional_vars, "with", value, node)
        self._walk(node.body)
        self.block = outer

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        self._inside(self.open_block("try", node), node.body)
        for handler in node.handlers:
            caught = self.value(handler.type) if handler.type else None
            names = (handler.name,) if handler.name else ()
            block = self.open_block("except", handler, caught, targets=names)
            self._inside(block, handler.body)
        self._walk(node.orelse)
        if node.finalbody:
            self._inside(self.open_block("finally", node.finalbody[0]), node.finalbody)

    def _match(self, node: ast.Match) -> None:
        subject = self.value(node.subject, "test")
        for case in node.cases:
            block = self.open_block("case", node, subject)
            outer, self.block = self.block, block
            for part in ast.walk(case.pattern):
                name = getattr(part, "name", None) or getattr(part, "rest", None)
                if isinstance(name, str):
                    self.bind(ast.Name(name, ast.Store()), "for", UNKNOWN, node)
            if case.guard:
                self.value(case.guard, "test")
            self._walk(case.body)
            self.block = outer

    # Definitions.

    def _class_statement(self, node: ast.ClassDef) -> None:
        decorators = tuple([self.value(item, "decorator") for item in node.decorator_list])
        bases = tuple([self.value(base) for base in node.bases])
        for word in node.keywords:
            self.value(word.value)
        index = len(self.classes)
        self.classes.append(None)
        state = (self._class, self._qualname)
        self._qualname = (*self._qualname, node.name)
        block = self.open_block("class", node)
        self._class = index
        self.classes[index] = Class(
            index,
            node.name,
            ".".join(self._qualname),
            self.block,
            block,
            bases,
            decorators,
            span_of(node),
            node.end_lineno or node.lineno,
        )
        self._inside(block, node.body)
        self._class, self._qualname = state

    def _def(self, node: _Def) -> None:
        decorators = tuple([self.value(item, "decorator") for item in node.decorator_list])
        params = self._params(node.args)
        returns = annotation_of(node.returns, self.shared)
        self._function_body(node, node.name, decorators, params, returns, node.body)

    def make_lambda(self, node: ast.Lambda) -> Value:
        params = self._params(node.args)
        body = ast.copy_location(ast.Return(node.body), node.body)
        block = self._function_body(node, "<lambda>", (), params, None, [body])
        return Value("lambda", "", None, (), (), block)

    def _function_body(
        self,
        node: Any,
        name: str,
        decorators: tuple[Value, ...],
        params: tuple[Param, ...],
        returns: Value | None,
        body: Sequence[ast.stmt],
    ) -> int:
        index = len(self.functions)
        self.functions.append(None)
        outer_block, outer_function = self.block, self._function
        state = (self._class, self._qualname, self._yields, self._statements, self.owner)
        owner = self._class if self.blocks[outer_block].kind == "class" else -1
        self._qualname = (*self._qualname, name)
        self._function, self._yields, self._statements, self.owner = index, False, 0, -1
        self._shared.append(set())
        block = self.open_block("function", node, is_async=isinstance(node, ast.AsyncFunctionDef))
        self._class = -1
        self._inside(block, body)
        self.functions[index] = Function(
            index,
            name,
            ".".join(self._qualname),
            owner,
            outer_function,
            outer_block,
            block,
            isinstance(node, ast.AsyncFunctionDef),
            self._yields,
            decorators,
            params,
            returns,
            span_of(node),
            node.end_lineno,
            tuple(sorted(self._shared.pop())),
            self._statements,
        )
        self._function = outer_function
        self._class, self._qualname, self._yields, self._statements, self.owner = state
        return block

    def _params(self, node: ast.arguments) -> tuple[Param, ...]:
        plain = [*node.posonlyargs, *node.args]
        defaults = [*[None] * (len(plain) - len(node.defaults)), *node.defaults]
        params = [
            self._param(argument, "plain", default)
            for argument, default in zip(plain, defaults, strict=True)
        ]
        if node.vararg:
            params.append(self._param(node.vararg, "args", None))
        for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
            params.append(self._param(argument, "keyword", default))
        if node.kwarg:
            params.append(self._param(node.kwarg, "kwargs", None))
        return tuple(params)

    def _param(self, argument: ast.arg, kind: str, default: ast.expr | None) -> Param:
        annotation = annotation_of(argument.annotation, self.shared)
        return Param(argument.arg, kind, annotation, self.value(default) if default else None)


_STATEMENTS: dict[type[ast.AST], Callable[[_Extraction, Any], None]] = {
    ast.Expr: _Extraction._expression,
    ast.Assign: _Extraction.assign,
    ast.AnnAssign: _Extraction.annotated,
    ast.AugAssign: _Extraction.augmented,
    ast.FunctionDef: _Extraction._def,
    ast.AsyncFunctionDef: _Extraction._def,
    ast.ClassDef: _Extraction._class_statement,
    ast.Return: _Extraction._return,
    ast.If: _Extraction._if,
    ast.For: _Extraction._for,
    ast.AsyncFor: _Extraction._for,
    ast.While: _Extraction._while,
    ast.With: _Extraction._with,
    ast.AsyncWith: _Extraction._with,
    ast.Try: _Extraction._try,
    ast.TryStar: _Extraction._try,
    ast.Raise: _Extraction._raise,
    ast.Assert: _Extraction._assert,
    ast.Delete: _Extraction.delete,
    ast.Import: _Extraction._import,
    ast.ImportFrom: _Extraction._import_from,
    ast.Global: _Extraction._share,
    ast.Nonlocal: _Extraction._share,
    ast.Break: _Extraction._leave,
    ast.Continue: _Extraction._leave,
    ast.Match: _Extraction._match,
}
