import click
import pytest

from steps.phases import restore_options
from steps.phases.run import NOTHING


def names(text):
    return restore_options.read_names(None, None, text)


def versions(text):
    return restore_options.read_versions(None, None, text)


@pytest.mark.parametrize("told", [{}, {"zync": "7"}, {"zync": "7", "system-app": "8"}])
def test_versions_are_read_as_they_were_put_out(told):
    assert versions(restore_options.as_versions(told)) == told


def test_a_version_without_a_name_is_refused():
    with pytest.raises(click.BadParameter, match="'zync' is no NAME=VERSION"):
        versions("system-app=8,zync")


def test_a_phase_that_found_none_is_told_from_one_that_did_not_run():
    assert (names(NOTHING), names(""), names("zync,system-app")) == ([], None, ["zync", "system-app"])
