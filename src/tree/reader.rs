//! Reads paths off their table one after the other, which costs what differs from the one before.

use std::sync::Arc;

use super::paths::{Interned, NOBODY, Node};
use crate::path::Path;

/// The paths of a table, by number; see [`super::Paths::with`].
#[derive(Debug)]
pub struct Reader<'a> {
    table: &'a Interned,
    /// The path read last.
    path: Path,
    /// Its nodes, from its root down; empty before the first.
    chain: Vec<u32>,
    /// Room for those of the next one.
    next: Vec<u32>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &'a Interned) -> Self {
        Self { table, path: Path::root(), chain: Vec::new(), next: Vec::new() }
    }

    /// How many paths there are.
    pub fn len(&self) -> usize {
        self.table.paths.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The path of a number, until the next one is asked for.
    pub fn get(&mut self, index: usize) -> Option<&Path> {
        let at = *self.table.paths.get(index)?;
        let node = self.node(at)?;
        let last = self.chain.last().and_then(|last| self.node(*last));
        if let (Some(Node { above, .. }), Some(elem), Some(end)) = (last, self.table.elems.get(node.elem as usize), self.chain.last_mut())
            && above == node.above
            && above != NOBODY
            && let Some(name) = self.path.elems.last_mut()
        {
            // The usual next one: a neighbour in the same container.
            (*end, *name) = (at, elem.clone());
            return Some(&self.path);
        }
        self.walk(at);
        Some(&self.path)
    }

    /// As [`Reader::get`], to keep.
    pub fn shared(&mut self, index: usize) -> Option<Arc<Path>> {
        self.get(index).cloned().map(Arc::new)
    }

    /// The name of its last element alone, empty for a root: what most leaves are told apart by.
    pub fn name(&self, index: usize) -> Option<&'a str> {
        let node = self.node(*self.table.paths.get(index)?)?;
        if node.above == NOBODY { Some("") } else { self.table.elems.get(node.elem as usize).map(|elem| elem.name.as_str()) }
    }

    fn node(&self, at: u32) -> Option<Node> {
        self.table.nodes.get(at as usize).copied()
    }

    fn walk(&mut self, to: u32) {
        self.next.clear();
        let mut at = to;
        while let Some(node) = self.node(at) {
            self.next.push(at);
            at = node.above;
        }
        self.next.reverse();
        let same = self.chain.iter().zip(&self.next).take_while(|(before, now)| before == now).count();
        if same == 0 {
            let root = self.next.first().and_then(|root| self.node(*root));
            self.path.origin = root.and_then(|root| self.table.origins.get(root.elem as usize)).cloned().flatten();
        }
        self.path.elems.truncate(same.saturating_sub(1));
        for at in self.next.iter().skip(same.max(1)) {
            self.path.elems.extend(self.node(*at).and_then(|node| self.table.elems.get(node.elem as usize)).cloned());
        }
        std::mem::swap(&mut self.chain, &mut self.next);
    }
}
