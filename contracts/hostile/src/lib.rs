//! A contract that attacks the engine at run time.
