"""The service: three ways to send an image, one form of response, and batches of waiting requests."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from harvest.http_server.service_limits import ServiceLimits
from harvest.web.image_client import ImageClient
from tests.pictures import encoded
from tests.serving.services import RED, Colours, Service
from tests.web_server import HostileServer, answer


@pytest.fixture(scope="module")
def service():
    with Service() as service:
        yield service


# Responses.


def test_an_unknown_image_is_none_of_the_classes(service):
    """An image unlike all training images is not known; its similarity and the nearest image are the reason."""
    black = service.post(encoded(Image.new("RGB", (8, 8)), "PNG")).json()

    assert (black["known"], black["nearest"]) == (False, "blue/sky.jpg")
    assert black["similarity"] < 0.1
    assert service.post().json()["known"] is True


def test_the_answer_has_a_ranked_list(service):
    """An image as the request body returns labels and probabilities, best first, that add up to 1."""
    ranked = service.post().json()["ranked"]

    assert [sorted(each) for each in ranked] == [["label", "probability"]] * 3
    assert ranked[0]["label"] == "red"
    probabilities = [each["probability"] for each in ranked]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)


@pytest.mark.parametrize(
    "kind", ["image/png", "image/jpeg", "IMAGE/X-ODD; charset=x", "application/octet-stream", None]
)
def test_N17_the_bytes_decide_what_a_picture_is(service, kind):
    """The bytes decide the format, whatever image type the Content-Type declares, or none."""
    assert service.post(kind=kind).json()["ranked"][0]["label"] == "red"


def test_a_form_gives_the_same_answer(service):
    """The file of a form is classified, whatever the name of its field."""
    form = service.client.post("/classify", files={"anything": ("a.png", RED)}, data={"note": "no matter"})

    assert form.status_code == 200
    assert form.json() == service.post().json()


def test_an_address_gives_the_same_answer():
    """The image at a URL is downloaded and classified like one that is sent."""
    with (
        Service(bodies=lambda: ImageClient(allow_private=True)) as service,
        HostileServer({"/a.png": answer(RED)}) as far,
    ):
        fetched = service.ask_for(f"{far.url}/a.png")

        assert fetched.json() == service.post().json()


@pytest.mark.parametrize(("top", "count"), [("1", 1), ("2", 2), ("3", 3), ("1000", 3)])
def test_top_is_how_many_labels_come(service, top, count):
    """`?top=` sets the number of labels."""
    assert len(service.post(path=f"/classify?top={top}").json()["ranked"]) == count


@pytest.mark.parametrize("top", ["0", "-1", "x", "", "²", "1.5"])
def test_an_invalid_top_is_an_error(service, top):
    """An invalid number of labels is a 400 that shows a valid one."""
    response = service.post(path=f"/classify?top={top}")

    assert (response.status_code, response.json()) == (
        400,
        {"error": "top must be a positive number of labels, such as ?top=3."},
    )


def test_health_describes_the_model(service):
    """The health check returns the model, the engine, and the labels in the order of the network."""
    response = service.get("/health").json()

    assert response == {
        "status": "ok",
        "model": "shapes/first",
        "engine": "colours",
        "size": 8,
        "labels": ["blue", "green", "red"],
        "largest": ServiceLimits().body,
        "explains": True,
    }


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/icon.svg", "/health"])
def test_head_is_get_without_its_body(service, path):
    """HEAD returns the headers of GET."""
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
def test_unknown_paths_and_methods_are_json_errors(service, method, path, status, allowed):
    """Other methods and paths get the right status, the allowed methods, and a message."""
    response = service.client.request(method, path)

    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert set((response.headers.get("allow") or "").split(", ")) == set((allowed or "").split(", "))


# Batches.


def test_requests_that_wait_are_run_together():
    """Images that arrive while a batch runs are classified in one batch after it."""
    predictor = Colours()
    predictor.hold.clear()
    with Service(predictor) as service, ThreadPoolExecutor(10) as crowd:
        first = crowd.submit(service.post)
        until(lambda: predictor.sizes == [1])
        others = [crowd.submit(service.post) for _ in range(9)]
        until(lambda: predictor.seen == 10)
        predictor.hold.set()

        assert {each.result().json()["ranked"][0]["label"] for each in [first, *others]} == {"red"}
        assert sum(predictor.sizes) == 10
        assert max(predictor.sizes) > 4


def test_each_gets_its_own_answer():
    """Each request of a batch gets its own result."""
    colours = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}
    bodies = {name: encoded(Image.new("RGB", (32, 32), colour), "PNG") for name, colour in colours.items()}
    with Service() as service, ThreadPoolExecutor(12) as crowd:
        asked = [name for _ in range(12) for name in bodies]
        response = crowd.map(lambda name: service.post(bodies[name]).json()["ranked"][0]["label"], asked)

        assert list(response) == asked


def test_a_judge_that_fails_fails_its_batch_alone(caplog):
    """When the network fails, the callers get a 500 with a message, and later requests succeed."""

    class Moody(Colours):
        def predict_batch(self, views):
            if not self.sizes:
                self.sizes.append(0)
                raise RuntimeError("out of sorts")
            return super().predict_batch(views)

    with Service(Moody()) as service:
        response = service.post()
        again = service.post()

    assert response.status_code == 500
    assert "bug" in response.json()["error"]
    assert "sorts" not in response.text
    assert again.status_code == 200
    assert "out of sorts" in caplog.text


def test_no_request_waits_for_a_batch_to_fill(service):
    """A single request runs at once, as a batch of one."""
    service.predictor.sizes.clear()
    for _ in range(3):
        service.post()

    assert service.predictor.sizes == [1, 1, 1]


def until(condition) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_explanation_is_an_image(service):
    """POST /explain returns a PNG of what the network saw, hot where the label comes from."""
    response = service.post(path="/explain")

    image = np.asarray(Image.open(io.BytesIO(response.content)).convert("RGB")).astype(int)
    assert response.headers["content-type"] == "image/png"
    left, right = image[:, :200].mean((0, 1)), image[:, -200:].mean((0, 1))
    assert right == pytest.approx([200, 30, 10], abs=3)
    assert left.sum() > right.sum() + 100


def test_a_model_that_cannot_explain_says_so():
    """Without PyTorch the answer is 501 with the reason, and the health check says it before."""
    with Service(Silent()) as service:
        response = service.post(path="/explain")

        assert response.status_code == 501
        assert "needs PyTorch" in response.json()["error"]
        assert service.get("/health").json()["explains"] is False


class Silent(Colours):
    """A predictor whose network has no gradients."""

    can_explain = False


@pytest.mark.parametrize(("body", "status"), [(b"<!doctype html>", 415), (b"", 400)])
def test_an_explanation_needs_an_image(service, body, status):
    """What cannot be classified cannot be explained, with the same error."""
    response = service.post(body, path="/explain")

    assert response.status_code == status
    assert response.json() == service.post(body).json()
