from steps.threescale import fields


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
