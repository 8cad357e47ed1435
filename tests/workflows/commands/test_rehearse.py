from pathlib import Path

import pytest
from click.testing import CliRunner

from workflows.__main__ import main
from workflows.commands import rehearse
from workflows.rehearsal.comparison import Row


def test_what_was_lost_is_restored_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, ["rehearse", "--keep", "volumes"])

    assert result.exit_code == 0, result.output
    assert "equal: the restored installation matches the original" in result.output


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()

    result = CliRunner().invoke(main, ["rehearse", "--keep", str(tmp_path)])

    assert result.exit_code == 1
    assert "is not empty" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_difference_is_on_one_line_however_long_its_path_is(capsys: pytest.CaptureFixture[str]) -> None:
    difference = f"'{'folder with blanks/' * 20}file' is missing"

    rehearse._show([Row("Files", 1, [difference])])

    assert capsys.readouterr().out.splitlines()[-1] == f"Files: {difference}"
