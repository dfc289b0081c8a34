"""An experiment's samples, local models and settings: what a task, a regime, a share and a variant make of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from _project import small
from _tiny import images
from torch import Tensor

from bench.work.experiment import Experiment
from bench.work.store import Store
from pnc.arch import NetworkSpec, build, fingerprint, save_network
from pnc.base.augment import Augmentation
from pnc.base.classifier import Recipe
from pnc.base.errors import PncError
from pnc.base.files import write_json
from pnc.base.images import Images
from pnc.base.splits import fraction_rows
from pnc.base.tensors import write_tensors
from pnc.base.train import Schedule
from pnc.cloning.local.local_models import LocalModels
from pnc.cloning.local.neighbourhood import Neighbourhood
from pnc.cloning.settings import CloneSettings

EACH = 20  # pictures of a class
NETWORKS = {"new": range(5, 10), "old": range(5)}
TASKS = {"S": [0], "M": [3, 1], "few": {"classes": [0], "share": 0.1}, "all": {"classes": [2, 0], "share": 1.0}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of ten classes, mixed, two networks as built, and "local models" that tell whose they are."""
    at = tmp_path_factory.mktemp("experiment")
    values: dict[str, Any] = small({"grids": {}, "dataset": "digits"}) | {"samples": {"share": 0.5, "held_out": 0.2}}
    values["tasks"] = {name: task if isinstance(task, dict) else {"classes": task} for name, task in TASKS.items()}
    (at / "params.yaml").write_text(yaml.safe_dump(values))
    pictures = images(10, EACH, "digit", size=32)
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
    for split in ("train", "test"):
        part = pictures.take(order)
        tensors = {"pixels": part.pixels, "labels": part.labels}
        write_tensors(at / f"artifacts/digits/data/{split}.safetensors", tensors, {"class_names": part.class_names})
    write_json(at / "artifacts/digits/data/settings.json", {"data": {"dataset": "digits"}})
    for name, classes in NETWORKS.items():
        names = tuple(f"digit {index}" for index in classes)
        spec = NetworkSpec("lenet5", names, (0.5,) * 3, (0.3,) * 3, 32, 0.25)
        save_network(at / f"artifacts/digits/0/networks/{name}/seed0.safetensors", build(spec, 0), spec)
        write_json(
            at / f"artifacts/digits/0/networks/{name}/settings.json",
            {**values["networks"][name], "recipe": values["recipes"]["usual"]},
        )
    write_local_models(at / "artifacts/digits/0/local_models/new/seed0.safetensors", pictures.take(order))
    return at


def write_local_models(path: Path, train: Images) -> None:
    """Of the source's classes at the usual share; the parameters of each are the number of its picture."""
    own, rows = own_pictures(train, NETWORKS["new"])
    of = rows[fraction_rows(own, 0.5, 0, "D_t")]
    theta = of.float().view(-1, 1, 1).expand(-1, 17, 5).clone()
    LocalModels(theta, Neighbourhood(grid=4, masks=24).draw(0), of).save(path)


def own_pictures(train: Images, classes: range) -> tuple[Images, Tensor]:
    rows = torch.isin(train.labels, torch.tensor(list(classes))).nonzero().flatten()
    return train.relabelled(list(classes)), rows


@pytest.fixture
def store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(folder)
    return Store.open("digits")


def experiment(store: Store, task: str = "S", regime: str = "strict", seed: int = 0) -> Experiment:
    return Experiment(store, "new", "old", task, regime, "0", seed)


# Samples


@pytest.mark.parametrize("task", TASKS)
def test_samples_are_the_stated_share_of_each_class_part_of_it_held_out(store: Store, task: str) -> None:
    own = experiment(store, task)
    clone, share = own.clone_task, own.entry.share or 0.5
    count = len(own.entry.outputs)
    assert clone.classes == own.entry.outputs
    held = max(1, round(0.2 * share * EACH))
    assert clone.samples.labels.bincount().tolist() == [share * EACH - held] * count
    assert clone.held_out.labels.bincount().tolist() == [held] * count
    assert clone.rehearsal is not None and clone.rehearsal_held_out is not None
    assert clone.rehearsal.labels.bincount().tolist() == [share * EACH - held] * 5
    assert clone.rehearsal_held_out.labels.bincount().tolist() == [held] * 5


@pytest.mark.parametrize("task", TASKS)
def test_rows_say_which_of_the_data_sets_pictures_the_samples_are(store: Store, task: str) -> None:
    own = experiment(store, task)
    samples = store.samples(own.clone_task.source, own.entry.outputs, own.entry.share or 0.5, 0, "D_t")
    assert torch.equal(store.train.pixels[samples.rows], own.clone_task.pixels)
    called = [store.train.class_names[label] for label in store.train.labels[samples.rows].tolist()]
    labels = torch.cat([samples.seen.labels, samples.held_out.labels]).tolist()
    assert called == [own.cloned_names[label] for label in labels]


def pixels(images: Images) -> set[bytes]:
    return {picture.numpy().tobytes() for picture in images.pixels}


