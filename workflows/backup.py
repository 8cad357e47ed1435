"""The backup, top to bottom: prepare a claim, save the four parts in parallel, seal, copy to the repositories.

With an image for databases, `databases` asks them before `prepare`. System's database is dumped before all other parts,
so that a file whose row is in the dump was there when the files were copied.

With `plan=only`, only `source` runs after `prepare`. It mounts System's files and reports which files a backup would
skip.

The DAG has three levels, because each level costs a controller round (10 s by default). If System's files are external,
there is no claim to mount. Then one phase saves the rest, instead of the four.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from hera.workflows import DAG, Parameter, Task, WorkflowTemplate
from hera.workflows.models import ValueFrom

from steps.contract import backup_contract as declared
from steps.contract import database_contract as databases
from steps.contract.arguments import ONLY, PLAN
from steps.contract.names import EXTERNAL
from steps.contract.prune_contract import PruneArguments
from steps.contract.values import YES
from workflows import prune, push
from workflows.monitoring import metrics
from workflows.monitoring.template import About, workflow_template
from workflows.rendering.conditions import both, differ, equal
from workflows.rendering.parameters import declare, minutes
from workflows.rendering.phase import Pod
from workflows.rendering.settings import Settings
from workflows.rendering.tasks import Tasks

NAME = "threescale-backup"
_ABOUT = About(
    NAME,
    declared.BackupArguments,
    title="Back up 3scale",
    description="Saves the Secrets, the ConfigMaps, the APIManager and the files of System of the 3scale in this "
    "namespace. Each backup has a claim of its own. The databases are not saved, so back up the databases separately.",
    advice="No finished backup was made. Run the failed phases again with `argo retry WORKFLOW`. If the workflow was "
    "stopped, add `--restart-successful --node-field-selector phase=Failed`. To start from the beginning, submit a new "
    "backup with another name. List the claims of failed runs: `kubectl get pvc -l threescale-backup/state=failed`.",
    claim="name",
    first=("prepare", "source", "seal"),
)
_WITH_DATABASES = replace(
    _ABOUT,
    asked=databases.BackupArgumentsWithDatabases,
    description="Saves the Secrets, the ConfigMaps, the APIManager, the files of System and the databases of the "
    "3scale in this namespace. Each backup has a claim of its own. The claim holds personal data in clear. Back up the "
    "databases that the argument `databases` leaves out yourself.",
)
_DUMPS = Pod(timeout="6h")


def backup(settings: Settings, rules: PruneArguments | None = None) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-backup`. If `rules` keep anything, a scheduled backup ends with them."""
    kept = rules and (rules.keeps or (settings.repositories and rules.repository_keeps))
    at_the_end = partial(prune.at_the_end, settings, rules) if rules and kept else None
    about = _WITH_DATABASES if settings.database_image else _ABOUT
    asked = declare(about.asked, _usual(settings))
    with workflow_template(settings, about, at_the_end, asked) as built, DAG(name="backup", fail_fast=False) as dag:
        task = Tasks(settings, built, about.asked)
        copies = Copies(task) if settings.database_image else None
        prepare = task(databases.BackupPrepareWithDatabases if copies else declared.BackupPrepare)
        plan, files = (prepare.get_parameter(name).value for name in (PLAN, "file-storage"))
        acts, copied, external = differ(plan, ONLY), differ(files, EXTERNAL), equal(files, EXTERNAL)
        parts = [
            task(declared.BackupSecrets, when=both(acts, copied)),
            task(declared.BackupConfigMaps, when=both(acts, copied)),
            task(declared.BackupApiManager, when=both(acts, copied)),
            task(declared.BackupFileStorage, Pod(timeout="6h"), when=both(acts, copied)),
            task(declared.BackupExternal, when=both(acts, external)),  # instead of these
        ]
        source = task(declared.BackupSource, when=both(equal(plan, ONLY), copied))
        sealed = Pod(timeout="4h", metrics=metrics.of_files("backup"))
        seal = task(databases.BackupSealWithDatabases if copies else declared.BackupSeal, sealed, when=acts)
        for each in (source, *parts):
            prepare >> each
            each >> seal
        if copies:
            copies.place(prepare, parts, seal, acts)
        if settings.repositories:
            of_claim, wanted = (str(prepare.get_parameter(name).value) for name in (declared.CLAIM, declared.PUSH))
            seal >> push.at_the_end(task, of_claim, wanted)
        claim = ValueFrom(parameter=str(prepare.get_parameter(declared.CLAIM).value))
        dag.outputs = [Parameter(name=declared.CLAIM, value_from=claim)]
    return built


class Copies:
    """The tasks that copy databases."""

    def __init__(self, task: Tasks) -> None:
        self._task = task
        self._ask = task(databases.BackupDatabases, Pod(timeout=f"1h{minutes('drain-minutes')}"))

    def place(self, prepare: Task, parts: Sequence[Task], seal: Task, acts: str) -> None:
        """Ask before `prepare`, dump System's database before all parts, and copy the others beside them."""
        system, *others = (
            self._task(each, _DUMPS, when=both(acts, self._is_copied(each.command[-1])))
            for each in (databases.BackupSystemDatabase, databases.BackupBackendRedis, databases.BackupSystemRedis)
        )
        self._ask >> prepare
        prepare >> system
        for each in (*parts, *others):
            system >> each
        for each in others:
            prepare >> each
            each >> seal
        system >> seal

    def _is_copied(self, name: str) -> str:
        return equal(self._ask.get_parameter(f"copies-{name}").value, YES)


def _usual(settings: Settings) -> declared.BackupArguments:
    """Return the arguments of a backup that gives none: where there is a repository, a copy is required."""
    push = settings.push if settings.repositories else "no"
    if settings.database_image is None:
        return declared.BackupArguments(push=push)
    return databases.BackupArgumentsWithDatabases(push=push, database_credentials=settings.database_credentials)
