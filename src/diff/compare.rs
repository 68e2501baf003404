//! Desired against observed: a merge of sorted leaves, incremental by leaf.
//!
//! Two stages. The first meets every leaf and knows only its two values and its flags: nearly all leaves are equal or state, and
//! end here. The second ([`super::judge`]) looks at the few that are left with everything around them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::catalog::{CONFIG, Catalog, PROTECTED};
use super::change::{Change, Finding, Kind};
use super::judge::{self, Verdict};
use super::ownership::Rules;
use crate::path::Path;
use crate::tree::{Leaf, PathId, Tree};
use crate::value::Value;
use crate::yang::Schema;

/// One device, once. [`Differ`] is for devices that are compared again and again.
#[derive(Clone, Debug)]
pub struct DeviceInput<'a> {
    /// Its name.
    pub name: Arc<str>,
    /// What intent wants, with origins.
    pub desired: &'a Tree,
    /// List patterns whose entries are ours to delete when intent does not want them; a pattern may also name a leaf.
    pub exhaustive: &'a [Path],
    /// What the device reports; state leaves may be among it. Over the same table of paths as `desired`.
    pub observed: &'a Tree,
    /// What was last committed, over the same table of paths; `None` when nothing was.
    pub applied: Option<&'a Tree>,
    /// The model.
    pub schema: &'a Schema,
    /// Whose paths are whose.
    pub rules: &'a Rules,
}

/// How the leaves of a device divide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Desired and observed alike.
    pub equal: usize,
    /// Somebody else's.
    pub foreign: usize,
    /// Never written.
    pub protected: usize,
}

/// What differs on one device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeviceDiff {
    /// By construct, then path. Risk and warning are still empty: they need the other devices (`plan::risk`).
    pub changes: Vec<Change>,
    /// How the leaves divide.
    pub tally: Tally,
    /// Somebody else's configuration, by path.
    pub foreign: Vec<(Arc<Path>, Value)>,
    /// What intent asks for and cannot have.
    pub findings: Vec<Finding>,
}

/// Compares one device from scratch.
pub fn device(input: &DeviceInput<'_>) -> DeviceDiff {
    let mut catalog = Catalog::new(input.rules.clone());
    catalog.learn(input.schema, input.desired.paths());
    let mut differ = Differ::new(Arc::clone(&input.name));
    differ.update(
        &catalog,
        &Sides { desired: input.desired, exhaustive: input.exhaustive, observed: input.observed, applied: input.applied },
    );
    differ.into_diff()
}

/// Does to `tree` what `changes` ask for: deletes, then creates and updates.
pub fn apply<'c>(changes: impl IntoIterator<Item = &'c Change> + Clone, tree: &mut Tree) {
    for change in changes.clone() {
        if change.kind == Kind::Delete {
            tree.delete(&change.path);
        }
    }
    for change in changes {
        if let (Kind::Create | Kind::Update, Some(value)) = (change.kind, &change.desired) {
            tree.set(&change.path, value.clone(), 0);
        }
    }
}

/// What is compared, all over one table of paths.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// What intent wants.
    pub desired: &'a Tree,
    /// See [`DeviceInput::exhaustive`].
    pub exhaustive: &'a [Path],
    /// What the device reports.
    pub observed: &'a Tree,
    /// What was last committed.
    pub applied: Option<&'a Tree>,
}

/// Keeps what it found of one device, and looks only at what moved since.
#[derive(Debug)]
pub struct Differ {
    device: Arc<str>,
    last: Option<Last>,
    equal: usize,
    protected: usize,
    /// Not plainly equal, to be judged again whenever something moves.
    open: BTreeSet<PathId>,
    /// Not plainly equal, judged equal or nobody's business by their own two values.
    settled: BTreeSet<PathId>,
    /// As `settled`, and counted as equal.
    alike: BTreeSet<PathId>,
    /// Somebody else's.
    foreign: BTreeSet<PathId>,
    diff: DeviceDiff,
}

#[derive(Debug)]
struct Last {
    desired: Tree,
    exhaustive: Vec<Path>,
    observed: Tree,
    applied: Option<Tree>,
}

/// What the first stage says of a leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Equal,
    Protected,
    Nothing,
    Open,
}

