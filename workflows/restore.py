"""The restore, top to bottom. Every check comes before the first write, and the APIManager is created last."""

from dataclasses import replace

from hera.workflows import DAG, Suspend, Task, WorkflowTemplate

from steps.contract import database_contract as databases
from steps.contract import restore_contract as declared
from steps.contract.arguments import ONLY, PLAN
from steps.contract.names import EXTERNAL
from steps.contract.values import YES
from workflows.monitoring import metrics
from workflows.monitoring.template import About, workflow_template
from workflows.rendering.conditions import both, differ, equal
from workflows.rendering.parameters import value
from workflows.rendering.phase import Pod
from workflows.rendering.settings import Settings
from workflows.rendering.tasks import Tasks

NAME = "threescale-restore"
_ABOUT = About(
    NAME,
    declared.RestoreArguments,
    title="Restore 3scale",
    description="Restores the Secrets, the ConfigMaps, the files of System and the APIManager of a backup into this "
    "namespace. The namespace must hold no 3scale. Restore the databases first. Also create the Secrets backend-redis, "
    "system-redis and system-database first, unless database-secrets=restore.",
    advice="Fix the reported problem. Then submit the same restore again, or run `argo retry WORKFLOW`. It resumes "
    "where this restore ended. Objects that this restore created carry the backup's mark and are kept.",
    claim="claim-name",
)
_WITH_DATABASES = replace(
    _ABOUT,
    asked=databases.RestoreArgumentsWithDatabases,
    description="Restores the Secrets, the ConfigMaps, the files of System, the databases and the APIManager of a "
    "backup into this namespace. The namespace must hold no 3scale. Create empty databases first. Also create the "
    "Secrets backend-redis, system-redis and system-database first, unless database-secrets=restore.",
)
_FILLED = (databases.RestoreSystemDatabase, databases.RestoreBackendRedis, databases.RestoreSystemRedis)
_PLANS = Pod(timeout=value("time-limit"))  # given by `check`, because a plan that reads every byte takes long
_COPIES = Pod(timeout="6h")


def restore(settings: Settings) -> WorkflowTemplate:
    """Build the WorkflowTemplate `threescale-restore`."""
    about = _WITH_DATABASES if settings.database_image else _ABOUT
    with workflow_template(settings, about) as built, DAG(name="restore", fail_fast=False):
        task = Tasks(settings, built, about.asked)
        check = task(declared.RestoreCheck)
        asks_databases = task(databases.RestoreDatabases, Pod(timeout="1h")) if settings.database_image else None
        only, approved = (check.get_parameter(name).value for name in (PLAN, "approve"))
        acts, asks = differ(only, ONLY), equal(approved, YES)
        planned = databases.RestorePlanOnlyWithDatabases if asks_databases else declared.RestorePlanOnly
        plan = task(planned, _PLANS, when=f"{equal(only, ONLY)} || {asks}")
        approve = Task(name="approve", template=Suspend(name="approve"), when=both(acts, asks))
        prepared = databases.RestorePrepareWithDatabases if asks_databases else declared.RestorePrepare
        prepare = task(prepared, _PLANS, when=acts)
        objects, replaced, files = (
            prepare.get_parameter(name).value for name in ("set-aside-objects", "set-aside-files", "file-storage")
        )
        set_aside = [
            task(declared.RestoreSetAsideObjects, when=equal(objects, YES)),
            task(declared.RestoreSetAsideFiles, _COPIES, when=equal(replaced, YES)),
        ]
        copies = Pod(timeout="6h", metrics=metrics.of_files("restore"))
        file_storage = task(declared.RestoreFileStorage, copies, when=differ(files, EXTERNAL))
        secrets = task(declared.RestoreSecrets)
        configmaps = task(declared.RestoreConfigMaps)
        apimanager = task(declared.RestoreApiManager)
        routes = task(declared.RestoreRoutes, Pod(timeout="5h"), fixed={"look_s": f"{settings.look_s:g}"})

        check >> plan
        plan >> approve
        approve >> prepare
        for each in (*set_aside, file_storage):
            prepare.on_success(each)  # not if it was skipped
        for each in set_aside:
            each >> file_storage
        file_storage >> [secrets, configmaps]
        for each in (secrets, configmaps):
            each >> apimanager
        apimanager >> routes
        if asks_databases:
            check >> asks_databases
            asks_databases >> plan
            for phase in _FILLED:
                fills = equal(asks_databases.get_parameter(f"fills-{phase.command[-1]}").value, YES)
                filled = task(phase, _COPIES, when=fills)
                prepare.on_success(filled)  # not if it was skipped
                filled >> [secrets, configmaps]
    return built
