r"""Reads ``scenario.yaml``: what is run, on which traffic, and what counts as one piece of work.

Paths are relative to the scenario file. A complete example (only ``schema``, ``name``,
``recording``, ``implementations`` and ``items`` are required; the rest shows its default or use)::

    schema: perfscan.scenario/1
    name: pool_alerts                   # short, for file names
    title: Solana new-pool alerts       # for people; default: the name
    recording: traffic.jsonl.gz         # JSONL (gz, zst), HAR, cassette, mitmproxy flows, ...
    simulated: >-                       # what about the recording is not real; empty for real
      The services were simulated (upstream.py, seed 7); their delays follow the original report.

    implementations:
      original:
        command: [python, bot.py]       # or one string; python is the one that runs perfscan
        directory: original             # where it runs; default: the scenario's folder
        environment: {TELEGRAM_BOT_TOKEN: "1:aaa", LOG_LEVEL: INFO}
      optimized:
        command: [python, -m, bot]
        directory: optimized
        environment: {TELEGRAM_BOT_TOKEN: "1:aaa"}
        prepare: [python, ../make_state.py, state.db]   # before each run, unmeasured; see below
        listens: 8000                   # port for its own users; default: the recorded one
        services:                       # real services that are started for it; or [redis]
          postgresql:
            seed: schema.sql            # SQL; or a list: a command that gets DATABASE_URL
          redis:
            seed: commands.txt          # commands as for redis-cli; or a command as above
            environment: REDIS_URL      # variable that tells the bot its URL; the usual one
            # url: redis://10.0.0.5     # instead of a seed: one that somebody else runs
        switches:                       # optimisation -> environment that turns it off
          concurrency: {MAX_CONCURRENT_POOLS: "1"}

    items:                              # one piece of work, seen from the wire
      deadline_s: 60                    # a later effect counts as missed
      settle_s: 5                       # silence after the last stimulus that ends a run
      stimulus:                         # a pushed WebSocket message that begins it
        websocket: wss://mainnet.helius-rpc.com/
        containing: 'initialize2'       # regular expression; only messages that hold it
        key: {path: $.params.result.value.signature}
      effect:                           # the accepted request (status below 400) that ends it
        request: POST https://api.telegram.org/*/sendMessage
        key: {path: $.text, pattern: 'tx/(\w+)'}   # path, pattern (first group) or both
        # request: [POST https://.../sendMessage, POST https://.../editMessageText] are several
        compare: [$.chat_id, $.text]    # must be equal to the recording; default: whole body
        apology: 'try again later'      # a text that holds it did not do the work: missed

      numbered: false                   # the n-th stimulus of a key has the n-th effect of it
      order_by: {path: $.params.result.value.slot}   # what must be effected in its order; optional

    match:                              # what the matcher may ignore, and which answer comes next
      ignore_query: [nonce]
      ignore_body: [$.id]
      paths:                            # what stands for * does not matter, such as ids that the
        - GET https://api.exchange.com/v1/orders/*   # bot makes; the answer then has the bot's own
      modes:                            # where not: the n-th answer to the n-th request, then the
        GET https://api.exchange.com/v1/ticker: by-time   # the answer of that moment
        GET https://api.exchange.com/v1/orders/*: last    # last one; last successful by default
      topics:                           # only where the words of WebSocket messages do not tell
        - subscribe: $.params.symbols[*].id   # the topics in what the bot sends
          message: $.feed               # and the topic in what it receives
      allow_misses: false

    latency:                            # only for recordings without times, such as cassettes
      GET https://api.rugcheck.xyz/v1/tokens/*/report: {p50_ms: 180, p95_ms: 900}   # lognormal
      POST https://api.telegram.org/*/sendMessage: 60   # always this many ms
      "*": [20, 35, 80]                 # every other request: one of these

    limits:                             # what hosts allow; times are those of the recording
      - host: api.binance.com
        rate: 1200/1m                   # a token bucket; each limit for a request must allow it
        burst: 600                      # what it holds, at least 1; default: one interval's worth
        requests: [GET https://api.binance.com/api/v3/*]     # default: all of the host
        weights: {GET https://api.binance.com/api/v3/depth: 5}    # tokens; default 1
        weight_header: X-MBX-USED-WEIGHT-1M
        exceeded: {status: 429, retry_after_s: 10}   # and headers, body; default: as it is used
        ban: {after: 5, for: 2m, status: 418}        # after 5 refusals in an interval
      - host: stream.binance.com        # beyond these a connection is reset
        connections: 20                 # open at once
        new_connections: 300/5m
        websockets: 5                   # open at once
        when_full: 503                  # answer instead of the reset
        concurrency: 8                  # requests worked on at once; others wait their turn
    faults: [loss=5%, "outage=api.telegram.org:10s-20s"]    # as --fault takes them
    variants:                           # other circumstances: --variants, or one with --variant
      bad line:
        faults: [loss=20%, latency=500ms]   # beside those above
      burst:
        title: Forty pools within two seconds
        recording: traffic.jsonl.gz     # played instead
        load: 3                         # as --load takes it
      without cache:                    # what is otherwise about a side
        optimized:
          environment: {BOT_CACHE: "off"}
          command: [python, ../failing.py, cache]

    compresses: [GET https://api.rugcheck.xyz/*/*]  # gzip for clients that accept it, however the
                                        # answers came to the recorded bot; from 500 bytes on
    primary: item_latency_ms.p95        # the metric that decides the verdict
    threshold: 0.05                     # the smallest relative change worth a word
    lanes: 1                            # pairs side by side; only for bots that mostly wait
    counts:                             # own metrics: name -> requests (one or several)
      rugcheck_requests: GET https://api.rugcheck.xyz/v1/tokens/*/report
    latencies:                          # own metrics .p50, .p95 and .mean: until the answer is
      rugcheck_ms: [GET https://api.rugcheck.xyz/*/*]   # whole, with a connection that it needed
    load:                               # what --load makes new in each copy, beside the keys
      vary: ['0x[0-9a-f]{40}']
    readings:                           # own metrics that the bot tells: in its log, or at a url
      cache_hit_rate:
        log: 'hit rate: ([0-9.]+) %'    # group 1 is the value
        take: last                      # or first, sum, mean, max, count
        scale: 0.01
        unit: share
        better: higher
      queued:
        url: http://127.0.0.1:9100/stats    # asked at the end of the run
        path: $.queue.length            # or pattern, as for a log
    targets:                            # largest allowed value (smallest where more is better)
      item_latency_ms.p95: 1000
    critical_path:                      # requests of an item that wait for each other, in stages
      - [POST https://mainnet.helius-rpc.com/]
      - [GET https://api.rugcheck.xyz/v1/tokens/*/report]
      - [POST https://api.telegram.org/*/sendMessage]

    claims:                             # sentences of a report beside what is measured
      - text: Pool Processing Time 3-5 seconds -> 0.5-1 second, 5x faster
        source: Performance Targets, row 1
        metric: item_latency_ms.p50     # values in the unit of the metric, here ms
        before: [3000, 5000]            # a number, [low, high] or [low, null] for an open end
        after: [500, 1000]
        ratio: 0.2                      # claimed after / before: a number or [low, high]
      - text: Zero memory leaks during 24h continuous operation
        source: Success Metrics
        not_measured: needs a soak over 24 h of recorded traffic

Other items (one stimulus and one effect each)::

      stimulus:                         # an update handed to a long poll; Telegram by default:
        poll: POST https://api.telegram.org/*/getUpdates     # a newer poll ends one that waits
        key: {path: $..chat.id}         # default; then numbered is true
        updates: $.result               # the list in an answer
        id: $.update_id                 # the number of one; offset, timeout, limit: parameters
      stimulus:                         # a request to the bot; numbered where it has no key
        inbound: POST /webhook/*
        key: {path: $.order}
      stimulus:                         # a message of a client of the bot's own WebSocket
        client: /ws
        key: {path: $.id}
      stimulus:                         # the request with which each cycle begins; its latency
        cycle: [GET https://api.bybit.com/v5/order/realtime]   # counts from there
        pause_s: 0.5                    # silence that parts cycles; default: their effect does;
                                        # longer than any within a cycle, connecting included
        cycles: 10                      # only the first ones; default: all that are recorded
      effect:                           # of a cycle: all its work, over with the last answer
        request: [GET https://api.bybit.com/v5/*/*, POST https://api.bybit.com/v5/*/*]
        compare: [$.orderLinkId]        # of all of them, in any order; default: nothing
        compare_in: [POST https://api.bybit.com/v5/*/*]   # only of these, each by itself: what
                                        # comes a cycle later is late, what never comes is missed
      effect:                           # the bot's own answer to the inbound request
        answer: true
        compare: [$.status]
      effect:                           # a message to the bot's own WebSocket clients: an item
        message: /ws                    # for each client that was told in the recording
        each: $.updates[*]              # the parts of a message that each have a key
        key: {path: $.seq}
        repeats: false                  # true where the whole state is sent each time

A scenario of ``kind: compute`` compares two functions on recorded data instead::

    schema: perfscan.scenario/1
    kind: compute
    name: atr
    data: ohlcv.csv.gz                  # .csv or .parquet (a DataFrame), .npy, .npz, .json
    sizes: [1000, 10000]                # rows that are handed over, each measured; default: all
    tolerance: 1.0e-9                   # of fractions, absolute or relative; whole numbers: none
    repeat_s: 0.5                       # each size is called again and again for so long
    implementations:
      original: {function: "indicators:atr", directory: original, arguments: {period: 14}}
      optimized: {function: "indicators:atr", directory: optimized, arguments: {period: 14}}
    primary: call_ms.10000              # default: the largest size

For cycles the mode ``by-cycle`` (under ``match.modes``; the cycle needs a
``pause_s``) answers what the bot asks in its n-th cycle with what the n-th recorded cycle was
told, each cycle in its own order, then with the last successful of them; after the last recorded
cycle things stay as they are. So a bot that asks for less in one cycle is not ahead in the next.
A cycle of which a fault or a limit took something goes on with the bot's next attempt, in the same
world, until one gets through or ``deadline_s`` is over; so ``settle_s`` must be longer than the
bot's pause.

Every run gets a fresh copy of ``directory``, and its command runs therein. ``prepare`` runs in that
copy as well, with the bot's environment, before the bot: it makes files that are too large to keep,
and is neither measured nor part of the start-up. In ``command`` and ``prepare`` a word that begins
with ``../`` names what lies beside the original ``directory``, not beside the copy.

Each of ``variants`` changes something about the scenario: faults that are added, another recording,
a load, another command or environment of a side. ``perfscan bench replay --variants`` runs them all
after the bench itself, a few pairs each (``--variant-pairs``), several side by side where there are
``lanes`` for them, and reports how both sides fared; a side that crashes in one has just that as
its result. ``--variant NAME`` runs one as a bench of its own. Claims and targets speak of the
scenario as it is and are left out of its variants.

A request pattern is a method and a URL without query; ``*`` stands for a path segment or a part
of one. Every mistake is one InputError that names file, line, key and the nearest right word.
"""

from __future__ import annotations

from perfscan.replay.scenario.reader import SCHEMA, read_bench, read_scenario
from perfscan.replay.scenario.services import SERVICES

__all__ = ["SCHEMA", "SERVICES", "read_bench", "read_scenario"]