#[inline]
fn first(catalog: &Catalog, id: PathId, desired: Option<&Leaf>, observed: Option<&Leaf>) -> First {
    let fact = catalog.fact(id);
    match (desired, observed) {
        (Some(want), Some(have)) if want.value == have.value => {
            if fact.is(PROTECTED) {
                First::Protected
            } else {
                First::Equal
            }
        }
        (None, Some(_)) if !fact.is(CONFIG) => First::Nothing,
        (None, Some(_)) if fact.is(PROTECTED) => First::Protected,
        (None, None) => First::Nothing,
        _ => First::Open,
    }
}

impl Differ {
    /// Has seen nothing yet.
    pub fn new(device: Arc<str>) -> Self {
        Self {
            device,
            last: None,
            equal: 0,
            protected: 0,
            open: BTreeSet::new(),
            settled: BTreeSet::new(),
            alike: BTreeSet::new(),
            foreign: BTreeSet::new(),
            diff: DeviceDiff::default(),
        }
    }

    /// What was found last.
    pub fn diff(&self) -> &DeviceDiff {
        &self.diff
    }

    /// What was found last, for good.
    pub fn into_diff(self) -> DeviceDiff {
        self.diff
    }

    /// Compares. `catalog` must have learned all paths; always the same catalog.
    ///
    /// Costs what moved in `observed` since the last call; everything when something else moved.
    pub fn update(&mut self, catalog: &Catalog, sides: &Sides<'_>) -> &DeviceDiff {
        let moved = self.last.as_ref().filter(|last| last.still(sides)).map(|last| {
            let mut moved = Vec::new();
            last.observed.merge(sides.observed, |id, before, now| {
                if before.map(|leaf| &leaf.value) != now.map(|leaf| &leaf.value) {
                    moved.push((id, before.cloned(), now.cloned()));
                }
            });
            moved
        });
        match (moved, &mut self.last) {
            (Some(moved), _) if moved.is_empty() => return &self.diff,
            (Some(moved), Some(last)) => {
                last.observed = sides.observed.clone();
                self.again(catalog, sides, &moved);
            }
            _ => {
                self.last = Some(Last {
                    desired: sides.desired.clone(),
                    exhaustive: sides.exhaustive.to_vec(),
                    observed: sides.observed.clone(),
                    applied: sides.applied.cloned(),
                });
                self.start_over(catalog, sides);
            }
        }
        self.second(catalog, sides);
        &self.diff
    }

    fn start_over(&mut self, catalog: &Catalog, sides: &Sides<'_>) {
        let (mut equal, mut protected, mut met) = (0, 0, 0);
        let mut open = Vec::new();
        sides.desired.merge(sides.observed, |id, desired, observed| {
            met += usize::from(desired.is_some());
            match first(catalog, id, desired, observed) {
                First::Equal => equal += 1,
                First::Protected => protected += 1,
                First::Nothing => {}
                First::Open => open.push(id),
            }
        });
        if met < sides.desired.len() {
            // The two sides are clones of one tree in part: merge skips what they share, all of it equal.
            let whole = |tree: &Tree| tree.iter().filter(|(id, _)| catalog.fact(*id).is(PROTECTED)).count();
            let only_observed = |(id, _): &(PathId, &Leaf)| catalog.fact(*id).is(PROTECTED | CONFIG) && sides.desired.get_id(*id).is_none();
            let unlike = |id: &&PathId| sides.desired.get_id(**id).is_some();
            let protected_unlike = open.iter().filter(unlike).filter(|id| catalog.fact(**id).is(PROTECTED)).count();
            protected = whole(sides.desired) - protected_unlike + sides.observed.iter().filter(only_observed).count();
            equal = sides.desired.len() - open.iter().filter(unlike).count() - (whole(sides.desired) - protected_unlike);
        }
        (self.equal, self.protected) = (equal, protected);
        self.open = open.into_iter().collect();
        self.settled.clear();
        self.alike.clear();
        self.foreign.clear();
    }

