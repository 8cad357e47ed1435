from pathlib import Path

import pytest

from steps.contract.backup_contract import BackupArguments
from steps.contract.declaration import Declared
from steps.contract.drill_contract import DrillArguments
from steps.contract.prune_contract import PruneArguments
from steps.contract.restore_contract import RestoreArguments
from steps.contract.verify_contract import VerifyArguments
from steps.contract.watchdog_contract import WatchdogArguments
from workflows.rendering.parameters import declare

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_first_block_holds_the_two_commands_and_nothing_else() -> None:
    block = README.partition("```sh\n")[2].partition("```")[0]

    assert block.splitlines() == [
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/threescale-backup rehearse",
        ".venv/bin/python -m pytest",
    ]


@pytest.mark.parametrize(
    "model",
    [
        BackupArguments,
        RestoreArguments,
        PruneArguments,
        VerifyArguments,
        DrillArguments,
        WatchdogArguments,
    ],
)
def test_every_argument_is_told_as_the_form_in_argos_ui_tells_it(model: type[Declared]) -> None:
    untold = [item.name for item in declare(model).values() if f"| `{item.name}` | {item.description} |" not in README]

    assert untold == []
