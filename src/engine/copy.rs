//! A call as the gnmic or curl line that does the same: for tickets, and to try it by hand. Secrets stand for themselves as
//! environment variables, never as text.

use crate::config::Security;
use crate::path::Path;
use crate::plan::model::SetRequest;

/// A word for a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `gnmic -a … -u … -p "$FABRIC_ORCH_PASSWORD" --insecure`
fn gnmic(whom: &Whom) -> String {
    let Whom { address, username, security, .. } = whom;
    let mut line = format!("gnmic -a {}", quote(address));
    if let Some(username) = username {
        line.push_str(&format!(" -u {} -p \"$FABRIC_ORCH_PASSWORD\"", quote(username)));
    }
    match security {
        Security::Plaintext => line.push_str(" --insecure"),
        Security::Tls { skip_verify: true, .. } => line.push_str(" --skip-verify"),
        Security::Tls { ca: Some(ca), .. } => line.push_str(&format!(" --tls-ca {}", quote(&ca.display().to_string()))),
        Security::Tls { .. } => {}
    }
    line
}

/// Who is spoken to, for the lines.
#[derive(Clone, Debug)]
pub struct Whom {
    /// `host:port`.
    pub address: String,
    /// User name.
    pub username: Option<String>,
    /// TLS or not.
    pub security: Security,
    /// Its name behind a collector.
    pub target: Option<String>,
}

impl Whom {
    /// ` --target leaf1`, behind a collector.
    fn behind(&self) -> String {
        self.target.as_ref().map(|target| format!(" --target {}", quote(target))).unwrap_or_default()
    }

    /// A Get.
    pub fn get(&self, paths: &[Path]) -> String {
        let mut line = format!("{} -e json_ietf get{}", gnmic(self), self.behind());
        for path in paths {
            line.push_str(&format!(" --path {}", quote(&path.to_string())));
        }
        line
    }

    /// A command of the command line.
    pub fn cli(&self, command: &str) -> String {
        format!("{} -e ascii get{} --path {}", gnmic(self), self.behind(), quote(&format!("cli:/{command}")))
    }

    /// A Set.
    pub fn set(&self, set: &SetRequest) -> String {
        let mut line = format!("{} -e json_ietf set{}", gnmic(self), self.behind());
        for path in &set.delete {
            line.push_str(&format!(" --delete {}", quote(&path.to_string())));
        }
        for (verb, updates) in [("replace", &set.replace), ("update", &set.update)] {
            for update in updates {
                line.push_str(&format!(
                    " --{verb}-path {} --{verb}-value {}",
                    quote(&update.path.to_string()),
                    quote(&shown(&update.path, &update.value))
                ));
            }
        }
        line
    }

    /// A subscription.
    pub fn subscribe(&self, paths: &[Path]) -> String {
        let mut line = format!("{} subscribe --mode stream --stream-mode on-change{}", gnmic(self), self.behind());
        for path in paths {
            line.push_str(&format!(" --path {}", quote(&path.to_string())));
        }
        line
    }
}

/// A value without the secrets in it.
fn shown(path: &Path, value: &serde_json::Value) -> String {
    if is_secret(path.name()) { "***".into() } else { hide(value).to_string() }
}

/// Whether a leaf of this name holds a secret.
fn is_secret(name: &str) -> bool {
    ["password", "secret", "passphrase", "psk"].iter().any(|word| name.to_lowercase().contains(word))
}

fn hide(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::Object(members) => Json::Object(
            members.iter().map(|(name, member)| (name.clone(), if is_secret(name) { Json::from("***") } else { hide(member) })).collect(),
        ),
        Json::Array(items) => Json::Array(items.iter().map(hide).collect()),
        Json::String(text) => Json::from(
            text.lines().map(|line| if is_secret(line) { "*** (line with a secret)" } else { line }).collect::<Vec<_>>().join("\n"),
        ),
        other => other.clone(),
    }
}

/// A request to NetBox.
pub fn curl(method: &str, url: &str) -> String {
    let verb = if method == "GET" { String::new() } else { format!(" -X {method}") };
    format!("curl -sS{verb} -H \"Authorization: Token $FABRIC_ORCH_NETBOX_TOKEN\" {}", quote(url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::SetUpdate;

    #[test]
    fn lines_hold_no_secret_and_survive_quotes() {
        let whom = Whom { address: "127.0.0.1:6031".into(), username: Some("admin".into()), security: Security::Plaintext, target: None };
        let update = |path: &str, value: serde_json::Value| SetUpdate { path: Path::parse(path).unwrap(), value };
        let line = whom.set(&SetRequest {
            delete: vec![Path::parse("/a[b=c]").unwrap()],
            replace: Vec::new(),
            update: vec![
                update("/x/description", "it's".into()),
                update("/x/auth-password", "hunter2".into()),
                update("/y", serde_json::json!({"config": {"auth-password": "hunter2"}})),
                update("cli:/", "router bgp 1\n   neighbor x password hunter2".into()),
            ],
        });
        assert!(!line.contains("hunter2"), "{line}");
        assert!(line.contains(r"'/a[b=c]'") && line.contains(r"it'\''s") && line.contains("--insecure"), "{line}");
        assert!(curl("GET", "http://x/api").contains("$FABRIC_ORCH_NETBOX_TOKEN"));
    }
}
