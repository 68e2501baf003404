//! Themes: what each role on the screen looks like, read from a TOML file, and reduced to what the terminal can show.
//! It must not know which screen uses a role.

use std::fmt;

use ratatui::style::{Color, Modifier, Style};

/// Themes that are part of the program.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("deuteranopia", include_str!("../../themes/deuteranopia.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: attributes only.
    Mono,
    /// The sixteen of ANSI.
    Sixteen,
    /// The xterm cube.
    Cube,
    /// Any.
    True,
}

impl Depth {
    /// What `NO_COLOR`, `COLORTERM` and `TERM` promise. `var` reads the environment.
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        let is = |name: &str| var(name).filter(|value| !value.is_empty());
        let term = is("TERM").unwrap_or_default();
        if is("NO_COLOR").is_some() || term == "dumb" || term.ends_with("-m") || term.starts_with("vt1") || term.starts_with("vt2") {
            Self::Mono
        } else if is("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit") || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256color") || term.starts_with("xterm-kitty") || term.starts_with("alacritty") {
            Self::Cube
        } else {
            Self::Sixteen
        }
    }
}

/// Why a theme cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a built-in name nor a readable file.
    #[error("theme `{name}` is no built-in theme ({built_in}) and cannot be read as a file: {error}\nhint: --theme NAME|FILE", built_in = names())]
    Unreadable {
        /// What was asked for.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// No TOML.
    #[error("theme {file}: {error}")]
    Syntax {
        /// The file.
        file: String,
        /// Where and what.
        error: toml::de::Error,
    },
    /// A key that means nothing, or a value that fits no key.
    #[error("theme {file}: key `{key}`: {problem}")]
    Key {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What is wrong with it, with what would be right.
        problem: String,
    },
}

fn names() -> String {
    BUILT_IN.map(|(name, _)| name).join(", ")
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The style of each role on the screen.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Theme {
            /// Its name, or the file it came from.
            pub name: String,
            $($(#[$doc])* pub $name: Style,)*
        }

        impl Theme {
            /// Names of all roles: the keys of a theme file.
            pub const ROLES: &'static [&'static str] = &[$(stringify!($name)),*];

            fn role(&mut self, name: &str) -> Option<&mut Style> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// Every style changed by `change`.
            fn each(&mut self, change: impl Fn(&mut Style)) {
                $(change(&mut self.$name);)*
            }
        }
    };
}

roles! {
    /// Plain text.
    text,
    /// What may be overlooked.
    dim,
    /// Titles of panes and columns.
    title,
    /// Lines around panes.
    border,
    /// Lines around the pane that has the keys.
    focus,
    /// The header line.
    header,
    /// The banner of an armed fabric, and plaintext transports.
    armed,
    /// In sync, up, established.
    good,
    /// Syncing, old, can flap.
    warn,
    /// Drift, down, refused.
    bad,
    /// Worth knowing.
    info,
    /// The selected row's name.
    selected,
    /// The mark in front of the selected row.
    marker,
    /// A line that would be created.
    added,
    /// A line that would be deleted.
    removed,
    /// A line that would be changed.
    changed,
    /// The words of a value that differ.
    mark,
    /// Boxes of what is staged.
    staged,
    /// A key in the footer.
    key,
    /// Messages.
    toast,
}

impl Theme {
    /// A built-in theme by name, or the theme in a file.
    pub fn load(name: &str) -> Result<Self, Error> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(have, _)| *have == name) {
            return Self::parse(name, text);
        }
        let text = std::fs::read_to_string(name).map_err(|error| Error::Unreadable { name: name.to_owned(), error })?;
        Self::parse(name, &text)
    }

    /// The theme in a text; `file` names it in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let table: toml::Table = text.parse().map_err(|error| Error::Syntax { file: file.to_owned(), error })?;
        let mut theme = Self { name: file.to_owned(), ..Self::default() };
        for (key, value) in &table {
            let wrong = |key: String, problem: String| Error::Key { file: file.to_owned(), key, problem };
            let Some(style) = theme.role(key) else {
                return Err(wrong(key.clone(), format!("no such role; there are {}", Self::ROLES.join(", "))));
            };
            let Some(parts) = value.as_table() else {
                return Err(wrong(key.clone(), "a table is wanted: { fg = \"#rrggbb\", bold = true }".to_owned()));
            };
            for (part, value) in parts {
                *style = apply(*style, part, value).map_err(|problem| wrong(format!("{key}.{part}"), problem))?;
            }
        }
        Ok(theme)
    }

    /// This theme with the colours `depth` has.
    #[must_use]
    pub fn reduced(mut self, depth: Depth) -> Self {
        if depth == Depth::Mono {
            // Our own mono theme, never the coloured one with its colours dropped: the selection must stay visible.
            let name = self.name.clone();
            let mut mono = Self::load("mono").unwrap_or_default();
            mono.name = name;
            return mono;
        }
        self.each(|style| {
            style.fg = style.fg.map(|color| reduce(color, depth));
            style.bg = style.bg.map(|color| reduce(color, depth));
        });
        self
    }
}

