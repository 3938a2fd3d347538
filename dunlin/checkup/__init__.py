"""What `dunlin doctor` looks at: the machine, what is installed, the home of the stack, the services outside."""
