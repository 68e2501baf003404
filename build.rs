//! Compiles `proto/` without protoc, packs `lab/` so that an installed binary carries it, and stamps the version.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=proto");
    let protos = protox::compile(["gnmi.proto", "gnmi_ext.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".gnmi.TypedValue").compile_fds(protos)?;
    pack_lab(Path::new("lab"), &out.join("lab.gz"))?;
    stamp_version();
    Ok(())
}

/// The commit the binary was built from, when git knows it.
fn stamp_version() {
    let commit = Command::new("git")
        .args(["rev-parse", "--short=10", "HEAD"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned());
    println!("cargo:rustc-env=FABRIC_ORCH_COMMIT={commit}");
    println!("cargo:rerun-if-changed=.git/HEAD");
}

/// Every file of the lab as one gzip stream: for each, `path NUL length NUL bytes`, sorted by path.
fn pack_lab(root: &Path, archive: &Path) -> Result<(), Failure> {
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    let mut packed = flate2::write::GzEncoder::new(fs::File::create(archive)?, flate2::Compression::best());
    for file in files {
        let name = file.strip_prefix(root)?.to_str().ok_or("a lab file name is not UTF-8")?.replace('\\', "/");
        let bytes = fs::read(&file)?;
        io::Write::write_all(&mut packed, format!("{name}\0{}\0", bytes.len()).as_bytes())?;
        io::Write::write_all(&mut packed, &bytes)?;
    }
    packed.finish()?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            println!("cargo:rerun-if-changed={}", path.display());
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
