//! A list whose selection is a name, not a row: rows come and go under a live stream, the selection stays where it was.
//! It must not hold the rows.

use serde::{Deserialize, Serialize};

/// Where the cursor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Move {
    /// One up.
    Up,
    /// One down.
    Down,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
    /// The first row.
    Top,
    /// The last row.
    Bottom,
    /// To the left.
    Left,
    /// To the right.
    Right,
}

/// A cursor in rows named by `Id`.
#[derive(Clone, Debug)]
pub struct List<Id> {
    /// Where the selected name was found last: a cache of `id`.
    pub cursor: usize,
    /// What is selected.
    pub id: Option<Id>,
}

impl<Id> Default for List<Id> {
    fn default() -> Self {
        Self { cursor: 0, id: None }
    }
}

impl<Id: PartialEq> List<Id> {
    /// Finds the selected name in new rows; when it has gone, the row in its place is selected. `id_at` is `None` for rows
    /// that cannot be selected.
    pub fn settle(&mut self, len: usize, id_at: impl Fn(usize) -> Option<Id>) {
        if let Some(id) = &self.id {
            if self.cursor < len && id_at(self.cursor).as_ref() == Some(id) {
                return;
            }
            if let Some(at) = (0..len).find(|at| id_at(*at).as_ref() == Some(id)) {
                self.cursor = at;
                return;
            }
        }
        let from = self.cursor.min(len.saturating_sub(1));
        let near = (from..len).chain((0..from).rev()).find(|at| id_at(*at).is_some());
        self.cursor = near.unwrap_or(0);
        self.id = near.and_then(id_at);
    }

    /// Selects a name, wherever it is.
    pub fn select(&mut self, id: Id, len: usize, id_at: impl Fn(usize) -> Option<Id>) {
        self.id = Some(id);
        self.settle(len, id_at);
    }

    /// Moves the cursor; `page` is the height of the list.
    pub fn go(&mut self, to: Move, len: usize, page: usize, id_at: impl Fn(usize) -> Option<Id>) {
        if len == 0 {
            return;
        }
        let last = len - 1;
        let half = (page / 2).max(1);
        let (target, up) = match to {
            Move::Up => (self.cursor.saturating_sub(1), true),
            Move::Down => (self.cursor.saturating_add(1).min(last), false),
            Move::HalfUp => (self.cursor.saturating_sub(half), true),
            Move::HalfDown => (self.cursor.saturating_add(half).min(last), false),
            Move::Top => (0, false),
            Move::Bottom => (last, true),
            Move::Left | Move::Right => return,
        };
        let below = target..len;
        let above = (0..=target).rev();
        let found = if up {
            above.clone().find(|at| id_at(*at).is_some()).or_else(|| below.clone().find(|at| id_at(*at).is_some()))
        } else {
            below.clone().find(|at| id_at(*at).is_some()).or_else(|| above.clone().find(|at| id_at(*at).is_some()))
        };
        if let Some(at) = found {
            self.cursor = at;
            self.id = id_at(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(rows: &[&'static str]) -> impl Fn(usize) -> Option<&'static str> {
        let rows = rows.to_vec();
        move |index| rows.get(index).copied().filter(|row| *row != "-")
    }

    #[test]
    fn the_selection_follows_its_name() {
        let mut list = List::default();
        list.settle(3, at(&["a", "b", "c"]));
        list.go(Move::Down, 3, 10, at(&["a", "b", "c"]));
        assert_eq!((list.cursor, list.id), (1, Some("b")));
        list.settle(4, at(&["x", "y", "a", "b"]));
        assert_eq!((list.cursor, list.id), (3, Some("b")));
        list.settle(2, at(&["x", "y"]));
        assert_eq!((list.cursor, list.id), (1, Some("y")));
        list.settle(0, at(&[]));
        assert_eq!((list.cursor, list.id), (0, None));
    }

    #[test]
    fn rows_without_a_name_are_skipped() {
        let rows = ["-", "a", "-", "b", "-"];
        let mut list = List::default();
        list.settle(5, at(&rows));
        assert_eq!(list.id, Some("a"));
        list.go(Move::Down, 5, 10, at(&rows));
        assert_eq!(list.id, Some("b"));
        list.go(Move::Bottom, 5, 10, at(&rows));
        assert_eq!(list.id, Some("b"));
        list.go(Move::Up, 5, 10, at(&rows));
        assert_eq!(list.id, Some("a"));
        list.go(Move::Top, 5, 10, at(&rows));
        assert_eq!(list.id, Some("a"));
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_on_its_name(moves in proptest::collection::vec((0usize..8, 0usize..12), 1..30)) {
            let mut list = List::default();
            for (to, len) in moves {
                let id_at = |index: usize| (!index.is_multiple_of(3) && index < len).then_some(index);
                let to = [Move::Up, Move::Down, Move::HalfUp, Move::HalfDown, Move::Top, Move::Bottom, Move::Left, Move::Right][to];
                list.settle(len, id_at);
                list.go(to, len, 6, id_at);
                prop_assert_eq!(list.id.is_some(), (0..len).any(|at| id_at(at).is_some()));
                if let Some(id) = list.id {
                    prop_assert_eq!(id_at(list.cursor), Some(id));
                }
            }
        }
    }
}
