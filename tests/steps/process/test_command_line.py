import pytest


@pytest.mark.parametrize(
    "arguments",
    [
        ["backup", "seal", "--backup", ""],
        ["backup", "file-storage", "--backup", "b", "--file-storage="],
        ["notify", "--secret", ""],
    ],
    ids=str,
)
def test_an_empty_path_is_no_folder(run, capsys, arguments):
    assert run(*arguments) == 1
    assert "an empty path names nothing" in capsys.readouterr().err