    fn again(&mut self, catalog: &Catalog, sides: &Sides<'_>, moved: &[(PathId, Option<Leaf>, Option<Leaf>)]) {
        for (id, before, now) in moved {
            let desired = sides.desired.get_id(*id);
            match first(catalog, *id, desired, before.as_ref()) {
                First::Equal => self.equal -= 1,
                First::Protected => self.protected -= 1,
                First::Nothing => {}
                First::Open => {
                    self.open.remove(id);
                    self.settled.remove(id);
                    self.foreign.remove(id);
                    self.alike.remove(id);
                }
            }
            match first(catalog, *id, desired, now.as_ref()) {
                First::Equal => self.equal += 1,
                First::Protected => self.protected += 1,
                First::Nothing => {}
                First::Open => _ = self.open.insert(*id),
            }
        }
    }

    fn second(&mut self, catalog: &Catalog, sides: &Sides<'_>) {
        let judged = judge::judge(catalog, sides, &self.device, &self.open);
        let mut context_equal = 0;
        let mut protected = 0;
        let mut foreign_now = Vec::new();
        for (id, verdict) in judged.verdicts {
            match verdict {
                Verdict::Alike => {
                    self.open.remove(&id);
                    self.alike.insert(id);
                }
                Verdict::Nothing => {
                    self.open.remove(&id);
                    self.settled.insert(id);
                }
                Verdict::Foreign => {
                    self.open.remove(&id);
                    self.foreign.insert(id);
                }
                Verdict::ForeignHere => foreign_now.push(id),
                Verdict::AlikeHere => context_equal += 1,
                Verdict::Protected => protected += 1,
                Verdict::Differs => {}
            }
        }
        let paths = sides.observed.paths();
        let mut foreign: Vec<_> = paths.with(|list| {
            let all = self.foreign.iter().chain(&foreign_now);
            all.filter_map(|id| Some((Arc::clone(list.get(id.index())?), sides.observed.get_id(*id)?.value.clone()))).collect()
        });
        foreign.sort_by(|a: &(Arc<Path>, Value), b| a.0.cmp(&b.0));
        self.diff = DeviceDiff {
            changes: judged.changes,
            tally: Tally {
                equal: self.equal + self.alike.len() + context_equal,
                foreign: foreign.len(),
                protected: self.protected + protected,
            },
            foreign,
            findings: judged.findings,
        };
    }
}

impl Last {
    /// Whether everything but `observed` is as it was.
    fn still(&self, sides: &Sides<'_>) -> bool {
        let same = |a: &Tree, b: &Tree| {
            // Snapshots of one tree share their chunks, which merge skips: then nothing is visited.
            let mut equal = Arc::ptr_eq(a.paths(), b.paths());
            a.merge(b, |_, _, _| equal = false);
            equal
        };
        let applied = match (&self.applied, sides.applied) {
            (Some(a), Some(b)) => same(a, b),
            (None, None) => true,
            _ => false,
        };
        Arc::ptr_eq(self.observed.paths(), sides.observed.paths())
            && self.exhaustive == sides.exhaustive
            && applied
            && same(&self.desired, sides.desired)
    }
}

#[cfg(test)]
pub(crate) mod lab {
    //! The lab's device documents as trees, for the tests of diff and plan.

    use std::sync::{Arc, OnceLock};

    use crate::path::Path;
    use crate::tree::{Origin, Paths, Tree};
    use crate::value::Value;
    use crate::yang::Schema;

