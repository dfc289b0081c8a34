"""G against other people's weighted ridge regression, and what it stands for."""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from _tiny import images, pictures, state, tiny_network
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from torch import Tensor, nn

from pnc.arch import BlockNet
from pnc.base.errors import PncError
from pnc.base.files import write_text
from pnc.base.images import as_float
from pnc.base.seeds import generator
from pnc.base.tensors import write_tensors
from pnc.cloning.local.local_models import LocalModels, fit_local_models
from pnc.cloning.local.neighbourhood import Kernel, Neighbourhood, perturb

NEAR = Neighbourhood(grid=4, masks=40)
PIXELS = images(3, 2).pixels


def answers(network: nn.Module, picture: Tensor, masks: Tensor) -> Tensor:
    """The network's logits [|B|, C] around one picture [C, H, W]."""
    with torch.no_grad():
        return network(perturb(picture.expand(len(masks), -1, -1, -1), masks))


@pytest.mark.parametrize("ridge", [1e-3, 1.0])
@pytest.mark.parametrize("kernel", ["lime", "literal"])
def test_every_local_model_is_the_weighted_ridge_of_its_picture(ridge: float, kernel: Kernel) -> None:
    network, near = tiny_network("source"), Neighbourhood(grid=4, masks=40, kernel=kernel)
    models = fit_local_models(network, PIXELS, near, seed=3, ridge=ridge)
    weights = near.weights(models.masks).numpy()
    for picture, theta in zip(as_float(PIXELS), models.theta, strict=True):
        reference = Ridge(alpha=ridge, solver="cholesky").fit(
            models.masks.double().numpy(), answers(network, picture, models.masks).double().numpy(), weights
        )
        np.testing.assert_allclose(theta[:-1].T, reference.coef_, atol=1e-4)
        np.testing.assert_allclose(theta[-1], reference.intercept_, atol=1e-4)


def test_weights_on_the_answers_alone_are_the_supplements_eq_4() -> None:
    network, near = tiny_network("source"), Neighbourhood(grid=4, masks=40, weighting="answers")
    models = fit_local_models(network, PIXELS[:2], near, seed=3, ridge=0.0)
    design = torch.cat([models.masks, torch.ones(40, 1)], dim=1).double()
    for picture, theta in zip(as_float(PIXELS[:2]), models.theta, strict=True):
        weighted = near.weights(models.masks).unsqueeze(1) * answers(network, picture, models.masks)
        expected = torch.linalg.inv(design.T @ design) @ design.T @ weighted.double()
        torch.testing.assert_close(theta.double(), expected, atol=1e-4, rtol=0)


def test_captum_finds_the_same_local_models() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from captum._utils.models.linear_model import SkLearnRidge
        from captum.attr import LimeBase

        network = tiny_network("source")
        models = fit_local_models(network, PIXELS[:2], NEAR, seed=0, ridge=0.5)
        weights = NEAR.weights(models.masks)

        def one_mask_after_another(_: Tensor, **__: object) -> Iterator[Tensor]:
            yield from models.masks.split(1)

        for picture, theta in zip(as_float(PIXELS[:2]), models.theta, strict=True):
            for target in range(network.classes):
                drawn = iter(weights)
                lime = LimeBase(
                    network,
                    SkLearnRidge(alpha=0.5),
                    lambda *_, drawn=drawn, **__: next(drawn),
                    one_mask_after_another,
                    perturb_interpretable_space=True,
                    from_interp_rep_transform=lambda mask, original, **__: perturb(original, mask),
                    to_interp_rep_transform=None,
                )
                found = lime.attribute(picture.unsqueeze(0), target=target, n_samples=len(models.masks))
                torch.testing.assert_close(found.flatten(), theta[:-1, target], atol=1e-4, rtol=0)


def test_around_a_linear_network_the_local_models_are_exact() -> None:
    linear = nn.Linear(3 * 8 * 8, 5)
    nn.init.normal_(linear.weight, 0, 0.2, generator=generator(0, "linear"))
    network = BlockNet([nn.Identity()], linear, pool=nn.Flatten())
    models = fit_local_models(network, PIXELS, NEAR, seed=1, ridge=0.0)
    picture, mask = torch.tensor([0, 5, 2, 2]), torch.tensor([0, 39, 7, 8])
    near = perturb(as_float(PIXELS[picture]), models.masks[mask])
    torch.testing.assert_close(models.predict(picture, mask), network(near).detach(), atol=1e-4, rtol=0)


def test_fewer_masks_than_patches_still_give_finite_models_that_fit() -> None:
    network, near = tiny_network("source"), Neighbourhood(grid=4, masks=6)
    models = fit_local_models(network, PIXELS[:1], near, seed=0, ridge=0.0)
    fitted = models.predict(torch.zeros(6, dtype=torch.long), torch.arange(6))
    torch.testing.assert_close(fitted, answers(network, as_float(PIXELS[0]), models.masks), atol=1e-3, rtol=0)


def test_batches_make_no_difference_and_the_seed_does() -> None:
    network = tiny_network("source")
    one, all_at_once = (fit_local_models(network, PIXELS, NEAR, seed=0, batch=batch) for batch in (1, 10_000))
    torch.testing.assert_close(one.theta, all_at_once.theta, atol=1e-5, rtol=1e-5)
    other = fit_local_models(network, PIXELS, NEAR, seed=1)
    assert not torch.equal(other.masks, one.masks) and not torch.equal(other.theta, one.theta)


