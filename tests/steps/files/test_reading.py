"""What is read of a file."""

import hashlib
import random

from steps.files import reading


def test_a_digest_is_that_of_all_bytes_of_a_file_of_several_blocks(tmp_path):
    content = random.Random(3).randbytes((2 << 20) + 1)  # noqa: S311  no secret
    (tmp_path / "file").write_bytes(content)

    with (tmp_path / "file").open("rb") as stream:
        assert reading.digest(stream.fileno()) == (len(content), hashlib.sha256(content).hexdigest())
