"""`milo completion`: the script that lets a shell complete milo's command lines."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from milo.cli.app import cli
from milo.cli.options import debug_option

__all__ = ["command"]


@click.command("completion", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@debug_option
def command(shell: str) -> None:
    """Print the script that completes commands, options and phases in a shell.

    \b
    Examples:
      eval "$(milo completion bash)"                             in ~/.bashrc
      eval "$(milo completion zsh)"                              in ~/.zshrc
      milo completion fish > ~/.config/fish/completions/milo.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(kind(cli, {}, "milo", "_MILO_COMPLETE").source())
