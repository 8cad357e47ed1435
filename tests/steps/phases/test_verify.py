import logging

from steps.archive import marks


def test_a_stranger_at_the_root_is_named_and_marks_no_backup_damaged(kept, run, caplog):
    caplog.set_level(logging.INFO)
    root = kept.engine.volume("nightly")
    (root / "notes.txt").write_text("mine")

    code = run("verify", "read", "--claim", "nightly", "--backup", root, stage=kept, account="threescale-verify")

    assert code == 0
    assert "at the root of the volume but not part of the backup, a restore skips: 'notes.txt'" in caplog.messages
    assert marks.DAMAGED not in kept.get("persistentvolumeclaims", "nightly")["metadata"]["labels"]
