"""Every row of LESSONS.md has a test that carries its number, and no test carries another."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent


def rows():
    return {int(number) for number in re.findall(r"(?m)^\| (\d+) \|", (HERE / "LESSONS.md").read_text())}


def carried():
    """The numbers that tests carry."""
    calls = (node for path in HERE.rglob("test_*.py") for node in ast.walk(ast.parse(path.read_text())))
    marks = (node for node in calls if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.lesson")
    return {ast.literal_eval(argument) for mark in marks for argument in mark.args}


def test_every_lesson_has_a_test():
    assert rows() - carried() == set()


def test_no_test_carries_another_number():
    assert carried() - rows() == set()
