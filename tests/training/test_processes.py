"""Training through Fabric, in one process and in two."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gahr_lib.errors import ConfigError, TrainingError
from gahr_lib.models import BFCNN, BiasFreeBatchNorm, UNet
from gahr_lib.training import TrainConfig, TrainState, connect, train
from gahr_lib.training.processes import SharedNorm, batch_share, first_to_all
from helpers import intensities, seeded
from own_processes import start_two
from training.two_processes import results, write_results

pytestmark = pytest.mark.usefixtures("untouched_random_state")

IMAGES = intensities(10, 1, 8, 8)
CONFIG = TrainConfig(steps=12, batch_size=4, warmup=2)


def run(**kwargs: Any) -> list[TrainState]:
    network = UNet(width=4, blocks=1, generator=seeded())
    return list(train(network, IMAGES, CONFIG, generator=seeded(1), **kwargs))


def test_fabric_on_one_cpu_changes_no_bit() -> None:
    plain, fabric = run()[-1], run(fabric=connect("cpu"))[-1]
    assert plain.loss == fabric.loss
    for ours, theirs in zip(
        (*plain.network.state_dict().values(), *plain.averaged.state_dict().values()),
        (*fabric.network.state_dict().values(), *fabric.averaged.state_dict().values()),
        strict=True,
    ):
        assert torch.equal(ours, theirs)


def test_a_checkpoint_does_not_care_for_fabric(tmp_path: Path) -> None:
    plain = run()
    network = UNet(width=4, blocks=1, generator=seeded())
    states = train(network, IMAGES, CONFIG, generator=seeded(1), fabric=connect("cpu"))
    for _ in range(5):
        state = next(states)
    state.save(tmp_path / "run.pt")
    rest = run(resume=tmp_path / "run.pt")
    assert [s.loss for s in rest] == [s.loss for s in plain[5:]]
    assert not any(isinstance(m, SharedNorm) for m in state.denoiser().modules())


def test_the_network_of_the_caller_keeps_its_norms() -> None:
    network = BFCNN(width=3, layers=4, generator=seeded())
    next(train(network, IMAGES, CONFIG, generator=seeded(), fabric=connect("cpu")))
    assert type(network.BN_layers[0]) is BiasFreeBatchNorm


@pytest.mark.parametrize("training", [True, False])
def test_a_shared_norm_alone_is_the_norm(training: bool) -> None:
    norms = [BiasFreeBatchNorm(3), SharedNorm(3)]
    outputs = []
    for norm in norms:
        norm.train(training)
        x = intensities(5, 3, 6, 4, seed=2).requires_grad_()
        norm(x).pow(3).sum().backward()
        outputs.append((norm(x), x.grad, norm.gammas.grad, norm.running_sd))
    for ours, theirs in zip(*outputs, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_bfloat16_keeps_weights_moments_and_results_in_full_precision() -> None:
    states = run(fabric=connect("cpu", "bf16"))
    plain = run()
    for ours, theirs in zip(states, plain, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=0.02)
    assert states[-1].loss != plain[-1].loss
    last = states[-1]
    assert all(value.dtype == torch.float32 for value in last.network.state_dict().values())
    assert all(value.dtype == torch.float32 for value in last.averaged.state_dict().values())


def test_the_moments_of_a_norm_survive_bfloat16() -> None:
    """With a mean of 100 deviations, the variance is lost to moments of eight bits."""
    x = 100 + torch.randn(64, 2, 16, 16, generator=seeded())
    norm = SharedNorm(2, momentum=1.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        norm(x)
    torch.testing.assert_close(norm.running_sd.flatten(), x.std(dim=(0, 2, 3)), rtol=0.02, atol=0)


def test_shares_make_up_the_batch() -> None:
    batch = torch.arange(12)
    shares = [
        batch[batch_share(SimpleNamespace(world_size=4, global_rank=rank), 12)]  # type: ignore[arg-type]
        for rank in range(4)
    ]
    assert torch.equal(torch.cat(shares), batch)
    assert {len(share) for share in shares} == {3}


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    four = SimpleNamespace(world_size=4, global_rank=0)
    with pytest.raises(ConfigError, match=r"10 images cannot be divided among 4.*Take 12"):
        batch_share(four, 10)  # type: ignore[arg-type]


def test_the_error_of_the_first_process_is_that_of_all() -> None:
    sent: list[Any] = []

    def broadcast(value: Any) -> Any:
        sent.append(value)
        return sent[0]

    def fail() -> None:
        raise TrainingError("the disk is full")

    for first in (True, False):
        fabric = SimpleNamespace(is_global_zero=first, broadcast=broadcast)
        with pytest.raises(TrainingError, match="the disk is full"):
            first_to_all(fabric, fail)  # type: ignore[arg-type]
    assert sent[1] == (None, None)  # the second process did no work


def test_the_result_of_the_first_process_is_that_of_all() -> None:
    second = SimpleNamespace(is_global_zero=False, broadcast=lambda _: (7, None))
    assert first_to_all(second, lambda: pytest.fail("only the first works")) == 7  # type: ignore[arg-type]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one_and_reach_its_psnr(tmp_path: Path) -> None:
    """Equal losses mean equal data, equal norms, and gradients that know of both halves."""
    for process in start_two(write_results, str(tmp_path)):
        process.join(120)
        assert process.exitcode == 0
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    alone = results()
    # Muon rounds what it makes orthogonal to eight bits, so that its losses agree to two digits.
    for optimizer, tolerance in (("adam", 1e-3), ("muon", 0.05)):
        ours, theirs = first[optimizer], alone[optimizer]
        assert ours["losses"] == pytest.approx(theirs["losses"], rel=tolerance)
        assert ours["psnr"] == pytest.approx(theirs["psnr"], abs=0.05)
        # Both have learned, so that a wrong gradient would show: sigma = 0.1 alone makes 20 dB.
        assert theirs["losses"][-1] < 0.2 * theirs["losses"][0]
        assert theirs["psnr"][0] > 21
