"""Settings of a process that is aiodps's own: a library must not change those of its caller."""
