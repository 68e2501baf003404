//! Rates as numbers and as a row of bars.

/// `1.2 G`, `830 M`, `0`.
pub fn rate(bps: f64) -> String {
    if !bps.is_finite() || bps < 1.0 {
        return "0".to_owned();
    }
    let (value, unit) = match bps {
        b if b < 1e3 => (b, ""),
        b if b < 1e6 => (b / 1e3, " k"),
        b if b < 1e9 => (b / 1e6, " M"),
        b if b < 1e12 => (b / 1e9, " G"),
        b => (b / 1e12, " T"),
    };
    if value < 10.0 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

/// The newest `columns` samples as bars, the highest of them full height.
pub fn spark(samples: &[f64], columns: usize, bars: &[&str; 8]) -> String {
    let shown = samples.get(samples.len().saturating_sub(columns)..).unwrap_or_default();
    let top = shown.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let blank = " ".repeat(columns.saturating_sub(shown.len()));
    let text: String = shown
        .iter()
        .map(|value| {
            let level = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875].iter().filter(|step| top > 0.0 && *value > **step * top).count();
            bars.get(level).copied().unwrap_or(" ")
        })
        .collect();
    blank + &text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_keep_two_digits() {
        for (bps, text) in
            [(0.0, "0"), (f64::NAN, "0"), (950.0, "950"), (1_200_000_000.0, "1.2 G"), (83_000_000.0, "83 M"), (1500.0, "1.5 k")]
        {
            assert_eq!(rate(bps), text);
        }
    }

    #[test]
    fn the_highest_bar_is_full() {
        let bars = ["1", "2", "3", "4", "5", "6", "7", "8"];
        assert_eq!(spark(&[0.0, 50.0, 100.0], 5, &bars), "  148");
        assert_eq!(spark(&[1.0; 9], 3, &bars), "888");
        assert_eq!(spark(&[0.0, 0.0], 2, &bars), "11");
        assert_eq!(spark(&[], 2, &bars), "  ");
    }
}
