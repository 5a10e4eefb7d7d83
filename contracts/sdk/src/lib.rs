//! SDK for Phalanx contracts.
