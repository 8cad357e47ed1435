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
PHASES = sorted(_ALL, key=lambda each: each.command)
