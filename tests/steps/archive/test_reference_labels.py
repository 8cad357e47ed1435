"""The reference page of labels and annotations; each name comes from the code."""

import pytest

from steps.archive import marks
from steps.contract import names
from steps.threescale import installation
from tests.builders.reference import code, made_by, recorded, table

OURS = {
    value
    for module in (marks, names)
    for value in vars(module).values()
    if isinstance(value, str) and value.startswith(names.PREFIX) and value != names.PREFIX
}
LABEL, ANNOTATION = "label", "annotation"
ON_BACKUP = "On the claim of a backup"
ON_STORAGE = "On the claim system-storage, after a restore"
ON_RESTORED = "On the objects that a restore has made or replaced"
ON_REPLACED = "On the claim of replaced objects and files"
OF_DRILL = "On the objects of a drill"
ON_WORKFLOW = "On a Workflow"
UTC_BASIC = "The time is ISO 8601 in the basic format, in UTC."
SAYS = {
    ON_BACKUP: {
        marks.BACKUP: (LABEL, "The name of the backup."),
        marks.STATE: (
            LABEL,
            "`running` while the backup is made. `complete` after the backup is sealed. "
            "`failed` if the workflow failed and could still report this.",
        ),
        marks.WORKFLOW: (LABEL, "The workflow that made the backup."),
        marks.WORKFLOW_UID: (LABEL, "The uid of this workflow."),
        marks.THREESCALE_VERSION: (
            LABEL,
            "The version of 3scale. It is missing if the APIManager does not record one.",
        ),
        marks.FILE_STORAGE: (
            LABEL,
            "`external` if System's files are in S3. These files are not in the backup. Else the label is missing.",
        ),
        marks.FILES: (LABEL, "The number of files of System FileStorage. It is set when the backup is sealed."),
        marks.BYTES: (LABEL, "The size of these files in bytes. It is set when the backup is sealed."),
        marks.SCHEDULE: (LABEL, "The CronWorkflow that started the backup. It is missing if a person did."),
        marks.PINNED: (LABEL, "With `true`, retention keeps the backup. With `false`, the backup is not pinned."),
        marks.VERIFIED: (LABEL, f"The last time that every byte was read and found correct. {UTC_BASIC}"),
        marks.VERIFIED_BY: (ANNOTATION, "The workflow of this verification."),
        marks.VERIFYING: (
            ANNOTATION,
            "The progress of a verification by shares, and the manifest for which it holds.",
        ),
        marks.PUSHED: (
            LABEL,
            "When a proved copy of the backup was in each repository, in UTC, such as `20260102T030405Z`.",
        ),
        marks.SNAPSHOT: (
            ANNOTATION,
            "The snapshots with copies of the backup, as `REPOSITORY/ID`, separated by commas. Of a fetched backup, "
            "the snapshot from which it came.",
        ),
        marks.VERIFYING_BY: (
            ANNOTATION,
            "The workflow that is about to read the next share. It is removed after that share was read.",
        ),
        marks.PROVEN: (LABEL, f"The last time that a drill restored the backup. {UTC_BASIC}"),
        marks.PROVEN_BY: (ANNOTATION, "The workflow of this drill."),
        marks.PROVEN_COUNTS: (
            ANNOTATION,
            "The counts of this drill, and its duration. For example "
            "`190509 bytes, 22 created, 43 files, 46 folders, 2 links, 1 tried; 41.5 s`.",
        ),
        marks.DAMAGED: (LABEL, f"The time at which the backup was found damaged. {UTC_BASIC}"),
        marks.DAMAGED_BY: (ANNOTATION, "The workflow that found the damage."),
        marks.DAMAGE: (ANNOTATION, "The damage as a sentence, with the first ten findings."),
        marks.STARTED: (ANNOTATION, "The time at which the backup was started, in UTC."),
        marks.ENDED: (ANNOTATION, "The time at which the backup was sealed, in UTC."),
        marks.MANIFEST_DIGEST: (ANNOTATION, "The SHA-256 of `manifest.json`. It is set when the backup is sealed."),
    },
    ON_RESTORED: {
        marks.RESTORED_FROM: (ANNOTATION, "The name of the backup."),
        marks.MANIFEST_DIGEST: (
            ANNOTATION,
            "The SHA-256 of the manifest of this backup. A later restore of this backup keeps the object.",
        ),
        marks.REPLACED: (ANNOTATION, "The keys that were replaced. It is missing if the object was created."),
        marks.SAVED_TO: (ANNOTATION, "The claim that has the replaced object."),
    },
    ON_STORAGE: {
        marks.RESTORED_FROM: (ANNOTATION, "The name of the backup."),
        marks.MANIFEST_DIGEST: (ANNOTATION, "The SHA-256 of the manifest of this backup."),
        marks.RESTORE_STATE: (
            ANNOTATION,
            "The progress of the restore. `set-aside`: the files from before are saved and compared. "
            "`begun`: the restore is copying files. `complete`: all files are restored. "
            "`in-use`: a 3scale has used the files since.",
        ),
        marks.LEFT_OUT: (ANNOTATION, "The damaged files that `file-storage-damage=skip` left out, as a sentence."),
        marks.SAVED_TO: (ANNOTATION, "The claim that has the files from before."),
        marks.NOT_SAVED: (
            ANNOTATION,
            "Snapshot folders of the storage at the root of the claim. They were not saved, so they stay.",
        ),
    },
    ON_REPLACED: {
        marks.REPLACED: (LABEL, "`true`. Select these claims with `kubectl get pvc -l threescale-backup/replaced`."),
        marks.WORKFLOW: (LABEL, "The workflow of the restore."),
        marks.WORKFLOW_UID: (LABEL, "The uid of this workflow."),
        marks.STARTED: (ANNOTATION, "The time at which the claim was created, in UTC."),
    },
    OF_DRILL: {
        marks.DRILL: (
            LABEL,
            "The namespace of the installation whose drill made the object. "
            "Only objects with this label and the uid of that drill are deleted at its end, or before the next drill.",
        ),
        marks.WORKFLOW: (
            LABEL,
            "The workflow of the drill. Only ConfigMap `threescale-drill` and the scratch claim have this label.",
        ),
        marks.WORKFLOW_UID: (LABEL, "The uid of this workflow."),
        marks.RESTORED_FROM: (ANNOTATION, "The name of the backup, on the objects in the scratch namespace."),
        marks.MANIFEST_DIGEST: (ANNOTATION, "The SHA-256 of the manifest, on the objects in the scratch namespace."),
        marks.STARTED: (ANNOTATION, "The time at which the scratch claim was created, in UTC."),
    },
    ON_WORKFLOW: {
        names.KIND: (LABEL, "The operation: `backup`, `restore`, `prune`, `verify`, `drill` or `watchdog`."),
    },
}
OPERATORS = {
    installation.BACKUP_NAME: "The name of the backup.",
    installation.BACKUP_UID: "The uid of the workflow that made the backup.",
    installation.APIMANAGER_NAME: "The name of the APIManager.",
    installation.APIMANAGER_UID: "The uid of the APIManager.",
}


