//! Fungible token contract.
