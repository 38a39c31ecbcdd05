"""Ways to break a Python file that still is one: a change of its syntax tree."""

from __future__ import annotations

import ast
import copy
import random

from breaking import odd

RUN = "__import__('pathlib').Path('ran').touch()"
"""An expression that leaves a file ``ran`` in the current folder."""

RUNNING = (
    RUN,
    "exit()",
    "1 / 0",
    "[i for i in iter(int, 1)]",
    "print('\\x1b[31m' * 9)",
    "open('/etc/passwd').read()",
    "(lambda f: f(f))(lambda f: f(f))",
)
NAMES = ("x", "None_", "__import__", "object", "self", "ä", "type", "__builtins__", "e" * 3000)


def change(dice: random.Random, text: str) -> tuple[str, str]:
    """One place of a module broken: what was done, and the text."""
    tree = ast.parse(text)
    nodes = [*ast.walk(tree)]
    blocks = [node for node in nodes if isinstance(getattr(node, "body", None), list) and node.body]
    while True:
        how = dice.choice(("constant", "constant", "expression", "statement lost", "statement twice", "swapped", "name", "argument lost",
                           "argument twice", "decorator lost", "wrapped", "another's"))  # fmt: skip
        if said := _one(how, dice, nodes, blocks):
            return f"{how}: {said}", ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _one(how: str, dice: random.Random, nodes: list[ast.AST], blocks: list[ast.AST]) -> str:
    """What was done; nothing where there is no such place."""
    if how in ("statement lost", "statement twice", "swapped"):
        body = dice.choice(blocks).body
        place = dice.randrange(len(body))
        told = type(body[place]).__name__
        match how:
            case "statement lost":
                body[place : place + 1] = [] if len(body) > 1 else [ast.Pass()]
            case "statement twice":
                body.insert(dice.randrange(len(body) + 1), body[place])
            case _:
                body.append(body.pop(place))
        return told
    if how in ("constant", "expression", "wrapped", "another's"):
        kinds = (ast.Constant,) if how == "constant" else (ast.Constant, ast.Name, ast.Call, ast.Tuple, ast.List)
        places = [(node, name, value) for node, name, value in _expressions(nodes) if isinstance(value, kinds)]
        if not places:
            return ""
        node, name, value = dice.choice(places)
        match how:
            case "constant":
                after = _literal(dice.choice(odd.VALUES))
            case "expression":
                after = ast.parse(dice.choice(RUNNING), mode="eval").body
            case "wrapped":
                after = value
                for _ in range(dice.choice([1, 50, 150])):
                    after = ast.List([after], ast.Load())
            case _:
                after = copy.deepcopy(dice.choice(places)[2])
        _put(node, name, value, after)
        return f"{type(node).__name__}.{name[0]} {ast.unparse(after)[:40]}"
    if how == "name":
        found = dice.choice([node for node in nodes if isinstance(node, ast.Name | ast.arg | ast.ClassDef | ast.FunctionDef | ast.alias)])
        after = dice.choice(NAMES)
        setattr(found, {"Name": "id", "arg": "arg"}.get(type(found).__name__, "name"), after)
        return f"{type(found).__name__} {after[:20]}"
    if how == "decorator lost":
        decorated = [node for node in nodes if getattr(node, "decorator_list", None)]
        if decorated:
            dice.choice(decorated).decorator_list.pop()
        return "gone" if decorated else ""
    calls = [node for node in nodes if isinstance(node, ast.Call) and node.keywords]
    if not calls:
        return ""
    call = dice.choice(calls)
    word = dice.choice(call.keywords)
    if how == "argument lost":
        call.keywords.remove(word)
    else:
        call.keywords.append(word)
    return str(word.arg)


def _expressions(nodes: list[ast.AST]) -> list[tuple[ast.AST, tuple[str, int | None], ast.expr]]:
    """(parent, (field, place in it), expression) of those that may be any other."""
    found = []
    for node in nodes:
        if isinstance(node, ast.JoinedStr | ast.FormattedValue | ast.MatchValue):
            continue
        for name, value in ast.iter_fields(node):
            for place, one in enumerate(value) if isinstance(value, list) else ((None, value),):
                if isinstance(one, ast.expr) and not isinstance(getattr(one, "ctx", None), ast.Store | ast.Del):
                    found.append((node, (name, place), one))
    return found


def _put(node: ast.AST, name: tuple[str, int | None], before: ast.expr, after: ast.expr) -> None:
    if name[1] is None:
        setattr(node, name[0], after)
    else:
        getattr(node, name[0])[name[1]] = after


def _literal(value: object) -> ast.expr:
    return ast.parse(written(value), mode="eval").body


def written(value: object) -> str:
    """A plain value as Python reads it, NaN and infinities too."""
    return repr(value).replace("nan", "float('nan')").replace("inf", "float('inf')") if isinstance(value, float) else repr(value)
