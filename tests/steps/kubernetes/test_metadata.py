from steps.kubernetes import metadata


def claim(**metadata):
    return {"metadata": {"name": "nightly", **metadata}}


def test_what_is_absent_reads_as_empty():
    assert metadata.annotation(claim(annotations={"a": "1"}), "b") == ""
    assert metadata.label(claim(labels=None), "b") == ""