impl fmt::Display for Theme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn apply(style: Style, part: &str, value: &toml::Value) -> Result<Style, String> {
    let modifier = match part {
        "fg" => return Ok(style.fg(color(value)?)),
        "bg" => return Ok(style.bg(color(value)?)),
        "bold" => Modifier::BOLD,
        "dim" => Modifier::DIM,
        "italic" => Modifier::ITALIC,
        "underline" => Modifier::UNDERLINED,
        "reverse" => Modifier::REVERSED,
        _ => return Err("no such part; there are fg, bg, bold, dim, italic, underline, reverse".to_owned()),
    };
    let on = value.as_bool().ok_or("true or false is wanted")?;
    Ok(if on { style.add_modifier(modifier) } else { style })
}

fn color(value: &toml::Value) -> Result<Color, String> {
    let wanted = "a colour is #rrggbb, a number 0 to 255, a name (red, light-red, …) or default";
    if let Some(number) = value.as_integer() {
        return u8::try_from(number).map(Color::Indexed).map_err(|_| format!("{number}: {wanted}"));
    }
    let text = value.as_str().ok_or(wanted)?;
    if text == "default" {
        return Ok(Color::Reset);
    }
    text.parse().map_err(|_| format!("`{text}`: {wanted}"))
}

/// The nearest colour `depth` has.
fn reduce(color: Color, depth: Depth) -> Color {
    match (color, depth) {
        (Color::Reset, _) | (_, Depth::True) => color,
        (_, Depth::Mono) => Color::Reset,
        (Color::Rgb(r, g, b), Depth::Cube) => Color::Indexed(cube(r, g, b)),
        (Color::Rgb(r, g, b), Depth::Sixteen) => sixteen(r, g, b),
        (Color::Indexed(index @ 16..), Depth::Sixteen) => {
            let (r, g, b) = rgb(index);
            sixteen(r, g, b)
        }
        _ => color,
    }
}

/// Levels of the xterm colour cube.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

fn rgb(index: u8) -> (u8, u8, u8) {
    if index >= 232 {
        let grey = 8 + (index - 232) * 10;
        return (grey, grey, grey);
    }
    let index = usize::from(index.saturating_sub(16));
    let level = |at: usize| LEVELS.get(at % 6).copied().unwrap_or_default();
    (level(index / 36), level(index / 6), level(index))
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let d = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    d(a.0, b.0) + d(a.1, b.1) + d(a.2, b.2)
}

fn cube(r: u8, g: u8, b: u8) -> u8 {
    (16..=255).min_by_key(|index| distance(rgb(*index), (r, g, b))).unwrap_or(15)
}

fn sixteen(r: u8, g: u8, b: u8) -> Color {
    const BASE: [(Color, (u8, u8, u8)); 16] = [
        (Color::Black, (0, 0, 0)),
        (Color::Red, (205, 0, 0)),
        (Color::Green, (0, 205, 0)),
        (Color::Yellow, (205, 205, 0)),
        (Color::Blue, (0, 0, 238)),
        (Color::Magenta, (205, 0, 205)),
        (Color::Cyan, (0, 205, 205)),
        (Color::Gray, (229, 229, 229)),
        (Color::DarkGray, (127, 127, 127)),
        (Color::LightRed, (255, 0, 0)),
        (Color::LightGreen, (0, 255, 0)),
        (Color::LightYellow, (255, 255, 0)),
        (Color::LightBlue, (92, 92, 255)),
        (Color::LightMagenta, (255, 0, 255)),
        (Color::LightCyan, (0, 255, 255)),
        (Color::White, (255, 255, 255)),
    ];
    BASE.iter().min_by_key(|(_, have)| distance(*have, (r, g, b))).map_or(Color::White, |(color, _)| *color)
}

/// The glyphs of a screen: UTF-8, or ASCII where the locale says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Whether only ASCII may be drawn.
    pub ascii: bool,
    /// A live stream, something well.
    pub live: &'static str,
    /// Something under way.
    pub busy: &'static str,
    /// Something wrong.
    pub wrong: &'static str,
    /// Something well.
    pub right: &'static str,
    /// Not known.
    pub unknown: &'static str,
    /// Not there yet.
    pub idle: &'static str,
    /// Between parts of a line.
    pub dot: &'static str,
    /// In front of the selected row.
    pub marker: &'static str,
    /// Between desired and observed.
    pub against: &'static str,
    /// From old to new.
    pub becomes: &'static str,
    /// Where a text was cut.
    pub cut: &'static str,
    /// A horizontal line.
    pub line: &'static str,
    /// A vertical line.
    pub bar: &'static str,
    /// More columns to the left and right.
    pub more: (&'static str, &'static str),
    /// A closed and an open branch.
    pub branch: (&'static str, &'static str),
    /// Eight heights.
    pub spark: [&'static str; 8],
}

