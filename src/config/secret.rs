//! Where secrets come from: the settings file, a file of their own (0600), the environment. Never argv.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;

use super::Error;

/// The environment variables we look at; a map in tests. Its `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// Those of the process.
    pub fn process() -> Self {
        let ours = |key: &str| key.starts_with("FABRIC_ORCH_") || ["USER", "LOGNAME", "USERNAME"].contains(&key);
        Self(
            std::env::vars_os()
                .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
                .filter(|(key, _)| ours(key))
                .collect(),
        )
    }

    /// Those of the process that name the user, and no credentials: the lab's are in its own file.
    pub fn lab() -> Self {
        let mut env = Self::process();
        env.0.retain(|key, _| !key.starts_with("FABRIC_ORCH_") || key == "FABRIC_ORCH_USER");
        env
    }

    /// Given ones.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// One variable; empty is unset.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The secret of a key given in place or by file; `Err(None)` when both are given.
pub(super) fn one_of(
    key: &str,
    inline: Option<&SecretString>,
    file: Option<&Path>,
    here: &Path,
) -> Result<Option<SecretString>, Option<Error>> {
    match (inline, file) {
        (Some(_), Some(_)) => Err(None),
        (Some(secret), None) => Ok(Some(secret.clone())),
        (None, Some(file)) => read(key, &here.join(file)).map(Some).map_err(Some),
        (None, None) => Ok(None),
    }
}

/// The first line of a file only its owner may read.
fn read(key: &str, path: &Path) -> Result<SecretString, Error> {
    let failed = |source| Error::Secret { key: key.to_owned(), path: path.to_owned(), source };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::Exposed { path: path.to_owned(), mode });
        }
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(SecretString::from(text.lines().next().unwrap_or_default().to_owned()))
}
