//! YANG patterns: the regular expressions of XML Schema, as far as the models use them.
//!
//! Always anchored at both ends. Matching walks all possible states at once, so its time grows with the length of the text
//! and never explodes. What is not understood here (`\p{…}`, class subtraction) compiles to `None`: the caller then accepts
//! the text and counts it. A `^` at the start or `$` at the end is taken for the anchor its author meant, though XML Schema
//! calls it a letter.

use std::iter::Peekable;
use std::str::Chars;

/// Patterns that would need more states than this are not compiled.
const MOST_STATES: usize = 20_000;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    states: Vec<State>,
    start: usize,
}

#[derive(Clone, Debug)]
enum State {
    /// One letter out of the class, then the state.
    Step(Class, usize),
    /// Either state, without a letter.
    Split(usize, usize),
    /// The text must end here.
    End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Class {
    ranges: Vec<(char, char)>,
    negated: bool,
}

impl Class {
    fn holds(&self, letter: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter)) != self.negated
    }
}

#[derive(Clone, Debug)]
enum Part {
    Letter(Class),
    Row(Vec<Part>),
    Either(Vec<Part>),
    /// The part, at least and at most so often.
    Repeat(Box<Part>, usize, Option<usize>),
}

impl Pattern {
    /// `None` if the expression is not understood.
    pub(super) fn compile(expression: &str) -> Option<Self> {
        let bare = expression.strip_prefix('^').unwrap_or(expression);
        let bare = bare.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(bare);
        let mut letters = bare.chars().peekable();
        let part = either(&mut letters, 0)?;
        if letters.next().is_some() {
            return None;
        }
        let mut pattern = Self { states: vec![State::End], start: 0 };
        pattern.start = pattern.add(&part, 0)?;
        Some(pattern)
    }

    /// Adds the states of a part that goes on to `next`; gives its first state.
    fn add(&mut self, part: &Part, next: usize) -> Option<usize> {
        if self.states.len() > MOST_STATES {
            return None;
        }
        Some(match part {
            Part::Letter(class) => self.push(State::Step(class.clone(), next)),
            Part::Row(parts) => parts.iter().rev().try_fold(next, |next, part| self.add(part, next))?,
            Part::Either(parts) => {
                let (last, others) = parts.split_last()?;
                let last = self.add(last, next)?;
                others.iter().rev().try_fold(last, |second, part| {
                    let first = self.add(part, next)?;
                    Some(self.push(State::Split(first, second)))
                })?
            }
            Part::Repeat(inner, least, most) => {
                let mut at = next;
                match most {
                    Some(most) => {
                        for _ in *least..*most {
                            let first = self.add(inner, at)?;
                            at = self.push(State::Split(first, next));
                        }
                    }
                    None => {
                        let split = self.push(State::Split(next, next));
                        let first = self.add(inner, split)?;
                        *self.states.get_mut(split)? = State::Split(first, next);
                        at = split;
                    }
                }
                for _ in 0..*least {
                    at = self.add(inner, at)?;
                }
                at
            }
        })
    }

    fn push(&mut self, state: State) -> usize {
        self.states.push(state);
        self.states.len() - 1
    }

    /// Whether the whole text matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        let (mut now, mut then) = (Vec::new(), Vec::new());
        let mut marks = vec![0usize; self.states.len()];
        self.reach(self.start, &mut now, &mut marks, 1);
        for (round, letter) in (2..).zip(text.chars()) {
            for state in now.drain(..) {
                if let Some(State::Step(class, next)) = self.states.get(state)
                    && class.holds(letter)
                {
                    self.reach(*next, &mut then, &mut marks, round);
                }
            }
            std::mem::swap(&mut now, &mut then);
            if now.is_empty() {
                return false;
            }
        }
        now.iter().any(|state| matches!(self.states.get(*state), Some(State::End)))
    }

    /// Collects the states that wait for a letter (or the end) from `first` on.
    fn reach(&self, first: usize, into: &mut Vec<usize>, marks: &mut [usize], round: usize) {
        let mut open = vec![first];
        while let Some(state) = open.pop() {
            match marks.get_mut(state) {
                Some(mark) if *mark != round => *mark = round,
                _ => continue,
            }
            match self.states.get(state) {
                Some(State::Split(a, b)) => open.extend([*b, *a]),
                Some(_) => into.push(state),
                None => {}
            }
        }
    }
}