impl Glyphs {
    /// For UTF-8 locales.
    pub const UTF8: Self = Self {
        ascii: false,
        live: "●",
        busy: "◐",
        wrong: "✗",
        right: "✓",
        unknown: "?",
        idle: "○",
        dot: "·",
        marker: "▌",
        against: "↔",
        becomes: "→",
        cut: "…",
        line: "─",
        bar: "│",
        more: ("◂", "▸"),
        branch: ("▸ ", "▾ "),
        spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    };
    /// For every other locale.
    pub const ASCII: Self = Self {
        ascii: true,
        live: "*",
        busy: "~",
        wrong: "x",
        right: "+",
        unknown: "?",
        idle: "o",
        dot: "-",
        marker: ">",
        against: "<>",
        becomes: "->",
        cut: "~",
        line: "-",
        bar: "|",
        more: ("<", ">"),
        branch: ("+ ", "- "),
        spark: [".", ".", ":", ":", "|", "|", "#", "#"],
    };

    /// What the locale allows: the first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set decides.
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| var(name).filter(|value| !value.is_empty())).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Self::UTF8 } else { Self::ASCII }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_themes_load_and_keep_the_selection_visible_at_every_depth() {
        for (name, _) in BUILT_IN {
            for depth in [Depth::Mono, Depth::Sixteen, Depth::Cube, Depth::True] {
                let theme = Theme::load(name).unwrap().reduced(depth);
                assert_eq!(theme.name, name);
                let s = theme.selected;
                assert!(
                    s.add_modifier.contains(Modifier::REVERSED) || s.bg.is_some_and(|bg| bg != Color::Reset && s.fg != Some(bg)),
                    "{name} {depth:?}"
                );
                assert_ne!(theme.armed, theme.header, "{name} {depth:?}");
                assert!(!theme.mark.add_modifier.is_empty(), "{name} {depth:?}");
            }
        }
    }

    #[test]
    fn mono_has_no_colour() {
        let mut theme = Theme::load("dark").unwrap().reduced(Depth::Mono);
        theme.each(|style| assert!(style.fg.is_none() && style.bg.is_none()));
    }

    #[test]
    fn errors_name_file_and_key() {
        for (text, words) in [
            ("god = {}", "key `god`: no such role"),
            ("good = { fg = \"gren\" }", "key `good.fg`: `gren`"),
            ("good = { fg = 300 }", "key `good.fg`: 300"),
            ("good = { blink = true }", "key `good.blink`: no such part"),
            ("good = { bold = 1 }", "key `good.bold`: true or false"),
            ("good = 1", "key `good`: a table"),
            ("good = ", "theme x.toml"),
        ] {
            let error = Theme::parse("x.toml", text).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("x.toml"), "{text}: {error}");
        }
        let error = Theme::load("/nowhere/x.toml").unwrap_err().to_string();
        assert!(error.contains("/nowhere/x.toml") && error.contains("dark"), "{error}");
    }

    #[test]
    fn colours_degrade_to_the_nearest() {
        assert_eq!(reduce(Color::Rgb(255, 0, 0), Depth::Sixteen), Color::LightRed);
        assert_eq!(reduce(Color::Rgb(95, 135, 175), Depth::Cube), Color::Indexed(67));
        assert_eq!(reduce(Color::Indexed(196), Depth::Sixteen), Color::LightRed);
        assert_eq!(reduce(Color::Red, Depth::Sixteen), Color::Red);
    }

    #[test]
    fn the_environment_decides_depth_and_glyphs() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(Depth::detect(env(&[("TERM", "xterm-256color")])), Depth::Cube);
        assert_eq!(Depth::detect(env(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")])), Depth::True);
        assert_eq!(Depth::detect(env(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")])), Depth::Mono);
        assert_eq!(Depth::detect(env(&[("TERM", "xterm"), ("NO_COLOR", "")])), Depth::Sixteen);
        assert_eq!(Depth::detect(env(&[("TERM", "vt100")])), Depth::Mono);
        assert!(!Glyphs::detect(env(&[("LANG", "de_DE.UTF-8")])).ascii);
        assert!(Glyphs::detect(env(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")])).ascii);
        assert!(Glyphs::detect(env(&[])).ascii);
    }
}
