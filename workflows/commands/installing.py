"""The installation that a person asks for: a file `threescale-backup.yaml`, and options that override its fields."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click
from click.core import ParameterSource

from steps.phases.command_line import NamedPath, Value, options_of
from workflows.commands.options import FOLDER, read_file, refuse

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from workflows.configuration import places
    from workflows.configuration.installation import Installation
    from workflows.configuration.reading import Source

_PAIR = "NAME=VALUE"
# The option of each field that has one, in the order of the help. Those of retention have the names of the rules.
_OPTIONS = {
    "image": "--image REF",
    "namespace": "--namespace NS",
    "backup.schedule": "--schedule CRON",
    "timezone": "--timezone ZONE",
    "backup.arguments": "--argument NAME=VALUE",
    "verify.schedule": "--verify CRON",
    "verify.arguments": "--verify-argument NAME=VALUE",
    "drill.schedule": "--drill CRON",
    "drill.arguments": "--drill-argument NAME=VALUE",
    "drill.namespace": "--drill-namespace NS",
    "pods.fsGroup": "--fs-group N",
    "pods.runAsUser": "--run-as-user N",
    "repository.secrets": "--repository SECRET",
    "repository.claim": "--repository-claim NAME",
    "databases.image": "--database-image IMAGE",
    "databases.copies": "--databases NAMES",
    "databases.credentials": "--database-credentials NAME",
    "repository.keepLocal": "--keep-local N",
    "repository.pruneSecrets": "--repository-prune-secret SECRET",
    "repository.pruneSchedule": "--repository-prune CRON",
    "access.apimanagers": "--from-apimanager FILE",
    "access.secrets": "--secret NAME",
    "access.configMaps": "--configmap NAME",
    "access.allSecrets": "--all-secrets",
    "watchdog.schedule": "--watchdog CRON",
    "watchdog.expectedEvery": "--expected-every DURATION",
    "monitoring.enabled": "--monitoring",
    "monitoring.verifiedEvery": "--verified-every DURATION",
    "monitoring.provenEvery": "--proven-every DURATION",
    "monitoring.silentFor": "--silent-for DURATION",
    "notification.secret": "--notify-secret NAME",
    "notification.form": "--notify-form",
    "output": "--output DIR",
}


class InstallationCommand(click.Command):
    """A command about an installation: `-f FILE`, and the options of its fields before its own.

    The fields are imported when this command is used, so that the list of commands appears at once.
    """

    def __init__(self, *arguments: Any, fields: bool = True, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._fields: bool | None = fields

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        if self._fields is not None:
            self.params = [_FILE, *(_options() if self._fields else []), *self.params]
            self._fields = None
        return super().get_params(ctx)


_FILE = click.Option(
    ["-f", "--file"],
    type=NamedPath(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Read the installation from this file, such as threescale-backup.yaml. Use `-` to read from stdin. An option "
    "overrides the field of the file, and an option that may be given several times adds to it.",
)


def asked(context: click.Context) -> "tuple[Source, Installation]":
    """Return the installation that the file and the options ask for, or refuse it."""
    from workflows.configuration import places, problems, reading

    options = {path: each.opts[0] for each in context.command.params if (path := path_of(each.opts[0]))}
    file = context.params.get("file")
    if not file and context.params.get("image") is None:
        refuse("No installation is given. Use -f FILE, such as -f threescale-backup.yaml, or --image REF")
    try:
        text = read_file(str(file), str) if file else ""
        name = "<stdin>" if str(file) == "-" else str(file)
        source = reading.of_file(name, text, options) if file else reading.Source(options=options)
        for path, given in _given(context):
            source.override(path, given)
        return source, _with_references(source)
    except places.BadFileError as error:
        refuse(str(error))
    except problems.BadInstallationError as error:
        refuse(*source.sentences(error))


def _given(context: click.Context) -> "list[tuple[places.Path, Any]]":
    """Return the values of the options of fields that were given."""
    found: list[tuple[places.Path, Any]] = []
    for option in context.command.params:
        path, name = path_of(option.opts[0]), str(option.name)
        if path and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            value: Any = context.params[name]
            value = str(value) if isinstance(value, Path) else value
            found.append((path, _pairs(option, value) if option.metavar == _PAIR else value))
    return found


def path_of(option: str) -> "places.Path":
    """Return the path of the field that an option sets, or an empty one."""
    return _paths().get(option, ())


@functools.cache
def _paths() -> "dict[str, places.Path]":
    from steps.contract.declaration import fields_of
    from steps.contract.prune_contract import CopyRules, KeepRules

    rules: dict[str, places.Path] = {f"--{each.told_as}": ("retention", each.told_as) for each in fields_of(KeepRules)}
    for each in fields_of(CopyRules):
        rules[f"--repository-{each.told_as}"] = ("repository", "retention", each.told_as)
    return rules | {words.split()[0]: tuple(path.split(".")) for path, words in _OPTIONS.items()}


def _pairs(option: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
    """Read the values NAME=VALUE of an option, or refuse them."""
    if wrong := [word for word in words if "=" not in word]:
        refuse(f"{option.opts[0]} {wrong[0]!r} is not valid. Write NAME=VALUE, for instance storage-request=20Gi")
    read = dict(word.partition("=")[::2] for word in words)
    if len(read) < len(words):
        refuse(f"{option.opts[0]} is given twice for the same name")
    return read


def _with_references(source: "Source") -> "Installation":
    """Add the Secrets and ConfigMaps that the named APIManagers name. Files are looked for beside the file."""
    from steps.kubernetes.kinds import CONFIGMAP, SECRET
    from steps.threescale import references
    from workflows.commands import operators_resources

    installation = source.installation()
    access = installation.access
    found = []
    for number, name in enumerate(access.apimanagers):
        path = source.beside(("access", "apimanagers", number), name)
        found += read_file(path, operators_resources.apimanagers)
    named = [reference for each in found for reference in references.of(each)]
    names = {
        "secrets": (*access.secrets, *references.names(named, SECRET)),
        "config_maps": (*access.config_maps, *references.names(named, CONFIGMAP)),
    }
    return installation.model_copy(update={"access": access.model_copy(update=names)})


def _options() -> list[click.Parameter]:
    """Return the options of the fields, those of retention before the last one."""
    from steps.contract.prune_contract import KeepRules, RepositoryRules
    from workflows.configuration.fields import field_at
    from workflows.configuration.installation import Installation

    made = [_option(words, field_at(Installation, tuple(path.split(".")))) for path, words in _OPTIONS.items()]
    rules = [*options_of(KeepRules, flags=True), *options_of(RepositoryRules, flags=True)]
    return [*made[:-1], *rules, made[-1]]


def _option(words: str, field: "FieldInfo") -> click.Option:
    """Return the option of a field. Its help is the sentence of the field."""
    from workflows.configuration.fields import kind_of, plain

    word, _, metavar = words.partition(" ")
    told: dict[str, Any] = {"help": " ".join((field.description or "").split()), "metavar": metavar or None}
    form, kind = plain(field.annotation), kind_of(field)
    if form is bool:
        told["is_flag"] = True
    elif get_origin(form) is Literal:
        told["type"] = click.Choice(get_args(form))
    elif kind is not None and kind.name not in {"name", "text"}:  # these are checked with all other fields
        told["type"] = Value(kind)
    elif metavar == "DIR":
        told["type"] = FOLDER
    if isinstance(field.default, str):
        told |= {"default": field.default, "show_default": True}
    if get_origin(form) in {tuple, Mapping}:
        told |= {"multiple": True, "help": f"{told['help']} Repeat the option for others."}
    return click.Option([word], **told)
