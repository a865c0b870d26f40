"""The parts of a stack: the stores, started here or external, and photofeed's own processes."""
