from steps.kubernetes import fields


def claim(**metadata):
    return {"metadata": {"name": "nightly", **metadata}}


def test_what_is_absent_reads_as_empty():
    assert fields.annotation(claim(annotations={"a": "1"}), "b") == ""
    assert fields.label(claim(labels=None), "b") == ""


def test_fields_come_with_their_paths_the_outer_first_and_what_lies_in_a_list_has_no_key():
    spec = {"a": [{"b": None}, "c"], "d": {}}

    assert list(fields.walk(spec, "spec")) == [
        ("spec", "", spec),
        ("spec.a", "a", spec["a"]),
        ("spec.a[0]", "", {"b": None}),
        ("spec.a[0].b", "b", None),
        ("spec.a[1]", "", "c"),
        ("spec.d", "d", {}),
    ]
