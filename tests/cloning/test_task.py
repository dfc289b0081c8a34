"""What cannot be cloned is refused before anything is trained, in one line."""

from dataclasses import replace

import pytest
import torch
from _tiny import clone_task, content, images, quick, tiny_network
from torch import nn

from pnc.base.errors import PncError
from pnc.cloning.local.local_models import fit_local_models
from pnc.cloning.localize_insert import localize_insert


def test_bad_requests_are_refused_in_one_line() -> None:
    task, settings = clone_task(), quick()
    models = fit_local_models(task.source, task.pixels, settings.neighbourhood, seed=0)
    for positions in ([3], [-1], [], [0, 7]):
        with pytest.raises(PncError, match=r"^positions R: expected blocks of the target, 0…2, found \["):
            localize_insert(task, models, settings, positions, seed=0)
    for part, said in (
        (replace(models, of=models.of + 3), "of 28 pictures, found one of picture 30"),
        (models.slice(0, 20), "some of pictures 20…27, found none"),
        (replace(models.slice(0, 8), of=torch.arange(20, 28)), "some of pictures 0…19, found none"),
    ):
        with pytest.raises(PncError, match=f"^local models G: expected {said}$"):
            localize_insert(task, part, settings, [2], seed=0)
    with pytest.raises(PncError, match=r"^regime rehearsal: expected samples of the target's classes"):
        localize_insert(clone_task(rehearsal=False), models, quick(regime="rehearsal"), [2], seed=0)


def test_blocks_that_yield_no_maps_are_refused() -> None:
    flat = tiny_network("source", 5)
    flat.blocks[1] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 8), nn.ReLU())
    flat.blocks[2], flat.pool = nn.Sequential(nn.Linear(8, 10), nn.ReLU()), nn.Identity()
    task, settings = replace(clone_task(), source=flat), quick()
    models = fit_local_models(flat, task.pixels, settings.neighbourhood, seed=0)
    with pytest.raises(PncError, match=r"features that enter block 2 of the source: expected \[N, C, H, W\], found"):
        localize_insert(task, models, settings, [2], seed=0)


def test_tasks_that_make_no_sense_are_refused() -> None:
    task, none = clone_task(), images(2, 1).take([])
    for changes, said in (
        ({"classes": (5, 1)}, "classes to clone: expected outputs of the source, 0…4, found [5, 1]"),
        ({"classes": ()}, "classes to clone: expected outputs of the source, 0…4, found []"),
        ({"classes": (1, 1)}, "classes to clone: expected each once, found [1, 1]"),
        ({"samples": none}, "samples D_t: expected at least one picture, found none"),
        ({"held_out": none}, "held-out D_t: expected at least one picture, found none"),
    ):
        with pytest.raises(PncError) as caught:
            replace(task, **changes)
        assert str(caught.value) == said


def test_all_of_dt_is_what_the_local_models_are_fitted_on() -> None:
    task = clone_task()
    assert content(task.pixels) == content(task.samples.pixels) + content(task.held_out.pixels)
