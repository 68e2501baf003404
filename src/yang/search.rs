//! Fuzzy search over node names and paths, for the schema browser and for `fabric-orch schema search`.
//!
//! `bgp neigh desc` finds `…/bgp/neighbors/neighbor/config/description`: the last word must be in the node's own name, the
//! words before it in names above, in that order. Letters may be left out inside a word, but a start, a whole part or a run
//! of letters counts more. What can be written on EOS comes first.

use super::node::{Access, NodeId};
use super::schema::Schema;

impl Schema {
    /// The nodes that match best, best first, at most `limit`. Words are parted by spaces or slashes; upper and lower case
    /// are one. No word finds nothing.
    pub fn search(&self, query: &str, limit: usize) -> Vec<NodeId> {
        let query = query.to_ascii_lowercase();
        let words: Vec<&[u8]> = query.split([' ', '/', '\t']).filter(|word| !word.is_empty()).map(str::as_bytes).collect();
        let Some((last, above)) = words.split_last() else { return Vec::new() };
        let mut found: Vec<(i32, NodeId)> = self.all().filter_map(|id| Some((self.score(id, last, above)?, id))).collect();
        let order = |a: &(i32, NodeId), b: &(i32, NodeId)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
        if found.len() > limit && limit > 0 {
            found.select_nth_unstable_by(limit - 1, order);
        }
        found.truncate(limit);
        found.sort_unstable_by(order);
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// How well a node matches; allocates nothing.
    fn score(&self, id: NodeId, last: &[u8], above: &[&[u8]]) -> Option<i32> {
        let rec = self.rec(id);
        let mut total = word_score(last, self.table().text(rec.name).as_bytes())? * 4;
        let (mut waiting, mut at, mut depth) = (above, rec.parent, 0);
        while at != 0 {
            let parent = self.rec(NodeId(at));
            if let Some((word, rest)) = waiting.split_last()
                && let Some(score) = word_score(word, self.table().text(parent.name).as_bytes())
            {
                total += score;
                waiting = rest;
            }
            depth += 1;
            at = parent.parent;
        }
        if !waiting.is_empty() {
            return None;
        }
        let node = self.node(id);
        total += match node.access {
            Access::ReadWrite => 12,
            Access::Read => 8,
            Access::Unknown => 0,
            Access::NotSupported => -40,
        };
        Some(total + i32::from(node.config) * 4 - depth * 2)
    }
}

/// How well a word matches a name: 100 the same, 80 its start, 60 the start of a part, 40 inside, below that letters with
/// gaps; `None` if a letter is missing. Short names win among equals.
fn word_score(word: &[u8], name: &[u8]) -> Option<i32> {
    if word.len() > name.len() {
        return None;
    }
    let extra = i32::try_from(name.len() - word.len()).unwrap_or(i32::MAX).min(20);
    if extra == 0 && name == word {
        return Some(100);
    }
    let starts_part = |at: usize| at == 0 || name.get(at - 1).is_some_and(|before| matches!(before, b'-' | b'_' | b'.'));
    let hits = name.windows(word.len()).enumerate().filter(|(_, part)| part.eq_ignore_ascii_case(word)).map(|(at, _)| match at {
        0 => 80,
        at if starts_part(at) => 60,
        _ => 40,
    });
    if let Some(best) = hits.max() {
        return Some(best - extra);
    }
    // Letters in order: each at the start of a part or right after the one before counts, each gap costs.
    let (mut at, mut score, mut before) = (0, 20, None);
    for letter in word {
        let step = name.get(at..)?.iter().position(|have| have.eq_ignore_ascii_case(letter))?;
        let here = at + step;
        score += match before {
            Some(last) if last + 1 == here => 1,
            _ if starts_part(here) => 1,
            _ => -4,
        };
        before = Some(here);
        at = here + 1;
    }
    (score > 0).then_some(score - extra / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(schema: &Schema, query: &str) -> String {
        schema.search(query, 5).first().map(|id| schema.node(*id).path()).unwrap_or_default()
    }

    #[test]
    fn finds_what_operators_type() {
        let schema = Schema::eos().unwrap();
        for (query, path) in [
            ("interfaces interface config mtu", "/interfaces/interface/config/mtu"),
            ("bgp neigh desc", "/network-instances/network-instance/protocols/protocol/bgp/neighbors/neighbor/config/description"),
            ("vlan-to-vni/config/vni", "/interfaces/interface/arista-vxlan/vlan-to-vnis/vlan-to-vni/config/vni"),
            ("hostname", "/system/config/hostname"),
            ("mlag config peer-addr", "/arista/eos/mlag/config/peer-address"),
            ("MLAG domainid", "/arista/eos/mlag/config/domain-id"),
        ] {
            assert_eq!(first(&schema, query), path, "{query}");
        }
        assert!(schema.search("", 10).is_empty());
        assert!(schema.search("mtu", 0).is_empty());
        assert!(schema.search("qqqqzz", 10).is_empty());
        assert_eq!(schema.search("e", 7).len(), 7);
    }

    #[test]
    fn better_matches_score_more() {
        let scores: Vec<_> =
            ["mtu", "mtu-discovery", "max-mtu", "xmtuy", "m-time-u", "name"].map(|name| word_score(b"mtu", name.as_bytes())).into();
        assert!(scores.windows(2).all(|pair| pair[0] > pair[1]), "{scores:?}");
        assert_eq!(scores.last(), Some(&None));
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_best(name in "[a-z-]{1,20}", other in "[a-z-]{1,20}") {
            prop_assert_eq!(word_score(name.as_bytes(), name.as_bytes()), Some(100));
            prop_assert!(name == other || word_score(name.as_bytes(), other.as_bytes()) < Some(100));
        }
    }
}
