"""Inputs and outputs of a phase as Argo's parameters, and the tags for their values."""

from collections.abc import Iterable

from hera.expr import g
from hera.workflows import Parameter
from hera.workflows.models import ValueFrom

from steps.contract.declaration import Declared, DeclaredField, Output, as_text, fields_of

OUTPUTS_PATH = "/tmp/outputs"  # noqa: S108  an emptyDir, the only writable place besides the volumes


def value(name: str) -> str:
    """Write the tag of a template's own input parameter."""
    return f"{getattr(g.inputs.parameters, name):$}"


def minutes(name: str) -> str:
    """Write an input of whole minutes as the rest of a duration, such as the `10m` of `15m10m`. Go adds such parts.

    Argo reads a duration before the phase can refuse the input. So anything that is no number counts as 0.
    """
    told = f"inputs.parameters['{name}']"
    return f"{{{{={told} matches '^[0-9][0-9]?[0-9]?$' ? {told} : '0'}}}}m"


def words(names: Iterable[str]) -> list[str]:
    """Write input parameters as options of the same names."""
    return [word for name in names for word in (f"--{name}", value(name))]


def declare(model: type[Declared], values: Declared | None = None) -> dict[str, Parameter]:
    """Declare the fields of a model as parameters, by name, with its defaults or other `values`."""
    return {each.told_as: _parameter(each, values) for each in fields_of(model) if each.is_input}


def output(told: Output) -> Parameter:
    """Declare a small file under the outputs folder as an output parameter."""
    source = ValueFrom(path=f"{OUTPUTS_PATH}/{told.name}", default=told.default)
    return Parameter(name=told.name, value_from=source, global_name=told.of_run or None)


def _parameter(field: DeclaredField, values: Declared | None) -> Parameter:
    told = Parameter(name=field.told_as, description=field.about, enum=field.words or None)
    default = as_text(getattr(values, field.name)) if values else field.default
    if default is not None:
        told.value = default
    return told
