"""Reads a task's tests before they run: their names, their asserts, how `check` is called.

This happens in the toolkit's own process, once for all the programs that face the same tests.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import sys

from tracelift_groups.verify.sandbox.jail.plan import CANDIDATE, HELD, Plan, dump

UNREADABLE = (SyntaxError, ValueError, ImportError, RecursionError, MemoryError)
"""What `prepare` raises for tests that cannot be used. MemoryError is how the parser says that
they are nested too deeply."""
_MODULE_ALIASES = {"np": "numpy"}


class _CountAsserts(ast.NodeTransformer):
    """Notes each assert that held, right after it."""

    def __init__(self) -> None:
        self.count = 0

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        index, self.count = self.count, self.count + 1
        note = ast.Expr(ast.Call(ast.Name(HELD, ast.Load()), [ast.Constant(index)], []))
        return [node, ast.fix_missing_locations(ast.copy_location(note, node))]


def _defined(tree: ast.AST) -> set[str]:
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


def _called(tree: ast.Module) -> set[str]:
    return {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def _is_check_like(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise):
        return True
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name.startswith("assert")


def _calls_check(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"
        for statement in tree.body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
    )


def _stars(tree: ast.AST) -> set[str]:
    """Names that `from module import *` brings in, for modules of the standard library."""
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and node.module:
            if node.module.partition(".")[0] not in sys.stdlib_module_names:
                continue
            module = importlib.import_module(node.module)
            names |= set(getattr(module, "__all__", None) or vars(module))
    return names


def prepare(setup: str, tests: str, entry_point: str) -> Plan:
    """Parses and compiles a task's tests.

    Names that neither tests nor setup define belong to the program under test, except standard
    modules used as `name.attribute`, which are imported. Where that leaves no name at all, the
    builtin functions that the tests call are taken for the program's.

    Returns:
        What the tester is to do.

    Raises:
        ImportError: The setup imports from a standard module that this system lacks.
        SyntaxError: Setup or tests do not parse.
        RecursionError: They are nested too deeply.
        MemoryError: The same.
        ValueError: There is nothing to check, or `check` is defined and no entry point given.
    """
    setup_tree, tests_tree = ast.parse(setup), ast.parse(tests)
    known = _defined(setup_tree) | _defined(tests_tree) | set(dir(builtins))
    known |= _stars(setup_tree) | _stars(tests_tree)
    used, used_as_module = set[str](), set[str]()
    for tree in (setup_tree, tests_tree):
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                used.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used_as_module.add(node.value.id)
    free = used - known - {CANDIDATE if entry_point else ""}
    modules = {
        name: _MODULE_ALIASES.get(name, name)
        for name in free & used_as_module
        if name != entry_point and (name in sys.stdlib_module_names or name in _MODULE_ALIASES)
    }
    if not free and not entry_point:
        # A program may be asked to define a name that Python has already, such as `sum`.
        free = _called(tests_tree) & set(dir(builtins))
    other_checks = any(_is_check_like(node) for node in ast.walk(tests_tree))
    defines_check = any(
        isinstance(node, ast.FunctionDef) and node.name == "check" for node in tests_tree.body
    )
    if defines_check and not _calls_check(tests_tree):
        if not entry_point:
            raise ValueError("the tests define check(candidate) but no entry point is given")
        tests_tree.body += ast.parse(f"check({CANDIDATE})").body
    counter = _CountAsserts()
    counter.visit(setup_tree)
    counter.visit(tests_tree)
    if not counter.count and not other_checks:
        raise ValueError("the tests assert nothing")
    return Plan(
        entry_point=entry_point,
        setup_text=setup,
        setup=compile(setup_tree, "setup.py", "exec", dont_inherit=True),
        tests=compile(tests_tree, "tests.py", "exec", dont_inherit=True),
        records=[node.name for node in setup_tree.body if isinstance(node, ast.ClassDef)],
        remote=sorted(free - set(modules)),
        modules=modules,
        asserts=counter.count,
        other_checks=other_checks,
    )


@functools.lru_cache(maxsize=256)
def dumped(setup: str, tests: str, entry_point: str) -> bytes:
    """The result of `prepare` as `plan.load` reads it; raises like `prepare`."""
    return dump(prepare(setup, tests, entry_point))
