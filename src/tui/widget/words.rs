//! Which words of two values differ: a longest common subsequence over words, so that `spine1` against `bar was here` is
//! marked as a whole and `9214` against `9212` in `mtu 9214 bytes` only where it differs.

/// A piece of a text, and whether the other text lacks it.
pub type Piece<'a> = (&'a str, bool);

/// Longer texts are marked between their common beginning and end only: the table would cost too much.
const MOST_WORDS: usize = 128;

/// Both texts cut in pieces.
pub fn marks<'a>(left: &'a str, right: &'a str) -> (Vec<Piece<'a>>, Vec<Piece<'a>>) {
    let (a, b) = (words(left), words(right));
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let rest = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(x, y)| x == y).count();
    let (mid_a, mid_b) = (a.get(head..a.len() - tail).unwrap_or_default(), b.get(head..b.len() - tail).unwrap_or_default());
    let (keep_a, keep_b) = common(mid_a, mid_b);
    let pieces = |words: &[&'a str], keep: &[bool]| {
        let differs = |at: usize| at >= head && at < words.len() - tail && !keep.get(at - head).copied().unwrap_or(false);
        words.iter().enumerate().map(|(at, word)| (*word, differs(at))).collect()
    };
    (pieces(&a, &keep_a), pieces(&b, &keep_b))
}

/// Runs of letters and digits, runs of blanks, single other characters.
fn words(text: &str) -> Vec<&str> {
    let class = |c: char| {
        if c.is_alphanumeric() {
            1
        } else if c.is_whitespace() {
            2
        } else {
            3
        }
    };
    let mut out = Vec::new();
    let mut start = 0;
    let mut last = 0;
    for (at, c) in text.char_indices() {
        if at > start && (class(c) != last || class(c) == 3) {
            out.extend(text.get(start..at));
            start = at;
        }
        last = class(c);
    }
    out.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    out
}

/// Which words of each side belong to a longest common subsequence.
fn common(a: &[&str], b: &[&str]) -> (Vec<bool>, Vec<bool>) {
    let (mut keep_a, mut keep_b) = (vec![false; a.len()], vec![false; b.len()]);
    if a.len() > MOST_WORDS || b.len() > MOST_WORDS {
        return (keep_a, keep_b);
    }
    let columns = b.len() + 1;
    let mut length = vec![0u16; (a.len() + 1) * columns];
    let at = |i: usize, j: usize| i * columns + j;
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            length[at(i, j)] = if a[i] == b[j] { length[at(i + 1, j + 1)] + 1 } else { length[at(i + 1, j)].max(length[at(i, j + 1)]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            (keep_a[i], keep_b[j]) = (true, true);
            (i, j) = (i + 1, j + 1);
        } else if length[at(i + 1, j)] >= length[at(i, j + 1)] {
            i += 1;
        } else {
            j += 1;
        }
    }
    (keep_a, keep_b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(pieces: &[Piece<'_>]) -> String {
        pieces.iter().map(|(text, differs)| if *differs { format!("[{text}]") } else { (*text).to_owned() }).collect()
    }

    #[test]
    fn only_differing_words_are_marked() {
        for (left, right, a, b) in [
            ("9214", "1500", "[9214]", "[1500]"),
            ("to spine1 Ethernet1", "to spine2 Ethernet1", "to [spine1] Ethernet1", "to [spine2] Ethernet1"),
            ("10.0.1.0/31", "10.0.2.0/31", "10.0.[1].0/31", "10.0.[2].0/31"),
            ("a b c", "a c", "a [b][ ]c", "a c"),
            ("same", "same", "same", "same"),
            ("", "x", "", "[x]"),
        ] {
            let (have_a, have_b) = marks(left, right);
            assert_eq!((shown(&have_a).as_str(), shown(&have_b).as_str()), (a, b), "{left} / {right}");
        }
    }

    proptest! {
        #[test]
        fn unmarked_pieces_are_the_same_on_both_sides(a in "[a-c ./]{0,20}", b in "[a-c ./]{0,20}") {
            let (left, right) = marks(&a, &b);
            let whole = |pieces: &[Piece<'_>]| pieces.iter().map(|(text, _)| *text).collect::<String>();
            let kept = |pieces: &[Piece<'_>]| pieces.iter().filter(|(_, differs)| !differs).map(|(text, _)| *text).collect::<String>();
            prop_assert_eq!(whole(&left), a.clone());
            prop_assert_eq!(whole(&right), b.clone());
            prop_assert_eq!(kept(&left), kept(&right));
            prop_assert_eq!(a == b, left.iter().chain(&right).all(|(_, differs)| !differs));
        }
    }
}
