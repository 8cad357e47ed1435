"""What a copy counts."""

from steps.files import scanning
from steps.files.meter import Meter
from steps.files.tally import Tally
from tests.builders.trees import out


def test_a_copy_is_counted(source, tmp_path):
    (tmp_path / "copy").mkdir()
    tally, meter = Tally(), Meter()

    out(source, tmp_path / "copy", tally, meter=meter)

    assert (tally.files, tally.folders, tally.links, tally.size_bytes) == (2, 2, 1, 4)
    assert meter.counts[:2] == (tally.entries, tally.size_bytes)
    assert scanning.measure(source, workers=0) == tally
