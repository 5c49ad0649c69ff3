"""The directive `from-code`: parts of the documentation that the source says itself.

    .. from-code:: limits
    .. from-code:: states ikeactors/protocol/ikev2/child_sa.py ChildState

Each maker returns reStructuredText, read from the source by `ast`: nothing is imported or run.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).resolve().parent.parent.parent
PACKAGE = PROJECT / "ikeactors"
EXCHANGES = PACKAGE / "protocol/ikev2"

# Comments that say a number is the specification's, the kernel's or a format's, not our choice.
_NOT_OURS = re.compile(
    r"(The )?[Ss]pecification|(From )?(linux|asm)/|Linux \d|struct |Where fields lie|A SHA-1 hash"
    r"|128 and the number|The IV of every|The kernel's IFNAMSIZ|XFRMA_"
)
# Calls that make a limit of several numbers.
_COMPOUND = frozenset({"Intensity", "BackOff"})


# Limits.


@dataclass(frozen=True, slots=True)
class Limit:
    """A named number, and the comment above it."""

    name: str
    value: str
    reason: str


def limits() -> str:
    """Every number that we chose, with the reason its comment gives."""
    found = [limit for file in sorted(PACKAGE.rglob("*.py")) for limit in limits_of(file)]
    rows = [(f"``{one.name}``", f"``{one.value}``", literal(one.reason)) for one in found]
    return table(("Limit", "Value", "Reason"), rows, (36, 16, 48))


def limits_of(file: Path) -> Iterator[Limit]:
    """Those of one module. A comment is good for all numbers directly below it."""
    text = file.read_text()
    lines = text.splitlines()
    reason, below = "", -1
    for statement in ast.parse(text).body:
        name, value = _constant(statement)
        above = comment_above(lines, statement.lineno)
        if above or statement.lineno != below:
            reason = above
        below = (statement.end_lineno or statement.lineno) + 1 if name else -1
        if name and reason and not _NOT_OURS.match(reason):
            yield Limit(f"{module_name(file)}.{name}", value, _without_owner(reason))


def comment_above(lines: list[str], number: int) -> str:
    """The comment that ends right above a line, as one line; empty if there is none."""
    comment: list[str] = []
    for line in reversed(lines[: number - 1]):
        if not line.startswith("#"):
            break
        comment.insert(0, line.lstrip("# ").rstrip())
    return " ".join(comment)


def _without_owner(reason: str) -> str:
    said = re.sub(r"^Ours[^:]*: ", "", reason)
    return f"{said[:1].upper()}{said[1:]}"


def _constant(statement: ast.stmt) -> tuple[str, str]:
    """The name and the value of a number in capitals; nothing for any other statement."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return "", ""
    name = statement.targets[0].id
    is_limit = name.isupper() and _is_number(statement.value)
    return (name, _value(statement.value)) if is_limit else ("", "")


def _is_number(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):
        return _is_number(value.left) and _is_number(value.right)
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in _COMPOUND
    return isinstance(value, ast.Constant) and type(value.value) in (int, float)


def _value(value: ast.expr) -> str:
    if isinstance(value, ast.Call):
        return ", ".join(f"{one.arg} {ast.unparse(one.value)}" for one in value.keywords)
    if not isinstance(value, ast.BinOp):
        return ast.unparse(value)
    left, right = (_number(side) for side in (value.left, value.right))
    return f"{_OPERATORS[type(value.op)](left, right):_}"


def _number(value: ast.expr) -> float:
    if isinstance(value, ast.BinOp):
        return _OPERATORS[type(value.op)](_number(value.left), _number(value.right))
    assert isinstance(value, ast.Constant)
    assert isinstance(value.value, int | float)
    return value.value


# States.


def states(path: str, name: str) -> str:
    """The members of an enum, and every function that enters each."""
    members = enum_members(PROJECT / path, name)
    entered = {member: _entered(f"{name}.{member}") for member in members}
    rows = [(f"``{member}``", listed(entered[member])) for member in members]
    return table(("State", "Entered in"), rows, (20, 80))


def phases() -> str:
    """The phases of an association: what each is, and who makes it."""
    tree = ast.parse((EXCHANGES / "phases.py").read_text())
    union = next(
        one for one in tree.body if isinstance(one, ast.Assign) and _is_named(one, "Phase")
    )
    names = ast.unparse(union.value).split(" | ")
    rows = [(f"``{name}``", literal(_summary(name)), listed(_made(name))) for name in names]
    return table(("Phase", "What is true in it", "Entered in"), rows, (16, 48, 36))


