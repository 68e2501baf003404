//! What the engine knows as Prometheus metrics, text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! Written anew from one snapshot at each scrape, so a scrape is one moment of the fabric. What is not known is left out: a
//! device never compared has no `fabric_orch_drift_changes`, not zero of them.

use std::fmt::Write as _;

use crate::diff::change::Severity;
use crate::engine::snapshot::{DeviceView, Snapshot, Stream, StreamCounters};

/// The content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// States a stream can be in, as they are labelled.
const STREAMS: [(Stream, &str); 6] = [
    (Stream::Connecting, "connecting"),
    (Stream::Syncing, "syncing"),
    (Stream::Live, "live"),
    (Stream::Stale, "stale"),
    (Stream::Refused, "refused"),
    (Stream::AuthFailed, "auth-failed"),
];

/// Severities, as they are labelled.
const SEVERITIES: [(Severity, &str); 3] = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "info")];

/// Kinds of metrics that are used.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// The text, being written.
struct Page<'a> {
    text: String,
    fabric: &'a str,
}

impl Page<'_> {
    /// Begins a metric; its samples follow.
    fn metric(&mut self, kind: Kind, name: &str, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let _ = write!(self.text, "# HELP {name} {}\n# TYPE {name} {kind}\n", help.replace('\\', "\\\\").replace('\n', "\\n"));
    }

    /// One sample. Labels are the fabric and those given.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Into<f64>) {
        let _ = write!(self.text, "{name}{{fabric=\"{}\"", label(self.fabric));
        for (key, text) in labels {
            let _ = write!(self.text, ",{key}=\"{}\"", label(text));
        }
        let _ = writeln!(self.text, "}} {}", value.into());
    }

    /// A metric of every device that has it.
    fn devices(&mut self, snapshot: &Snapshot, kind: Kind, name: &str, help: &str, value: impl Fn(&DeviceView) -> Option<f64>) {
        self.metric(kind, name, help);
        for view in &snapshot.devices {
            if let Some(value) = value(view) {
                self.sample(name, &[("device", &view.name)], value);
            }
        }
    }

    /// A metric of the fabric.
    fn one(&mut self, kind: Kind, name: &str, help: &str, value: Option<f64>) {
        self.metric(kind, name, help);
        if let Some(value) = value {
            self.sample(name, &[], value);
        }
    }
}

/// A label's value: backslash, quote and newline escaped, as the format wants.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[allow(clippy::cast_precision_loss)] // counts stay far below 2^53
fn number(count: impl TryInto<u64>) -> f64 {
    count.try_into().map_or(f64::NAN, |count: u64| count as f64)
}

/// Milliseconds as seconds.
fn seconds(millis: u64) -> f64 {
    number(millis) / 1000.0
}

/// The page of one snapshot, scraped at `now` (ms since the epoch).
pub fn render(snapshot: &Snapshot, now: u64) -> String {
    use Kind::{Counter, Gauge};
    let mut page = Page { text: String::with_capacity(4096 + 2048 * snapshot.devices.len()), fabric: &snapshot.fabric };
    page.metric(Gauge, "fabric_orch_build_info", "Always 1; the version is a label.");
    page.sample("fabric_orch_build_info", &[("version", env!("CARGO_PKG_VERSION")), ("commit", env!("FABRIC_ORCH_COMMIT"))], 1.0);
    streams(&mut page, snapshot, now);
    drift(&mut page, snapshot);
    health(&mut page, snapshot);
    intent(&mut page, snapshot, now);
    page.metric(Counter, "fabric_orch_commit_steps_total", "Steps of commits in the journal, by outcome.");
    for (outcome, count) in &*snapshot.outcomes {
        page.sample("fabric_orch_commit_steps_total", &[("outcome", outcome)], number(*count));
    }
    page.one(
        Gauge,
        "fabric_orch_commit_running",
        "1 while a commit is under way.",
        Some(f64::from(u8::from(snapshot.commit.as_ref().is_some_and(|commit| commit.ended.is_none())))),
    );
    page.one(
        Gauge,
        "fabric_orch_armed",
        "1 while writes are allowed.",
        Some(f64::from(u8::from(snapshot.armed_until.is_some_and(|until| until > now)))),
    );
    page.text
}