def labels():
    yield from ("# Labels and annotations", "")
    yield f"All names begin with `{names.PREFIX}`. The table leaves this prefix out."
    yield f"Every rendered object also has the label `app.kubernetes.io/part-of: {names.TOOL}`."
    yield from (made_by("tests/steps/archive/test_reference_labels.py"), "", "The claims are the catalogue of backups:")
    yield from ("", "    kubectl get pvc -l threescale-backup/backup \\")
    yield "      -L threescale-backup/state,threescale-backup/bytes,threescale-backup/verified"
    for place, told in SAYS.items():
        rows = ((code(name.removeprefix(names.PREFIX)), kind, sentence) for name, (kind, sentence) in told.items())
        yield from ("", f"## {place}", "", *table("Name", "Kind", "Meaning", rows=rows))
    yield from ("", "## Annotations of the operator", "")
    yield "The claim of a backup also has the annotations that the operator's APIManagerBackup sets."
    rows = ((code(name), sentence) for name, sentence in OPERATORS.items())
    yield from ("", *table("Annotation", "Meaning", rows=rows))


def test_the_page_of_labels_is_as_the_code_says():
    page, made = recorded("labels.md", labels())

    assert page == made


def test_every_label_and_annotation_of_ours_has_a_sentence():
    assert {name for told in SAYS.values() for name in told} == OURS


@pytest.mark.parametrize(("part", "kind"), [("labels", LABEL), ("annotations", ANNOTATION)])
def test_the_claim_of_a_sealed_backup_has_no_other_label_or_annotation(sealed, part, kind):
    told = {name for name, (of, _) in SAYS[ON_BACKUP].items() if of == kind}
    told |= set(names.PART_OF) if kind == LABEL else set(OPERATORS)

    found = {name for name in sealed.claim["metadata"][part] if not name.startswith("pv.kubernetes.io/")}

    assert found <= told
