//! Rules that silence findings: somebody looked, and says why it may stay. Never an error: that one keeps a device from being
//! planned, and nobody may lose sight of it.

use serde::Serialize;

use super::finding::{Finding, Severity};

/// A finding that is known and may stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The finding's rule: `mlag-domain-reused`.
    pub rule: String,
    /// Only on this device.
    pub device: Option<String>,
    /// Only when its sentence holds these words.
    pub about: Option<String>,
    /// Why it may stay: for whoever reads the list next year.
    pub reason: String,
}

impl Silence {
    /// Whether it is about this finding.
    pub fn covers(&self, finding: &Finding) -> bool {
        finding.severity != Severity::Error
            && finding.code == self.rule
            && self.device.as_deref().is_none_or(|device| finding.device.as_deref() == Some(device))
            && self.about.as_deref().is_none_or(|words| finding.message.contains(words))
    }
}

/// A finding somebody silenced.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Silenced {
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// Why it may stay.
    pub reason: String,
}

/// Those to look at, and those somebody silenced.
pub fn sort(findings: Vec<Finding>, rules: &[Silence]) -> (Vec<Finding>, Vec<Silenced>) {
    let (mut loud, mut quiet) = (Vec::new(), Vec::new());
    for finding in findings {
        match rules.iter().find(|rule| rule.covers(&finding)) {
            Some(rule) => quiet.push(Silenced { finding, reason: rule.reason.clone() }),
            None => loud.push(finding),
        }
    }
    (loud, quiet)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn finding(code: &str, severity: Severity, device: &str) -> Finding {
        Finding {
            code: code.into(),
            severity,
            device: Some(Arc::from(device)),
            path: None,
            origin: None,
            message: format!("{code} of {device}"),
            hint: String::new(),
        }
    }

    #[test]
    fn a_rule_silences_what_it_names_and_never_an_error() {
        let rule = |device: Option<&str>, about: Option<&str>| Silence {
            rule: "rd-shared".into(),
            device: device.map(str::to_owned),
            about: about.map(str::to_owned),
            reason: "known".into(),
        };
        let all = || {
            vec![
                finding("rd-shared", Severity::Info, "leaf1"),
                finding("rd-shared", Severity::Warning, "leaf2"),
                finding("rd-shared", Severity::Error, "leaf3"),
                finding("vni-reused", Severity::Warning, "leaf1"),
            ]
        };
        let quiet = |rules: &[Silence]| {
            sort(all(), rules).1.iter().map(|silenced| silenced.finding.device.clone().unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(quiet(&[rule(None, None)]), ["leaf1", "leaf2"]);
        assert_eq!(quiet(&[rule(Some("leaf2"), None)]), ["leaf2"]);
        assert_eq!(quiet(&[rule(None, Some("of leaf1"))]), ["leaf1"]);
        assert!(quiet(&[]).is_empty());
        assert_eq!(sort(all(), &[rule(None, None)]).0.len(), 2);
    }
}
