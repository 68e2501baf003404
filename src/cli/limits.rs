//! The limit of open files: every device is a connection or two, and many systems begin at 1,024.

use super::Failure;

/// Lifts our limit as far as the system lets us without asking anybody.
pub fn raise() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let have = getrlimit(Resource::Nofile);
        // Where it is not allowed the old limit stays, and `enough` says so when it matters.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: have.maximum, maximum: have.maximum });
    }
}

/// Whether so many files can be open at once; `what` asked for them.
///
/// # Errors
/// Naming the limit and how to lift it.
pub fn enough(wanted: usize, what: &str) -> Result<(), Failure> {
    match limit() {
        Some(limit) if (limit as usize) < wanted => Err(Failure::new(format!(
            "{what} needs about {wanted} open files and the limit is {limit} (`ulimit -n`): run `ulimit -n {wanted}` first, as root or after raising the hard limit, or ask for fewer"
        ))),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}
