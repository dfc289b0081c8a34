"""Generated replay: pictures that the target is sure about stand in for the old ones."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from _tiny import images
from methods._task import answers, method_task, run

from pnc.base.evaluate import predict
from pnc.methods._inversion import Inversion, _misfit, _roughness, inverted

SOME = Inversion(pictures=16, steps=30, rate=0.3, smooth=0.1, bn=0.1)


def test_inverted_pictures_are_of_every_old_class_in_turn_and_the_target_is_surer_of_them() -> None:
    task = method_task("strict")
    made = inverted(task, SOME)
    assert made.pixels.shape == (16, *task.clone.samples.pixels.shape[1:])
    assert made.labels.tolist() == [0, 1, 2, 3] * 4 and made.class_names == task.spec.class_names
    untouched = inverted(task, replace(SOME, steps=1, rate=1e-6))
    parts = ((predict(task.target, part.pixels), part.labels) for part in (made, untouched))
    after, before = (float(F.cross_entropy(*part)) for part in parts)
    assert after < 0.5 * before


def test_smoothness_and_batch_statistics_count() -> None:
    task = method_task("strict")
    plain, smooth = (inverted(task, replace(SOME, smooth=weight, bn=0.0)).pixels for weight in (0.0, 100.0))
    assert float(_roughness(smooth / 255)) < 0.5 * float(_roughness(plain / 255))
    norm, entering = task.target.blocks[0][2], []
    assert isinstance(norm, torch.nn.BatchNorm2d)
    handle = norm.register_forward_pre_hook(lambda _, given: entering.append(given[0]))
    misfits = []
    for weight in (0.0, 10.0):
        pixels = inverted(task, replace(SOME, smooth=0.0, bn=weight)).pixels
        task.target(pixels / 255)
        misfits.append(float(_misfit(norm, entering[-1]).detach()))
    handle.remove()
    assert misfits[1] < misfits[0]


def test_what_is_replayed_is_made_without_an_old_picture() -> None:
    task = method_task("strict")
    old, held_out = images(4, 6, "target", seed=8), images(4, 2, "target", seed=9)
    other = replace(task, clone=replace(task.clone, rehearsal=old, rehearsal_held_out=held_out))
    assert torch.equal(answers(run("replay", task)), answers(run("replay", other)))


def test_the_joint_softmax_teaches_the_head_alone() -> None:
    """From labels of one softmax and nothing else, one step moves the head and no block."""
    task = method_task("strict", (2,))  # a single class: its own softmax says nothing
    step = {"epochs": 1, "batch": 1000, "lr": 0.1, "optimiser": "sgd", "warmup": 0.0}
    quiet = {"lwf": 0.0, "kd": 0.0, "l2_sp": 0.0, "schedule": step, "frozen_bn": True}
    heads = [run("replay", task, head=weight, **quiet).old.get_parameter("head.bias") for weight in (0.0, 1.0)]
    assert float((heads[1] - heads[0]).detach().abs().max()) > 1e-3
    blocks = [run("replay", task, head=weight, **quiet).old.get_submodule("blocks").state_dict() for weight in (0, 1)]
    assert all(torch.equal(blocks[0][key], blocks[1][key]) for key in blocks[0])
