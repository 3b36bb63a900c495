"""Data parallelism on a CPU: several threads that share a batch give the results of one."""

from __future__ import annotations

import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification

from harvest.training import cpu_parallel
from harvest.training.cpu_parallel import workers_for_prediction, workers_for_training
from harvest.training.network.network_with_classes import Network
from harvest.training.trainer import optimizers
from harvest.training.trainer.loss import Loss
from tests.training import tiny

LOSS = Loss(torch.tensor([0] * 5 + [1] * 3 + [2] * 8).numpy(), 3)
BATCH = {
    "pixel_values": torch.randn(7, 3, 32, 32, generator=torch.Generator().manual_seed(1)),
    "labels": torch.tensor([0, 1, 2, 2, 1, 0, 2]),
}


pytestmark = pytest.mark.usefixtures("two_threads")


def network(dropout: float = 0.0) -> Network:
    """Return a network with frozen batch norm and a dropout before its last layer."""
    made = tiny.network()
    model = made.model
    model.classifier.insert(1, torch.nn.Dropout(dropout))
    optimizers.freeze_batch_norm(model)
    return made


def gradients(network: Network, *, step: int = 0, seed: int = 0) -> tuple[float, list[torch.Tensor]]:
    """Compute the gradients of the batch with two workers; return the loss and the gradients."""
    with workers_for_training(network, batch=7, seed=seed, together=False) as pair:
        assert pair.count == 2
        network.model.train()
        loss = pair.compute_gradients(network.model, BATCH, LOSS.compute, step=step)
    return float(loss), [weight.grad.clone() for weight in network.model.parameters()]


def same(one: list[torch.Tensor], two: list[torch.Tensor], apart: float = 0.0) -> bool:
    """Return whether gradients are equal."""
    return all(torch.allclose(a, b, rtol=apart, atol=apart) for a, b in zip(one, two, strict=True))


def test_two_workers_give_the_gradients_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loss and gradients of unequal shares are those of the whole batch, with class weights."""
    monkeypatch.setattr("harvest.training.processes_and_devices._has_tiles", lambda: False)
    made = network()
    made.model.train()
    whole = LOSS.compute(made.model(pixel_values=BATCH["pixel_values"]).logits, BATCH["labels"])
    whole.backward()
    expected = [weight.grad.clone() for weight in made.model.parameters()]

    loss, found = gradients(made)

    assert loss == pytest.approx(float(whole.detach()), abs=1e-5)
    assert same(found, expected, apart=1e-4)


def test_dropout_depends_on_the_seed_and_the_step() -> None:
    """Dropout depends only on the seed and the step, not on which worker is first."""
    made = network(dropout=0.5)
    first = gradients(made)

    assert all(same(gradients(made)[1], first[1]) for _ in range(5))
    assert not same(gradients(made, step=1)[1], first[1])
    assert not same(gradients(made, seed=1)[1], first[1])


def test_the_network_is_restored_after_training() -> None:
    """After a step, dropouts are torch's own, norms are unchanged, and torch has its threads back."""
    made = network(dropout=0.5)
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    kinds = {name: type(module) for name, module in made.model.named_modules()}
    chance = torch.get_rng_state()

    gradients(made)

    assert {name: type(module) for name, module in made.model.named_modules()} == kinds
    assert all(torch.equal(before[name], value) for name, value in made.model.state_dict().items())
    assert torch.equal(chance, torch.get_rng_state())
    assert torch.get_num_threads() == 2


def test_trained_norms_get_the_whole_batch() -> None:
    """With `together` there is one worker; the trial run changes no norm."""
    made = tiny.network()
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    with workers_for_training(made, batch=7, seed=0, together=True) as one:
        assert one.count == 1
        assert torch.get_num_threads() == 2
    assert all(torch.equal(before[name], value) for name, value in made.model.state_dict().items())


def test_a_network_with_other_random_layers_has_one_worker() -> None:
    """A network with random attention has one worker: results would depend on which is first."""
    config = ViTConfig(
        hidden_size=16,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_labels=3,
        attention_probs_dropout_prob=0.1,
    )
    made = Network(ViTForImageClassification(config), tiny.LABELS, tiny.SEEN, "vit")
    with workers_for_training(made, batch=7, seed=0, together=False) as one:
        assert one.count == 1
    with workers_for_prediction(made, batch=7) as two:
        assert two.count == 2


def test_many_threads_are_divided_among_four_workers() -> None:
    """Eight threads are divided among four workers, with the same results."""
    before = gradients(made := network())
    torch.set_num_threads(8)
    with workers_for_training(made, batch=7, seed=0, together=False) as four:
        assert four.count == 4
        assert torch.get_num_threads() == 2
        loss = four.compute_gradients(made.model.train(), BATCH, LOSS.compute, step=0)
    assert float(loss) == pytest.approx(before[0], abs=1e-2)


def test_small_batches_use_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network uses one thread: several would spend their time waiting for each other."""
    monkeypatch.setattr(cpu_parallel, "_SMALL_BATCH", 2_000_000_000)
    with workers_for_training(network(), batch=7, seed=0, together=False) as one:
        assert one.count == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("count", [1, 2, 7])
def test_predictions_are_in_the_order_of_the_images(count: int) -> None:
    """A batch in shares, of which the last may be smaller, gives each image its own logits."""
    made = tiny.network()
    some = {name: value[:count] for name, value in BATCH.items()}
    with workers_for_prediction(made, batch=count) as pair, torch.no_grad():
        found = pair.predict(made.model, some)
        alone = torch.cat([made.model(pixel_values=each[None]).logits for each in some["pixel_values"]])
    assert torch.allclose(found, alone, atol=1e-4)
    assert not found.requires_grad
