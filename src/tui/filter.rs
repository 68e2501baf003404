//! What the operator types behind `/`: words that must occur, `!word` that must not, `~letters` in order with gaps.

/// A parsed filter. Every part must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// As typed.
    pub text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    inverse: bool,
    fuzzy: bool,
    word: String,
}

impl Filter {
    /// Parses what was typed.
    pub fn new(text: &str) -> Self {
        let parts = text
            .split_whitespace()
            .map(|part| {
                let (inverse, rest) = part.strip_prefix('!').map_or((false, part), |rest| (true, rest));
                let (fuzzy, word) = rest.strip_prefix('~').map_or((false, rest), |rest| (true, rest));
                Part { inverse, fuzzy, word: word.to_lowercase() }
            })
            .filter(|part| !part.word.is_empty())
            .collect();
        Self { text: text.to_owned(), parts }
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether a row that reads `text` is shown.
    pub fn shows(&self, text: &str) -> bool {
        if self.parts.is_empty() {
            return true;
        }
        let text = text.to_lowercase();
        self.parts.iter().all(|part| part.inverse != if part.fuzzy { fuzzy(&text, &part.word) } else { text.contains(&part.word) })
    }
}

/// Whether the letters of `word` occur in `text` in this order. Both in lower case.
pub fn fuzzy(text: &str, word: &str) -> bool {
    let mut letters = text.chars();
    word.chars().all(|wanted| letters.any(|c| c == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_by_and() {
        for (filter, text, shown) in [
            ("", "x", true),
            ("leaf", "Leaf1 live", true),
            ("leaf live", "leaf1 stale", false),
            ("!leaf", "spine1", true),
            ("!leaf", "leaf1", false),
            ("~lf1", "leaf1", true),
            ("!~lf1", "leaf1", false),
            ("!", "leaf1", true),
        ] {
            assert_eq!(Filter::new(filter).shows(text), shown, "{filter} on {text}");
        }
    }
}
