"""Vision transformers: tokens become the grid they are, what is no patch is left out, and what is unclear is asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fieldmark as fm
from fieldmark.classifier.layers import LayerInfo, choose_layer
from fieldmark.classifier.layout import Grid, Layout, grids
from fieldmark.errors import LayerError, ModelError
from tests.support import models, transformers

IMAGES = np.random.default_rng(0).normal(size=(2, 32, 48, 3)).astype(np.float32)
SIGNED = fm.GradCAM(relu=False)


@pytest.mark.no_framework
@pytest.mark.parametrize(
    ("tokens", "image", "maps", "found"),
    [
        (197, (224, 224), [], ["14 x 14 after 1"]),  # ViT, patches of 16
        (198, (224, 224), [], ["14 x 14 after 2"]),  # DeiT, distilled
        (261, (224, 224), [], ["16 x 16 after 5"]),  # DINOv2 with registers, patches of 14
        (196, (224, 224), [], ["14 x 14 after 0"]),
        (25, (32, 48), [], ["4 x 6 after 1"]),
        (20, (30, 50), [(3, 5), (4, 4)], ["4 x 4 after 4"]),  # the last map decides, whatever the image
        (10, (12, 12), [], ["3 x 3 after 1", "2 x 2 after 6"]),
        (77, (224, 224), [], []),
        (50, (224, 224), [(56, 56), (7, 7)], ["7 x 7 after 1"]),
    ],
)
def test_a_grid_is_read_off_the_number_of_tokens(tokens: int, image: Any, maps: Any, found: list[str]) -> None:
    assert [str(grid) for grid in grids(tokens, image, maps)] == found
    assert all(grid.tokens == tokens for grid in grids(tokens, image, maps))


@pytest.mark.parametrize(
    ("options", "layer"),
    [
        ({}, "block1_norm1"),
        ({"prefix": 5}, "block1_norm1"),
        ({"convolution": False}, "block1_norm1"),
        ({"prefix": 0, "pooled": True}, "norm"),
        ({"prefix": 1, "pooled": True}, "norm"),
    ],
)
def test_the_last_norm_whose_patches_reach_the_score_is_chosen(options: Any, layer: str) -> None:
    clf = fm.Classifier(transformers.keras_vit(**options))
    att = SIGNED(clf, IMAGES, target=fm.Top(2))
    assert att.provenance["layer"] == layer
    assert "last normalisation whose patches reach the score (4 x 6 tokens" in att.provenance["layer_reason"]
    assert att.maps.shape == (2, 2, 4, 6)
    assert np.isfinite(att.maps).all()
    assert (np.ptp(att.maps, axis=(2, 3)) > 1e-6).all()
    assert next(info for info in clf.layers() if info.chosen).shape == (4, 6, 16)


@pytest.mark.every_backend
def test_a_pooled_transformers_map_is_its_closed_form() -> None:
    model = transformers.keras_vit(prefix=3, pooled=True)
    clf = fm.Classifier(model)
    maps = clf.engine.activations(IMAGES, "norm")
    kernel = models.numpy(model.get_layer("head").kernel)
    att = SIGNED(clf, IMAGES, target=fm.Class(2))
    np.testing.assert_allclose(att.maps[:, 0], maps @ kernel[:, 2] / 24, atol=1e-5)
    np.testing.assert_allclose(fm.CAM()(clf, IMAGES, target=fm.Class(2)).maps[:, 0], maps @ kernel[:, 2], atol=1e-4)
    np.testing.assert_allclose(clf.engine.scores(IMAGES), maps.mean(axis=(1, 2)) @ kernel, atol=1e-4)


def test_the_other_tokens_stay_when_a_map_is_replaced() -> None:
    clf = fm.Classifier(transformers.keras_vit(prefix=2))
    own = clf.engine.activations(IMAGES, "block0_norm1")
    np.testing.assert_allclose(
        clf.engine.scores_from("block0_norm1", own, IMAGES), clf.engine.scores(IMAGES), atol=1e-5
    )
    assert not np.allclose(
        clf.engine.scores_from("block0_norm1", 0 * own, IMAGES), clf.engine.scores(IMAGES), atol=1e-3
    )
    for explainer in (fm.ScoreCAM(channels=4), fm.AblationCAM(relu=False), fm.GradCAMPlusPlus(), fm.EigenCAM()):
        maps = explainer(clf, IMAGES).maps
        assert maps.shape == (2, 1, 4, 6)
        assert np.isfinite(maps).all()


@pytest.mark.every_backend
@pytest.mark.parametrize("place", [(0, 0), (1, 4)])
def test_a_planted_patch_is_found(place: tuple[int, int]) -> None:
    """The one bright patch is what the class token looks at: the map's largest value stands there."""
    image = np.random.default_rng(1).uniform(0, 0.2, (1, 32, 48, 1)).astype(np.float32)
    row, column = place
    image[0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1
    clf = fm.Classifier(transformers.seeker())
    for explainer in (fm.GradCAM(), fm.HiResCAM(), fm.LayerCAM()):
        att = explainer(clf, image, target=fm.Class(0))
        assert att.provenance["layer"] == "norm1"
        assert np.unravel_index(att.maps[0, 0].argmax(), (4, 6)) == place, explainer


def test_a_grid_that_is_unclear_is_asked_for() -> None:
    model = transformers.keras_vit((12, 12, 3), prefix=1, convolution=False, side=4)
    images = np.zeros((1, 12, 12, 3), np.float32) + IMAGES[:1, :12, :12]
    with pytest.raises(LayerError) as caught:
        fm.GradCAM()(fm.Classifier(model), images)
    assert str(caught.value) == (
        f"model {model.name!r} has 10 tokens: expected patches in a grid, after a few other tokens at most, found 3 x "
        "3 after 1 or 2 x 2 after 6; say which: Classifier(model, tokens=(height, width, tokens before them))"
    )
    assert SIGNED(fm.Classifier(model, tokens=(3, 3, 1)), images).maps.shape == (1, 1, 3, 3)
    assert fm.Gradients()(fm.Classifier(model), images).maps.shape == (1, 1, 12, 12)


def test_more_other_tokens_than_are_guessed_must_be_said() -> None:
    model = transformers.keras_vit(prefix=12)
    with pytest.raises(LayerError, match=r"has 36 tokens: expected .* found none that fits the image; say which"):
        fm.GradCAM()(fm.Classifier(model), IMAGES)
    att = SIGNED(fm.Classifier(model, tokens=(4, 6, 12)), IMAGES)
    assert att.maps.shape == (2, 1, 4, 6)
    assert att.provenance["layer"] == "block1_norm1"


def test_tokens_that_cannot_be_are_refused() -> None:
    model = transformers.keras_vit()
    with pytest.raises(ModelError, match=r"tokens=\(4, 6\): expected \(height, width, tokens before them\)"):
        fm.Classifier(model, tokens=(4, 6))  # type: ignore[arg-type]
    with pytest.raises(LayerError, match=r"has 25 tokens: expected .* found none that fits the image; say which"):
        fm.GradCAM()(fm.Classifier(model, tokens=(5, 6, 1)), IMAGES)


def test_convolutions_behind_attention_are_chosen_as_ever() -> None:
    """A hybrid: maps, tokens of them, maps again."""
    import keras
    from keras import layers

    models.seeded()
    image = keras.Input((16, 24, 3))
    x = layers.Reshape((24, 8))(layers.Conv2D(8, 4, strides=4)(image))
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(y, y)])
    x = layers.Conv2D(6, 3, activation="relu", name="last")(layers.Reshape((4, 6, 8))(x))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    assert fm.Classifier(model).choose_layer()[0] == "last"


