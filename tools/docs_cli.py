"""Write the commands of `clipsearch --help` into docs/cli.md and the manual page docs/clipsearch.1.

    python tools/docs_cli.py [--check]

Of docs/cli.md it replaces what stands between the two marks. `--check` changes nothing and exits with 1 when a page is
stale.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.commands import Row, read_commands  # noqa: E402
from tools.man_page import man_page  # noqa: E402

PAGE = ROOT / "docs" / "cli.md"
MANUAL = ROOT / "docs" / "clipsearch.1"
BEGIN = "<!-- commands: written by tools/docs_cli.py -->"
END = "<!-- end of commands -->"


def table(heading: str, rows: list[Row]) -> str:
    lines = [f"| {heading} | |", "|---|---|"]
    # A bar ends a cell, also within code.
    lines += [f"| `{escape(name)}` | {escape(text)} |" for name, text in rows]
    return "\n".join(lines)


def escape(text: str) -> str:
    return text.replace("|", "\\|")


def paragraphs(text: str) -> str:
    parts = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(f"`{part}`" if part.startswith("clipsearch ") else part for part in parts)


def commands_text() -> str:
    commands, shared = read_commands()
    parts = ["### Options of several commands", table("option", shared)]
    for command in commands:
        parts += [f"### {command.words}", paragraphs(command.help), f"```text\n{command.usage}\n```"]
        parts += [table("argument", command.arguments)] if command.arguments else []
        parts += [table("option", command.options)] if command.options else []
        parts += ["Also " + ", ".join(f"`{name}`" for name in command.shared) + "."] if command.shared else []
    return "\n\n".join(parts)


def page_text(page: str) -> str:
    """The page with its commands brought up to date."""
    before, mark, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"{PAGE} lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{commands_text()}\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a page is stale")
    is_check = parser.parse_args().check
    page = page_text(PAGE.read_text(encoding="utf-8"))
    is_stale = False
    for path, new in ((PAGE, page), (MANUAL, man_page(page))):
        if path.exists() and path.read_text(encoding="utf-8") == new:
            continue
        if is_check:
            print(f"{path.name} is stale: python tools/docs_cli.py", file=sys.stderr)
            is_stale = True
        else:
            path.write_text(new, encoding="utf-8")
    return int(is_stale)


if __name__ == "__main__":
    raise SystemExit(main())
