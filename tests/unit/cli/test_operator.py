"""Options of `execloop operator` that are wrong."""

import pytest
from click.testing import CliRunner

from execloop.cli.operator import operator


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lease-name=x"], "--lease-name needs --leader-elect"),
        (["--lease-namespace=x"], "--lease-namespace needs --leader-elect"),
        (["--lease-duration=15s"], "--lease-duration needs --leader-elect"),
        (["--leader-elect", "--lease-name=a/b"], "'a/b' should be lower-case letters"),
        (["--leader-elect", "--lease-namespace="], "'' should be lower-case letters"),
        (["--leader-elect", "--lease-duration=15"], "'15' should be a duration such as 90s"),
        (["--leader-elect", "--lease-duration=2s"], "'2s' should be whole seconds, from 3s to 1h"),
        (["--leader-elect", "--lease-duration=2h"], "'2h' should be whole seconds, from 3s to 1h"),
        (["--leader-elect", "--lease-duration=4500ms"], "'4500ms' should be whole seconds, from 3s to 1h"),
        (["--shards=2"], "--shards needs --leader-elect"),
        (["--shard-selector"], "--shard-selector needs --leader-elect"),
        (["--leader-elect", "--shard-selector"], "--shard-selector needs --shards of more than 1"),
        (["--selector=team=a b"], "should be a label selector such as team=shop"),
        (["--namespace=a", "--all-namespaces"], "--namespace and --all-namespaces contradict each other"),
    ],
)
def test_a_wrong_option_is_said_in_a_line(options: list[str], message: str) -> None:
    result = CliRunner().invoke(operator, options)
    assert result.exit_code == 2
    assert message in result.output
