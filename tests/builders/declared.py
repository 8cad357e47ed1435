"""The phases that are declared, each once."""

import importlib
from pathlib import Path

from steps import contract
from steps.contract.declaration import DeclaredPhase

_MODULES = sorted(path.stem for path in Path(contract.__path__[0]).glob("*_contract.py"))
_ALL = {
    each
    for module in map(importlib.import_module, [f"steps.contract.{name}" for name in _MODULES])
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, DeclaredPhase) and hasattr(each, "command")
}
# With an image for databases some phases are told more. Both forms have one command; the larger one stands for it.
_BY_COMMAND = {each.command: each for each in sorted(_ALL, key=lambda each: len(each.model_fields))}
PHASES = [_BY_COMMAND[command] for command in sorted(_BY_COMMAND)]
