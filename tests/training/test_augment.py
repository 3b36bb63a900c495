"""Augmented views of images: the built-in ones and those of the user's transforms."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from harvest.errors import UsageError
from harvest.training import image_array
from harvest.training.augment import Augmentation, make_augmentation, view_function
from harvest.training.training_options import TrainingOptions
from harvest.training.user_code import load_object
from tests.pictures import photo

STILL = Augmentation(
    flip_left_right=False,
    random_crop=0,
    random_scale=0,
    random_brightness=0,
    contrast=0,
    rotation=0,
    shear=0,
    shift=0,
    stretch=0,
)
OWN = """
import numpy as np

class Negative:
    def random_transform(self, x, seed=None):
        self.seed = seed
        return 255 - x

class Doubled:
    def random_transform(self, x, seed=None):
        return np.kron(x / 2, np.ones((2, 2, 1)))

class Flat:
    def random_transform(self, x, seed=None):
        return x[:, :, 0]

ready = Negative()
useless = object()
"""


def only(**changes):
    """Return an augmentation with a single change."""
    names = Augmentation.__dataclass_fields__
    return Augmentation(**{name: changes.get(name, getattr(STILL, name)) for name in names})


def levels(image):
    return np.asarray(image).astype(int)


def many(made, image, size=64, count=40):
    return [levels(made.view(image, size, random.Random(number))) for number in range(count)]


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return a folder next to a tree, with a module of the user in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "own_views.py").write_text(OWN, "utf-8")
    monkeypatch.chdir(tmp_path)
    yield folder / "tree"
    sys.modules.pop("own_views", None)


@pytest.mark.parametrize("size", [(96, 72), (72, 96), (64, 64), (20, 300), (3, 3), (1, 1)])
def test_any_picture_gives_a_square(size):
    """The views of any image are RGB squares of the requested size."""
    for view in many(Augmentation(), photo(*size), size=32, count=10):
        assert view.shape == (32, 32, 3)


def test_the_same_random_state_gives_the_same_view():
    """A view depends only on its image and the random state; another state gives another view."""
    made, image = Augmentation(), photo()

    first, again, other = (made.view(image, 64, random.Random(seed)).tobytes() for seed in (1, 1, 2))

    assert first == again != other


def test_no_augmentation_leaves_the_image_unchanged():
    """With all changes at zero, a square image is unchanged."""
    image = photo(64, 64)

    assert np.abs(levels(STILL.view(image, 64, random.Random(0))) - levels(image)).max() <= 1


def test_half_of_the_views_are_mirrored():
    """--flip-left-right shows the image and its mirror image equally often."""
    image = photo(64, 64)
    seen = many(only(flip_left_right=True), image)

    mirrored = [np.abs(view - levels(ImageOps.mirror(image))).max() <= 1 for view in seen]

    assert 10 < sum(mirrored) < 30
    others = [view for view, mirror in zip(seen, mirrored, strict=True) if not mirror]
    assert all(np.abs(view - levels(image)).max() <= 1 for view in others)


def ramp():
    """Return an image whose levels rise from left to right, from 0 to 255."""
    return Image.fromarray(np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3)))


def widths(made, count=40):
    """Return the share of the ramp's width that each view shows."""
    return [(view[32, -1, 0] - view[32, 0, 0]) / 255 * 64 / 63 for view in many(made, ramp(), count=count)]


def test_random_crop_cuts_a_margin_off_at_a_random_place():
    """--random-crop 50 shows two thirds of the side, as retrain.py does, and not always the center."""
    assert widths(only(random_crop=50)) == pytest.approx([2 / 3] * 40, abs=0.02)
    lefts = [view[32, 0, 0] for view in many(only(random_crop=50), ramp())]
    assert min(lefts) < 15
    assert max(lefts) > 70


def test_random_scale_enlarges_up_to_the_limit():
    """--random-scale 50 enlarges images by up to a half, and never shrinks them."""
    shown = widths(only(random_scale=50))
    assert min(shown) >= 1 / 1.5 - 0.02
    assert max(shown) <= 1.02
    assert max(shown) - min(shown) > 0.2


def test_random_brightness_multiplies():
    """--random-brightness 50 multiplies levels by 0.5 to 1.5."""
    grey = Image.new("RGB", (8, 8), (100, 100, 100))
    seen = [view.mean() for view in many(only(random_brightness=50), grey, size=8)]
    assert 50 <= min(seen) < 60
    assert 140 < max(seen) <= 150


def test_contrast_keeps_the_mean():
    """A change of contrast moves levels away from or towards the mean of the image."""
    half = Image.new("RGB", (64, 64), (80, 80, 80))
    half.paste((120, 120, 120), (0, 0, 32, 64))
    seen = many(only(contrast=50), half)
    spreads = [view.max() - view.min() for view in seen]
    assert 20 <= min(spreads) < 30
    assert 50 < max(spreads) <= 60
    assert all(abs(view.mean() - 100) < 2 for view in seen)


def test_borders_are_mirrored():
    """A view never shows black from outside the image, however far it is rotated and shifted."""
    white = Image.new("RGB", (40, 30), "white")
    wild = only(rotation=45, shift=60, shear=40, stretch=50)
    assert all(view.min() == 255 for view in many(wild, white, size=32))


@pytest.mark.parametrize("field", ["rotation", "shear", "shift", "stretch"])
def test_each_geometric_change_changes_the_view(field):
    """Rotation, shear, shift and stretch each change the view."""
    image = photo(64, 64)
    assert all((view != levels(image)).any() for view in many(only(**{field: 20}), image, count=5))


