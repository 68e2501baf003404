//! How far a read is, by kind of object.

/// How far a read is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// In the order they were begun.
    pub kinds: Vec<Kind>,
}

/// One kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What a person calls one: `interface`.
    pub word: &'static str,
    /// Read so far.
    pub got: usize,
    /// How many there are; `None` while nobody says.
    pub of: Option<usize>,
}

impl Progress {
    /// Objects read so far, of all kinds.
    pub fn objects(&self) -> usize {
        self.kinds.iter().map(|kind| kind.got).sum()
    }

    /// Adds rows of a kind; `of` more are known of by now.
    pub(super) fn add(&mut self, word: &'static str, rows: usize, of: Option<usize>) {
        let at = self.kinds.iter().position(|kind| kind.word == word).unwrap_or_else(|| {
            self.kinds.push(Kind { word, got: 0, of: None });
            self.kinds.len() - 1
        });
        if let Some(kind) = self.kinds.get_mut(at) {
            kind.got += rows;
            kind.of = of.map(|of| kind.of.unwrap_or(0) + of).or(kind.of);
        }
    }
}
