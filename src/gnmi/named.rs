//! Which of our paths does a device's error text name? Devices write paths their own way: quoted keys, module prefixes, no
//! leading slash, or without keys.

use crate::path::Path;

use super::wire::convert::bare_name;

/// The index of the path that `text` names: the longest one of `paths` found in it as a whole. `None` when it names none.
pub fn named_path<'a>(text: &str, paths: impl IntoIterator<Item = &'a Path>) -> Option<usize> {
    let plain = plain(text);
    let mut best: Option<(usize, usize)> = None;
    for (index, path) in paths.into_iter().enumerate() {
        let (whole, without_keys) =
            (self::plain(&path.elems.iter().map(|elem| format!("/{elem}")).collect::<String>()), path.schema_path());
        let found = spellings(&whole).into_iter().chain(spellings(&without_keys)).find(|spelling| holds(&plain, spelling));
        if let Some(spelling) = found
            && best.is_none_or(|(_, length)| spelling.len() > length)
        {
            best = Some((index, spelling.len()));
        }
    }
    best.map(|(index, _)| index)
}

/// Quotes and module prefixes taken out.
fn plain(text: &str) -> String {
    let unquoted: String = text.chars().filter(|c| !matches!(c, '"' | '\'' | '\\')).collect();
    let mut plain = String::with_capacity(unquoted.len());
    for (index, part) in unquoted.split('/').enumerate() {
        if index > 0 {
            plain.push('/');
        }
        // Only what follows a slash is an element; `InvalidArgument: x` in front of the first is prose.
        let bare = bare_name(part);
        let prose = index == 0 || bare.starts_with(char::is_whitespace);
        plain.push_str(if prose { part } else { bare });
    }
    plain
}

fn spellings(path: &str) -> Vec<&str> {
    match path.strip_prefix('/') {
        // One name without a slash would be found in prose.
        Some(bare) if bare.contains('/') => vec![path, bare],
        Some(bare) if !bare.is_empty() => vec![path],
        _ => Vec::new(),
    }
}

/// Whether `text` has `path` in it with nothing of a longer path around it.
fn holds(text: &str, path: &str) -> bool {
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '[');
    text.match_indices(path).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + path.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/')) && !after.is_some_and(part_of_path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_path_however_it_is_written() {
        let paths: Vec<Path> = [
            "/interfaces/interface[name=Ethernet1]/config/mtu",
            "/interfaces",
            "/network-instances/network-instance[name=default]/protocols",
            "/system/state",
            "/lldp",
        ]
        .iter()
        .map(|text| Path::parse(text).unwrap())
        .collect();
        for (text, expected) in [
            ("path \"/interfaces/interface[name='Ethernet1']/config/mtu\" is not supported", Some(0)),
            ("invalid path interfaces/interface[name=Ethernet1]/config/mtu: no such node", Some(0)),
            ("/openconfig-interfaces:interfaces/interface/config/mtu: cannot", Some(0)),
            ("failed to subscribe to /interfaces: denied", Some(1)),
            ("failed to subscribe to /network-instances/network-instance[name=\"default\"]/protocols", Some(2)),
            ("leafref at path /interfaces/interface[name=Ethernet9]/config", None),
            ("ON_CHANGE is not supported for /system/state.", Some(3)),
            ("rpc error: lldp interfaces and such", None),
            ("unsupported: /lldp", Some(4)),
            ("/system/state-machine and my/system/state", None),
            ("", None),
        ] {
            assert_eq!(named_path(text, &paths), expected, "{text}");
        }
    }
}
