"""The head: fitted on the training set only, for classes of any size and any features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from harvest.errors import TrainingError
from harvest.labelled_pictures.load_pictures import SplitPart
from harvest.splits.split_images import Split
from harvest.training.features.compute_features import Features
from harvest.training.head import logistic_regression
from harvest.training.head.logistic_regression import FeatureSpace, RegressionProblem
from harvest.training.head.solve_head import compute_learning_curve, predict_out_of_fold, solve_head
from harvest.training.head.training_set import assign_folds
from harvest.training.trainer.loss import SMOOTHING, Loss
from tests.training.tiny import network

TRAIN, VALID, TEST = SplitPart


def clusters(counts, *, width=40, apart=4.0, seed=0):
    """Return the features of classes: each a cloud around its own center."""
    dice = np.random.default_rng(seed)
    centres = dice.normal(0, apart / np.sqrt(width), (len(counts), width))
    targets = np.repeat(np.arange(len(counts)), counts)
    values = (centres[targets] + dice.normal(0, 1, (len(targets), width))).astype(np.float32)
    return values, targets


def split_rows(targets, *, parts=(TRAIN,), groups=None):
    """Return a split that assigns images to parts in turn; each image is a group by default."""
    count = len(targets)
    groups = tuple(range(count)) if groups is None else tuple(int(group) for group in groups)
    return Split(tuple(parts[number % len(parts)] for number in range(count)), groups)


def right(head, values, targets):
    return float((head.probabilities(values).argmax(axis=1) == targets).mean())


def test_separable_classes_are_classified():
    """Separable classes are classified right on unseen images, also with more features than images."""
    for width in (20, 400):
        values, targets = clusters([30, 30, 30], width=width, apart=8)
        head = solve_head(Features(values), targets, split_rows(targets, parts=(TRAIN, TRAIN, VALID)), 3)
        assert right(head, values, targets) > 0.95


@pytest.mark.parametrize("width", [10, 300])
def test_it_is_the_least_loss(width):
    """L-BFGS finds the solution of scikit-learn, in the reduced space or the full one."""
    values, targets = clusters([40, 30, 30], width=width, apart=2)
    space = FeatureSpace.of(values)

    found = logistic_regression.fit_logistic_regression(
        RegressionProblem(space.rows, targets, np.ones(100), 3), penalty=5.0
    )

    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    model = LogisticRegression(C=1 / 5.0, tol=1e-8, max_iter=1000).fit(scaled, targets)
    ours, theirs = found.probabilities(space.rows), model.predict_proba(scaled)
    assert np.abs(ours - theirs).max() < 0.01


def test_original_and_rotated_features_give_the_same_scores():
    """The weights for the original features give the same scores as those in the rotated space."""
    for width in (10, 300):
        values, targets = clusters([40, 30, 30], width=width)
        values = values * np.geomspace(1e-3, 1e3, width, dtype=np.float32) + 5
        space = FeatureSpace.of(values)
        found = logistic_regression.fit_logistic_regression(
            RegressionProblem(space.rows, targets, np.ones(100), 3), penalty=5.0
        )

        weight, bias = space.outside(found)

        answers = values @ weight.T + bias
        expected = space.rows @ found.weight + found.bias
        assert np.abs(answers - expected).max() < 1e-2


def test_the_network_with_the_head_gives_the_same_results():
    """The network with the fitted head gives the head's results."""
    tiny = network()
    values, targets = clusters([10, 10, 10], width=tiny.head.in_features)
    head = solve_head(Features(values), targets, split_rows(targets), 3)

    head.install_in(tiny)

    with torch.inference_mode():
        result = tiny.head(torch.from_numpy(values)).softmax(dim=1).numpy()
    assert np.abs(result - head.probabilities(values)).max() < 1e-4


def test_only_the_training_set_is_used_for_the_fit():
    """Features and labels of valid and test change neither the head nor the strength."""
    values, targets = clusters([30, 30], apart=1)
    split = split_rows(targets, parts=(TRAIN, VALID, TEST))
    head = solve_head(Features(values), targets, split, 2)
    others = np.concatenate([split.rows(VALID), split.rows(TEST)])
    values[others], targets[others] = 1e6, 1 - targets[others]

    again = solve_head(Features(values), targets, split, 2)

    assert np.array_equal(head.weight, again.weight)
    assert head.strength == again.strength


def test_noisy_features_get_a_stronger_penalty():
    """The chosen penalty is strong for noisy classes and weak for clear ones."""
    weak, targets = clusters([60, 60], apart=0.5, width=200)
    plain, _ = clusters([60, 60], apart=12, width=200)
    split = split_rows(targets)
    held, free = (solve_head(Features(values), targets, split, 2).strength for values in (weak, plain))
    assert held > 10 * free