fn streams(page: &mut Page<'_>, snapshot: &Snapshot, now: u64) {
    use Kind::{Counter, Gauge};
    page.metric(Gauge, "fabric_orch_streams", "Telemetry streams by state.");
    for (state, name) in STREAMS {
        let count = snapshot.devices.iter().filter(|view| view.stream == state).count();
        page.sample("fabric_orch_streams", &[("state", name)], number(count));
    }
    page.devices(snapshot, Gauge, "fabric_orch_stream_live", "1 when the device is mirrored and current.", |view| {
        Some(f64::from(u8::from(view.stream == Stream::Live)))
    });
    page.devices(snapshot, Counter, "fabric_orch_updates_total", "Leaf updates received.", |view| Some(number(view.counters.updates)));
    page.devices(snapshot, Counter, "fabric_orch_updates_dropped_total", "Updates thrown away because we were too slow.", |view| {
        Some(number(view.counters.dropped))
    });
    page.devices(snapshot, Counter, "fabric_orch_updates_coalesced_total", "Values the device coalesced because we were slow.", |view| {
        Some(number(view.counters.duplicates))
    });
    page.devices(snapshot, Counter, "fabric_orch_resyncs_total", "Times the stream was set up again.", |view| {
        Some(number(view.counters.resyncs))
    });
    page.devices(snapshot, Counter, "fabric_orch_updates_ignored_total", "Updates of paths beyond what a device may bring in.", |view| {
        Some(number(view.counters.ignored))
    });
    page.devices(
        snapshot,
        Gauge,
        "fabric_orch_stream_notes",
        "Flags of the device: it floods, was replaced, lost its configuration.",
        |view| Some(number(view.notes.len())),
    );
    page.devices(snapshot, Gauge, "fabric_orch_update_age_seconds", "Seconds since the last message of the device.", |view| {
        view.last_update.map(|last| seconds(now.saturating_sub(last)))
    });
    page.devices(snapshot, Gauge, "fabric_orch_leaves", "Leaves mirrored.", |view| Some(number(view.observed.len())));
    page.devices(snapshot, Gauge, "fabric_orch_refused_paths", "Subscribed paths the device refuses.", |view| {
        Some(number(view.refused_paths.len()))
    });
    page.metric(Gauge, "fabric_orch_lowered_paths", "Subscribed paths not told on change, by how they are had instead.");
    for view in &snapshot.devices {
        let StreamCounters { sampled, polled, missing, .. } = view.counters;
        for (how, count) in [("sampled", sampled), ("polled", polled), ("missing", missing)] {
            page.sample("fabric_orch_lowered_paths", &[("device", &view.name), ("how", how)], number(count));
        }
    }
}

fn drift(page: &mut Page<'_>, snapshot: &Snapshot) {
    use Kind::Gauge;
    page.devices(snapshot, Gauge, "fabric_orch_drift_changes", "Leaves that differ from intent; absent while unknown.", |view| {
        let known = !snapshot.plan.unknown.iter().any(|unknown| unknown.device == view.name);
        view.changes.as_ref().filter(|_| known).map(|changes| number(changes.len()))
    });
    page.devices(snapshot, Gauge, "fabric_orch_leaves_foreign", "Configured leaves of others, never touched.", |view| {
        Some(number(view.tally.foreign))
    });
    page.one(
        Gauge,
        "fabric_orch_devices_unknown",
        "Devices nothing can be said about.",
        Some(number(snapshot.plan.unknown.iter().filter(|unknown| unknown.state != "pending").count())),
    );
    page.one(
        Gauge,
        "fabric_orch_in_sync",
        "1 when every device is known and equals intent.",
        snapshot.intent.read.map(|_| f64::from(u8::from(snapshot.plan.in_sync))),
    );
    page.one(Gauge, "fabric_orch_staged_changes", "Changes staged for the next commit.", Some(number(snapshot.staged.len())));
    page.metric(Gauge, "fabric_orch_findings", "Findings of intent and devices, by severity.");
    for (severity, name) in SEVERITIES {
        let count = snapshot.plan.findings.iter().filter(|finding| finding.severity == severity).count();
        page.sample("fabric_orch_findings", &[("severity", name)], number(count));
    }
}

fn health(page: &mut Page<'_>, snapshot: &Snapshot) {
    use Kind::Gauge;
    for (name, help, pick) in [
        (
            "fabric_orch_bgp_sessions",
            "BGP sessions, all families and VRFs.",
            (|view| view.health.bgp) as fn(&DeviceView) -> Option<(usize, usize)>,
        ),
        ("fabric_orch_evpn_sessions", "EVPN sessions.", |view| view.health.evpn),
    ] {
        page.metric(Gauge, name, help);
        for view in &snapshot.devices {
            if let Some((up, expected)) = pick(view) {
                page.sample(name, &[("device", &view.name), ("state", "established")], number(up));
                page.sample(name, &[("device", &view.name), ("state", "expected")], number(expected));
            }
        }
    }
    page.devices(snapshot, Gauge, "fabric_orch_health_problems", "Things that are not well on the device.", |view| {
        Some(number(view.health.problems.len()))
    });
}

