//! Exchange of routes over established sessions until nothing moves: AS-path vectors, eBGP and iBGP, several best paths.

use std::collections::BTreeMap;

/// An established session, seen from one side.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Who sends.
    pub from: usize,
    /// Who receives.
    pub to: usize,
    /// Different AS on the other side.
    pub external: bool,
    /// AS of the sender.
    pub from_as: u64,
    /// AS of the receiver.
    pub to_as: u64,
    /// Router id of the sender: the lowest breaks ties.
    pub from_id: u32,
    /// The sender passes route targets on.
    pub extended: bool,
    /// The sender leaves the next hop alone.
    pub unchanged: bool,
}

/// A path to a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// AS numbers passed, nearest first.
    pub as_path: Vec<u64>,
    /// Device that originated it.
    pub origin: usize,
    /// Came in from another AS.
    pub external: bool,
    /// Its route targets got lost on the way.
    pub bare: bool,
    /// Its next hop became somebody who is not the tunnel's end.
    pub rewritten: bool,
}

/// Routes of a family after the exchange. Routes are numbers.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Received, by edge.
    pub received: Vec<BTreeMap<u32, Path>>,
    /// Best path and those used next to it, by device and route: edge numbers, best first; empty for own routes.
    pub used: Vec<BTreeMap<u32, Vec<usize>>>,
}

/// Exchanges `own` routes (by device) over `edges`; `limits` is how many paths a device uses at once.
pub fn exchange(own: &[Vec<u32>], edges: &[Edge], limits: &[u64]) -> Outcome {
    let mut out = Outcome { received: vec![BTreeMap::new(); edges.len()], used: vec![BTreeMap::new(); own.len()] };
    // Each round carries routes one hop further; loops are cut by AS, so the diameter bounds the rounds.
    for _ in 0..own.len() + 4 {
        let used: Vec<_> = (0..own.len()).map(|at| select(at, own, edges, &out.received, limits)).collect();
        let received: Vec<_> = edges.iter().map(|edge| send(edge, own, &used, edges, &out.received)).collect();
        let settled = received == out.received && used == out.used;
        (out.received, out.used) = (received, used);
        if settled {
            break;
        }
    }
    out
}

fn select(at: usize, own: &[Vec<u32>], edges: &[Edge], received: &[BTreeMap<u32, Path>], limits: &[u64]) -> BTreeMap<u32, Vec<usize>> {
    let mut used: BTreeMap<u32, Vec<usize>> = own.get(at).into_iter().flatten().map(|route| (*route, Vec::new())).collect();
    let mut candidates: BTreeMap<u32, Vec<(usize, &Edge, &Path)>> = BTreeMap::new();
    for (number, (edge, routes)) in edges.iter().zip(received).enumerate().filter(|(_, (edge, _))| edge.to == at) {
        for (route, path) in routes {
            candidates.entry(*route).or_default().push((number, edge, path));
        }
    }
    let limit = limits.get(at).copied().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1).max(1);
    for (route, mut paths) in candidates {
        if used.contains_key(&route) {
            continue; // own routes win
        }
        paths.sort_by_key(|(_, edge, path)| (path.as_path.len(), !path.external, edge.from_id));
        let Some(best) = paths.first().map(|(_, _, path)| (path.as_path.len(), path.external)) else { continue };
        let equal = paths.iter().filter(|(_, _, path)| (path.as_path.len(), path.external) == best).take(if best.1 { limit } else { 1 });
        used.insert(route, equal.map(|(number, _, _)| *number).collect());
    }
    used
}

fn send(
    edge: &Edge,
    own: &[Vec<u32>],
    used: &[BTreeMap<u32, Vec<usize>>],
    edges: &[Edge],
    received: &[BTreeMap<u32, Path>],
) -> BTreeMap<u32, Path> {
    let mut out = BTreeMap::new();
    let Some(table) = used.get(edge.from) else { return out };
    for (route, paths) in table {
        let path = match paths.first() {
            None if own.get(edge.from).is_some_and(|own| own.contains(route)) => {
                Path { as_path: Vec::new(), origin: edge.from, external: false, bare: false, rewritten: false }
            }
            None => continue,
            Some(number) => {
                let Some((learned, from)) = received.get(*number).and_then(|routes| routes.get(route)).zip(edges.get(*number)) else {
                    continue;
                };
                if !learned.external && !edge.external || from.from == edge.to {
                    continue; // iBGP does not pass iBGP on; nothing goes back where it came from
                }
                let rewritten = learned.rewritten || (edge.external && !edge.unchanged);
                Path { rewritten, ..learned.clone() }
            }
        };
        let mut path = Path { external: edge.external, bare: path.bare || !edge.extended, ..path };
        if edge.external {
            path.as_path.insert(0, edge.from_as);
        }
        if !path.as_path.contains(&edge.to_as) {
            out.insert(*route, path);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(a: usize, b: usize, as_a: u64, as_b: u64) -> [Edge; 2] {
        let edge = |from: usize, to, from_as, to_as| Edge {
            from,
            to,
            external: as_a != as_b,
            from_as,
            to_as,
            from_id: u32::try_from(from).unwrap(),
            extended: true,
            unchanged: true,
        };
        [edge(a, b, as_a, as_b), edge(b, a, as_b, as_a)]
    }

    /// Two spines of one AS, a pair of leafs of one AS with iBGP between, one more leaf.
    #[test]
    fn a_pair_learns_the_far_leaf_over_both_spines() {
        let mut edges = Vec::new();
        for (leaf, asn) in [(2, 65001), (3, 65001), (4, 65002)] {
            for spine in [0, 1] {
                edges.extend(both(spine, leaf, 65000, asn));
            }
        }
        edges.extend(both(2, 3, 65001, 65001));
        let own: Vec<Vec<u32>> = (0..5).map(|n| vec![n]).collect();
        let out = exchange(&own, &edges, &[4; 5]);
        assert_eq!(out.used[2][&4].len(), 2, "leaf 4 over two spines");
        assert_eq!(out.used[2][&3].len(), 1, "the other member over iBGP only: its AS is ours");
        assert_eq!(out.used[0].get(&1), None, "a spine never learns the other spine: same AS");
        let from_spine = edges.iter().position(|edge| edge.from == 0 && edge.to == 2).unwrap();
        assert_eq!(out.received[from_spine].keys().copied().collect::<Vec<_>>(), [0, 4]);
        let cut = exchange(&own, &edges[2..], &[4; 5]);
        assert_eq!(cut.used[2][&0].len(), 1, "spine 0 is still reached over the pair");
    }
}
