//! Makes Rust types and the descriptor set of the .proto files. All of it is Rust: no `protoc` is needed.

use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 3] = ["phalanx/v1/types.proto", "phalanx/v1/execution.proto", "phalanx/v1/query.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=phalanx");
    let mut compiler = protox::Compiler::new(["."])?;
    // Comments become the docs of the Rust types, and reflection shows them.
    compiler.include_source_info(true).include_imports(true).open_files(FILES)?;

    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    std::fs::write(out.join("file_descriptor_set.bin"), compiler.encode_file_descriptor_set())?;
    // `Bytes` are slices of the message that was received: no allocation for each of a batch's keys and addresses.
    let mut config = prost_build::Config::new();
    config.bytes(["."]);
    // Written by hand, so that a hostile message cannot make more of them than a batch may hold.
    for (message, module) in [("CallList", "call_list"), ("CallColumns", "bounded")] {
        config.extern_path(format!(".phalanx.v1.{message}"), format!("crate::{module}::{message}"));
    }
    let files = || compiler.file_descriptor_set();
    tonic_prost_build::configure()
        .codec_path("crate::codec::RoomyCodec")
        .build_server(false)
        .compile_fds_with_config(files(), config)?;

    // Servers send some messages in forms of their own, and all else as clients know it.
    let servers = out.join("servers");
    std::fs::create_dir_all(&servers)?;
    let mut config = prost_build::Config::new();
    config.extern_path(".phalanx.v1", "crate::v1");
    for (message, module) in
        [("SubscribeResponse", "history"), ("SubmitBatchResponse", "answers"), ("SubmitStreamResponse", "answers")]
    {
        config.extern_path(format!(".phalanx.v1.{message}"), format!("crate::{module}::Encoded{message}"));
    }
    tonic_prost_build::configure()
        .codec_path("crate::codec::RoomyCodec")
        .build_client(false)
        .out_dir(servers)
        .compile_fds_with_config(files(), config)?;
    Ok(())
}
