import re
from pathlib import Path

import pytest

import clipsearch
from clipsearch.errors import MissingExtraError

PACKAGE = Path(clipsearch.__file__).parent


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sftp://", "paramiko"), "sftp:// needs paramiko, which is not installed: pip install paramiko"),
        (
            ("MCP", "mcp.server", "clipsearch[mcp]"),
            "MCP needs mcp, which is not installed: pip install 'clipsearch[mcp]'",
        ),
        (
            ("export", "pyarrow", "pyarrow>=18"),
            "export needs pyarrow, which is not installed: pip install 'pyarrow>=18'",
        ),
    ],
)
def test_missing_package_is_named_with_the_command_that_installs_it(arguments: tuple[str, ...], message: str) -> None:
    assert str(MissingExtraError(*arguments)) == message


def test_advised_extras_are_those_of_the_distribution() -> None:
    from importlib.metadata import metadata

    advised = {
        extra
        for file in PACKAGE.rglob("*.py")
        for extra in re.findall(
            r'MissingExtraError\([^()]*(?:\([^()]*\)[^()]*)*"clipsearch\[(\w+)\]"', file.read_text("utf-8")
        )
    }
    assert advised >= {"web", "mcp", "milvus", "postgres", "scale", "terminal"}
    assert advised <= set(metadata("clipsearch").get_all("Provides-Extra") or ())