@pytest.mark.native_torch
@pytest.mark.parametrize(
    ("options", "layer"),
    [({}, "blocks.1.norm1"), ({"registers": 4}, "blocks.1.norm1"), ({"registers": 4, "pooled": True}, "norm")],
)
def test_a_torch_transformer_is_explained(options: Any, layer: str) -> None:
    model = transformers.torch_vit(**options)
    assert model.training
    clf = fm.Classifier(model)
    att = SIGNED(clf, IMAGES, target=fm.Top(2))
    assert att.provenance["layer"] == layer
    assert att.maps.shape == (2, 2, 4, 6)
    assert (np.ptp(att.maps, axis=(2, 3)) > 1e-6).all()
    assert model.training


@pytest.mark.native_torch
def test_a_torch_transformers_map_is_its_closed_form() -> None:
    import torch

    model = transformers.torch_vit(registers=2, pooled=True)
    att = SIGNED(fm.Classifier(model), IMAGES, target=fm.Class(1))
    tokens: list[Any] = []
    handle = model.norm.register_forward_hook(lambda _module, _inputs, output: tokens.append(output))
    with torch.no_grad():
        model.eval()(torch.tensor(IMAGES.transpose(0, 3, 1, 2)))
    handle.remove()
    maps = tokens[0][:, 3:].numpy().reshape(2, 4, 6, 16)
    np.testing.assert_allclose(att.maps[:, 0], maps @ model.head.weight[1].detach().numpy() / 24, atol=1e-5)


def test_where_no_norm_reaches_the_score_another_layer_is_chosen() -> None:
    def info(name: str, kind: str) -> LayerInfo:
        return LayerInfo(name, kind, (4, 6, 8), True, layout=Layout(grid=Grid((4, 6), 1)))

    listed = [info("embed", "Dense"), info("add", "Add"), info("norm", "LayerNormalization")]
    for reach, layer in ((("embed", "add", "norm"), "norm"), (("embed", "add"), "add"), ((), "norm")):
        assert choose_layer(listed, "model", lambda names, reach=reach: [name in reach for name in names])[0] == layer
