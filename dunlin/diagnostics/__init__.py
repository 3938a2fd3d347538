"""The checks of `dunlin doctor`: the machine, the installed packages, the home of the stack, external services."""
