"""Local servers that speak the vendors' documented APIs, for the demo and the tests; imported by nothing else."""
