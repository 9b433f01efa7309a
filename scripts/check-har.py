#!/usr/bin/env python3
"""The part of check-har that drives the browser: check-har.py BINARY FOLDER. The browser is spoken to through a pipe (Chrome DevTools
Protocol), so that nothing but what it loads goes over the network."""
import base64, hashlib, json, os, random, select, signal, subprocess, sys, time

BINARY, WORK = sys.argv[1:3]
PORT = 18099
SITE = f"http://127.0.0.1:{PORT}"
digest = lambda octets: hashlib.sha256(octets).hexdigest()[:16]
CONFIG = f"""daemon off; master_process off; pid {WORK}/pid; error_log {WORK}/log;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {WORK}/b; proxy_temp_path {WORK}/p; fastcgi_temp_path {WORK}/f; uwsgi_temp_path {WORK}/u; scgi_temp_path {WORK}/s;
    types {{ text/html html; text/css css; application/javascript js; image/png png; application/json json; application/octet-stream bin; }}
    gzip on; gzip_min_length 100; gzip_types text/css application/javascript application/json;
    server {{
        listen 127.0.0.1:{PORT}; root {WORK}/site;
        location = /moved {{ return 302 /data.json; }}
        location = /nothing {{ return 204; }}
        location = /form {{ return 200 "got it"; }}
    }}
}}
"""


def site():
    """Pages, styles, scripts, pictures and data, some compressed and in chunks, some large."""
    chance = random.Random(12)
    os.makedirs(f"{WORK}/site")
    def put(name, octets):
        with open(f"{WORK}/site/{name}", "wb") as file:
            file.write(octets)
    rows = [b"\0" + chance.randbytes(64 * 3) for _ in range(64)]
    import struct, zlib
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    for n in range(8):
        put(f"{n}.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"".join(rows), n)) + chunk(b"IEND", b""))
    put("style.css", b"body { color: #333 } /* " + b"long " * 400 + b"*/")
    put("data.json", json.dumps({"rows": [{"id": n, "name": f"row {n}"} for n in range(2000)]}).encode())
    put("large.bin", chance.randbytes(700_000))
    put("empty.bin", b"")
    put("script.js", b"""
async function all() {
    const get = (url, how) => fetch(url, how).then((r) => r.arrayBuffer());
    await Promise.all(['/data.json', '/large.bin', '/moved', '/missing.json', '/nothing', '/empty.bin'].map((url) => get(url)));
    await get('/form', { method: 'POST', body: 'a=1&b=gr\\u00fc\\u00dfe', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
    await get('/form', { method: 'POST', body: new Uint8Array(3000).map((_, n) => n * 7) });
    await get('/large.bin', { headers: { Range: 'bytes=1000-4999' } });
    await get('/data.json', { method: 'HEAD' });
    document.title = 'done';
}
all();
""")
    pictures = "".join(f'<img src="{n}.png">' for n in range(8))
    put("index.html", f'<!doctype html><meta charset="utf-8"><link rel="icon" href="0.png"><link rel="stylesheet" href="style.css">{pictures}<p>{"words " * 300}</p><iframe src="inner.html"></iframe><script src="script.js"></script>'.encode())
    put("inner.html", b"<!doctype html><p>inside<script>fetch('/data.json?inner')</script>")


class Browser:
    """A Chromium, its pipe and what it has said."""

    def __init__(self):
        down, up = os.pipe(), os.pipe()
        def ready():
            os.dup2(down[0], 3)
            os.dup2(up[1], 4)
        low = [os.dup(fd) for fd in (down[0], up[1])] if min(down[0], up[1]) < 5 else None
        if low:
            down, up = (max(os.dup(down[0]), low[0]), down[1]), (up[0], max(os.dup(up[1]), low[1]))
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={WORK}/profile", "about:blank"],
            preexec_fn=ready, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.to, self.read = down[1], up[0]
        self.buffer, self.events, self.number = b"", [], 0

    def message(self, patience=30):
        end = time.time() + patience
        while b"\0" not in self.buffer:
            if not select.select([self.read], [], [], max(0, end - time.time()))[0]:
                raise TimeoutError("the browser says nothing")
            self.buffer += os.read(self.read, 1 << 20)
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def ask(self, method, session=None, **params):
        self.number += 1
        asked = {"id": self.number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self.to, json.dumps(asked).encode() + b"\0")
        while True:
            said = self.message()
            if said.get("id") == asked["id"]:
                if "error" in said:
                    raise RuntimeError(f"{method}: {said['error']}")
                return said["result"]
            self.events.append(said)

    def page(self):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        return self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def wait(self, session, expression, patience=60):
        end = time.time() + patience
        while time.time() < end:
            value = self.ask("Runtime.evaluate", session, expression=expression, returnByValue=True)["result"].get("value")
            if value:
                return value
            time.sleep(0.2)
        raise TimeoutError(expression)


def load(browser):
    """Loads the site; what the browser says of each request: method, URL, status, octets as they came, hash of the decoded body."""
    session = browser.page()
    browser.ask("Network.enable", session, maxTotalBufferSize=1 << 28, maxResourceBufferSize=1 << 26)
    browser.ask("Network.setCacheDisabled", session, cacheDisabled=True)
    browser.ask("Page.enable", session)
    browser.ask("Page.navigate", session, url=SITE + "/")
    browser.wait(session, "document.title == 'done'")
    time.sleep(0.5)
    browser.ask("Page.getFrameTree", session)
    requests, order = {}, []
    said = []
    for event in browser.events:
        if event.get("sessionId") != session:
            continue
        p, method = event["params"], event["method"]
        if method == "Network.requestWillBeSent":
            if "redirectResponse" in p:
                old = requests[p["requestId"]]
                said.append((old["method"], old["url"], p["redirectResponse"]["status"], p["redirectResponse"]["encodedDataLength"], None))
            requests[p["requestId"]] = {"method": p["request"]["method"], "url": p["request"]["url"]}
        elif method == "Network.responseReceived":
            requests[p["requestId"]]["status"] = p["response"]["status"]
        elif method == "Network.loadingFinished":
            requests[p["requestId"]]["octets"] = p["encodedDataLength"]
    for number, request in requests.items():
        if not request["url"].startswith(SITE) or "octets" not in request:
            continue
        try:
            body = browser.ask("Network.getResponseBody", session, requestId=number)
            octets = base64.b64decode(body["body"]) if body["base64Encoded"] else body["body"].encode()
            hashed = digest(octets) if octets else None
        except RuntimeError:
            hashed = None
        said.append((request["method"], request["url"], request["status"], request["octets"], hashed))
    return said


def view(browser, count):
    """Opens the document in perf-cascade: rows that it draws."""
    folder = f"{WORK}/node_modules/perf-cascade/dist"
    found = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names if name.endswith(".min.js") and "zip" not in root]
    script = next(name for name in found if os.path.basename(name) == "perf-cascade.min.js")
    with open(f"{WORK}/view.html", "w") as page, open(f"{WORK}/all.har") as har:
        text = har.read().replace("</", "<\\/")
        page.write(f'<!doctype html><link rel="stylesheet" href="file://{script[:-7]}.css"><div id="out"></div><script src="file://{script}"></script><script>const har = {text}; document.getElementById("out").appendChild(perfCascade.fromHar(har)); document.title = "shown";</script>')
    session = browser.page()
    browser.ask("Page.enable", session)
    browser.ask("Page.navigate", session, url=f"file://{WORK}/view.html")
    browser.wait(session, "document.title == 'shown'")
    rows = browser.wait(session, "document.querySelectorAll('.row-item').length")
    picture = browser.ask("Page.captureScreenshot", session)["data"]
    with open(os.environ.get("HAR_PICTURE", f"{WORK}/view.png"), "wb") as file:
        file.write(base64.b64decode(picture))
    print(f"perf-cascade: {rows} rows for {count} entries")
    return rows == count


