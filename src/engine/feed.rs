//! Who changed a device's configuration last: its session history, or the time alone when it keeps none.

use crate::path::Path;
use crate::tree::Tree;

use super::snapshot::ConfigChange;

/// The newest change a device tells of.
pub fn last_change(observed: &Tree) -> Option<ConfigChange> {
    let mut newest: Option<(u64, Path)> = None;
    observed.paths().with(|mut paths| {
        for (id, _) in observed.iter() {
            let Some(path) = paths.get(id.index()) else { continue };
            let [system, session, _, _, diff, ..] = path.elems.as_slice() else { continue };
            if system.name != "system" || session.name != "session" || diff.name != "diff" {
                continue;
            }
            let Some(stamp) = diff.key("timestamp").and_then(|text| text.parse::<u64>().ok()) else { continue };
            if newest.as_ref().is_none_or(|(known, _)| stamp > *known) {
                newest = Some((stamp, path.first(5)));
            }
        }
    });
    let stamp = Path::root().child("system").child("state").child("last-configuration-timestamp");
    let saved = observed.value(&stamp).and_then(crate::value::Value::as_u64);
    match (newest, saved) {
        (None, None) => None,
        (Some((stamp, entry)), saved) if saved.is_none_or(|saved| millis(saved) <= millis(stamp) + 2_000) => {
            let text = |leaf: &str| observed.value(&entry.clone().child(leaf)).map(ToString::to_string).unwrap_or_default();
            Some(ConfigChange { user: text("username"), session: text("session-id"), time: millis(stamp) })
        }
        // The configuration moved after the last entry of the history: nobody knows by whom.
        (_, Some(saved)) => Some(ConfigChange { time: millis(saved), ..ConfigChange::default() }),
        (Some(_), None) => None,
    }
}

/// Nanoseconds, the unit of YANG's timeticks64; some devices send seconds.
pub fn millis(stamp: u64) -> u64 {
    match stamp {
        0..100_000_000_000 => stamp * 1000,
        100_000_000_000..100_000_000_000_000 => stamp,
        _ => stamp / 1_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Paths;
    use crate::value::Value;

    #[test]
    fn the_newest_entry_wins_unless_the_configuration_moved_later() {
        let mut tree = Tree::new(Paths::new());
        assert_eq!(last_change(&tree), None);
        let set = |tree: &mut Tree, path: &str, value: Value| _ = tree.set(&Path::parse(path).unwrap(), value, 1);
        for (stamp, user) in [("1774080049000000000", "admin"), ("1774080149000000000", "noc-kim")] {
            set(&mut tree, &format!("/system/session/history/state/diff[timestamp={stamp}]/username"), user.into());
            set(&mut tree, &format!("/system/session/history/state/diff[timestamp={stamp}]/session-id"), "s117".into());
        }
        let change = last_change(&tree).unwrap();
        assert_eq!((change.user.as_str(), change.session.as_str(), change.time), ("noc-kim", "s117", 1_774_080_149_000));
        set(&mut tree, "/system/state/last-configuration-timestamp", Value::Uint(1_774_080_249_000_000_000));
        let change = last_change(&tree).unwrap();
        assert_eq!((change.user.as_str(), change.time), ("", 1_774_080_249_000));
    }

    #[test]
    fn stamps_of_any_unit() {
        assert_eq!([millis(1_774_080_049), millis(1_774_080_049_000), millis(1_774_080_049_000_000_000)], [1_774_080_049_000; 3]);
    }
}
