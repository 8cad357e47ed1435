from pathlib import Path

import pytest

from workflows.parameters import (
    BackupParameters,
    DrillParameters,
    Parameters,
    RestoreParameters,
    VerifyParameters,
    declare,
)

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_first_block_holds_the_two_commands_and_nothing_else() -> None:
    block = README.partition("```sh\n")[2].partition("```")[0]

    assert block.splitlines() == [
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/threescale-backup rehearse",
        ".venv/bin/python -m pytest",
    ]


@pytest.mark.parametrize("model", [BackupParameters, RestoreParameters, VerifyParameters, DrillParameters])
def test_every_argument_is_told_as_the_form_in_argos_ui_tells_it(model: type[Parameters]) -> None:
    untold = [item.name for item in declare(model) if f"| `{item.name}` | {item.description} |" not in README]

    assert untold == []