def main():
    site()
    with open(f"{WORK}/conf", "w") as file:
        file.write(CONFIG)
    server = subprocess.Popen(["nginx", "-c", f"{WORK}/conf"], stderr=subprocess.DEVNULL)
    dump = subprocess.Popen(["tcpdump", "-i", "lo", "-U", "-B", "65536", "-s", "0", "-w", f"{WORK}/c.pcap", f"tcp port {PORT}"], stderr=subprocess.PIPE)
    dump.stderr.readline()
    browser = Browser()
    try:
        time.sleep(0.5)
        said = load(browser)
        time.sleep(1)
        dump.send_signal(signal.SIGINT)
        dump.wait()
        subprocess.run([BINARY, "--har", f"{WORK}/all.har", f"{WORK}/c.pcap"], check=True, stderr=subprocess.DEVNULL)
        with open(f"{WORK}/all.har") as file:
            entries = json.load(file)["log"]["entries"]
        ours = []
        for entry in entries:
            request, response = entry["request"], entry["response"]
            content = response["content"]
            text = content.get("text", "")
            octets = base64.b64decode(text) if content.get("encoding") == "base64" else text.encode()
            chunked = any(h["name"].lower() == "transfer-encoding" for h in response["headers"])
            head, body = response["headersSize"], max(response["bodySize"], 0)
            # Of a redirect the browser counts the header section alone; of chunks their lines, too, which are no part of the body.
            sizes = range(head, head + 1) if response["status"] == 302 else range(head + body + 5, head + body + 40) if chunked else range(head + body, head + body + 1)
            ours.append((request["method"], request["url"], response["status"], sizes, digest(octets) if octets else None))
        left, missing = list(ours), []
        for one in said:
            # Of some answers the browser keeps no body: then their sizes are compared, and no hash.
            same = [other for other in left if other[:3] == one[:3] and one[3] in other[3] and (one[4] is None or other[4] == one[4])]
            if same:
                left.remove(same[0])
            else:
                missing.append(one)
        hashed = sum(1 for one in said if one[4])
        print(f"chromium: {len(said)} requests, {hashed} of them with a body; --har: {len(entries)} entries, {len(missing)} of the requests are not among them")
        for one in missing:
            print("  not there:", *one, "; there:", [other for other in ours if other[:2] == one[:2]])
        good = not missing and len(said) > 20 and view(browser, len(entries))
    finally:
        browser.process.kill()
        browser.process.wait()
        server.terminate()
        server.wait()
        dump.kill()
    sys.exit(not good)


main()
