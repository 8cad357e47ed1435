"""An installation of another kind than the sample."""

import pytest

from tests.builders.installations import move_to_s3
from tests.conftest import Stage


@pytest.fixture
def in_s3(installed: Stage) -> Stage:
    """An installation whose files lie in S3, and Roles that name its Secret."""
    move_to_s3(installed)
    return installed
