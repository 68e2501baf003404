//! From cells to bytes: what changed since the last frame, as one piece that is written at once between DEC 2026 marks;
//! nothing at all when nothing changed. It must not know a terminal.

use std::io::{self, Write as _};

use crossterm::QueueableCommand as _;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};

use super::app::Model;
use super::draw::Scroll;
use super::view::{self, Shown};

/// A jump of the cursor takes six to eight bytes. Where the cells in between look like the one before, writing them again
/// is shorter.
fn bridged<'a>(changes: Vec<(u16, u16, &'a Cell)>, next: &'a Buffer) -> Vec<(u16, u16, &'a Cell)> {
    const MOST: u16 = 6;
    // One byte is one column: a wide character in between would be torn.
    let plain = |cell: &Cell| cell.symbol().len() == 1;
    let mut out: Vec<(u16, u16, &Cell)> = Vec::with_capacity(changes.len() + changes.len() / 4);
    for (x, y, cell) in changes {
        if let Some((last_x, last_y, last)) = out.last().copied()
            && last_y == y
            && x > last_x + 1
            && x - last_x - 1 <= MOST
            && plain(last)
        {
            let between: Vec<(u16, u16, &Cell)> = (last_x + 1..x).filter_map(|at| Some((at, y, next.cell((at, y))?))).collect();
            let alike = |cell: &Cell| {
                plain(cell)
                    && cell.fg == last.fg
                    && cell.bg == last.bg
                    && cell.modifier == last.modifier
                    && cell.underline_color == last.underline_color
            };
            if between.iter().all(|(_, _, cell)| alike(cell)) {
                out.extend(between);
            }
        }
        out.push((x, y, cell));
    }
    out
}

/// What the terminal shows, and the bytes of the next frame.
pub struct Painter {
    shown: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    clear: bool,
    bytes: Vec<u8>,
}

impl Painter {
    /// For a terminal of this size, whatever it shows.
    pub fn new(columns: u16, rows: u16) -> Self {
        let empty = Buffer::empty(Rect::new(0, 0, columns, rows));
        Self { shown: empty.clone(), next: empty, cursor: None, clear: true, bytes: Vec::with_capacity(64 * 1024) }
    }

    /// Forgets what the terminal shows: the next frame draws everything.
    pub fn forget(&mut self) {
        self.clear = true;
    }

    /// Draws the model; [`Painter::bytes`] then holds what has to be written, possibly nothing.
    pub fn frame(&mut self, model: &Model, scroll: &mut Scroll) -> io::Result<Shown> {
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        if self.next.area != area {
            self.shown = Buffer::empty(area);
            self.next = Buffer::empty(area);
            self.clear = true;
        }
        self.next.reset();
        let shown = view::view(model, scroll, &mut self.next);
        self.bytes.clear();
        if self.clear {
            self.shown.reset();
        }
        let changes = bridged(self.shown.diff(&self.next), &self.next);
        if self.clear || !changes.is_empty() || shown.cursor != self.cursor {
            self.bytes.queue(BeginSynchronizedUpdate)?;
            if self.cursor.is_some() && shown.cursor.is_none() || self.clear {
                self.bytes.queue(Hide)?;
            }
            if self.clear {
                self.bytes.queue(Clear(ClearType::All))?;
            }
            if !changes.is_empty() {
                CrosstermBackend::new(&mut self.bytes).draw(changes.into_iter())?;
            }
            if let Some(at) = shown.cursor {
                self.bytes.queue(MoveTo(at.x, at.y))?;
                if self.cursor.is_none() || self.clear {
                    self.bytes.queue(Show)?;
                }
            }
            self.bytes.queue(EndSynchronizedUpdate)?;
            self.bytes.flush()?;
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        self.cursor = shown.cursor;
        self.clear = false;
        Ok(shown)
    }

    /// What the last frame has to write.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The cells of the last frame.
    pub fn buffer(&self) -> &Buffer {
        &self.shown
    }
}
