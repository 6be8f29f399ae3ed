"""The choice of routes: "auto" takes the first whose file is proved, and every refusal says what to do."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import pytest
import torch

from compress.convert import float32
from compress.convert.float32 import to_float32, ways
from compress.convert.routes import Source
from edge.errors import EdgeError
from tests.compress.convert.own_route import OwnRoute, Small

EXAMPLES = (torch.zeros(1, 2, 8, 8),)
NETWORKS = Small(0), Small(1), Small(2)
Only = Callable[..., tuple[OwnRoute, ...]]
SOURCES = [Source(network, EXAMPLES) for network in NETWORKS]


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Only:
    """A function that makes routes the only ones."""

    def only(*given: OwnRoute) -> tuple[OwnRoute, ...]:
        monkeypatch.setattr(float32, "ROUTES", MappingProxyType({route.name: route for route in given}))
        monkeypatch.setattr(float32, "installed", lambda: tuple(route for route in given if route.is_installed()))
        return given

    return only


def refused(route: str = "auto") -> EdgeError:
    with pytest.raises(EdgeError) as error:
        dict(to_float32(SOURCES, route=route))
    return error.value


def test_one_process_converts_all_and_says_how_near_they_are(routes: Only) -> None:
    first, second = routes(OwnRoute("first"), OwnRoute("second"))
    said: list[str] = []
    made = dict(to_float32(SOURCES, progress=said.append))
    assert [made[number].route for number in (0, 1, 2)] == ["first"] * 3
    assert all(one.proof.largest < 1e-5 and one.seconds == 0.5 and one.refusals == () for one in made.values())
    assert (first.calls, second.calls) == ([3], [])
    assert said == ["converting to TFLite, float32, by first"]


def test_what_one_route_gets_wrong_the_next_one_makes(routes: Only) -> None:
    first, second = routes(OwnRoute("first", wrong="second"), OwnRoute("second"))
    made = dict(to_float32(SOURCES))
    assert {one.route for one in made.values()} == {"second"} and (first.calls, second.calls) == ([3], [3])
    assert all("the route first is not the network" in refusal for one in made.values() for refusal in one.refusals)


def test_a_network_that_a_route_refuses_goes_to_the_next_one_alone(routes: Only) -> None:
    first, second = routes(OwnRoute("first", refused=[NETWORKS[1]]), OwnRoute("second"))
    made = dict(to_float32(SOURCES))
    assert [made[number].route for number in (0, 1, 2)] == ["first", "second", "first"]
    assert [made[number].refusals for number in (0, 1)] == [(), ("first can't: write it otherwise",)]
    assert (first.calls, second.calls) == ([3, 1], [1])


def test_a_route_by_its_name_is_taken_alone(routes: Only) -> None:
    first, second = routes(OwnRoute("first"), OwnRoute("second", wrong="head"))
    assert refused("second").code == "conversion.differs"
    assert (first.calls, second.calls) == ([], [3])


def test_where_no_route_does_it_all_of_them_say_why(routes: Only) -> None:
    routes(OwnRoute("first", wrong="head"), OwnRoute("second", refused=NETWORKS))
    error = refused()
    assert error.code == "conversion.operator"
    assert str(error).startswith("second can't: write it otherwise (the float32 file of the route first is not the")


def test_a_route_that_is_not_there_is_refused_with_its_command(routes: Only) -> None:
    routes(OwnRoute("first", missing=True), OwnRoute("second"))
    assert [way.name for way in ways("auto")] == ["second"]
    error = refused("first")
    assert error.code == "conversion.missing" and "install it with `a command of its own`" in str(error)
    error = refused("third")
    assert error.code == "conversion.route" and "route is 'third': expected 'auto', 'first' or 'second'" in str(error)


def test_without_any_route_their_commands_are_named(routes: Only) -> None:
    routes(OwnRoute("first", missing=True), OwnRoute("second", missing=True))
    error = refused()
    assert error.code == "conversion.missing" and str(error).count("`a command of its own`") == 2


def test_real_images_are_proved_on_as_well(routes: Only) -> None:
    """A layer that only large values reach is wrong on images that have them, and right on those that don't."""
    routes(OwnRoute("first", wrong="second"))
    dead = Small()
    with torch.no_grad():
        dead.second.weight.abs_()
        dead.second.bias.fill_(-10)
    source = [Source(dead, EXAMPLES)]
    assert next(iter(dict(to_float32(source)).values())).proof.largest == 0
    with pytest.raises(EdgeError, match="is not the network"):
        dict(to_float32(source, [(torch.full((1, 2, 8, 8), 100.0),)]))
