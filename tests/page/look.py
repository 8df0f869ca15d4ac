# Looks at a page with a headless Chromium, as a browser's reader would, and prints what it saw as
# one JSON document. Arguments: PAGE FOLDER; screenshots go to the folder. The page is served on
# loopback with the policy of the status page, so that whatever breaks that shows as an error.
import asyncio
import base64
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import websockets

page_path, folder = sys.argv[1], sys.argv[2]
policy = ("default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
          "frame-ancestors 'none'")

# Text whose colour is too near to what is behind it. [WCAG 2.2, 1.4.3]
faint_texts = """(() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number);
    return {rgb: n.slice(0, 3), alpha: n.length > 3 ? n[3] : 1}; };
  const light = (rgb) => rgb.map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => { for (let e = element; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.alpha > 0) return c.rgb; }
    return [255, 255, 255]; };
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const text = element.namespaceURI.includes('svg') ? style.fill : style.color;
    const [a, b] = [light(parse(text).rgb), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(element.textContent.trim().slice(0, 40));
  }
  return faint; })()"""

# What hangs out at the side and cannot be scrolled to where it belongs.
sideways = """(() => document.documentElement.scrollWidth > window.innerWidth ?
  [...document.querySelectorAll('body *')].filter((e) =>
    e.getBoundingClientRect().right > window.innerWidth + 1 && [...document.querySelectorAll(
      '.scroll')].every((s) => !s.contains(e) || getComputedStyle(s).overflowX === 'visible'))
    .map((e) => e.tagName) : [])()"""

focused = """(() => { const e = document.activeElement; const r = e.getBoundingClientRect();
  return {tag: e.tagName, text: (e.getAttribute('aria-label') || e.textContent).trim().slice(0, 40),
    outlined: getComputedStyle(e).outlineStyle !== 'none', on_screen: r.width > 0 && r.left > -1,
    top: r.top + scrollY}; })()"""


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(page_path, "rb") as file:
            body = file.read()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Tab:
    def __init__(self, socket):
        self.socket, self.next, self.errors, self.requests = socket, 0, [], []

    async def ask(self, method, **parameters):
        self.next += 1
        number = self.next
        await self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self.socket.recv())
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(method + ": " + message["error"]["message"])
                return message["result"]
            self.note(message)

    async def wait_for(self, method):
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 30))
            self.note(message)
            if message.get("method") == method:
                return

    def note(self, message):
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"])
        if method == "Runtime.consoleAPICalled":
            self.errors.append(str(parameters["args"]))
        if method == "Runtime.exceptionThrown":
            self.errors.append(parameters["exceptionDetails"]["text"])
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    async def value(self, expression):
        result = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"]))
        return result["result"].get("value")

    async def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                           windowsVirtualKeyCode=code, **text)


async def show(tab, url, scheme, width, media=""):
    await tab.ask("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=width < 500)
    await tab.ask("Emulation.setEmulatedMedia", media=media,
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
    began = time.monotonic()
    await tab.ask("Page.navigate", url=url)
    await tab.wait_for("Page.loadEventFired")
    seconds = time.monotonic() - began
    height = await tab.value("document.documentElement.scrollHeight")
    picture = await tab.ask("Page.captureScreenshot", captureBeyondViewport=True,
                            clip={"x": 0, "y": 0, "width": width, "height": min(height, 6000),
                                  "scale": 1})
    name = f"{media or scheme}-{width}.png"
    with open(os.path.join(folder, name), "wb") as file:
        file.write(base64.b64decode(picture["data"]))
    return {"seconds": seconds, "faint": await tab.value(faint_texts),
            "sideways": await tab.value(sideways),
            "ground": await tab.value("getComputedStyle(document.body).backgroundColor"),
            "navigation": await tab.value("getComputedStyle(document.querySelector('nav'))"
                                          ".display"),
            "rows": await tab.value("document.querySelectorAll('#certificates tbody tr').length"),
            "picture": await tab.value("document.querySelectorAll('#timeline svg rect.bar').length")
            }


# Tab until it begins again, then Enter on the link over all, and on a fold.
async def use_keyboard(tab):
    await tab.value("window.scrollTo(0, 0)")
    stops = []
    wanted = await tab.value("[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]"
                             ".filter((e) => !e.parentElement.closest('details:not([open])') ||"
                             " e.tagName === 'SUMMARY').length")
    for _ in range(wanted):
        await tab.press("Tab", 9)
        stops.append(await tab.value(focused))
    await tab.value("document.querySelector('.skip').focus()")
    await tab.press("Enter", 13)
    landed = await tab.value("document.activeElement.id")
    fold = "document.querySelector('summary')"
    await tab.value(fold + ".focus()")
    before = await tab.value(fold + ".parentElement.open")
    await tab.press("Enter", 13)
    return {"stops": stops, "wanted": wanted, "landed": landed,
            "folds": await tab.value(fold + ".parentElement.open") != before}


async def look(port, url):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as reply:
        target = next(each for each in json.load(reply) if each["type"] == "page")
    async with websockets.connect(target["webSocketDebuggerUrl"], max_size=None) as socket:
        tab = Tab(socket)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.ask(domain + ".enable")
        seen = {}
        for scheme in ("light", "dark"):
            for width in (1200, 360, 320):
                seen[f"{scheme}-{width}"] = await show(tab, url, scheme, width)
        seen["print"] = await show(tab, url, "light", 720, "print")
        await show(tab, url, "light", 1200)
        seen["keyboard"] = await use_keyboard(tab)
        pdf = await tab.ask("Page.printToPDF", printBackground=False)
        seen["pdf_octets"] = len(base64.b64decode(pdf["data"]))
        tree = (await tab.ask("Accessibility.getFullAXTree"))["nodes"]
        roles = [node["role"]["value"] for node in tree if not node.get("ignored")]
        seen["roles"] = {role: roles.count(role) for role in set(roles)}
        seen["unnamed"] = [node["role"]["value"] for node in tree if not node.get("ignored")
                           and node["role"]["value"] in ("link", "region", "image", "table")
                           and not node.get("name", {}).get("value")]
        seen["errors"], seen["requests"] = tab.errors, sorted(set(tab.requests))
        return seen


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--remote-debugging-port=0",
             f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port_file = os.path.join(profile, "DevToolsActivePort")
            deadline = time.monotonic() + 60
            while not os.path.exists(port_file) or not open(port_file).read().strip():
                if time.monotonic() > deadline or browser.poll() is not None:
                    sys.exit("Chromium does not start")
                time.sleep(0.1)
            port = int(open(port_file).readline())
            print(json.dumps(asyncio.run(asyncio.wait_for(look(port, url), 150))))
        finally:
            browser.terminate()
            browser.wait(20)


main()
