"""``fpmatch bench``: the commands, which print what `fpmatch.bench` measures."""