def test_T04_a_rare_class_is_predicted():
    """A class with one image in fifty is still predicted: classes have equal weights."""
    values, targets = clusters([500, 10], apart=3)
    exam, answers = clusters([500, 500], apart=3)

    result = solve_head(Features(values), targets, split_rows(targets), 2).probabilities(exam).argmax(axis=1)

    assert (result[answers == 1] == 1).mean() > 0.6


def test_without_class_weights_a_rare_class_is_predicted_less():
    """`--class-weights none` gives every image the same weight, so that the large class is predicted more often."""
    values, targets = clusters([500, 10], apart=3)
    exam, answers = clusters([500, 500], apart=3)

    shares = []
    for balanced in (True, False):
        head = solve_head(Features(values), targets, split_rows(targets), 2, balanced=balanced)
        shares.append((head.probabilities(exam).argmax(axis=1)[answers == 1] == 1).mean())
        points = compute_learning_curve(values, targets, split_rows(targets), balanced=balanced)
        folds, _ = predict_out_of_fold(values, targets, range(510), 2, balanced=balanced)
        shares.append((folds.argmax(axis=1) == 1).mean())
        shares.append(1 - points[-1].accuracy)

    assert all(plain < weighted for weighted, plain in zip(shares[:3], shares[3:], strict=True))


def test_the_loss_without_class_weights_is_that_of_torch():
    """Without class weights, the loss is torch's cross-entropy with label smoothing."""
    logits = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 0, 0, 0, 1])

    plain = Loss(labels.numpy(), 2, balanced=False).compute(logits, labels)
    balanced = Loss(labels.numpy(), 2).compute(logits, labels)

    assert plain == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels, label_smoothing=SMOOTHING)))
    assert balanced != pytest.approx(float(plain))


def test_T01_classes_of_one_picture():
    """Classes of one image are learned, although none can be held out."""
    values, targets = clusters([1, 1, 1], apart=8)

    head = solve_head(Features(values), targets, split_rows(targets), 3)
    result, fold = predict_out_of_fold(values, targets, range(3), 3)

    assert right(head, values, targets) == 1
    assert np.isfinite(result).all()
    assert sorted(fold) == [0, 1, 2]


def test_T01_one_class_of_one_picture_among_others():
    """A class of one image is learned, and does not affect the strength chosen on the others."""
    values, targets = clusters([30, 30, 1], apart=8)
    head = solve_head(Features(values), targets, split_rows(targets), 3)
    assert right(head, values, targets) > 0.95
    result, _ = predict_out_of_fold(values, targets, range(61), 3)
    assert 0 < result[60, 2] < 0.2


def test_a_class_without_training_pictures():
    """A class without training images gets a small probability, not 0."""
    values, targets = clusters([20, 20, 2])
    split = Split((TRAIN,) * 40 + (VALID,) * 2, tuple(range(42)))
    head = solve_head(Features(values), targets, split, 3)
    assert np.isfinite(head.weight).all()
    assert (head.probabilities(values[:40])[:, 2] < 0.1).all()


@pytest.mark.parametrize("value", [0.0, 3.5, 1e20, -1e-30])
def test_constant_features_are_ignored(value):
    """A constant feature is ignored, whatever its value; so are all of them."""
    values, targets = clusters([20, 20], apart=8)
    plain = right(solve_head(Features(values), targets, split_rows(targets), 2), values, targets)
    values[:, 3] = value
    assert right(solve_head(Features(values), targets, split_rows(targets), 2), values, targets) > plain - 0.1
    values[:] = value
    head = solve_head(Features(values), targets, split_rows(targets), 2)
    assert np.allclose(head.probabilities(values), 0.5, atol=0.02)


def test_pictures_without_features_are_left_out():
    """Rows with NaN are not used for the fit, and get equal probabilities."""
    values, targets = clusters([20, 20, 20], apart=8)
    values[[0, 25]] = np.nan
    values[41, 3] = np.inf

    head = solve_head(Features(values), targets, split_rows(targets), 3)
    result, _ = predict_out_of_fold(values, targets, range(60), 3)

    for answers in (head.probabilities(values), result):
        assert np.allclose(answers[[0, 25, 41]], 1 / 3)
        kept = np.delete(np.arange(60), [0, 25, 41])
        assert (answers[kept].argmax(axis=1) == targets[kept]).mean() > 0.9


def test_no_features_at_all_is_an_error():
    """A training set without any features is an error."""
    values, targets = clusters([5, 5])
    values[:] = np.nan
    with pytest.raises(TrainingError, match="no image of the training set"):
        solve_head(Features(values), targets, split_rows(targets), 2)
    assert compute_learning_curve(values, targets, split_rows(targets)) == []