def enum_members(file: Path, name: str) -> list[str]:
    """The members of the enum of this name, in order."""
    tree = ast.parse(file.read_text())
    found = next(one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    assigned = (one for one in found.body if isinstance(one, ast.Assign))
    return [target.id for one in assigned for target in one.targets if isinstance(target, ast.Name)]


def _entered(state: str) -> list[str]:
    """The functions that assign this state."""
    return _functions_with(lambda node: isinstance(node, ast.Assign) and _assigns(node, state))


def _assigns(statement: ast.Assign, state: str) -> bool:
    is_state = any(isinstance(one, ast.Attribute) for one in statement.targets)
    return is_state and ast.unparse(statement.value) == state


def _made(phase: str) -> list[str]:
    """The functions that make an object of this class."""
    return _functions_with(
        lambda node: isinstance(node, ast.Call) and ast.unparse(node.func) == phase
    )


def _functions_with(wanted: Callable[[ast.AST], bool]) -> list[str]:
    return [
        f"{file.stem}.{owner}{function.name}"
        for file in sorted(EXCHANGES.glob("*.py"))
        for owner, function in functions_of(ast.parse(file.read_text()))
        if any(wanted(node) for node in ast.walk(function))
    ]


def functions_of(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of a module, each with the class it is in, and a dot."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield "", statement
        if isinstance(statement, ast.ClassDef):
            inner = (one for one in statement.body if isinstance(one, ast.FunctionDef))
            yield from ((f"{statement.name}.", one) for one in inner)


def _is_named(statement: ast.Assign, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in statement.targets)


def _summary(name: str) -> str:
    for file in sorted(EXCHANGES.glob("*.py")):
        for one in ast.parse(file.read_text()).body:
            if isinstance(one, ast.ClassDef) and one.name == name:
                return first_sentence(ast.get_docstring(one) or "")
    raise LookupError(f"there is no class {name}")


# Docstrings.


def exchange(name: str) -> str:
    """What the file of an exchange says at its top, the RFC's figure included."""
    said = ast.get_docstring(ast.parse((EXCHANGES / f"{name}.py").read_text())) or ""
    return f"``protocol/ikev2/{name}.py``::\n\n{textwrap.indent(said, '    ')}\n"


def vocabulary(path: str) -> str:
    """The dataclasses of a module, each with its first sentence."""
    classes = [
        one
        for one in ast.parse((PROJECT / path).read_text()).body
        if isinstance(one, ast.ClassDef) and one.decorator_list
    ]
    rows = [
        (f"``{one.name}``", literal(first_sentence(ast.get_docstring(one) or "")))
        for one in classes
    ]
    return table(("Name", "Meaning"), rows, (24, 76))


def modules(path: str) -> str:
    """The modules of a folder, each with the first sentence of its docstring."""
    files = [file for file in sorted((PROJECT / path).glob("*.py")) if file.stem != "__init__"]
    rows = [(f"``{file.stem}``", literal(_about(file))) for file in files]
    return table(("Module", "What it is"), rows, (24, 76))


def _about(file: Path) -> str:
    return first_sentence(ast.get_docstring(ast.parse(file.read_text())) or "")


def first_sentence(docstring: str) -> str:
    """The first sentence of the first paragraph, or all of that paragraph."""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    return re.split(r"(?<=[.?!]) (?=[A-Z])", paragraph)[0]


def layers() -> str:
    """The layers of pyproject.toml, from the top down, each with what it says of itself."""
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
    named = next(one["layers"] for one in contracts["contracts"] if one["type"] == "layers")
    rows = [
        (f"``{name.removeprefix('ikeactors.')}``", literal(_about(_source_of(name))))
        for layer in named
        for name in re.split(r"[ :|]+", layer)
    ]
    return table(("Layer", "What it is"), rows, (16, 84))


def _source_of(name: str) -> Path:
    path = PROJECT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def deviations() -> str:
    """Where we depart from an RFC, and why."""
    rows = [
        (f"``{module_name(file)}``", literal(text))
        for file in sorted(PACKAGE.rglob("*.py"))
        for text in deviations_of(file.read_text())
    ]
    return table(("Module", "Deviation"), rows, (30, 70))


def deviations_of(source: str) -> list[str]:
    """What follows "Deviation:", up to the end of its paragraph."""
    found = re.findall(r"Deviation: (.+(?:\n[ #]*[^\s#\"][^\n]*)*)", source)
    return [" ".join(one.replace("#", " ").replace('"""', "").split()) for one in found]


def compliance() -> str:
    """The table of tools/compliance."""
    tool = _tool("compliance")
    text: str = tool.document(tool.rows_of(PROJECT))
    return text


def requirements() -> str:
    """The table of RFC 7296's requirements of tools/compliance."""
    tool = _tool("compliance")
    text: str = tool.document_requirements(tool.requirements(PROJECT))
    return text


def _tool(name: str) -> ModuleType:
    full = f"tools_{name}"
    specification = spec_from_loader(full, SourceFileLoader(full, str(PROJECT / "tools" / name)))
    assert specification is not None
    assert specification.loader is not None
    module = sys.modules[full] = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


# reStructuredText.


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], widths: tuple[int, ...]) -> str:
    """A list-table."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}"]
    for row in (heads, *rows):
        lines += [
            "",
            *(f"   {'* -' if place == 0 else '  -'} {cell}" for place, cell in enumerate(row)),
        ]
    return "\n".join([*lines, "", ""])


def literal(text: str) -> str:
    """Prose of the source: single backquotes become double, what has a meaning is escaped."""
    marked = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text)
    parts = re.split(r"(``[^`]+``)", marked)
    return "".join(
        one if one.startswith("``") else re.sub(r"([*|\\_])", r"\\\1", one) for one in parts
    )


def listed(names: Iterable[str]) -> str:
    """Names with commas between them."""
    return ", ".join(f"``{name}``" for name in names) or "the beginning"


def module_name(file: Path) -> str:
    """Dotted, without the package's own name."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Pow: lambda left, right: left**right,
    ast.LShift: lambda left, right: int(left) << int(right),
}

MAKERS: dict[str, Callable[..., str]] = {
    "compliance": compliance,
    "deviations": deviations,
    "exchange": exchange,
    "layers": layers,
    "limits": limits,
    "modules": modules,
    "phases": phases,
    "requirements": requirements,
    "states": states,
    "vocabulary": vocabulary,
}
