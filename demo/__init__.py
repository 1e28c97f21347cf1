"""A loopback mod database and made-up servers: for the demonstration, the tests and the benchmarks."""
