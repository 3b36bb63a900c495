"""The service: three ways to give it a picture, answers in one shape, and batches of what waits together."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from harvest.serving.service_limits import ServiceLimits
from harvest.web.image_client import ImageClient
from tests.pictures import encoded
from tests.serving.services import RED, Colours, Service
from tests.web_server import HostileServer, answer


@pytest.fixture(scope="module")
def service():
    with Service() as service:
        yield service


# What it answers.


def test_the_answer_is_a_ranked_list(service):
    """A picture as the body gives labels and probabilities, the best first, and they add up."""
    ranked = service.post().json()

    assert [sorted(each) for each in ranked] == [["label", "probability"]] * 3
    assert ranked[0]["label"] == "red"
    probabilities = [each["probability"] for each in ranked]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)


@pytest.mark.parametrize(
    "kind", ["image/png", "image/jpeg", "IMAGE/X-ODD; charset=x", "application/octet-stream", None]
)
def test_N17_the_bytes_decide_what_a_picture_is(service, kind):
    """Whatever picture the Content-Type says, or none at all, the bytes are looked at."""
    assert service.post(kind=kind).json()[0]["label"] == "red"


def test_a_form_gives_the_same_answer(service):
    """A form with a file is read as the file itself, whatever its field is called."""
    form = service.client.post("/classify", files={"anything": ("a.png", RED)}, data={"note": "no matter"})

    assert form.status_code == 200
    assert form.json() == service.post().json()


def test_an_address_gives_the_same_answer():
    """A picture named by its address is fetched and judged as one that is sent."""
    with (
        Service(bodies=lambda: ImageClient(allow_private=True)) as service,
        HostileServer({"/a.png": answer(RED)}) as far,
    ):
        fetched = service.ask_for(f"{far.url}/a.png")

        assert fetched.json() == service.post().json()


@pytest.mark.parametrize(("top", "count"), [("1", 1), ("2", 2), ("3", 3), ("1000", 3)])
def test_top_is_how_many_labels_come(service, top, count):
    """`?top=` asks for more or fewer labels."""
    assert len(service.post(path=f"/classify?top={top}").json()) == count


@pytest.mark.parametrize("top", ["0", "-1", "x", "", "²", "1.5"])
def test_a_top_that_is_no_number_is_told(service, top):
    """What is no number of labels is a 400 that says what would be."""
    told = service.post(path=f"/classify?top={top}")

    assert (told.status_code, told.json()) == (400, {"error": "top is how many labels you want: ?top=3."})


def test_health_tells_what_is_served(service):
    """The health check names the model, what runs it, and its labels in the order of the network."""
    told = service.get("/health").json()

    assert told == {
        "status": "ok",
        "model": "shapes/first",
        "engine": "colours",
        "size": 8,
        "labels": ["blue", "green", "red"],
        "largest": ServiceLimits().body,
    }


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/icon.svg", "/health"])
def test_head_is_get_without_its_body(service, path):
    """HEAD gives the headers of GET."""
    head, get = service.client.head(path), service.get(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("OPTIONS", "/classify", 405, "POST"),
        ("GET", "/classify", 405, "POST"),
        ("PUT", "/classify", 405, "POST"),
        ("DELETE", "/", 405, "GET, HEAD"),
        ("POST", "/health", 405, "GET, HEAD"),
        ("TRACE", "/health", 405, "GET, HEAD"),
        ("GET", "/nothing", 404, None),
        ("POST", "/classify/", 404, None),
        ("GET", "/../../etc/passwd", 404, None),
        ("GET", "/page%2fpage.css", 404, None),
    ],
)
def test_what_is_not_there_is_told_as_json(service, method, path, status, allowed):
    """Other methods and other paths get the right status, the methods there are, and a sentence."""
    told = service.client.request(method, path)

    assert told.status_code == status
    assert list(told.json()) == ["error"]
    assert set((told.headers.get("allow") or "").split(", ")) == set((allowed or "").split(", "))


# Batches.


def test_requests_that_wait_are_run_together():
    """While one picture is looked at the others gather, and are then looked at in one go."""
    judge = Colours()
    judge.hold.clear()
    with Service(judge) as service, ThreadPoolExecutor(10) as crowd:
        first = crowd.submit(service.post)
        until(lambda: judge.sizes == [1])
        others = [crowd.submit(service.post) for _ in range(9)]
        until(lambda: judge.seen == 10)
        judge.hold.set()

        assert {each.result().json()[0]["label"] for each in [first, *others]} == {"red"}
        assert sum(judge.sizes) == 10
        assert max(judge.sizes) > 4


def test_each_gets_its_own_answer():
    """In a batch nobody gets the answer of another."""
    colours = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}
    bodies = {name: encoded(Image.new("RGB", (32, 32), colour), "PNG") for name, colour in colours.items()}
    with Service() as service, ThreadPoolExecutor(12) as crowd:
        asked = [name for _ in range(12) for name in bodies]
        told = crowd.map(lambda name: service.post(bodies[name]).json()[0]["label"], asked)

        assert list(told) == asked


def test_a_judge_that_fails_fails_its_batch_alone(caplog):
    """When judging breaks down the callers hear a 500 in plain words, and later ones get answers."""

    class Moody(Colours):
        def predict_batch(self, views):
            if not self.sizes:
                self.sizes.append(0)
                raise RuntimeError("out of sorts")
            return super().predict_batch(views)

    with Service(Moody()) as service:
        told = service.post()
        again = service.post()

    assert told.status_code == 500
    assert "bug" in told.json()["error"]
    assert "sorts" not in told.text
    assert again.status_code == 200
    assert "out of sorts" in caplog.text


def test_nobody_waits_for_a_batch_to_fill(service):
    """One request alone is a batch of one, at once."""
    service.judge.sizes.clear()
    for _ in range(3):
        service.post()

    assert service.judge.sizes == [1, 1, 1]


def until(condition) -> None:
    """Wait for something to happen."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
