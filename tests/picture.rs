//! The README's picture: the console on the lab, as an SVG. `cargo test --test picture -- --ignored` draws it anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "journey/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "journey/terminal.rs"]
#[allow(dead_code)]
mod terminal;

use std::fmt::Write as _;

use process::Lab;
use terminal::Terminal;
use vt100::{Color, Screen};

const FILE: &str = "tests/picture/console.svg";
const SIZE: (u16, u16) = (30, 118);
/// Width and height of a cell, pixels.
const CELL: (f32, f32) = (8.0, 17.0);

fn hex(color: Color, otherwise: &str) -> String {
    const SIXTEEN: [&str; 16] = [
        "#000000", "#cd3131", "#0dbc79", "#e5e510", "#2472c8", "#bc3fbc", "#11a8cd", "#e5e5e5", "#666666", "#f14c4c", "#23d18b", "#f5f543",
        "#3b8eea", "#d670d6", "#29b8db", "#ffffff",
    ];
    match color {
        Color::Default => otherwise.to_owned(),
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Idx(n @ 0..16) => SIXTEEN[usize::from(n)].to_owned(),
        Color::Idx(n @ 16..232) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let n = n - 16;
            format!("#{:02x}{:02x}{:02x}", level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        Color::Idx(n) => format!("#{0:02x}{0:02x}{0:02x}", 8 + 10 * (n - 232)),
    }
}

/// Runs of cells of one style become one text element.
fn svg(screen: &Screen) -> String {
    let (rows, columns) = (SIZE.0, SIZE.1);
    let (width, height) = (f32::from(columns) * CELL.0 + 16.0, f32::from(rows) * CELL.1 + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"ui-monospace,DejaVu Sans Mono,Menlo,monospace\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#101418\"/>\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let style = |column: u16| {
                let cell = screen.cell(row, column).unwrap();
                let (mut fg, mut bg) = (hex(cell.fgcolor(), "#d0d4d8"), hex(cell.bgcolor(), "#101418"));
                if cell.inverse() {
                    std::mem::swap(&mut fg, &mut bg);
                }
                (fg, bg, cell.bold())
            };
            let (start, look) = (column, style(column));
            let mut text = String::new();
            while column < columns && style(column) == look {
                let cell = screen.cell(row, column).unwrap();
                text.push_str(if cell.has_contents() { cell.contents() } else { " " });
                column += 1;
            }
            let (x, y) = (8.0 + f32::from(start) * CELL.0, 8.0 + f32::from(row) * CELL.1);
            let long = f32::from(column - start) * CELL.0;
            if look.1 != "#101418" {
                let _ = writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{long}\" height=\"{}\" fill=\"{}\"/>", CELL.1, look.1);
            }
            if !text.trim().is_empty() {
                // Leading blanks become an offset: not every viewer keeps them.
                let blanks = text.chars().take_while(|c| *c == ' ').count();
                let x = x + blanks as f32 * CELL.0;
                let text = text.trim().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let weight = if look.2 { " font-weight=\"bold\"" } else { "" };
                let cells = text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").chars().count() as f32 * CELL.0;
                let _ =
                    writeln!(out, "<text x=\"{x}\" y=\"{}\" fill=\"{}\"{weight} textLength=\"{cells}\">{text}</text>", y + 13.0, look.0);
            }
        }
    }
    out.push_str("</svg>\n");
    out
}

#[test]
#[ignore = "writes the README's picture"]
fn draw() {
    let lab = Lab::start(&["D19", "D22"]);
    let mut console = Terminal::start(&["--config", &lab.config], SIZE);
    console.until("10 live 0 stale 0 down");
    console.until("drift 2 on 2");
    for _ in 0..5 {
        console.press("j");
    }
    console.until("leaf4: 1 change");
    let picture = svg(console.parser().screen());
    std::fs::create_dir_all("tests/picture").unwrap();
    std::fs::write(FILE, picture).unwrap();
    console.press("Q");
    console.ends_clean();
}

#[test]
fn the_picture_is_there_and_small() {
    let picture = std::fs::read_to_string(FILE).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("leaf4") && picture.contains("10 live"));
    assert!(picture.len() < 80_000, "{} bytes", picture.len());
}
