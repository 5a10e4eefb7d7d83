//! A contract that interprets scripts of host calls, for equivalence tests.
