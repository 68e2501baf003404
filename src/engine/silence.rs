//! Findings on intent, in order; those the settings silence apart: somebody looked, and says why it may stay. Never an error: that
//! one keeps a device from being planned, and nobody may lose sight of it.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::config::Silence;
use crate::diff::change::{Finding, Severity};

/// A finding somebody silenced.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Silenced {
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// Why it may stay.
    pub reason: String,
}

/// Whether a rule is about this finding.
fn covers(rule: &Silence, finding: &Finding) -> bool {
    finding.severity != Severity::Error
        && finding.code == rule.rule
        && rule.device.as_deref().is_none_or(|device| finding.device.as_deref() == Some(device))
        && rule.about.as_deref().is_none_or(|words| finding.message.contains(words))
}

/// Every finding once, the worst first; those the settings silence apart.
pub fn judged(findings: impl IntoIterator<Item = Finding>, rules: &[Silence]) -> (Vec<Finding>, Vec<Silenced>) {
    let mut seen = BTreeSet::new();
    let mut all: Vec<Finding> = findings
        .into_iter()
        .filter(|finding| seen.insert((finding.code.clone(), finding.device.clone(), finding.message.clone())))
        .collect();
    all.sort_by(|a, b| (b.severity, &a.code, &a.device, &a.message).cmp(&(a.severity, &b.code, &b.device, &b.message)));
    let (mut loud, mut quiet) = (Vec::new(), Vec::new());
    for finding in all {
        match rules.iter().find(|rule| covers(rule, &finding)) {
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
            judged(all(), rules).1.iter().map(|silenced| silenced.finding.device.clone().unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(quiet(&[rule(None, None)]), ["leaf2", "leaf1"], "the worst first");
        assert_eq!(quiet(&[rule(Some("leaf2"), None)]), ["leaf2"]);
        assert_eq!(quiet(&[rule(None, Some("of leaf1"))]), ["leaf1"]);
        assert!(quiet(&[]).is_empty());
        assert_eq!(judged(all(), &[rule(None, None)]).0.len(), 2);
    }
}
