#!/usr/bin/env python3
"""real-carried.py BINARY: runs real servers and clients of WebSocket (the library `websockets`, with permessage-deflate) and gRPC
(`grpcio`) on the loopback, captures what they say with tcpdump, and compares what BINARY makes of it with what was sent, by hash.
Needs root, tcpdump, and both packages (`python3 -m venv DIR; DIR/bin/pip install websockets grpcio`)."""
import asyncio, base64, collections, hashlib, json, os, random, signal, subprocess, sys, tempfile, time
from concurrent import futures

BINARY = sys.argv[1]
digest = lambda octets: hashlib.sha256(octets).hexdigest()[:16]


def captured(port, talk):
    """What tcpdump sees while `talk` runs."""
    with tempfile.TemporaryDirectory() as work:
        path = work + "/c.pcap"
        dump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-B", "32768", "-s", "0", "-w", path, f"tcp port {port}"], stderr=subprocess.PIPE)
        dump.stderr.readline()
        time.sleep(0.5)
        talk()
        # The kernel hands over what it has captured within a second.
        time.sleep(1.5)
        dump.send_signal(signal.SIGINT)
        dump.wait()
        return open(path, "rb").read()


def objects(capture, *options):
    done = subprocess.run([BINARY, "-j", *options], input=capture, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def websocket(port, name, **options):
    import websockets
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import serve
    sent = collections.Counter()
    chance = random.Random(name)

    def note(message):
        sent[digest(message.encode() if isinstance(message, str) else message)] += 1
        return message

    def some(n):
        kind = n % 4
        if kind == 0:
            return json.dumps({"id": n, "method": "subscribe", "params": ["channel %d" % (n * 7919 % 1000)]})
        if kind == 1:
            return chance.randbytes(n * 37 % 3000)
        if kind == 2:
            return "grüße %d " % n * (n * 13 % 400)
        # In fragments.
        return ["part %d of %d; " % (k, n) * 20 for k in range(4)]

    async def echo(connection):
        async for message in connection:
            await connection.send(note(message))

    async def run():
        async with serve(echo, "127.0.0.1", port, **options.get("server", {})):
            for _ in range(3):
                async with connect(f"ws://127.0.0.1:{port}/", **options.get("client", {})) as client:
                    for n in range(120):
                        message = some(n)
                        note("".join(message) if isinstance(message, list) else message)
                        await client.send(message)
                        await client.recv()

    capture = captured(port, lambda: asyncio.run(run()))
    got = collections.Counter()
    for o in objects(capture, "--json-body=base64"):
        if o["type"] == "message" and o["protocol"] == "websocket" and o["websocket"]["opcode"] in ("text", "binary"):
            assert o["whole"], o
            got[digest(base64.b64decode(o.get("body") or ""))] += 1
    print(f"websocket {name}: {sum(sent.values())} sent, {sum(got.values())} found, {sum((sent - got).values())} missing, {sum((got - sent).values())} of which nobody knows")
    return sent == got


def grpc(port, compression):
    import grpc as g
    sent, asked = collections.Counter(), 300

    def answer(request, context):
        out = request[::-1] * 3
        sent[digest(out)] += 1
        return out

    def stream(request, context):
        for n in range(5):
            out = request + b" %d" % n
            sent[digest(out)] += 1
            yield out

    class Handler(g.GenericRpcHandler):
        def service(self, details):
            if details.method.endswith("Stream"):
                return g.unary_stream_rpc_method_handler(stream)
            return g.unary_unary_rpc_method_handler(answer)

    def talk():
        server = g.server(futures.ThreadPoolExecutor(8), handlers=[Handler()], compression=compression)
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        with g.insecure_channel(f"127.0.0.1:{port}", compression=compression) as channel:
            one, many, pending = channel.unary_unary("/t.S/One"), channel.unary_stream("/t.S/Stream"), []
            for n in range(asked):
                request = b"request %d " % n * (n % 50 + 1)
                sent[digest(request)] += 1
                if n % 5:
                    pending.append(one.future(request))
                else:
                    list(many(request))
            for future in pending:
                future.result()
        server.stop(1).wait()

    capture = captured(port, talk)
    got, whole, bad = collections.Counter(), 0, 0
    import zlib
    for o in objects(capture, "--json-body=base64"):
        if o["type"] != "message" or o["protocol"] != "http2":
            continue
        whole += o["whole"]
        bad += not o["whole"]
        body = base64.b64decode(o.get("body") or "")
        head = body.find(b"\r\n\r\n") + 4
        for inner in o.get("messages") or []:
            at = head + inner["offset"]
            octets = body[at + 5 : at + 5 + inner["length"]]
            if body[at]:
                # gzip or zlib, by its first octets.
                octets = zlib.decompress(octets, 47)
            got[digest(octets)] += 1
    print(f"grpc {compression}: {sum(sent.values())} sent, {sum(got.values())} found, {sum((sent - got).values())} missing, {sum((got - sent).values())} unknown; {whole} requests and responses whole, {bad} not")
    return sent == got and not bad


ok = True
try:
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
    ok &= websocket(18081, "deflate")
    fresh = lambda factory: {"extensions": [factory(server_no_context_takeover=True, client_no_context_takeover=True)]}
    ok &= websocket(18082, "deflate, fresh", server=fresh(ServerPerMessageDeflateFactory), client=fresh(ClientPerMessageDeflateFactory))
    small = lambda factory: {"extensions": [factory(server_max_window_bits=10, client_max_window_bits=9)]}
    ok &= websocket(18083, "deflate, small windows", server=small(ServerPerMessageDeflateFactory), client=small(ClientPerMessageDeflateFactory))
    ok &= websocket(18084, "plain", server={"compression": None}, client={"compression": None})
except ImportError as why:
    print("websocket: not run:", why)
try:
    import grpc as g
    for port, compression in ((18085, g.Compression.NoCompression), (18086, g.Compression.Gzip), (18087, g.Compression.Deflate)):
        ok &= grpc(port, compression)
except ImportError as why:
    print("grpc: not run:", why)
sys.exit(not ok)