def test_a_smaller_share_is_contained_in_a_larger_one_and_a_class_is_the_same_in_every_task(store: Store) -> None:
    few, usual, more = (pixels_of(experiment(store, task)) for task in ("few", "S", "all"))
    assert few < usual < more


def pixels_of(own: Experiment) -> set[bytes]:
    return pixels(own.clone_task.samples) | pixels(own.clone_task.held_out)


def test_another_seed_draws_others(store: Store, folder: Path) -> None:
    network = experiment(store).clone_task.source
    first, second = (store.samples(network, [0], 0.5, seed, "D_t").rows.tolist() for seed in (0, 1))
    assert set(first) != set(second)
    assert store.samples(network, [0], 0.5, 0, "D_o").rows.tolist() != first


# Local models


@pytest.mark.parametrize("task", ["S", "M", "few"])
def test_every_sample_of_the_usual_share_has_its_local_model_whatever_the_task(store: Store, task: str) -> None:
    own = experiment(store, task)
    models = own.local_models(own.settings(), own.settings())
    rows = store.samples(own.clone_task.source, own.entry.outputs, own.entry.share or 0.5, 0, "D_t").rows
    assert models.of.tolist() == list(range(len(own.clone_task.pixels)))
    assert torch.equal(models.theta[:, 0, 0].long(), rows)


def test_of_more_samples_those_of_the_usual_share_have_one(store: Store) -> None:
    own = experiment(store, "all")
    models = own.local_models(own.settings(), own.settings())
    assert len(models) == 2 * EACH // 2 < len(own.clone_task.pixels)
    rows = store.samples(own.clone_task.source, own.entry.outputs, 1.0, 0, "D_t").rows
    assert torch.equal(models.theta[:, 0, 0].long(), rows[models.of])


@pytest.mark.parametrize("changes", [{"ridge": 0.1}, {"neighbourhood": {"sigma": 0.5}}])
def test_other_settings_of_local_models_have_them_fitted_around_all_samples(
    store: Store, changes: dict[str, Any]
) -> None:
    own = experiment(store, "few")
    models = own.local_models(own.settings(changes), own.settings())
    assert models.of.tolist() == [0, 1] and models.theta.shape == (2, 17, 5)
    assert not torch.equal(models.theta[:, 0, 0], models.theta[:, 1, 0])


# Settings


def test_settings_are_the_suites_with_the_regime_and_what_is_held_out(store: Store) -> None:
    settings = experiment(store, regime="rehearsal").settings()
    assert settings == CloneSettings(
        regime="rehearsal",
        neighbourhood=Neighbourhood(grid=4, masks=24),
        ridge=0.001,
        held_out=0.2,
        inputs_per_epoch=256,
        start_inputs=64,
        held_out_inputs=64,
        schedule=Schedule(3, 64, 0.003),
        insert=Schedule(2, 64, 0.003),
    )


def test_a_variant_changes_just_what_it_names(store: Store) -> None:
    own = experiment(store)
    changes = {"keep": 1.0, "neighbourhood": {"kernel": "literal"}, "schedule": {"epochs": 9}}
    usual = own.settings()
    assert own.settings(changes) == replace(
        usual,
        keep=1.0,
        neighbourhood=replace(usual.neighbourhood, kernel="literal"),
        schedule=replace(usual.schedule, epochs=9),
    )
    with pytest.raises(PncError, match=r"^digits: clone: unknown key: expected one of .*, found kepe$"):
        own.settings({"kepe": 1.0})


def test_what_a_clone_is_made_with_is_all_spelled_out(store: Store) -> None:
    own = experiment(store, "few")
    plain = own.plain({"keep": 1.0})
    assert plain["task"] == {"classes": [0], "share": 0.1, "held_out": 0.2}
    assert plain["clone"]["keep"] == 1.0 and plain["clone"]["neighbourhood"]["sigma"] == 0.25  # a default
    assert own.made_with["data"] == {"dataset": "digits"}
    assert {role: network["classes"] for role, network in own.made_with["networks"].items()} == {
        "source": "5-9",
        "target": "0-4",
    }
    assert own.recipe == Recipe(Schedule(3, 128, 0.004), Augmentation(crop=2, flip=False))


# Artefacts


def test_networks_come_as_they_were_saved_with_the_names_of_their_classes(store: Store) -> None:
    network, spec = store.network("new", "0", 0)
    assert network.class_names == spec.class_names == tuple(f"digit {index}" for index in range(5, 10))
    assert fingerprint(network) == fingerprint(build(spec, 0))


def test_an_artefact_that_cannot_be_read_is_named_with_the_command_that_makes_it_anew(store: Store) -> None:
    with pytest.raises(PncError) as caught:
        store.network("new", "0", 7)
    assert str(caught.value) == (
        "artifacts/digits/0/networks/new/seed7.safetensors: expected a safetensors file, found no file; "
        "to make it anew: dvc repro --force --single-item pretrain@new-0"
    )