def test_options_set_the_augmentation(tmp_path):
    """The command line overrides the defaults; --no-augment shows images unchanged."""
    assert make_augmentation(TrainingOptions(tmp_path)) == Augmentation()
    asked = make_augmentation(
        TrainingOptions(tmp_path, flip_left_right=False, random_crop=3, random_scale=4, random_brightness=5)
    )
    assert asked == Augmentation(flip_left_right=False, random_crop=3, random_scale=4, random_brightness=5)
    assert view_function(TrainingOptions(tmp_path, augment=False)) is None
    assert make_augmentation(TrainingOptions(tmp_path, augment=False)) is None


def test_a_transform_of_the_user(own):
    """random_transform receives the view as an array and a seed, and its result is used."""
    options = TrainingOptions(own, augment=False, transform="own_views:ready")
    image = photo(96, 72)

    seen = view_function(options)(image, 64, random.Random(5))

    assert (levels(seen) == 255 - levels(image_array.centre_crop(image, 64))).all()
    assert 0 <= load_object("own_views:ready", data=own).seed < 1 << 32


def test_a_transform_after_the_augmentation(own):
    """With augmentation, the user's transform receives our views; a class is instantiated."""
    image = photo(96, 72)
    ours = make_augmentation(TrainingOptions(own)).view(image, 64, random.Random(5))

    both = make_augmentation(TrainingOptions(own, transform="own_views:Negative")).view(image, 64, random.Random(5))

    assert (levels(both) == 255 - levels(ours)).all()


def test_a_transform_may_change_size_and_kind(own):
    """Floats of another size are converted for the network."""
    made = make_augmentation(TrainingOptions(own, augment=False, transform="own_views:Doubled"))

    seen = levels(made.view(photo(96, 72), 64, random.Random(5)))

    assert seen.shape == (64, 64, 3)
    assert abs(seen.mean() * 2 - levels(image_array.centre_crop(photo(96, 72), 64)).mean()) < 2


def test_a_transform_with_an_invalid_result(own):
    """A result that is not an image is an error with a message."""
    made = make_augmentation(TrainingOptions(own, transform="own_views:Flat"))

    with pytest.raises(UsageError, match=r"own_views:Flat returned an array of shape \(64, 64\)"):
        made.view(photo(), 64, random.Random(0))


def test_the_key_of_views_depends_on_the_code(own):
    """The key of cached views depends on the code of the transform."""
    before = repr(make_augmentation(TrainingOptions(own, transform="own_views:ready")))
    sys.modules.pop("own_views")
    (own.parent / "own_views.py").write_text(OWN.replace("255 - x", "1000 - x - 745"), "utf-8")

    assert repr(make_augmentation(TrainingOptions(own, transform="own_views:ready"))) != before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("own_views", "is not of the form module:object"),
        (":ready", "is not of the form module:object"),
        (".own_views:ready", "is not of the form module:object"),
        ("own_views:", "is not of the form module:object"),
        ("nowhere_at_all:ready", "No module named 'nowhere_at_all'"),
        ("own_views:nothing", "own_views has no nothing"),
        ("own_views:useless", r"has no method random_transform"),
    ],
)
def test_a_missing_transform(own, name, reason):
    """An error for a missing name says which part of it is missing."""
    with pytest.raises(UsageError, match=reason):
        make_augmentation(TrainingOptions(own, transform=name))


def test_a_module_with_a_syntax_error(own):
    """A syntax error in the user's code is reported."""
    (own.parent / "own_views.py").write_text("def f(:\n", "utf-8")
    with pytest.raises(UsageError, match="invalid syntax"):
        load_object("own_views:f", data=own)


def test_a_module_that_fails(own):
    """An error during the import of a module is reported with its line."""
    (own.parent / "own_views.py").write_text("colour = 1\nraise RuntimeError('no licence')\n", "utf-8")
    with pytest.raises(UsageError, match=r"own_views\.py, line 2: RuntimeError: no licence"):
        load_object("own_views:f", data=own)


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ("raise ValueError('too dark')", r"line 3: ValueError: too dark"),
        ("return np.full((4, 4, 3), object())", "returned an array of object"),
        ("return (x.shape + (1,)).nothing", "AttributeError"),
    ],
)
def test_a_transform_that_fails(own, body, messages):
    """An error of a transform is reported with the option and its line."""
    text = f"import numpy as np\nclass Mine:\n    def random_transform(self, x, seed=None): {body}\n"
    (own.parent / "own_views.py").write_text(text, "utf-8")
    made = make_augmentation(TrainingOptions(own, transform="own_views:Mine"))
    with pytest.raises(UsageError, match=messages):
        made.view(photo(), 64, random.Random(0))


def test_a_transform_class_that_needs_arguments(own):
    """A class whose constructor needs arguments is an error."""
    text = "class Mine:\n    def __init__(self, size): pass\n"
    (own.parent / "own_views.py").write_text(text, "utf-8")
    with pytest.raises(UsageError, match="TypeError"):
        make_augmentation(TrainingOptions(own, transform="own_views:Mine"))


def test_the_hint_names_each_folder_once(own, monkeypatch):
    """The hint names one folder if the command runs next to the data, and else two."""
    monkeypatch.chdir(own.parent)
    with pytest.raises(UsageError) as caught:
        load_object("nothing:f", data=own)
    monkeypatch.chdir("/")
    with pytest.raises(UsageError) as elsewhere:
        load_object("nothing:f", data=own)

    assert caught.value.hint == f"nothing.py has to be in {own.parent}."
    assert elsewhere.value.hint == f"nothing.py has to be in / or in {own.parent}, next to the data."


def test_folders_are_searched_only_while_importing(own):
    """Neither the current folder nor that of the data stays on sys.path."""
    before = list(sys.path)
    load_object("own_views:ready", data=own)
    assert sys.path == before
