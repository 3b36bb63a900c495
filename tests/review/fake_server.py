"""A server of drawn images that speaks the protocol of the review page, for tests of the page alone."""

# ruff: noqa: D102
from __future__ import annotations

import copy
import itertools
import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from harvest.review import page_state
from harvest.review.model_results import NoModel
from tests.pictures import encoded, photo

if TYPE_CHECKING:
    from collections.abc import Iterator

CLASSES = ["coral_snake", "king_snake", 'corn "><img src=x onerror=alert(1)>']
SOURCES = ["bing", "flickr", "inaturalist"]
REASONS = ["blurred", "almost empty", "odd aspect ratio"]
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def make_item(number: int) -> dict[str, Any]:
    """Return an image of the dataset."""
    width, height = [(500, 375), (375, 500), (500, 333), (500, 500)][number % 4]
    return {
        "id": number,
        "class": CLASSES[(number * 7 // 3) % 3],
        "state": "kept",
        "reviewed": 0,
        "rating": 0,
        "w": width,
        "h": height,
        "source": SOURCES[number % 3],
        "reasons": [REASONS[number % 3]] if number % 9 == 0 else [],
        "v": f"{number:08x}",
        "touched": 0,
    }


class FakeDataset:
    """The dataset in memory: items, groups and the decisions made about them."""

    def __init__(self, count: int = 440, duplicates: int = 6, conflicts: int = 2) -> None:
        self.items = {number: make_item(number) for number in range(1, count + 1)}
        self.groups = [self.make_group(index, "duplicate") for index in range(duplicates)]
        self.groups += [self.make_group(duplicates + index, "conflict") for index in range(conflicts)]
        self.seq = itertools.count(1)
        self.last = 0
        self.changed: dict[int, int] = {}
        self.log: list[dict[str, Any]] = []
        self.undone: list[Any] = []
        self.past: list[Any] = []
        self.fail: dict[int, str] = {}
        self.status = 0  # an HTTP status that each POST gets
        self.batches: list[int] = []  # the numbers of decisions that were sent together
        self.refuses_batches = False
        self.preferences: dict[str, Any] = {"keys": {}, "letters": True, "digits": "classes"}
        self.lock = threading.Lock()

    def make_group(self, index: int, kind: str) -> dict[str, Any]:
        ids = [10 * index + 1, 10 * index + 2, *([10 * index + 3] if index % 3 == 0 else [])]
        if kind == "conflict":
            for id_, name in zip(ids, CLASSES, strict=False):
                self.items[id_]["class"] = name
        return {"key": "-".join(map(str, ids)), "kind": kind, "ids": ids, "open": True}

    def state(self) -> dict[str, Any]:
        kept = [item for item in self.items.values() if item["state"] == "kept"]
        open_ = [item for item in kept if not item["reviewed"]]
        rejected = [item for item in self.items.values() if item["state"] == "rejected"]
        names = CLASSES + sorted({item["class"] for item in self.items.values()} - set(CLASSES))
        count = lambda items, name: sum(item["class"] == name for item in items)  # noqa: E731
        return {
            "dataset": "snakes",
            "seq": self.last,
            "classes": [
                {"name": n, "kept": count(kept, n), "unreviewed": count(open_, n), "rejected": count(rejected, n)}
                for n in names
            ],
            "queues": {
                "conflicts": sum(g["open"] and g["kind"] == "conflict" for g in self.groups),
                "duplicates": sum(g["open"] and g["kind"] == "duplicate" for g in self.groups),
                "suspects": sum(bool(item["reasons"]) for item in open_),
                "unreviewed": len(open_),
                "all": len(kept),
                "rejected": len(rejected),
            },
            "sources": SOURCES,
            "licences": ["CC BY 4.0", None],
            "queries": ["micrurus fulvius", "lampropeltis"],
            "reasons": REASONS,
            "model": page_state.describe_model(NoModel(), Path("snakes"), 0),
            "undo": self.past[-1][0] + ", 12 s ago" if self.past else None,
            "redo": self.undone[-1][0] if self.undone else None,
            "pace": {"images": len(self.items) - len(open_), "seconds": 130},
            "done": {
                "warnings": ["coral_snake has 4 times as many images as king_snake.", "252 images have no licence."],
                "next": "python train.py snakes",
            },
        }

    def columns(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        names = sorted({item["class"] for item in items})
        unpredicted = {"predicted": [-1] * len(items), "p": [0] * len(items)}
        fields = ("id", "state", "reviewed", "rating", "w", "h", "source", "reasons", "v", "touched")
        columns = {field: [item[field] for item in items] for field in fields}
        columns |= {"class": [names.index(i["class"]) for i in items]} | unpredicted
        return {"seq": self.last, "classes": names} | columns

    def list_items(self, query: dict[str, str]) -> dict[str, Any]:
        tests = {
            "all": lambda i: i["state"] == "kept",
            "unreviewed": lambda i: i["state"] == "kept" and not i["reviewed"],
            "suspects": lambda i: i["state"] == "kept" and not i["reviewed"] and i["reasons"],
            "rejected": lambda i: i["state"] == "rejected",
        }
        items = [item for item in self.items.values() if tests[query["queue"]](item)]
        items = [item for item in items if query.get("class", item["class"]) == item["class"]]
        items = [item for item in items if query.get("source", item["source"]) == item["source"]]
        if "text" in query:
            items = [item for item in items if query["text"] in str(item["id"])]
        if query.get("order") == "suspicious":
            items.sort(key=lambda item: not item["reasons"])
        return self.columns(items)

    def list_groups(self, queue: str) -> dict[str, Any]:
        groups = [self.show_group(g) for g in self.groups if g["open"] and g["kind"] == queue.removesuffix("s")]
        return {"seq": self.last, "groups": groups}

    def show_group(self, group: dict[str, Any]) -> dict[str, Any]:
        members = []
        for number in group["ids"]:
            item = self.items[number]
            member = {key: item[key] for key in ("id", "class", "w", "h", "source", "v")}
            members.append(member | {"name": f"{number}.jpg", "licence": "CC BY 4.0", "kept_by_you": False})
        classes = sorted({self.items[number]["class"] for number in group["ids"]})
        shared = {"key": group["key"], "kind": group["kind"], "classes": classes, "members": members}
        if group["kind"] == "conflict":
            return shared | {"keep": [], "why": ""}
        return shared | {"keep": group["ids"][:1], "why": "2048 x 1365, CC BY"}

    def decide(self, body: dict[str, Any]) -> dict[str, Any]:
        before = copy.deepcopy((self.items, self.groups))
        failed = [{"id": number, "why": self.fail[number]} for number in body["ids"] if number in self.fail]
        ids = [number for number in body["ids"] if number not in self.fail and number in self.items]
        self.log.append(body)
        for number in ids:
            self.change(self.items[number], body)
        if body["action"] in {"settle", "distinct", "reject"}:
            for group in self.groups:
                group["open"] = group["open"] and not set(group["ids"]) <= set(ids)
        self.past.append((f"{body['action']} {len(ids)}", before))
        self.undone.clear()
        return self.reply(body["since"], ids, failed)

    def change(self, item: dict[str, Any], body: dict[str, Any]) -> None:
        action, value = body["action"], body.get("value")
        if action == "rate":
            item["rating"] = value or 0
            return
        rejects = action == "reject" or (action == "settle" and item["id"] not in body["keep"])
        item.update(state="rejected" if rejects else "kept", reviewed=1)
        if value and not rejects:
            item["class"] = value

    def revert(self, since: int, source: list[Any], target: list[Any]) -> dict[str, Any]:
        reverted: list[int] = []
        if source:
            name, before = source.pop()
            target.append((name, copy.deepcopy((self.items, self.groups))))
            reverted = [number for number, item in before[0].items() if item != self.items.get(number)]
            self.items, self.groups = before
        return self.reply(since, list(self.items), []) | {"ids": reverted}

    def reply(self, since: int, ids: list[int], failed: list[Any]) -> dict[str, Any]:
        self.last = next(self.seq)
        self.changed |= dict.fromkeys(ids, self.last)
        return self.changes(since) | {"failed": failed}

    def changes(self, since: int) -> dict[str, Any]:
        ids = [number for number, seq in self.changed.items() if seq > since]
        present = [self.items[number] for number in ids if number in self.items]
        gone = [number for number in ids if number not in self.items]
        return {"seq": self.last, "items": self.columns(present), "gone": gone, "state": self.state()}


class Handler(BaseHTTPRequestHandler):
    """Answer the requests of the page."""

    dataset: FakeDataset

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        parts = address.path.split("/")[1:]
        with self.dataset.lock:
            match parts:
                case [""]:
                    self.send_static("index.html")
                case ["static", name]:
                    self.send_static(name)
                case ["thumb" | "image", name]:
                    self.send_picture(int(name.partition("-")[0]), small=parts[0] == "thumb")
                case ["api", "preferences"]:
                    self.send_json(self.dataset.preferences)
                case ["api", "state"]:
                    self.send_json(self.dataset.state())
                case ["api", "items"]:
                    self.send_json(self.dataset.list_items(query))
                case ["api", "groups"]:
                    self.send_json(self.dataset.list_groups(query["queue"]))
                case ["api", "changes"]:
                    self.send_json(self.dataset.changes(int(query["since"])))
                case ["api", "item", number]:
                    self.send_json(self.explain(int(number)))
                case _:
                    self.send_json({"error": "There is nothing here.", "hint": ""}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        dataset = self.dataset
        with dataset.lock:
            if dataset.status:
                self.send_json({"error": "coral_snake is read-only.", "hint": "Change its rights."}, dataset.status)
            elif self.path == "/api/preferences":
                dataset.preferences = body
                self.send_json(body)
            elif self.path == "/api/decide":
                self.send_json(dataset.decide(body))
            elif self.path == "/api/decisions":
                dataset.batches.append(len(body["decisions"]))
                if dataset.refuses_batches:
                    self.send_json({"error": "This is not a decision.", "hint": ""}, 400)
                    return
                replies = [dataset.decide(each | {"since": body["since"]}) for each in body["decisions"]]
                self.send_json(replies[-1] | {"failed": [reply["failed"] for reply in replies]})
            elif self.path == "/api/undo":
                self.send_json(dataset.revert(body["since"], dataset.past, dataset.undone))
            else:
                self.send_json(dataset.revert(body["since"], dataset.undone, dataset.past))

    def explain(self, number: int) -> dict[str, Any]:
        item = self.dataset.items[number]
        return {
            "id": number, "class": item["class"], "file": f"{item['class']}/bing-{number:012x}.jpg",
            "query": "micrurus fulvius", "provider": item["source"], "rank": number,
            "page": "https://example.org/snakes", "url": "javascript:alert(1)", "title": "<b>A snake</b>",
            "author": "A. Person", "licence": "CC BY 4.0", "licence_url": "https://creativecommons.org/licenses/by/4.0/",
            "fetched": "2026-11-27 10:12", "original_size": [2048, 1365], "size": [500, 333], "content": "ab" * 32,
            "reasons": item["reasons"], "copies": [], "near_duplicates": [], "decisions": [],
            "predicted": {"class": "king_snake", "probability": 0.93},
        }  # fmt: skip

    def send_static(self, name: str) -> None:
        file = resources.files("harvest.review").joinpath("page", name)
        self.send(file.read_bytes(), TYPES[name.rpartition(".")[2]])

    def send_picture(self, number: int, *, small: bool) -> None:
        item = self.dataset.items[number]
        size = (240 * item["w"] // 500, 240 * item["h"] // 500) if small else (item["w"], item["h"])
        self.send(encoded(photo(*size, seed=number % 40)), "image/jpeg")

    def send_json(self, value: Any, status: int = 200) -> None:
        self.send(json.dumps(value).encode(), "application/json", status)

    def send(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # the page was closed meanwhile
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@contextmanager
def serve(dataset: FakeDataset, port: int = 0) -> Iterator[str]:
    """Serve a dataset on loopback, and yield the address of its page."""
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (Handler,), {"dataset": dataset}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
