"""What all tests share: none of them touches the user's own cache."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache folder of its own, which the commands that it starts use as well."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PERFSCAN_CACHE_DIR", str(folder))
    return folder
