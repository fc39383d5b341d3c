"""Small wrong versions of a formula, to see whether its checks notice.

A check that cannot fail proves nothing. Each mutant differs from the transcription of a printed
equation in one place: a sign, an operator, a constant, a dropped function, a minimum for a maximum.
"""

import ast
import copy
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
}
CALLS = {"max": "min", "min": "max", "any": "all", "sum": "max"}


@dataclass(frozen=True)
class Mutant:
    """One changed place: where, what, and the whole changed function."""

    description: str
    function: ast.FunctionDef


def formulas_of(module: ModuleType) -> dict[str, ast.FunctionDef]:
    """Return the label and the syntax tree of every formula of a chapter's module."""
    with open(str(module.__file__), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    return {
        node.name.replace("_", "-"): node for node in tree.body if isinstance(node, ast.FunctionDef)
    }


def mutants(function: ast.FunctionDef) -> Iterator[Mutant]:
    """Yield every mutant of a formula, in the order of its text."""
    places = [node for node in ast.walk(function) if isinstance(node, ast.expr)]
    for index, place in enumerate(places):
        for replacement in _replacements(place):
            changed = copy.deepcopy(function)
            target = [node for node in ast.walk(changed) if isinstance(node, ast.expr)][index]
            new = _Replace(target, replacement).visit(changed)
            before, after = ast.unparse(place), ast.unparse(replacement)
            where = place.lineno - function.lineno
            yield Mutant(f"+{where}:{place.col_offset} {before} -> {after}", new)


def build(mutant: Mutant, module: ModuleType) -> Callable[..., Any]:
    """Compile a mutant in the namespace of the formulas."""
    tree = ast.fix_missing_locations(ast.Module(body=[mutant.function], type_ignores=[]))
    namespace = dict(vars(module))
    exec(compile(tree, f"<{mutant.description}>", "exec"), namespace)
    function: Callable[..., Any] = namespace[mutant.function.name]
    return function


def checks_of(package: ModuleType) -> dict[str, list[Callable[[], None]]]:
    """Return the checks of every label, from the test modules of a chapter."""
    checks: dict[str, list[Callable[[], None]]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if not info.name.startswith("test_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for candidate in vars(module).values():
            for mark in getattr(candidate, "pytestmark", []):
                if mark.name == "equation":
                    checks.setdefault(mark.args[0], []).append(candidate)
    return checks


def survives(
    label: str, function: Callable[..., Any], module: ModuleType, checks: list[Callable[[], None]]
) -> bool:
    """Put a function in the place of a formula and say whether all its checks still pass."""
    name = label.replace("-", "_")
    original = getattr(module, name)
    setattr(module, name, function)
    try:
        for check in checks:
            check()
    except Exception:  # whatever a wrong formula raises, the check has noticed it
        return False
    finally:
        setattr(module, name, original)
    return True


def _replacements(place: ast.expr) -> Iterator[ast.expr]:
    match place:
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.UnaryOp(ast.USub(), operand):
            yield operand
        case ast.Call(ast.Name("exp"), [argument]):
            yield ast.Call(ast.Name("exp", ast.Load()), [ast.UnaryOp(ast.USub(), argument)], [])
        case ast.Call(ast.Name("log" | "sqrt" | "abs"), [argument]):
            yield argument
        case ast.Call(ast.Name(name), arguments) if name in CALLS:
            yield ast.Call(ast.Name(CALLS[name], ast.Load()), arguments, [])
        case ast.Constant(int(value)) if not isinstance(value, bool):
            yield ast.Constant(value + 1)
            if value == 1:
                yield ast.Constant(0)
        case ast.Compare(left, [operator], [right]):
            for other in COMPARISONS.get(type(operator), ()):
                yield ast.Compare(left, [other()], [right])
        case ast.BoolOp(ast.Or(), values):
            yield ast.BoolOp(ast.And(), values)
        case ast.BoolOp(ast.And(), values):
            yield ast.BoolOp(ast.Or(), values)


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.expr, replacement: ast.expr) -> None:
        self.target = target
        self.replacement = replacement

    def visit(self, node: ast.AST) -> Any:
        if node is self.target:
            return copy.deepcopy(self.replacement)
        return self.generic_visit(node)
