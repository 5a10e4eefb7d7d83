//! Differential and hostile-module tests of the engine's preparation pass, with a second Wasm engine.
