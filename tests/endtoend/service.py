"""A local HTTP, HTTPS and WebSocket service that stands in for real ones while bots are recorded.

Run as ``python service.py FOLDER``: writes the certificate authority to ``FOLDER/ca.pem`` and
prints the plain and the TLS port.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from pathlib import Path

import trustme
from aiohttp import WSMsgType, web

HOSTS = ("api.example.test", "stream.example.test")


async def echo(request: web.Request) -> web.Response:
    answer = {
        "path": request.path_qs,
        "sent": (await request.read()).decode("utf-8", "replace"),
        "note": "x" * 300,
    }
    response = web.json_response(answer)
    response.set_cookie("sid", "cookie-secret-0123456789")
    return response


async def packed(request: web.Request) -> web.Response:
    response = web.json_response({"packed": "y" * 2000})
    response.enable_compression(web.ContentCoding.gzip)
    return response


async def pieces(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for index in range(3):
        await response.write(b"piece %d;" % index)
        await asyncio.sleep(0.01)
    return response


async def events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for index in range(1000):
        await response.write(b"data: %d\n\n" % index)
        await asyncio.sleep(0.02)
    return response


async def nothing(request: web.Request) -> web.Response:
    return web.Response(status=204)


async def broken(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.close()
    return response


async def ticks(request: web.Request) -> web.WebSocketResponse:
    """Acknowledge each message; after the first push ``n`` ticks, ``every`` seconds apart."""
    stream = web.WebSocketResponse(heartbeat=0.2)
    await stream.prepare(request)
    pushing: asyncio.Task[None] | None = None

    async def push() -> None:
        for index in range(int(request.query.get("n", "3"))):
            await asyncio.sleep(float(request.query.get("every", "0.02")))
            tick = {"method": "tick", "params": {"index": index, "pad": "z" * 300}}
            await stream.send_str(json.dumps(tick))
        await stream.send_bytes(b"\x00end")

    async for message in stream:
        if message.type is WSMsgType.TEXT:
            ident = json.loads(message.data).get("id")
            await stream.send_str(json.dumps({"result": 7, "id": ident}))
            pushing = pushing or asyncio.create_task(push())
    if pushing:
        pushing.cancel()
    return stream


async def main(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS, "192.0.2.7").configure_cert(context)
    app = web.Application()
    app.router.add_route("*", "/packed", packed)
    app.router.add_get("/pieces", pieces)
    app.router.add_get("/events", events)
    app.router.add_get("/nothing", nothing)
    app.router.add_get("/broken", broken)
    app.router.add_get("/ticks", ticks)
    app.router.add_route("*", "/{any:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    sites = [
        web.TCPSite(runner, "127.0.0.1", 0),
        web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context),
    ]
    for site in sites:
        await site.start()
    ports = [address[1] for address in runner.addresses]
    print(*ports, flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
