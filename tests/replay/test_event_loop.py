from __future__ import annotations

import asyncio
import sys

import pytest

from perfscan.replay.event_loop import new_event_loop


@pytest.mark.parametrize("installed", [True, False])
def test_uvloop_is_used_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "uvloop", None)
    loop = new_event_loop()
    assert (type(loop).__module__.partition(".")[0] == "uvloop") is installed
    assert loop.run_until_complete(asyncio.sleep(0, "ran")) == "ran"
    loop.close()
