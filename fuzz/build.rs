//! Compiles ../proto as the package's build.rs does, messages only.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../proto");
    let protos = protox::compile(["gnmi.proto", "gnmi_ext.proto"], ["../proto"])?;
    tonic_prost_build::configure().build_client(false).build_server(false).bytes(".gnmi.TypedValue").compile_fds(protos)?;
    Ok(())
}
