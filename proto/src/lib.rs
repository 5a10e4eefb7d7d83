//! Protobuf types of Phalanx.
