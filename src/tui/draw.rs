//! The pen every screen draws with: it cleans and cuts every text, and notes when a drawn age will change. It must not know
//! what a screen means.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use unicode_width::UnicodeWidthChar;

use super::theme::{Glyphs, Theme};
use super::{age, clean};

/// What drawing may write and the next frame needs: scroll offsets, nothing else.
#[derive(Default)]
pub struct Scroll {
    offsets: HashMap<&'static str, usize>,
    /// Offsets of the YANG tree, kept by its widget.
    pub tree: tui_tree_widget::TreeState<u64>,
}

impl Scroll {
    /// The rows of list `name` to draw in `height` lines so that `cursor` is among them, moving as little as possible.
    pub fn window(&mut self, name: &'static str, cursor: usize, len: usize, height: u16) -> Range<usize> {
        let height = usize::from(height);
        let offset = self.offsets.entry(name).or_default();
        if height == 0 {
            return 0..0;
        }
        *offset = (*offset).min(len.saturating_sub(height)).min(cursor).max((cursor + 1).saturating_sub(height));
        *offset..len.min(*offset + height)
    }
}

/// A pen over one frame.
pub struct Draw<'a> {
    /// Where to.
    pub buf: &'a mut Buffer,
    /// How it looks.
    pub theme: &'a Theme,
    /// With which glyphs.
    pub glyphs: &'a Glyphs,
    /// Milliseconds since the epoch.
    pub now: u64,
    /// Where the operator sits.
    pub zone: &'a TimeZone,
    /// Milliseconds from now until something drawn reads differently.
    pub wake: Option<u64>,
    /// Where the terminal's cursor stands; hidden when `None`.
    pub cursor: Option<Position>,
    /// Scroll offsets.
    pub scroll: &'a mut Scroll,
}

