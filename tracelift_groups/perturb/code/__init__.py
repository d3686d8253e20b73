"""The rule engine for programs: a claim of the reasoning changed, the program that follows run."""
