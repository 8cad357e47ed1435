import pytest

from workflows.rehearsal.threescale import installation as threescale


@pytest.fixture
def quiet(empty):
    """A namespace whose installation is lost, without an operator that makes Secrets of its own."""
    empty.install()
    empty.lose()
    threescale.give_database_secrets(empty.kubernetes, empty.namespace)
    return empty