impl Draw<'_> {
    /// Writes a text at most `max` columns wide; says the column after it.
    pub fn put(&mut self, x: u16, y: u16, max: u16, text: &str, style: Style) -> u16 {
        let area = self.buf.area;
        if y < area.top() || y >= area.bottom() || x >= area.right() {
            return x;
        }
        let max = max.min(area.right() - x);
        let text = clean::clean(text, self.glyphs.ascii);
        let text = clean::fit(&text, usize::from(max), self.glyphs.cut);
        let mut at = x;
        for c in text.chars() {
            let columns = u16::try_from(c.width().unwrap_or(0)).unwrap_or(0);
            if columns == 0 || at + columns > area.right() {
                continue;
            }
            if let Some(cell) = self.buf.cell_mut((at, y)) {
                cell.set_char(c).set_style(style);
            }
            for tail in at + 1..at + columns {
                if let Some(cell) = self.buf.cell_mut((tail, y)) {
                    cell.reset();
                }
            }
            at += columns;
        }
        at
    }

    /// Writes several texts one after the other; says the column after them.
    pub fn parts<T: AsRef<str>>(&mut self, x: u16, y: u16, max: u16, parts: &[(T, Style)]) -> u16 {
        let end = x.saturating_add(max);
        parts.iter().fold(x, |at, (text, style)| if at < end { self.put(at, y, end - at, text.as_ref(), *style) } else { at })
    }

    /// Writes a text so that it ends before column `right`.
    pub fn right(&mut self, right: u16, y: u16, max: u16, text: &str, style: Style) {
        let text = clean::clean(text, self.glyphs.ascii);
        let columns = u16::try_from(clean::width(&text)).unwrap_or(u16::MAX).min(max);
        self.put(right.saturating_sub(columns), y, columns, &text, style);
    }

    /// Lines around `area`, a title in the upper one; says what is inside.
    pub fn pane(&mut self, area: Rect, title: &str, focus: bool) -> Rect {
        let area = area.intersection(self.buf.area);
        if area.width < 2 || area.height < 2 {
            return Rect::new(area.x, area.y, 0, 0);
        }
        let style = if focus { self.theme.focus } else { self.theme.border };
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        let corners = if self.glyphs.ascii { ["+", "+", "+", "+"] } else { ["┌", "┐", "└", "┘"] };
        for x in area.x + 1..right {
            self.glyph(x, area.y, self.glyphs.line, style);
            self.glyph(x, bottom, self.glyphs.line, style);
        }
        for y in area.y + 1..bottom {
            self.glyph(area.x, y, self.glyphs.bar, style);
            self.glyph(right, y, self.glyphs.bar, style);
        }
        for ((x, y), corner) in [(area.x, area.y), (right, area.y), (area.x, bottom), (right, bottom)].into_iter().zip(corners) {
            self.glyph(x, y, corner, style);
        }
        if area.width > 6 && !title.is_empty() {
            let title_style = if focus { self.theme.focus.patch(self.theme.title) } else { self.theme.title };
            let title = clean::clean(title, self.glyphs.ascii).into_owned();
            self.put(area.x + 1, area.y, area.width - 2, &format!(" {title} "), title_style);
        }
        Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
    }

    /// One of our own glyphs in one cell.
    pub fn glyph(&mut self, x: u16, y: u16, glyph: &'static str, style: Style) {
        if let Some(cell) = self.buf.cell_mut((x, y)) {
            cell.set_symbol(glyph).set_style(style);
        }
    }

    /// Blanks an area.
    pub fn blank(&mut self, area: Rect) {
        let area = area.intersection(self.buf.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buf.cell_mut((x, y)) {
                    cell.reset();
                }
            }
        }
    }

    /// Remembers that something drawn reads differently in `ms`.
    pub fn wake_in(&mut self, ms: Option<u64>) {
        self.wake = match (self.wake, ms) {
            (Some(have), Some(ms)) => Some(have.min(ms)),
            (have, ms) => have.or(ms),
        };
    }

    /// An age in wide steps, for what is well.
    pub fn rough_age(&mut self, then: u64) -> String {
        let (text, next) = age::rough(self.now, then);
        self.wake_in(next);
        text
    }

    /// An age in fine steps, for what is wrong.
    pub fn fine_age(&mut self, then: u64) -> String {
        let (text, next) = age::fine(self.now, then);
        self.wake_in(next);
        text
    }

    /// What is left until `then`.
    pub fn left(&mut self, then: u64) -> String {
        let (text, next) = age::left(self.now, then);
        if then > self.now {
            self.wake_in(next);
        }
        text
    }

    /// A time of day, or a date.
    pub fn clock(&self, then: u64) -> String {
        age::clock(self.now, then, self.zone)
    }

    /// The selected row's mark in its first column.
    pub fn marker(&mut self, x: u16, y: u16, selected: bool) {
        if selected {
            self.glyph(x, y, self.glyphs.marker, self.theme.marker);
        }
    }
}

/// `text` filled up with blanks to `columns`, or cut; for texts already cleaned.
pub fn pad(text: &str, columns: usize, cut: &str) -> String {
    let text: Cow<'_, str> = clean::fit(text, columns, cut);
    let blank = columns.saturating_sub(clean::width(&text));
    format!("{text}{}", " ".repeat(blank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_cursor_as_little_as_it_can() {
        let mut scroll = Scroll::default();
        assert_eq!(scroll.window("x", 0, 100, 10), 0..10);
        assert_eq!(scroll.window("x", 9, 100, 10), 0..10);
        assert_eq!(scroll.window("x", 10, 100, 10), 1..11);
        assert_eq!(scroll.window("x", 5, 100, 10), 1..11);
        assert_eq!(scroll.window("x", 99, 100, 10), 90..100);
        assert_eq!(scroll.window("x", 3, 4, 10), 0..4);
        assert_eq!(scroll.window("x", 0, 0, 10), 0..0);
        assert_eq!(scroll.window("x", 0, 5, 0), 0..0);
    }
}
