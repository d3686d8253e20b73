"""``tlg``: the table of commands. Nothing else is imported until one of them runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from tracelift_groups import __version__
from tracelift_groups.errors import GateError, Terminated, UserError

COMMANDS = {
    "build": "make groups from seeds: a run folder with Parquet, manifest and card",
    "merge": "join the parts of a build that was made in shards",
    "preview": "like build, but print the first groups as coloured diffs",
    "convert": "write groups in another format, or read one",
    "verify": "judge replies: answers to math problems, programs in a sandbox",
    "audit": "can something cheap tell sound from flawed? exit 1 over a limit",
    "view": "groups as one HTML file to read in a browser",
    "train-rm": "train a reasoning reward model on the groups of a run",
    "eval-rm": "measure a reward model, with cheap scores beside it",
    "export-rm": "write a reward model for others to load, checked after saving",
    "serve-rm": "answer the /score requests of trainers",
    "uplift": "what each trace is worth to a frozen executor",
    "train-planner": "train a planner with the executor-grounded reward (GRPO)",
    "eval-planner": "what a planner's reasoning changes for an executor, on benchmarks",
    "push": "upload groups or a model to the Hugging Face Hub",
    "doctor": "what works here: sandbox isolation, packages, GPU, a model's endpoint",
}
_GOES_ON = "what was finished is kept, the same command goes on"


class LazyGroup(click.Group):
    """Loads ``tracelift_groups.commands.<name>`` when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command = importlib.import_module(f"tracelift_groups.commands.{module}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Each command explains itself: tlg build --help",
)
@click.version_option(__version__, prog_name="tlg")
def app() -> None:
    """Certified groups of sound and flawed reasoning traces, and what is trained on them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``tlg``.

    Exit status: 0 ok, 1 a gate failed, 2 the user's mistake, 130 interrupted, 143 terminated.
    """
    try:
        status: Any = app.main(args=arguments, prog_name="tlg", standalone_mode=False)
    except UserError as error:
        status = _say(str(error), 2)
    except GateError as error:
        status = _say(str(error), 1)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "tlg --help")
        status = 0
    except click.ClickException as error:
        status = _say(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt):
        status = _say(f"interrupted; {_GOES_ON}", 130)
    except Terminated:
        status = _say(f"terminated; {_GOES_ON}", 143)
    except BrokenPipeError:  # the reader of our output went away
        sys.stderr.close()
        status = 0
    sys.exit(status if isinstance(status, int) else 0)


def _say(message: str, status: int) -> int:
    click.echo(f"tlg: {' '.join(message.split())}", err=True)
    return status
