from datetime import timedelta
from pathlib import Path

import pytest

from workflows.metrics import HELP, exported
from workflows.monitoring import Thresholds, alerts
from workflows.parameters import BackupParameters, Parameters, RestoreParameters, WatchdogParameters, declare

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_first_block_holds_the_two_commands_and_nothing_else() -> None:
    block = README.partition("```sh\n")[2].partition("```")[0]

    assert block.splitlines() == [
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/threescale-backup rehearse",
        ".venv/bin/python -m pytest",
    ]


@pytest.mark.parametrize("model", [BackupParameters, RestoreParameters, WatchdogParameters])
def test_every_argument_is_told_as_the_form_in_argos_ui_tells_it(model: type[Parameters]) -> None:
    untold = [item.name for item in declare(model) if f"| `{item.name}` | {item.description} |" not in README]

    assert untold == []


def test_every_metric_is_told_with_the_name_that_argo_exports() -> None:
    untold = [name for name, told in HELP.items() if f"| `{exported(name)}` | {told} |" not in README]

    assert untold == []


def test_every_alert_is_told_with_what_to_do() -> None:
    day = timedelta(days=1)
    thresholds = Thresholds(expected_every=day, verified_every=day, proven_every=day)
    untold = [alert.name for alert in alerts("api", thresholds) if f"| `{alert.name}` |" not in README]

    assert untold == []