fn intent(page: &mut Page<'_>, snapshot: &Snapshot, now: u64) {
    use Kind::Gauge;
    let intent = &snapshot.intent;
    page.one(
        Gauge,
        "fabric_orch_netbox_up",
        "1 when the last read of NetBox was whole.",
        Some(f64::from(u8::from(intent.error.is_none() && intent.read.is_some()))),
    );
    page.one(
        Gauge,
        "fabric_orch_netbox_age_seconds",
        "Seconds since the intent in force was read.",
        intent.read.map(|read| seconds(now.saturating_sub(read))),
    );
    page.one(Gauge, "fabric_orch_netbox_objects", "Objects read.", intent.read.map(|_| number(intent.objects)));
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use super::*;
    use crate::engine::snapshot::fixture;

    /// Reads the page as the format's page says it is to be read; panics at whatever is not of it.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        let name_ok = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        assert!(text.ends_with('\n'));
        let (mut samples, mut typed, mut current) = (BTreeMap::new(), BTreeSet::new(), String::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                current = help.split(' ').next().unwrap().to_owned();
                assert!(name_ok(&current), "{line}");
                continue;
            }
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, current, "TYPE follows HELP");
                assert!(["counter", "gauge"].contains(&kind));
                assert!(typed.insert(name.to_owned()), "{name} twice");
                assert!(kind == "gauge" || name.ends_with("_total"), "{name}");
                continue;
            }
            let open = line.find('{').unwrap();
            assert_eq!(&line[..open], current, "samples stand below their metric");
            let (mut rest, mut labels) = (&line[open + 1..], BTreeSet::new());
            loop {
                let (key, after) = rest.split_once("=\"").unwrap();
                assert!(name_ok(key) && labels.insert(key.to_owned()), "{line}");
                let mut escaped = false;
                let end = after
                    .char_indices()
                    .find_map(|(at, c)| match (escaped, c) {
                        (true, c) => {
                            assert!(['\\', '"', 'n'].contains(&c), "{line}");
                            escaped = false;
                            None
                        }
                        (false, '\\') => {
                            escaped = true;
                            None
                        }
                        (false, '"') => Some(at),
                        _ => None,
                    })
                    .unwrap();
                rest = &after[end + 1..];
                match rest.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => break,
                }
            }
            let value: f64 = rest.strip_prefix("} ").unwrap().parse().unwrap();
            assert!(samples.insert(line[..line.len() - rest.len() + 1].to_owned(), value).is_none(), "{line} twice");
        }
        samples
    }

    #[test]
    fn the_page_is_of_the_format_and_says_what_the_snapshot_says() {
        let mut snapshot = fixture::blank("dc\"1\\");
        let mut live = fixture::device("leaf1");
        live.stream = Stream::Live;
        live.last_update = Some(4_000);
        live.counters =
            StreamCounters { updates: 7, dropped: 11, duplicates: 12, resyncs: 13, sampled: 14, polled: 15, missing: 16, ignored: 17 };
        live.changes = Some(Arc::default());
        live.health.bgp = Some((4, 5));
        let mut down = fixture::device("leaf\n2");
        down.stream = Stream::AuthFailed;
        snapshot.devices = vec![Arc::new(live), Arc::new(down)];
        snapshot.intent.read = Some(1_000);
        snapshot.outcomes = Arc::new(BTreeMap::from([("applied".to_owned(), 3)]));
        let samples = parse(&render(&snapshot, 6_500));
        let get = |name: &str, labels: &str| samples.get(&format!("{name}{{fabric=\"dc\\\"1\\\\\"{labels}}}")).copied();
        assert_eq!(get("fabric_orch_streams", ",state=\"live\""), Some(1.0));
        assert_eq!(get("fabric_orch_streams", ",state=\"auth-failed\""), Some(1.0));
        assert_eq!(get("fabric_orch_streams", ",state=\"stale\""), Some(0.0));
        for (name, labels, value) in [
            ("updates_total", "", 7.0),
            ("updates_dropped_total", "", 11.0),
            ("updates_coalesced_total", "", 12.0),
            ("resyncs_total", "", 13.0),
            ("updates_ignored_total", "", 17.0),
            ("stream_notes", "", 0.0),
            ("lowered_paths", ",how=\"sampled\"", 14.0),
            ("lowered_paths", ",how=\"polled\"", 15.0),
            ("lowered_paths", ",how=\"missing\"", 16.0),
        ] {
            assert_eq!(get(&format!("fabric_orch_{name}"), &format!(",device=\"leaf1\"{labels}")), Some(value), "{name}{labels}");
        }
        assert_eq!(get("fabric_orch_update_age_seconds", ",device=\"leaf1\""), Some(2.5));
        assert_eq!(get("fabric_orch_update_age_seconds", ",device=\"leaf\\n2\""), None, "never heard is not zero");
        assert_eq!(get("fabric_orch_drift_changes", ",device=\"leaf1\""), Some(0.0));
        assert_eq!(get("fabric_orch_drift_changes", ",device=\"leaf\\n2\""), None, "unknown is not zero");
        assert_eq!(get("fabric_orch_bgp_sessions", ",device=\"leaf1\",state=\"expected\""), Some(5.0));
        assert_eq!(get("fabric_orch_netbox_age_seconds", ""), Some(5.5));
        assert_eq!(get("fabric_orch_commit_steps_total", ",outcome=\"applied\""), Some(3.0));
    }

    #[test]
    fn before_anything_is_known_nothing_is_claimed() {
        let samples = parse(&render(&fixture::blank("dc1"), 1_000));
        assert_eq!(samples.get("fabric_orch_netbox_up{fabric=\"dc1\"}"), Some(&0.0));
        assert!(!samples.keys().any(|key| key.starts_with("fabric_orch_in_sync") || key.starts_with("fabric_orch_netbox_age")));
    }
}
