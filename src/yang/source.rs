//! Reads YANG text into statements: the syntax of RFC 7950, section 6, and nothing of its meaning.

/// One statement with its substatements.
#[derive(Debug, Default)]
pub(super) struct Stmt {
    /// `leaf`, or `prefix:extension`.
    pub keyword: String,
    /// Its argument, quotes and line breaks resolved; empty if there is none.
    pub arg: String,
    /// What stands between its braces.
    pub subs: Vec<Stmt>,
}

impl Stmt {
    /// The first substatement with this keyword.
    pub fn sub(&self, keyword: &str) -> Option<&Self> {
        self.subs.iter().find(|sub| sub.keyword == keyword)
    }

    /// All substatements with this keyword.
    pub fn all<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a Self> {
        self.subs.iter().filter(move |sub| sub.keyword == keyword)
    }

    /// The argument of the first substatement with this keyword.
    pub fn arg_of(&self, keyword: &str) -> Option<&str> {
        self.sub(keyword).map(|sub| sub.arg.as_str())
    }
}

/// Reads the one statement a file holds (`module` or `submodule`).
pub(super) fn read(text: &str) -> Result<Stmt, String> {
    let mut reader = Reader { text, at: 0 };
    match reader.next()? {
        Token::Word(keyword) => reader.statement(keyword, 0),
        other => Err(reader.wrong(&format!("{other:?} where a module begins"))),
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    End,
    Plus,
    Eof,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn wrong(&self, what: &str) -> String {
        let line = self.text.get(..self.at).unwrap_or("").matches('\n').count() + 1;
        format!("line {line}: {what}")
    }

    fn statement(&mut self, keyword: String, depth: usize) -> Result<Stmt, String> {
        if depth > 100 {
            return Err(self.wrong("statements nested too deep"));
        }
        let mut stmt = Stmt { keyword, ..Stmt::default() };
        let mut token = self.next()?;
        if let Token::Word(text) | Token::Text(text) = token {
            stmt.arg = text;
            token = self.next()?;
            while token == Token::Plus {
                match self.next()? {
                    Token::Text(more) => stmt.arg.push_str(&more),
                    other => return Err(self.wrong(&format!("{other:?} after +"))),
                }
                token = self.next()?;
            }
        }
        match token {
            Token::End => Ok(stmt),
            Token::Open => loop {
                match self.next()? {
                    Token::Close => return Ok(stmt),
                    Token::Word(keyword) => stmt.subs.push(self.statement(keyword, depth + 1)?),
                    other => return Err(self.wrong(&format!("{other:?} in `{}`", stmt.keyword))),
                }
            },
            other => Err(self.wrong(&format!("{other:?} after `{} {}`", stmt.keyword, stmt.arg))),
        }
    }

    fn next(&mut self) -> Result<Token, String> {
        loop {
            let rest = self.rest();
            let space = rest.len() - rest.trim_start().len();
            let rest = &rest[space..];
            let skip = if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map(|end| end + 2).ok_or_else(|| self.wrong("a comment does not end"))?
            } else {
                self.at += space;
                break;
            };
            self.at += space + skip;
        }
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::Eof) };
        let token = match first {
            '{' => Token::Open,
            '}' => Token::Close,
            ';' => Token::End,
            '+' if rest.get(1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || c == '"' || c == '\'')) => Token::Plus,
            '\'' => {
                let inner = rest.get(1..).unwrap_or("");
                let end = inner.find('\'').ok_or_else(|| self.wrong("a text does not end"))?;
                let text = inner[..end].to_owned();
                self.at += end + 2;
                return Ok(Token::Text(text));
            }
            '"' => return self.quoted(),
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ';' | '{' | '}')).unwrap_or(rest.len());
                let word = rest[..end].to_owned();
                self.at += end;
                return Ok(Token::Word(word));
            }
        };
        self.at += 1;
        Ok(token)
    }

    /// A text in double quotes: escapes, and indentation up to the column of the quote taken off (6.1.3).
    fn quoted(&mut self) -> Result<Token, String> {
        let column = self.text.get(..self.at).unwrap_or("").chars().rev().take_while(|c| *c != '\n').count() + 1;
        let (mut text, mut length, mut skipping) = (String::new(), 1, None);
        let mut letters = self.rest().chars().skip(1);
        loop {
            let letter = letters.next().ok_or_else(|| self.wrong("a text does not end"))?;
            length += letter.len_utf8();
            if let (Some(left @ 1..), ' ' | '\t') = (skipping, letter) {
                skipping = Some(usize::saturating_sub(left, if letter == '\t' { 8 } else { 1 }));
                continue;
            }
            match letter {
                '"' => break,
                '\n' => {
                    text.truncate(text.trim_end_matches([' ', '\t']).len());
                    text.push('\n');
                    skipping = Some(column);
                    continue;
                }
                '\\' => {
                    let escaped = letters.next().ok_or_else(|| self.wrong("a text does not end"))?;
                    length += escaped.len_utf8();
                    match escaped {
                        'n' => text.push('\n'),
                        't' => text.push('\t'),
                        '"' | '\\' => text.push(escaped),
                        other => text.extend(['\\', other]),
                    }
                }
                other => text.push(other),
            }
            skipping = None;
        }
        self.at += length;
        Ok(Token::Text(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_quotes_and_comments() {
        let text = "module m { // c\n prefix \"p\"; /* x */ pattern '[a]\\.' + \"b\\\\.\\\"\";\n leaf x { type string; description\n \"one\n  two\"; } }";
        let module = read(text).unwrap();
        assert_eq!((module.keyword.as_str(), module.arg.as_str()), ("module", "m"));
        assert_eq!(module.arg_of("prefix"), Some("p"));
        assert_eq!(module.arg_of("pattern"), Some(r#"[a]\.b\.""#));
        let leaf = module.sub("leaf").unwrap();
        assert_eq!(leaf.arg_of("description"), Some("one\ntwo"));
        assert_eq!(module.all("leaf").count(), 1);
        for bad in ["module m {", "module m { leaf", "module m { 'x'; }", "module m { leaf \"x }", "{", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