    pub fn schema() -> &'static Schema {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| Schema::eos().unwrap())
    }

    pub fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    /// The document and the command lines a lab device boots with.
    pub fn device(name: &str, paths: &Arc<Paths>) -> Tree {
        let root = env!("CARGO_MANIFEST_DIR");
        let text = std::fs::read_to_string(format!("{root}/lab/devices/{name}.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut tree = Tree::new(Arc::clone(paths));
        let origin = Arc::new(Origin { object: format!("device {name}"), ..Origin::default() });
        for (path, value) in schema().flatten(&Path::root(), &json).unwrap() {
            tree.set_from(&path, value, &origin);
        }
        let cli = std::fs::read_to_string(format!("{root}/lab/devices/{name}.cli")).unwrap();
        let mut context = String::new();
        for line in cli.lines().filter(|line| !line.starts_with('!')) {
            match line.strip_prefix("   ") {
                Some(child) => {
                    let (command, value) = known(child);
                    tree.set_from(&cli_line(&context, command), Value::str(value), &origin);
                }
                None if line.starts_with("username") || line.starts_with("service") || line.starts_with("ip ") => {
                    let (command, value) = known(line);
                    tree.set_from(&cli_line("", command), Value::str(value), &origin);
                    context.clear();
                }
                None => line.clone_into(&mut context),
            }
        }
        tree
    }

    fn known(line: &str) -> (&str, &str) {
        ["ip virtual-router mac-address", "maximum-paths", "switchport trunk group", "username admin"]
            .into_iter()
            .find_map(|command| Some((command, line.strip_prefix(command)?.trim_start())))
            .unwrap_or((line, ""))
    }

    pub fn cli_line(context: &str, command: &str) -> Path {
        Path::root().child("running-config").entry("line", [("command", command), ("context", context)]).with_origin("cli")
    }
}

#[cfg(test)]
mod tests {
    use super::lab::{self, path, schema};
    use super::*;
    use crate::tree::Paths;

    fn diff(desired: &Tree, exhaustive: &[&str], observed: &Tree, applied: Option<&Tree>) -> DeviceDiff {
        let exhaustive: Vec<Path> = exhaustive.iter().map(|text| path(text)).collect();
        let rules = Rules::default();
        device(&DeviceInput {
            name: Arc::from("leaf"),
            desired,
            exhaustive: &exhaustive,
            observed,
            applied,
            schema: schema(),
            rules: &rules,
        })
    }

    fn lines(diff: &DeviceDiff) -> Vec<String> {
        let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        diff.changes.iter().map(|c| format!("{} {} {} -> {}", c.kind, c.path, text(&c.observed), text(&c.desired))).collect()
    }

    const VLANS: &str = "/network-instances/network-instance[name=default]/vlans/vlan";
    const BGP: &str = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp";

    #[test]
    fn a_device_does_not_differ_from_itself() {
        let paths = Paths::new();
        for name in ["spine1", "leaf1", "leaf3", "leaf7"] {
            let tree = lab::device(name, &paths);
            let found = diff(&tree, &[VLANS, "/interfaces/interface"], &tree, Some(&tree));
            assert_eq!(lines(&found), Vec::<String>::new(), "{name}");
            assert!(found.findings.is_empty() && found.foreign.is_empty());
            assert_eq!(found.tally.equal + found.tally.protected, tree.len());
            assert!(found.tally.protected >= 10, "{:?}", found.tally);
        }
    }

    #[test]
    fn spellings_defaults_twins_and_what_every_device_has_are_no_difference() {
        let paths = Paths::new();
        let desired = lab::device("leaf3", &paths);
        let mut observed = desired.clone();
        let mut set = |text: &str, value: Value| _ = observed.set(&path(text), value, 1);
        // State, implicit entries, injected defaults, order.
        set("/interfaces/interface[name=Ethernet1]/state/oper-status", "UP".into());
        set(&format!("{VLANS}[vlan-id=1]/config/vlan-id"), Value::Uint(1));
        set(&format!("{VLANS}[vlan-id=1]/config/name"), "default".into());
        set("/network-instances/network-instance[name=default]/interfaces/interface[id=Ethernet11]/config/id", "Ethernet11".into());
        set(
            "/network-instances/network-instance[name=default]/tables/table[protocol=BGP][address-family=IPV4]/config/protocol",
            "BGP".into(),
        );
        set("/stp/global/config/disabled-vlan", Value::list([Value::Uint(4091), Value::Uint(4090), Value::Uint(4090)]));
        set("/interfaces/interface[name=Vlan34]/routed-vlan/ipv4/config/mtu", Value::Uint(1500));
        observed.set(&lab::cli_line("", "ip virtual-router mac-address"), "c0:01:ca:fe:ba:be".into(), 1);
        // Twins and defaults the device leaves out; EOS's own index.
        let next_hop = |index: &str| {
            format!(
                "/network-instances/network-instance[name=default]/protocols/protocol[identifier=STATIC][name=STATIC]/static-routes/\
                 static[prefix=100.64.0.0/10]/next-hops/next-hop[index={index}]/config"
            )
        };
        let own = next_hop("AUTO_1_172-16-0-254");
        assert!(observed.remove(&path(&format!("{own}/index"))).is_some() && observed.remove(&path(&format!("{own}/next-hop"))).is_some());
        observed.set(&path(&format!("{}/next-hop", next_hop("7"))), "172.16.0.254".into(), 1);
        observed.set(&path(&format!("{}/index", next_hop("7"))), "7".into(), 1);
        assert!(observed.remove(&path("/lacp/interfaces/interface[name=Port-Channel1]/config/lacp-mode")).is_some());
        assert!(observed.remove(&path("/interfaces/interface[name=Ethernet1]/config/name")).is_some());
        assert!(
            observed
                .remove(&path("/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/config/name"))
                .is_some()
        );
        let found = diff(&desired, &[VLANS], &observed, None);
        assert_eq!(lines(&found), Vec::<String>::new());
        assert!(found.foreign.is_empty(), "{:?}", found.foreign);
        assert_eq!(found.tally.equal + found.tally.protected, desired.len());
    }

    #[test]
    fn a_default_of_the_model_is_not_trusted_where_eos_does_otherwise() {
        let paths = Paths::new();
        let desired = lab::device("spine1", &paths);
        let mut observed = desired.clone();
        observed.remove(&path("/network-instances/network-instance[name=default]/config/ipv4-routing-enabled"));
        let found = diff(&desired, &[], &observed, None);
        assert_eq!(lines(&found), ["create /network-instances/network-instance[name=default]/config/ipv4-routing-enabled - -> true"]);
    }

    #[test]
    fn only_what_was_ours_is_deleted_and_entries_go_whole() {
        let paths = Paths::new();
        let observed = lab::device("leaf7", &paths);
        let mut desired = observed.clone();
        for gone in [format!("{VLANS}[vlan-id=900]"), "/interfaces/interface[name=Vlan900]".into()] {
            assert!(desired.delete(&path(&gone)) > 0);
        }
        let nobody = diff(&desired, &[], &observed, None);
        assert_eq!(lines(&nobody), Vec::<String>::new());
        assert_eq!(nobody.tally.foreign, 2 + 6, "{:?}", nobody.foreign.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>());

        let claimed = diff(&desired, &[VLANS], &observed, None);
        assert_eq!(
            lines(&claimed),
            [format!("delete {VLANS}[vlan-id=900] {{\"config/name\":\"bgp-border\",\"config/vlan-id\":900}} -> -")]
        );
        assert_eq!(claimed.tally.foreign, 6);

        let committed = diff(&desired, &[], &observed, Some(&observed));
        assert_eq!(
            committed.changes.iter().map(|c| c.path.to_string()).collect::<Vec<_>>(),
            [format!("{VLANS}[vlan-id=900]"), "/interfaces/interface[name=Vlan900]".to_owned()]
        );
        assert_eq!(committed.changes[0].origin.as_ref().unwrap().object, "device leaf7");
    }

    #[test]
    fn a_leaf_in_a_wanted_entry_goes_only_if_we_committed_it() {
        let paths = Paths::new();
        let desired = lab::device("leaf1", &paths);
        let mut observed = desired.clone();
        let leaf = path("/interfaces/interface[name=Vlan4091]/config/load-interval");
        let description = path("/interfaces/interface[name=Vxlan1]/config/description");
        observed.set(&description, "by hand".into(), 1);
        let found = diff(&desired, &["/interfaces/interface"], &observed, None);
        assert_eq!((found.changes.len(), found.tally.foreign), (0, 1), "{leaf} {:?}", lines(&found));
        let mut applied = desired.clone();
        applied.set(&description, "by us".into(), 0);
        let found = diff(&desired, &[], &observed, Some(&applied));
        assert_eq!(lines(&found), [format!("delete {description} by hand -> -")]);
        let found = diff(&desired, &["/interfaces/interface/config/description"], &observed, None);
        assert_eq!(lines(&found), [format!("delete {description} by hand -> -")]);
    }

    #[test]
    fn protected_paths_are_findings_never_changes() {
        let paths = Paths::new();
        let observed = lab::device("leaf1", &paths);
        let mut desired = observed.clone();
        desired.set(&path("/interfaces/interface[name=Management0]/config/description"), "oob".into(), 0);
        desired.set(&path("/system/grpc-servers/grpc-server[name=default]/config/port"), Value::Uint(6031), 0);
        desired.delete(&path("/system/aaa"));
        desired.set(&path("/interfaces/interface[name=Ethernet1]/config/no-such-leaf"), Value::Uint(1), 0);
        desired.set(&path("/interfaces/interface[name=Ethernet1]/state/oper-status"), "UP".into(), 0);
        let found = diff(&desired, &["/system/aaa/authentication/users/user"], &observed, Some(&observed));
        assert_eq!(lines(&found), Vec::<String>::new());
        let codes: Vec<_> = found.findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(codes, ["unknown-path", "read-only-path", "protected-path", "protected-path"], "{:#?}", found.findings);
        assert!(found.findings[3].message.contains("6031") && found.findings[3].message.contains("6030"));
    }

    #[test]
    fn a_static_route_is_told_by_its_next_hop() {
        let paths = Paths::new();
        let desired = lab::device("leaf1", &paths);
        let mut observed = desired.clone();
        let list = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=STATIC][name=STATIC]/static-routes/static[prefix=100.64.0.0/10]/next-hops";
        let ours = format!("{list}/next-hop[index=AUTO_1_172-16-0-254]/config");
        observed.delete(&path(&format!("{list}/next-hop")));
        observed.set(&path(&format!("{list}/next-hop[index=EOS]/config/next-hop")), "172.16.0.254".into(), 1);
        let mut wanted = desired.clone();
        wanted.set(&path(&format!("{ours}/metric")), Value::Uint(5), 0);
        let found = diff(&wanted, &[], &observed, None);
        assert_eq!(lines(&found), [format!("create {list}/next-hop[index=EOS]/config/metric - -> 5")]);
        observed.set(&path(&format!("{list}/next-hop[index=EOS]/config/next-hop")), "172.16.0.9".into(), 1);
        let found = diff(&desired, &[&format!("{list}/next-hop")], &observed, None);
        assert_eq!(found.changes.iter().map(|c| c.kind).collect::<Vec<_>>(), [Kind::Create, Kind::Delete], "{:?}", lines(&found));
    }

    #[test]
    fn incremental_is_from_scratch() {
        let paths = Paths::new();
        let desired = lab::device("leaf7", &paths);
        let mut observed = desired.clone();
        let mut catalog = Catalog::new(Rules::default());
        let mut differ = Differ::new(Arc::from("leaf"));
        let exhaustive = [path(VLANS)];
        let steps: Vec<(String, Option<Value>)> = vec![
            (format!("{VLANS}[vlan-id=78]/config/name"), Some("x".into())),
            (format!("{VLANS}[vlan-id=79]/config/vlan-id"), Some(Value::Uint(79))),
            (format!("{VLANS}[vlan-id=79]/config/name"), Some("y".into())),
            (format!("{VLANS}[vlan-id=78]/config/name"), Some("vrf-gold-subnet".into())),
            (format!("{VLANS}[vlan-id=78]/config/vlan-id"), None),
            (format!("{VLANS}[vlan-id=78]/config/name"), None),
            (format!("{VLANS}[vlan-id=79]/config/vlan-id"), None),
            ("/interfaces/interface[name=Vxlan1]/config/description".into(), Some("z".into())),
            (format!("{VLANS}[vlan-id=79]/config/name"), None),
            (format!("{BGP}/global/networks/network[network=10.0.255.14/32]/config/network"), None),
            ("/stp/global/config/disabled-vlan".into(), Some(Value::list([Value::str("4090..4091")]))),
            ("/interfaces/interface[name=Vxlan1]/config/description".into(), None),
            ("/system/config/hostname".into(), Some("q".into())),
        ];
        for (text, value) in steps {
            match value {
                Some(value) => _ = observed.set(&path(&text), value, 1),
                None => assert!(observed.remove(&path(&text)).is_some(), "{text}"),
            }
            catalog.learn(schema(), &paths);
            let now = differ.update(&catalog, &Sides { desired: &desired, exhaustive: &exhaustive, observed: &observed, applied: None });
            let fresh = diff(&desired, &[VLANS], &observed, None);
            assert_eq!(now, &fresh, "after {text}");
        }
    }
}
