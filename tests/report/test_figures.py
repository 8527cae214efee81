from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib as mpl
import pytest

from bigfast.profile import Profile
from bigfast.report.canvas import svg
from bigfast.report.documents import Evaluated, LimitFound, SearchDocument
from bigfast.report.latency_figures import latency_figure, pairing_drawing, prediction_drawing
from bigfast.report.pairings import pairings
from bigfast.report.search_figures import front_drawing, progress_drawing

SVG = "{http://www.w3.org/2000/svg}"


def a_search(*accuracies: float | None) -> SearchDocument:
    evaluations = tuple(
        Evaluated(arch=f"e={1 + n % 3} h=120 f=128", accuracy=accuracy, predicted_s=0.001 * (n + 1))
        for n, accuracy in enumerate(accuracies)
    )
    return SearchDocument(
        key="torch-int8:engine=x86@1", rows=400, limits=(LimitFound(limit_s=0.005, evaluations=evaluations),)
    )


def tips(text: str) -> list[str | None]:
    return [title.text for title in ElementTree.fromstring(text).iter(f"{SVG}title")]


def test_the_figure_of_a_profile_is_a_png(profile: Profile) -> None:
    assert latency_figure(profile).startswith(b"\x89PNG\r\n")


def test_the_figure_of_a_profile_shows_the_equation_and_both_runtimes(profile: Profile) -> None:
    figure = latency_figure(profile, "svg").decode()

    assert all(text in figure for text in ("fp32 = ", "torch-int8:engine=x86, 1 thread", "recipe=linear, 1 thread"))


def test_a_profile_without_float32_gets_a_sentence(profile: Profile) -> None:
    alone = replace(
        profile, measurements=tuple(m for m in profile.measurements if m.deployment.backend == "torch-int8")
    )

    assert "No figure of int8 against" in latency_figure(alone, "svg").decode()


@pytest.mark.parametrize("path_format", ["png", "svg"])
def test_equal_profiles_give_equal_bytes(profile: Profile, path_format: str) -> None:
    assert latency_figure(profile, path_format) == latency_figure(profile, path_format)


def test_drawing_leaves_the_settings_of_matplotlib_alone(profile: Profile) -> None:
    before = dict(mpl.rcParams)

    latency_figure(profile)

    assert dict(mpl.rcParams) == before


def test_each_point_tells_its_own_architecture(profile: Profile) -> None:
    pairing = pairings(profile)[0]

    told = tips(svg(pairing_drawing(pairing, 0)))

    assert [str(tip).partition(":")[0] for tip in told] == [str(arch) for arch in pairing.archs]


def test_a_prediction_is_drawn_for_every_measured_architecture(profile: Profile) -> None:
    key = "torch-int8:engine=x86@1"

    assert len(tips(svg(prediction_drawing(profile, key, 0)))) == len(profile.of(key))


def test_a_picture_says_what_it_shows_to_whoever_cannot_see_it(profile: Profile) -> None:
    root = ElementTree.fromstring(svg(pairing_drawing(pairings(profile)[0], 0)))

    assert root.get("role") == "img"
    assert "int8 against float32 latency on onnxruntime" in (root.get("aria-label") or "")


def test_failed_candidates_are_counted_and_not_drawn() -> None:
    search = a_search(None, 0.6, 0.5, None, 0.7)

    drawing = progress_drawing(search, search.limits[0], 0)

    assert drawing is not None
    assert "2 failed" in drawing.caption
    assert len(tips(svg(drawing))) == 3


def test_nothing_is_drawn_where_everything_failed() -> None:
    search = a_search(None, None)

    assert progress_drawing(search, search.limits[0], 0) is None
    assert front_drawing(search, ()) is None


def test_a_candidate_of_two_limits_is_one_point() -> None:
    search = a_search(0.6, 0.7)
    twice = search.model_copy(update={"limits": search.limits * 2})

    drawing = front_drawing(twice, ())

    assert drawing is not None
    assert len(tips(svg(drawing))) == 2


def test_a_dollar_in_a_name_is_a_dollar() -> None:
    search = a_search(0.6, 0.7).model_copy(update={"key": "torch-int8:$x$"})

    drawing = front_drawing(search, ())

    assert drawing is not None
    assert "torch-int8:$x$" in svg(drawing)
