"""The 3scale installation: its APIManager, operator, databases and references, and the plan of a first backup."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from steps import errors
from steps.archive.contents import minor
from steps.catalogue.backup_claims import WantedClaim
from steps.kubernetes.kinds import CONFIGMAP, NAMESPACE, ROUTE, SECRET, Object
from steps.kubernetes.workflow import NOBODY
from steps.parts import apimanager, objects, reconciliation, secrets
from steps.plans import backup_plan, prerequisites
from steps.plans.plan import Does, Plan
from steps.threescale import installation, references
from steps.threescale.references import Reference
from workflows.doctor.finding import Examination, Finding, Patient, State, refused


def namespaces(patient: Patient) -> Iterator[Finding]:
    """Namespace: it exists, and so does the one of the drills. No line if all is well or may not be asked."""
    what, scratch = "Namespace", patient.installation.drill.namespace if patient.installation else None
    remedies = {patient.namespace: "Correct -n or the field namespace, or choose the cluster with --context."}
    if scratch:
        remedies[scratch] = "Correct the field drill.namespace, or create the namespace."
    for name, remedy in remedies.items():
        with suppress(errors.NotAllowed):
            if patient.cluster.get(NAMESPACE, name) is None:
                yield Finding(State.ERROR, what, f"There is no namespace {name} in this cluster.", remedy)


def the_apimanager(patient: Patient) -> Iterator[Finding]:
    """APIManager: a backup needs exactly one, and a restore none."""
    try:
        found = apimanager.find(patient.cluster)
    except errors.NoApiManager:
        told = f"Namespace {patient.namespace} has none, so a backup has nothing to save. A restore needs this."
        yield Finding(State.WARNING, "APIManager", told)
        return
    version = found["metadata"].get("annotations", {}).get(installation.THREESCALE_VERSION)
    told = f"{found['metadata']['name']}, 3scale {version}." if version else f"{found['metadata']['name']}."
    yield Finding(State.OK, "APIManager", told)


def operator(patient: Patient) -> Iterator[Finding]:
    """Operator of 3scale: a restore asks for its version."""
    what, found = "Operator of 3scale", reconciliation.find_operator(patient.cluster)
    if found is None:
        told = f"Namespace {patient.namespace} has no Deployment of the operator. It may run in another namespace."
        remedy = "Check its version yourself. A restore then needs the argument threescale-version=MAJOR.MINOR."
        yield Finding(State.WARNING, what, told, remedy)
        return
    name, version = found["metadata"]["name"], minor(reconciliation.version(found))
    if not version:
        told = f"Deployment {name} has no label {installation.OPERATOR_VERSION_LABEL}, so its version is not known."
        remedy = "Give a restore the argument threescale-version=MAJOR.MINOR."
        yield Finding(State.WARNING, what, told, remedy)
    elif not found.get("status", {}).get("availableReplicas"):
        told = f"Deployment {name} of 3scale {version} has no available pod."
        yield Finding(State.WARNING, what, told, f"kubectl describe deployment {name} -n {patient.namespace}")
    else:
        yield Finding(
            State.OK, what, f"Deployment {name} is of 3scale {version}. A restore needs a backup of this version."
        )


def routes(patient: Patient) -> Iterator[Finding]:
    """Routes: whether the cluster has them."""
    told = "A backup records their hosts." if patient.cluster.serves(ROUTE) else "The cluster has no Routes."
    yield Finding(State.OK, "Routes", told)


def databases(patient: Patient) -> Iterator[Finding]:
    """Databases: they are external, and their Secrets have the keys that the operator reads."""
    what, checks = "Databases", Plan(patient.namespace)
    looked = objects.look(patient.cluster, SECRET, installation.DATABASE_SECRETS)
    if found := _the_one(patient):
        checks.ask("", partial(apimanager.check_databases, found))
    if looked.missing:
        checks.object_to("", errors.ObjectsMissing(SECRET.name, looked.missing, patient.namespace))
    for obj in looked.found.values():
        checks.ask("", partial(secrets.check_keys, obj, patient.namespace))
    state, remedy = (State.ERROR, "") if found else (State.WARNING, "Or restore them: database-secrets=restore.")
    yield from (Finding(state, what, str(each), remedy) for each in checks.objections)
    if looked.refused:
        yield refused(what, looked.refused.values())
    elif not checks.objections:
        external = "They are external. " if found else ""
        told = f"{external}Secrets {', '.join(installation.DATABASE_SECRETS)} have the needed keys."
        yield Finding(State.OK, what, told)


def named_objects(patient: Patient) -> Iterator[Finding]:
    """References: the objects that the APIManager names exist, and the file names them too."""
    what, found = "References", _the_one(patient)
    if found is None:
        return
    named = references.required(references.of(found))
    if missing := objects.absent(patient.cluster, named):
        yield Finding(State.ERROR, what, str(errors.ReferencesMissing([*map(str, missing)], patient.namespace)))
    unnamed = [*_unnamed(patient, named)]
    yield from unnamed
    if not missing and not unnamed:
        told = ", ".join(sorted({f"{each.kind.name} {each.name}" for each in named}))
        yield Finding(State.OK, what, f"The APIManager refers to {told or 'no further Secret or ConfigMap'}.")


def _unnamed(patient: Patient, named: list[Reference]) -> Iterator[Finding]:
    """Yield the names that the file lacks, so that the accounts may not read their objects."""
    if patient.installation is None:
        return
    access = patient.installation.access
    known = {SECRET: (access.secrets, "secrets"), CONFIGMAP: (access.config_maps, "configMaps")}
    for kind, (names, field) in known.items():
        lacking = [name for name in references.names(named, kind) if name not in names]
        if lacking and not (kind == SECRET and access.all_secrets):
            told = f"The accounts may not read {kind.name} {', '.join(lacking)}, to which the APIManager refers."
            remedy = f"Add {', '.join(lacking)} to access.{field} in {patient.file}. Then: {patient.apply}"
            yield Finding(State.ERROR, "References", told, remedy)


def first_backup(patient: Patient) -> Iterator[Finding]:
    """Plan of a backup: what would prevent it."""
    what, wanted = "Plan of a backup", patient.wanted
    if _the_one(patient) is None:
        yield Finding(State.NOT_TRIED, what, "A plan needs the one APIManager of the namespace.")
        return
    plan = backup_plan.of(patient.cluster, WantedClaim.of(wanted, wanted.name), NOBODY).plan
    refusals = [each for each in plan.objections if isinstance(each, errors.NotAllowed | errors.NamesNotAllowed)]
    wrong = [each for each in plan.objections if each not in refusals]
    yield from (Finding(State.ERROR, what, str(each)) for each in wrong)
    for line in plan.lines:
        if line.does is Does.WARNING:
            yield Finding(State.WARNING, what, f"{line.what} {line.how}.")
    if refusals:
        yield refused(what, refusals)
    elif not wrong:
        count = sum(line.does is Does.SAVE for line in plan.lines)
        yield Finding(State.OK, what, f"A backup would save {count} things. See: {_command(patient)}")


def a_restore(patient: Patient) -> Iterator[Finding]:
    """Place for a restore: the namespace holds no 3scale."""
    what = "Place for a restore"
    try:
        name = f"APIManager {apimanager.find(patient.cluster)['metadata']['name']} is"
    except errors.NoApiManager:
        name = ""
    except errors.SeveralApiManagers as error:
        name = f"APIManagers {', '.join(error.names)} are"
    if name:
        yield Finding(State.OK, what, f"Not this namespace, as long as {name} in it.")
        return
    prerequisites.check_nothing_left(patient.cluster, last_try=True)
    yield Finding(State.OK, what, f"Namespace {patient.namespace} has no workload of a 3scale that is gone.")


def _command(patient: Patient) -> str:
    return f"threescale-backup plan backup -n {patient.namespace}"


def _the_one(patient: Patient) -> Object | None:
    """Return the one APIManager. None if there is not one, which its own examination says."""
    try:
        return apimanager.find(patient.cluster)
    except errors.Unanswered:
        raise
    except errors.PhaseError:
        return None


EXAMINATIONS: tuple[Examination, ...] = (
    namespaces,
    the_apimanager,
    operator,
    routes,
    databases,
    named_objects,
    first_backup,
    a_restore,
)
