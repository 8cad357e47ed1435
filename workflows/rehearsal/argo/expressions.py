"""The three small languages of conditions in a manifest: expressions, `when` and `depends`.

Argo gives them to three parsers. expr-lang reads `retryStrategy.expression` and `{{=...}}`. govaluate reads `when`,
where a bare word is a string. expr-lang also reads `depends`, after some rewriting: there a bare task means that it
succeeded or was skipped. All three have the same operators, so one reader serves all. Only the meaning of a name
differs.

No package fits. enchanter-golem, a wrapper of Go's expr-lang, can't read names such as `lastRetry.exitCode`. simpleeval
and cel-python read other languages. The package expr-lang of PyPI holds no engine. For govaluate none was found.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

Value = str | int | float | bool | list["Value"] | None
Term = Callable[[], Value]
Lookup = Callable[[str], Value]

_SYMBOLS: Final = r"&&|\|\||==|!=|\?\?|\?\.|[?:()\[\],.]"
_LITERALS: Final = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+(?:\.\d+)?(?![\w])"
_WORDS: Final = re.compile(rf"\s*({_LITERALS}|[A-Za-z_]\w*|{_SYMBOLS})")
_TASKS: Final = re.compile(rf"\s*([A-Za-z0-9][-A-Za-z0-9_]*|{_SYMBOLS})")
_RESULTS: Final = {"Succeeded": "Succeeded", "Failed": "Failed", "Errored": "Error"}
_CONSTANTS: Final[dict[str, Value]] = {"true": True, "false": False, "nil": None}
_LEVELS: Final = (("||",), ("&&",), ("==", "!=", "in", "matches"), ("??",))
_DEPENDS_NAME: Final = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*)(?:\.[A-Z][A-Za-z]+)?")


class Unreadable(ValueError):
    """The text is not valid in its language, or compares values that can't be compared."""


def evaluate(text: str, lookup: Lookup) -> Value:
    """Evaluate an expr-lang expression; `lookup` gets dotted names, `a.b` and `a?.b`."""
    return _Reader(text, _WORDS, lookup).all()


def when(text: str) -> bool:
    """Decide whether a task runs. Every bare word is a string, as in Argo."""
    return _truth(_Reader(text, _WORDS, lambda word: word, bare=True).all(), text)


def depends(text: str, phases: Mapping[str, str]) -> bool:
    """Decide whether the dependencies of a task ended as it requires. `phases` holds the phases of these tasks."""
    return _truth(_Reader(text, _TASKS, lambda name: _ended(name, phases), numbers=False).all(), text)


def dependencies(text: str) -> tuple[str, ...]:
    """Name the tasks that a `depends` mentions, each once, in their order."""
    return tuple(dict.fromkeys(match[1] for match in _DEPENDS_NAME.finditer(text)))


def _ended(name: str, phases: Mapping[str, str]) -> bool:
    task, _, result = name.partition(".")
    if task not in phases:
        raise Unreadable(f"there is no task {task!r}")
    if not result:
        return phases[task] in ("Succeeded", "Skipped")
    if result not in _RESULTS:
        raise Unreadable(f"task result {result!r} for task {task!r} is invalid or not played")
    return phases[task] == _RESULTS[result]


def _truth(value: Value, text: str) -> bool:
    if not isinstance(value, bool):
        raise Unreadable(f"Expected boolean evaluation for '{text}'. Got {value}")
    return value


class _Reader:
    """Reads one text by recursive descent. Terms are closures, so that `||` and `&&` stop early."""

    def __init__(
        self, text: str, words: re.Pattern[str], lookup: Lookup, *, bare: bool = False, numbers: bool = True
    ) -> None:
        self._words = _split(text, words)
        self._lookup = lookup
        self._bare = bare
        self._numbers = numbers

    def all(self) -> Value:
        term = self._choice()
        if self._words:
            raise Unreadable(f"unexpected {self._words[0]!r}")
        return term()

    def _next(self) -> str:
        if not self._words:
            raise Unreadable("unexpected end")
        return self._words.pop(0)

    def _take(self, *wanted: str) -> str:
        return self._words.pop(0) if self._words and self._words[0] in wanted else ""

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise Unreadable(f"expected {word!r}")

    def _choice(self) -> Term:
        asked = self._operation(0)
        if not self._take("?"):
            return asked
        chosen = self._choice()
        self._expect(":")
        other = self._choice()
        return lambda: chosen() if asked() else other()

    def _operation(self, level: int) -> Term:
        if level == len(_LEVELS):
            return self._primary()
        left = self._operation(level + 1)
        while operator := self._take(*_LEVELS[level]):
            left = _join(operator, left, self._operation(level + 1), lenient=self._bare)
        return left

    def _primary(self) -> Term:
        word = self._next()
        if word == "(":
            term = self._choice()
            self._expect(")")
            return term
        if word == "[":
            items = self._items()
            return lambda: [item() for item in items]
        if word[0] in "'\"":
            text = re.sub(r"\\(.)", r"\1", word[1:-1])
            return lambda: text
        return self._named(word)

    def _named(self, word: str) -> Term:
        if not re.match(r"\w", word):
            raise Unreadable(f"unexpected {word!r}")
        if word in _CONSTANTS:
            return lambda: _CONSTANTS[word]
        if self._numbers and word[0].isdigit():
            return lambda: float(word) if "." in word else int(word)
        name = word if self._bare else self._member(word)
        return lambda: self._lookup(name)

    def _member(self, name: str) -> str:
        while joint := self._take(".", "?."):
            name = f"{name}{joint}{self._next()}"
        if self._take("["):  # a key that is no word, such as `['claim-wait']`
            key = self._next()
            self._expect("]")
            if key[0] not in "'\"":
                raise Unreadable(f"{key!r} is no key")
            name = f"{name}.{key[1:-1]}"
        return name

    def _items(self) -> list[Term]:
        items = [self._choice()]
        while self._take(","):
            items.append(self._choice())
        self._expect("]")
        return items


def _split(text: str, words: re.Pattern[str]) -> list[str]:
    """Cut a text into words. A character that begins no word is refused."""
    found, position = [], 0
    text = text.strip()
    while position < len(text):
        match = words.match(text, position)
        if match is None:
            raise Unreadable(f"Invalid token: {text[position:].strip()[:10]!r}")
        found.append(match[1])
        position = match.end()
    return found


def _join(operator: str, left: Term, right: Term, *, lenient: bool) -> Term:
    if operator == "??":
        return lambda: right() if (found := left()) is None else found
    if operator == "||":
        return lambda: left() or right()
    if operator == "&&":
        return lambda: left() and right()
    return lambda: _compare(operator, left(), right(), lenient=lenient)


def _compare(operator: str, left: Value, right: Value, *, lenient: bool) -> bool:
    """Compare as expr-lang does, where both types must match.

    `lenient`: as govaluate does, where different types are unequal.
    """
    if operator == "matches":
        return re.search(str(right), str(left)) is not None
    if operator == "in":
        return isinstance(right, list) and left in right
    if lenient and operator in ("==", "!=") and _kind(left) != _kind(right):
        return operator == "!="
    if _kind(left) != _kind(right) and None not in (left, right):
        raise Unreadable(f"invalid operation: {operator} (mismatched types {_kind(left)} and {_kind(right)})")
    return (left == right) is (operator == "==")


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else type(value).__name__
