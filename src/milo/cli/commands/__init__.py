"""One module a subcommand, each with its `command`; imported only when it is called."""