def test_many_classes_of_two_pictures():
    """A head is fitted on two hundred classes of two images, and classifies most of them right."""
    values, targets = clusters([2] * 200, width=64, apart=16)
    head = solve_head(Features(values), targets, split_rows(targets), 200)
    assert right(head, values, targets) > 0.95
    result, _ = predict_out_of_fold(values, targets, range(400), 200)
    assert (result.argmax(axis=1) == targets).mean() > 0.5


def test_augmented_views_are_used():
    """Augmented views of training images are used: here only they show which features matter."""
    values, targets = clusters([30, 30], apart=8)
    blank = np.zeros_like(values)
    views = np.stack([values, values], axis=1)

    without = solve_head(Features(blank), targets, split_rows(targets), 2)
    taught = solve_head(Features(blank, views), targets, split_rows(targets), 2)

    assert right(without, values, targets) < 0.6
    assert right(taught, values, targets) > 0.95


def test_T05_duplicates_stay_in_one_fold():
    """Groups stay in one fold: duplicates do not make random classes predictable."""
    dice = np.random.default_rng(0)
    values = np.repeat(dice.normal(0, 1, (60, 30)), 2, axis=0).astype(np.float32)
    targets = np.repeat(dice.integers(0, 2, 60), 2)
    groups = np.repeat(np.arange(60), 2)

    def known(groups):
        result, _ = predict_out_of_fold(values, targets, groups, 2, strength=0.01)
        return (result.argmax(axis=1) == targets).mean()

    assert known(np.arange(120)) > 0.75
    assert known(groups) < 0.65


def test_every_image_has_an_out_of_fold_prediction():
    """Each image has a fold, and probabilities that sum to one."""
    values, targets = clusters([20, 20, 20])
    result, fold = predict_out_of_fold(values, targets, range(60), 3)
    assert np.allclose(result.sum(axis=1), 1)
    assert np.bincount(fold).tolist() == [12] * 5


def test_labels_that_are_wrong_are_found():
    """Nearly all swapped labels are in the tenth of images with the highest out-of-fold loss."""
    values, targets = clusters([100, 100, 100], apart=6)
    dice = np.random.default_rng(1)
    wrong = dice.permutation(300)[:15]
    turned = targets.copy()
    turned[wrong] = (turned[wrong] + 1) % 3

    result, _ = predict_out_of_fold(values, turned, range(300), 3)

    losses = -np.log(result[np.arange(300), turned])
    assert np.isin(wrong, np.argsort(-losses)[:30]).mean() > 0.85


def test_the_learning_curve_rises():
    """More images per class give better heads, and each point has an interval."""
    values, targets = clusters([150, 150, 150], apart=2, width=100)
    points = compute_learning_curve(values, targets, split_rows(targets, parts=(TRAIN, TRAIN, VALID)), strength=0.3)

    assert [point.per_class for point in points] == [5, 10, 20, 40, 80, 120]
    assert points[-1].accuracy > points[0].accuracy + 0.1
    assert all(point.low < point.accuracy < point.high for point in points)


def test_the_learning_curve_does_not_use_the_test_set():
    """The test set does not affect the learning curve."""
    values, targets = clusters([40, 40])
    split = split_rows(targets, parts=(TRAIN, VALID, TEST))
    before = compute_learning_curve(values, targets, split)
    values[split.rows(TEST)] = np.random.default_rng(9).normal(0, 50, (len(split.rows(TEST)), 40))

    assert compute_learning_curve(values, targets, split) == before


@pytest.mark.parametrize("counts", [[1, 1], [2, 1], [3, 40], [5, 5]])
def test_a_learning_curve_of_few_pictures(counts):
    """A learning curve is computed without an error for any small number of images."""
    values, targets = clusters(counts, apart=8)
    points = compute_learning_curve(values, targets, split_rows(targets))
    assert all(0 <= point.low <= point.accuracy <= point.high <= 1 for point in points)


def test_folds_keep_groups_and_spread_classes():
    """No group is in two folds, and each class is spread as evenly as its groups allow."""
    dice = np.random.default_rng(0)
    targets = dice.integers(0, 4, 400)
    groups = dice.integers(0, 250, 400)
    targets = targets[groups]  # all images of a group have one class

    fold = assign_folds(groups, targets, 4, 5)

    assert all(len(np.unique(fold[groups == group])) == 1 for group in np.unique(groups))
    counts = np.array([np.bincount(fold[targets == label], minlength=5) for label in range(4)])
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 2


def test_the_same_pictures_give_the_same_head():
    """The fit is deterministic."""
    values, targets = clusters([30, 30], apart=1)
    first, second = (solve_head(Features(values), targets, split_rows(targets), 2) for _ in range(2))
    assert np.array_equal(first.weight, second.weight)
    assert np.array_equal(*(predict_out_of_fold(values, targets, range(60), 2)[0] for _ in range(2)))
