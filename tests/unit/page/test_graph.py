"""How Plans that depend on each other are laid out."""

from hypothesis import given
from hypothesis import strategies as st

from execloop.page.plans.graph import Graph, Node, draw
from execloop.page.plans.summary import Summary

NAMES = [f"p{number}" for number in range(8)]


def plan(name: str, *needs: str, state: str = "Converged") -> Summary:
    metadata = {"namespace": "n", "name": name, "uid": name, "resourceVersion": "1"}
    spec = {"plan": "p", "dependsOn": [{"name": need} for need in needs]}
    conditions = [{"type": "Ready", "status": "True", "reason": state}]
    return Summary.of({"metadata": metadata, "spec": spec, "status": {"state": state, "conditions": conditions}})


def at(graph: Graph) -> dict[str, Node]:
    return {node.name: node for node in graph.nodes}


def test_each_plan_is_right_of_what_it_needs() -> None:
    nodes = at(draw([plan("c", "b", "a"), plan("b", "a"), plan("a")]))
    assert nodes["a"].x < nodes["b"].x < nodes["c"].x


def test_a_plan_without_dependencies_is_left_out() -> None:
    assert set(at(draw([plan("b", "a"), plan("a"), plan("alone")]))) == {"a", "b"}


def test_what_is_not_found_has_no_state_and_no_link() -> None:
    node = at(draw([plan("b", "gone")]))["gone"]
    assert (node.state, node.href) == ("", "")


def test_a_focus_leaves_what_it_is_not_connected_with() -> None:
    plans = [plan("b", "a"), plan("a"), plan("c", "b"), plan("other", "a"), plan("y", "x"), plan("x")]
    assert set(at(draw(plans, ("n", "b")))) == {"a", "b", "c"}


def test_many_of_one_plan_and_state_become_one_box_that_leads_to_their_list() -> None:
    many = [plan(f"m{number}", "root") for number in range(100)]
    nodes = at(draw([plan("root"), plan("bad", "root", state="Stalled"), *many]))
    assert set(nodes) == {"root", "bad", "100 × p"}  # noqa: RUF001 - a product
    assert nodes["100 × p"].href == "/?namespace=n&plan=p&state=Converged"  # noqa: RUF001 - a product


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=8)), st.sampled_from(NAMES))
def test_any_dependencies_are_drawn_once_circles_too(needs: dict[str, list[str]], focus: str) -> None:
    plans = [plan(name, *wanted) for name, wanted in needs.items()]
    for graph in (draw(plans), draw(plans, ("n", focus))):
        places = [(node.x, node.y) for node in graph.nodes]
        assert len(set(places)) == len(places)
        assert all(0 < x < graph.width and 0 < y < graph.height for x, y in places)
    needing = {name for name, wanted in needs.items() if wanted}
    assert set(at(draw(plans))) == needing.union(*needs.values())


def test_ten_thousand_in_a_row_are_drawn() -> None:
    plans = [plan("p0"), *(plan(f"p{number}", f"p{number - 1}") for number in range(1, 10_000))]
    assert len(draw(plans).nodes) == 10_000