fn either(letters: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Part> {
    let mut parts = vec![row(letters, depth)?];
    while letters.next_if_eq(&'|').is_some() {
        parts.push(row(letters, depth)?);
    }
    Some(if parts.len() == 1 { parts.pop()? } else { Part::Either(parts) })
}

fn row(letters: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Part> {
    let mut parts = Vec::new();
    while letters.peek().is_some_and(|letter| !matches!(letter, '|' | ')')) {
        let part = match letters.next()? {
            '(' if depth < 64 => {
                let inner = either(letters, depth + 1)?;
                letters.next_if_eq(&')')?;
                inner
            }
            '[' => Part::Letter(class(letters)?),
            '.' => Part::Letter(Class { ranges: vec![('\n', '\n'), ('\r', '\r')], negated: true }),
            '\\' => Part::Letter(escape(letters.next()?)?),
            '(' | '*' | '+' | '?' | '{' | '}' | ']' => return None,
            letter => Part::Letter(Class { ranges: vec![(letter, letter)], negated: false }),
        };
        parts.push(repeat(part, letters)?);
    }
    Some(Part::Row(parts))
}

fn repeat(part: Part, letters: &mut Peekable<Chars<'_>>) -> Option<Part> {
    let (least, most) = match letters.peek() {
        Some('*') => (0, None),
        Some('+') => (1, None),
        Some('?') => (0, Some(1)),
        Some('{') => {
            letters.next();
            let inside: String = std::iter::from_fn(|| letters.next_if(|letter| *letter != '}')).collect();
            let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number <= 4096);
            let (least, most) = match inside.split_once(',') {
                None => (number(&inside)?, Some(number(&inside)?)),
                Some((least, "")) => (number(least)?, None),
                Some((least, most)) => (number(least)?, Some(number(most)?)),
            };
            if letters.peek() != Some(&'}') || most.is_some_and(|most| most < least) {
                return None;
            }
            (least, most)
        }
        _ => return Some(part),
    };
    letters.next();
    Some(Part::Repeat(Box::new(part), least, most))
}

/// After `\`: one letter, or a class with a name of one letter.
fn escape(letter: char) -> Option<Class> {
    let ranges = match letter {
        'n' => vec![('\n', '\n')],
        'r' => vec![('\r', '\r')],
        't' => vec![('\t', '\t')],
        'd' | 'D' => vec![('0', '9')],
        's' | 'S' => vec![(' ', ' '), ('\t', '\t'), ('\n', '\n'), ('\r', '\r')],
        'w' | 'W' => vec![('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'), ('\u{a1}', char::MAX)],
        other if other.is_ascii_punctuation() => vec![(other, other)],
        _ => return None,
    };
    Some(Class { ranges, negated: letter.is_ascii_uppercase() })
}

/// After `[`, up to its `]`.
fn class(letters: &mut Peekable<Chars<'_>>) -> Option<Class> {
    let negated = letters.next_if_eq(&'^').is_some();
    let mut ranges: Vec<(char, char)> = Vec::new();
    loop {
        let low = match letters.next()? {
            ']' if ranges.is_empty() => return None,
            ']' => return Some(Class { ranges, negated }),
            '[' => return None,
            '\\' => {
                let inner = escape(letters.next()?)?;
                match inner.ranges.as_slice() {
                    _ if inner.negated => return None,
                    [(low, high)] if low == high => *low,
                    _ => {
                        ranges.extend(inner.ranges);
                        continue;
                    }
                }
            }
            letter => letter,
        };
        let mut ahead = letters.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some('[')) => return None,
            (Some('-'), Some(']')) | (Some(']'), _) => low,
            (Some('-'), Some('\\')) => {
                letters.nth(1)?;
                match escape(letters.next()?)?.ranges.as_slice() {
                    [(one, same)] if one == same => *one,
                    _ => return None,
                }
            }
            (Some('-'), Some(high)) => {
                letters.nth(1)?;
                high
            }
            _ => low,
        };
        if high < low {
            return None;
        }
        ranges.push((low, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(expression: &str, yes: &[&str], no: &[&str]) {
        let pattern = Pattern::compile(expression).unwrap_or_else(|| panic!("{expression}"));
        yes.iter().for_each(|text| assert!(pattern.matches(text), "{expression} takes {text:?}"));
        no.iter().for_each(|text| assert!(!pattern.matches(text), "{expression} refuses {text:?}"));
    }

    #[test]
    fn the_shapes_the_models_use() {
        check("[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", &["00:1c:73:aa:BB:cc"], &["00:1c:73:aa:bb", "00:1c:73:aa:bb:cc:", ""]);
        check(
            r"(([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])\.){3}([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])",
            &["10.0.250.11", "255.255.255.255"],
            &["256.1.1.1", "1.1.1", "1.1.1.1 "],
        );
        check(r"(0x)([0-9a-fA-F]{2})*", &["0x", "0xab"], &["0xa", "x"]);
        check(r"(([0-9]+\.\.[0-9]+)|exact)", &["24..32", "exact"], &["24.32", "exactly"]);
        check(r"[0-9a-zA-Z\-_.]*", &["", "a-b_c.d"], &["a b"]);
        check("[ -~]*", &["~ x"], &["é"]);
        check("a{2,}b?", &["aa", "aaab"], &["a", "aabb"]);
        check("^abc$", &["abc"], &["^abc$"]);
        check(r"[^:]+:.*", &["a:", "a:b:c"], &[":b"]);
        check("x(a|)y", &["xay", "xy"], &["xaay"]);
    }

    #[test]
    fn what_is_not_understood_says_so() {
        for expression in [r"\p{L}+", "[a-z-[aeiou]]", "(a", "a)", "[", "a{3,1}", "*", "[z-a]", "(a{4000}){4000}"] {
            assert!(Pattern::compile(expression).is_none(), "{expression}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(expression in r"[a-c()\[\]{}|*+?.^$\\0-9,:-]{0,24}", text in ".{0,24}") {
            if let Some(pattern) = Pattern::compile(&expression) {
                _ = pattern.matches(&text);
            }
        }

        #[test]
        fn a_literal_matches_itself_only(text in "[a-z0-9:/]{1,12}", other in "[a-z0-9:/]{1,12}") {
            let pattern = Pattern::compile(&text).unwrap();
            prop_assert!(pattern.matches(&text));
            prop_assert_eq!(pattern.matches(&other), text == other);
        }
    }
}
