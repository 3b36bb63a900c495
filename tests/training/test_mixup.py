"""Mixup: images and labels of a batch are blended in the same shares, reproducibly."""

from __future__ import annotations

import pytest
import torch

from harvest.training.trainer.loss import Loss
from harvest.training.trainer.mixup import BatchMixup

LABELS = torch.tensor([0, 1, 2, 2, 1, 0, 2, 1])
# Every pixel of an image is the number of its class, so that its blend can be read from it.
BATCH = {"pixel_values": LABELS.float()[:, None, None, None].expand(-1, 3, 4, 4).clone(), "labels": LABELS}
LOSS = Loss(torch.tensor([0] * 5 + [1] * 3 + [2] * 8).numpy(), 3)


def test_images_and_classes_have_the_same_shares() -> None:
    """The shares of the classes add up to 1, are those of the pixels, and at least half is the image itself."""
    mixed = BatchMixup(1.0, 3, seed=4).blend(BATCH, 7)

    shares = mixed["labels"]
    assert torch.allclose(shares.sum(dim=1), torch.ones(8))
    assert torch.allclose(mixed["pixel_values"][:, 0, 0, 0], shares @ torch.tensor([0.0, 1.0, 2.0]), atol=1e-6)
    assert (shares.gather(1, LABELS[:, None]) >= 0.5 - 1e-6).all()
    assert (shares.amax(dim=1) < 0.99).any()
    assert torch.equal(BATCH["labels"], LABELS)  # the batch itself stays


def test_a_step_is_always_blended_alike() -> None:
    """The same seed and step give the same blend, as a resumed run needs; another step gives another."""
    first = BatchMixup(0.4, 3, seed=1).blend(BATCH, 3)["labels"]

    assert torch.equal(BatchMixup(0.4, 3, seed=1).blend(BATCH, 3)["labels"], first)
    assert not torch.equal(BatchMixup(0.4, 3, seed=1).blend(BATCH, 4)["labels"], first)
    assert not torch.equal(BatchMixup(0.4, 3, seed=2).blend(BATCH, 3)["labels"], first)


@pytest.mark.parametrize("alpha", [5e-324, 1e-9, 0.4, 100.0])
def test_any_alpha_gives_finite_images(alpha: float) -> None:
    """The smallest and the largest alpha give finite shares, and so does an empty batch."""
    empty = {"pixel_values": torch.empty(0, 3, 4, 4), "labels": torch.empty(0, dtype=torch.long)}

    assert torch.isfinite(BatchMixup(alpha, 3, seed=0).blend(BATCH, 0)["pixel_values"]).all()
    assert BatchMixup(alpha, 3, seed=0).blend(empty, 0)["labels"].shape == (0, 3)


def test_shares_of_classes_have_the_loss_of_labels() -> None:
    """Labels written as shares have the same loss as labels, also if workers divide the batch."""
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    shares = torch.nn.functional.one_hot(LABELS, 3).float()
    expected = LOSS.compute(logits, LABELS)

    divided = sum(
        LOSS.compute(part, share, shares) for part, share in zip(logits.split(5), shares.split(5), strict=True)
    )

    assert torch.allclose(LOSS.compute(logits, shares), expected)
    assert torch.allclose(divided, expected)
