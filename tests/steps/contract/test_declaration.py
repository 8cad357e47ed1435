"""What both sides of a workflow read of a declaration; the phases themselves are declared in the modules beside it."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from steps.contract import values
from steps.contract.declaration import Declared, DeclaredPhase, Marker, fields_of
from steps.contract.mounts import Mount
from tests.builders.declared import PHASES


class Size(Declared):
    size: Annotated[str, values.SIZE] = "10Gi"
    """How large
    it is."""


class Claim(Declared):
    claim: Annotated[str, values.CLAIM] = Field(alias="claim-name")
    """Which claim."""


class Example(DeclaredPhase, Size, Claim):
    sample_share: Literal["", "10%"] = ""
    workers: Annotated[int | None, values.WORKERS] = None
    folder: Annotated[Path, Mount.BACKUP]
    beside: Annotated[None, Mount.SOURCE_LISTED] = None
    look_s: Annotated[float, values.PAUSE_S, Marker.FIXED] = 5.0
    node: Annotated[str, Marker.UNTOLD] = "no-node"


FIELDS = {each.name: each for each in fields_of(Example)}


def test_fields_stand_in_the_order_in_which_they_are_written():
    order = ["size", "claim", "sample_share", "workers", "folder", "beside", "look_s", "node"]

    assert list(FIELDS) == order


def test_to_argo_a_field_is_called_by_its_alias_and_a_phase_is_told_it_by_its_name():
    assert (FIELDS["claim"].told_as, FIELDS["claim"].option) == ("claim-name", "--claim")
    assert (FIELDS["sample_share"].told_as, FIELDS["sample_share"].option) == ("sample-share", "--sample-share")


def test_its_docstring_says_on_one_line_what_it_is_for():
    assert FIELDS["size"].about == "How large it is."


def test_a_default_is_a_text_and_what_must_be_told_has_none():
    defaults = {name: FIELDS[name].default for name in ("size", "claim", "workers", "look_s")}

    assert defaults == {"size": "10Gi", "claim": None, "workers": "", "look_s": "5.0"}


def test_a_form_offers_the_words_of_a_field():
    assert FIELDS["sample_share"].words == ["", "10%"]
    assert FIELDS["workers"].words == ["", "1", "2", "4", "8", "16"]
    assert FIELDS["size"].words == []


def test_a_mount_and_what_is_fixed_are_no_inputs():
    assert [name for name, each in FIELDS.items() if not each.is_input] == ["folder", "beside", "look_s"]


def test_what_is_only_listed_and_where_a_pod_runs_are_no_options():
    assert [name for name, each in FIELDS.items() if not each.is_option] == ["beside", "node"]


@pytest.mark.parametrize(
    ("told", "sentence"),
    [({"size": "much"}, "'much' is not a size"), ({"siz": "1Gi"}, "Extra inputs"), ({"size": ""}, "'' is not a size")],
    ids=str,
)
def test_what_is_told_is_validated_by_the_kind_of_value(told, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Size.model_validate(told)


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: " ".join(phase.command))
def test_each_phase_says_what_it_does_and_what_each_thing_is_that_it_is_told_and_gives(phase):
    unsaid = [each.name for each in fields_of(phase) if each.is_option and not each.about.endswith(".")]

    assert phase.__doc__.endswith(".")
    assert unsaid == []
    assert [each.name for each in phase.gives if not each.about.endswith(".")] == []


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: " ".join(phase.command))
def test_what_a_phase_gives_has_one_name_each(phase):
    names = [each.name for each in phase.gives]

    assert sorted(names) == sorted(set(names))
