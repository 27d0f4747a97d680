"""Writes the exchange that all servers play as a flow file; runs in mitmproxy's environment."""

from __future__ import annotations

import sys
from pathlib import Path

from mitmproxy.http import Response
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils
from played import BODY, HOST, TARGET, TYPE

if __name__ == "__main__":
    request = tutils.treq(method=b"GET", scheme=b"http", host=HOST, port=80, path=TARGET.encode())
    request.content = b""
    flow = tflow.tflow(req=request, resp=Response.make(200, BODY, {"Content-Type": TYPE}))
    with Path(sys.argv[1]).open("wb") as file:
        FlowWriter(file).add(flow)
