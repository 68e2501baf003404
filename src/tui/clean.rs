//! The one door for text we did not write: no control character, escape sequence, bidi control or zero-width character of
//! a device or of NetBox reaches a cell. It must not know what is drawn, or where.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands where something was taken out, so that the operator sees that the string is not what it seems.
/// In Latin-1, so that every font has it; U+FFFD itself is dropped by some terminals, which would shift the line.
const REMOVED: char = '¿';

/// `text` as it may be drawn. Every escape sequence becomes one mark, tabs and line ends become spaces, other control
/// characters and bidi controls become a mark, zero-width characters vanish. With `ascii` everything else that is not
/// ASCII becomes `?`.
pub fn clean(text: &str, ascii: bool) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b))
        || (!ascii && text.chars().all(|c| harmless(c) && c != '\u{fffd}' && c.width().unwrap_or(0) > 0))
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\t' | '\n' | '\r' => out.push(' '),
            '\u{1b}' => {
                skip_escape(&mut chars);
                out.push(REMOVED);
            }
            '\u{9b}' => {
                skip_csi(&mut chars);
                out.push(REMOVED);
            }
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => {
                skip_string(&mut chars);
                out.push(REMOVED);
            }
            c if !harmless(c) || c == '\u{fffd}' => out.push(REMOVED),
            c if c.width().unwrap_or(0) == 0 => {}
            c => out.push(c),
        }
    }
    if ascii {
        out = out.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    }
    Cow::Owned(out)
}

/// Whether a character may stand in a cell as it is.
fn harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_escape(chars: &mut Rest<'_>) {
    match chars.next_if(|c| !c.is_control()) {
        Some('[') => skip_csi(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        Some(' '..='/') => while chars.next_if(|c| (' '..='~').contains(c)).is_some_and(|c| c < '0') {},
        _ => {}
    }
}

/// Parameters and intermediates, then one final byte.
fn skip_csi(chars: &mut Rest<'_>) {
    while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
    chars.next_if(|c| ('@'..='~').contains(c));
}

/// Up to BEL or ST; an open string ends with the text.
fn skip_string(chars: &mut Rest<'_>) {
    while let Some(c) = chars.next() {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

/// Several lines, each cleaned.
pub fn clean_lines(text: &str) -> String {
    text.lines().map(|line| clean(line, false)).collect::<Vec<_>>().join("\n")
}

/// Columns a cleaned text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The longest beginning of a cleaned text that fits `columns`, with `mark` in the last column when something is cut off.
pub fn fit<'a>(text: &'a str, columns: usize, mark: &str) -> Cow<'a, str> {
    if text.len() <= columns || text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(mark.width());
    let mut used = 0;
    let end = text
        .char_indices()
        .find(|(_, c)| {
            used += c.width().unwrap_or(0);
            used > room
        })
        .map_or(text.len(), |(at, _)| at);
    let mut cut = text.get(..end).unwrap_or_default().to_owned();
    if columns >= mark.width() {
        cut.push_str(mark);
    }
    Cow::Owned(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_become_one_mark() {
        assert_eq!(clean("a\u{1b}]52;c;aGk=\u{7}b", false), "a¿b");
        assert_eq!(clean("a\u{1b}]52;c;aGk=\u{1b}\\b", false), "a¿b");
        assert_eq!(clean("\u{1b}[2J\u{1b}[1;31mred", false), "¿¿red");
        assert_eq!(clean("\u{9b}31mred\u{9d}0;title\u{9c}!", false), "¿red¿!");
        assert_eq!(clean("\u{1b}(B\u{1b}#8x", false), "¿¿x");
        assert_eq!(clean("tab\tline\nend", false), "tab line end");
    }

    #[test]
    fn bidi_and_invisible_characters_do_not_pass() {
        assert_eq!(clean("ab\u{202e}cd\u{2066}", false), "ab¿cd¿");
        assert_eq!(clean("a\u{ad}\u{301}b", false), "ab");
        assert_eq!(clean("Zürich 東京", false), "Zürich 東京");
        assert_eq!(clean("Zürich", true), "Z?rich");
    }

    #[test]
    fn cutting_counts_columns_not_characters() {
        assert_eq!(fit("description", 6, "…"), "descr…");
        assert_eq!(fit("東京大阪", 5, "…"), "東京…");
        assert_eq!(fit("東京大阪", 4, "…"), "東…");
        assert_eq!(fit("ab", 2, "…"), "ab");
        assert_eq!(fit("abc", 0, "…"), "");
    }

    proptest! {
        #[test]
        fn nothing_that_moves_a_cursor_passes(text in proptest::collection::vec(prop_oneof![any::<char>(), proptest::char::range('\0', '\u{a0}'), proptest::char::range('\u{2000}', '\u{2070}')], 0..60)) {
            let text: String = text.into_iter().collect();
            for ascii in [false, true] {
                let out = clean(&text, ascii);
                prop_assert!(out.chars().all(|c| harmless(c) && c.width().unwrap_or(0) > 0), "{:?} -> {:?}", text, out);
                prop_assert!(!ascii || out.is_ascii());
                prop_assert_eq!(clean(&out, ascii), out.clone());
                for columns in 0..8 {
                    prop_assert!(fit(&out, columns, "~").width() <= columns);
                }
            }
        }
    }
}