def test_fitting_leaves_a_network_in_train_mode_as_it_was() -> None:
    network = tiny_network("source")
    expected = fit_local_models(network, PIXELS, NEAR, seed=0)
    network.train()
    before = state(network)
    found = fit_local_models(network, PIXELS, NEAR, seed=0)
    assert state(network) == before
    assert torch.equal(found.theta, expected.theta)


# Which pictures they stand for


def test_slices_are_the_models_of_those_pictures() -> None:
    models = fit_local_models(tiny_network("source"), PIXELS, NEAR, seed=0)
    part = models.slice(2, 5)
    assert len(models) == 6 and len(part) == 3
    picture, mask = torch.tensor([0, 2]), torch.tensor([4, 4])
    assert torch.equal(part.predict(picture, mask), models.predict(picture + 2, mask))


def numbered(of: Iterable[int]) -> LocalModels:
    """Local models of some pictures; each one's parameters are the number of its picture."""
    named = torch.tensor(sorted(of))
    return LocalModels(named.float().view(-1, 1, 1).expand(-1, 17, 3).clone(), NEAR.draw(0), named)


def pairs(models: LocalModels) -> list[tuple[int, int]]:
    """(what ``of`` says, the picture that it was fitted on) of each model."""
    return [(of, int(theta[0, 0])) for of, theta in zip(models.of.tolist(), models.theta, strict=True)]


SOME = st.sets(st.integers(0, 30), min_size=1)


@given(SOME, st.permutations(range(31)), st.integers(1, 31))
def test_among_pictures_each_model_is_counted_by_its_picture_s_place(
    of: set[int], order: list[int], count: int
) -> None:
    wanted = order[:count]
    expected = [(place, picture) for place, picture in enumerate(wanted) if picture in of]
    if expected:
        assert pairs(numbered(of).among(torch.tensor(wanted))) == expected
    else:
        with pytest.raises(PncError, match=r"^local models G: expected some of the pictures, found none$"):
            numbered(of).among(torch.tensor(wanted))


@given(SOME, st.integers(0, 31), st.integers(0, 31))
def test_a_slice_counts_from_its_first_picture(of: set[int], start: int, stop: int) -> None:
    expected = [(picture - start, picture) for picture in sorted(of) if start <= picture < stop]
    if expected:
        assert pairs(numbered(of).slice(start, stop)) == expected
    else:
        with pytest.raises(
            PncError, match=f"^local models G: expected some of pictures {start}…{stop - 1}, found none"
        ):
            numbered(of).slice(start, stop)


@given(SOME, st.permutations(range(31)), st.integers(1, 30))
def test_a_slice_of_those_among_is_those_among_a_slice(of: set[int], order: list[int], cut: int) -> None:
    """D_t's training part comes first: both parts together hold all that there is."""
    models = numbered(of).among(torch.tensor(order))
    found = (
        [(place + cut, picture) for place, picture in pairs(models.slice(cut, 31))] if models.of.max() >= cut else []
    )
    first = pairs(models.slice(0, cut)) if models.of.min() < cut else []
    assert first + found == pairs(models)


def test_models_fitted_around_some_pictures_are_those_of_all_among_them() -> None:
    network, rows = tiny_network("source"), torch.tensor([1, 2, 5])
    everywhere = fit_local_models(network, PIXELS, NEAR, seed=0)
    own = fit_local_models(network, PIXELS[rows], NEAR, seed=0, of=rows)
    assert everywhere.of.tolist() == [0, 1, 2, 3, 4, 5] and own.of.tolist() == [1, 2, 5]
    expected = everywhere.among(torch.tensor([5, 2, 1]))
    found = own.among(torch.tensor([5, 3, 2, 1]))
    assert expected.of.tolist() == [0, 1, 2] and found.of.tolist() == [0, 2, 3]
    torch.testing.assert_close(found.theta, expected.theta)
    assert torch.equal(own.to("cpu").of, own.of)


def test_every_model_needs_its_picture() -> None:
    with pytest.raises(PncError, match=r"^pictures of the local models: expected 2, found 3$"):
        LocalModels(torch.zeros(2, 17, 3), NEAR.draw(0), torch.tensor([0, 1, 2]))


def test_bad_pictures_are_refused() -> None:
    network = tiny_network("source")
    with pytest.raises(PncError, match="pictures for the local models: expected at least one, found none"):
        fit_local_models(network, PIXELS[:0], NEAR, seed=0)
    with pytest.raises(PncError, match="picture size: expected a multiple of the 3×3 grid, found 8×8"):
        fit_local_models(network, PIXELS, Neighbourhood(grid=3), seed=0)
    with pytest.raises(PncError, match="type of the pixels"):
        fit_local_models(network, pictures(2), NEAR, seed=0)


def test_saved_models_come_back_bit_for_bit(tmp_path: Path) -> None:
    models = fit_local_models(tiny_network("source"), PIXELS, NEAR, seed=0, of=torch.arange(6) ** 2)
    models.save(tmp_path / "models.safetensors")
    loaded = LocalModels.load(tmp_path / "models.safetensors")
    assert torch.equal(loaded.theta, models.theta) and torch.equal(loaded.masks, models.masks)
    assert loaded.of.tolist() == [0, 1, 4, 9, 16, 25]


def test_files_that_are_no_local_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    write_tensors(path, {"pixels": PIXELS})
    with pytest.raises(PncError, match=r"expected local models \(theta, masks, of\), found \['pixels'\]"):
        LocalModels.load(path)
    write_text(path, "no tensors")
    with pytest.raises(PncError, match="expected a whole safetensors file"):
        LocalModels.load(path)
