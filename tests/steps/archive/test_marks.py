from steps.archive import marks
from steps.archive.marks import Mark


def claim(**metadata):
    return {"metadata": {"name": "nightly", **metadata}}


def test_a_mark_is_found_on_what_carries_it():
    mark = Mark("nightly", "abc")

    assert mark.on(claim(annotations=mark.annotations()))


def test_a_mark_is_known_by_the_digest_whatever_the_claim_is_called():
    carried = Mark("nightly", "abc").annotations()

    assert Mark("copied", "abc").on(claim(annotations=carried))
    assert not Mark("nightly", "def").on(claim(annotations=carried))


def test_an_object_without_annotations_carries_no_mark():
    assert not Mark("nightly", "abc").on(claim())
    assert not Mark("nightly", "abc").on(claim(annotations=None))


def test_all_that_is_ours_lies_under_one_prefix():
    names = [value for name, value in vars(marks).items() if name.isupper() and "/" in str(value)]

    assert len(names) == 33
    assert all(name.startswith("threescale-backup/") for name in names)


def test_the_mark_of_a_drill_is_not_on_what_a_restore_made():
    of_drill = Mark("nightly", "abc", {marks.DRILL: "threescale"})
    restored = claim(annotations=Mark("nightly", "abc").annotations())
    drilled = claim(annotations=of_drill.annotations(), labels={marks.DRILL: "threescale"})

    assert not of_drill.on(restored)
    assert of_drill.on(drilled)
