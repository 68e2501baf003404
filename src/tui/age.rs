//! Ages and times of day, in steps so coarse that a quiet screen stays quiet: an age says when its text changes next, and
//! nothing is drawn before that. It must not read a clock.

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long ago `then` was, and how many milliseconds from now the text will be another one (`None`: not for a day).
///
/// For a healthy stream only the order of magnitude matters (its state already says that it is current), so the steps are
/// wide: `<15s`, `<1m`, `<5m`, `<15m`, `<1h`, then hours and days.
pub fn rough(now: u64, then: u64) -> (String, Option<u64>) {
    let age = now.saturating_sub(then);
    for (limit, text) in [(15 * SECOND, "<15s"), (MINUTE, "<1m"), (5 * MINUTE, "<5m"), (15 * MINUTE, "<15m"), (HOUR, "<1h")] {
        if age < limit {
            return (text.to_owned(), Some(limit - age));
        }
    }
    long(age)
}

/// The same in finer steps, for what is wrong and must be followed: 10 s, minutes, hours, days.
pub fn fine(now: u64, then: u64) -> (String, Option<u64>) {
    let age = now.saturating_sub(then);
    match age {
        0..MINUTE => {
            let step = age / (10 * SECOND);
            let text = if step == 0 { "<10s".to_owned() } else { format!("{}s", step * 10) };
            (text, Some((step + 1) * 10 * SECOND - age))
        }
        MINUTE..HOUR => (format!("{}m", age / MINUTE), Some(MINUTE - age % MINUTE)),
        _ => long(age),
    }
}

fn long(age: u64) -> (String, Option<u64>) {
    if age < 2 * DAY { (format!("{}h", age / HOUR), Some(HOUR - age % HOUR)) } else { (format!("{}d", age / DAY), None) }
}

/// What is left until `then`: whole minutes, and seconds in the last minute.
pub fn left(now: u64, then: u64) -> (String, Option<u64>) {
    let rest = then.saturating_sub(now);
    if rest > MINUTE {
        (format!("{}m", rest.div_ceil(MINUTE)), Some((rest - 1) % MINUTE + 1))
    } else {
        (format!("{}s", rest.div_ceil(SECOND)), Some(rest.saturating_sub(1) % SECOND + 1))
    }
}

/// A time of day `14:02:31` in the zone the operator sits in, or the date when it was another day.
pub fn clock(now: u64, then: u64, zone: &jiff::tz::TimeZone) -> String {
    let (Some(then), Some(now)) = (zoned(then, zone), zoned(now, zone)) else { return "-".to_owned() };
    if then.date() == now.date() { then.strftime("%H:%M:%S").to_string() } else { then.strftime("%b %d %H:%M").to_string() }
}

/// A time without seconds: `14:02`, or the date when it was another day.
pub fn minute(now: u64, then: u64, zone: &jiff::tz::TimeZone) -> String {
    let (Some(then), Some(now)) = (zoned(then, zone), zoned(now, zone)) else { return "-".to_owned() };
    if then.date() == now.date() { then.strftime("%H:%M").to_string() } else { then.strftime("%b %d").to_string() }
}

fn zoned(time: u64, zone: &jiff::tz::TimeZone) -> Option<jiff::Zoned> {
    Some(jiff::Timestamp::from_millisecond(i64::try_from(time).ok()?).ok()?.to_zoned(zone.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_says_when_it_changes() {
        for steps in [rough, fine] {
            for age in [0, 1, 9_999, 10_000, 14_999, 15_000, 59_999, 60_000, 3_599_999, 3_600_000, 100_000_000] {
                let (text, next) = steps(1_000_000_000 + age, 1_000_000_000);
                let next = next.expect("younger than two days");
                assert_eq!(steps(1_000_000_000 + age + next - 1, 1_000_000_000).0, text, "too early at {age}");
                assert_ne!(steps(1_000_000_000 + age + next, 1_000_000_000).0, text, "too late at {age}");
            }
        }
        assert_eq!(rough(5, 10).0, "<15s");
        assert_eq!(fine(600_000, 0).0, "10m");
        assert_eq!(rough(5 * DAY, 0), ("5d".to_owned(), None));
    }

    #[test]
    fn time_left_counts_minutes_then_seconds() {
        for (rest, text) in [(761_000, "13m"), (60_001, "2m"), (60_000, "60s"), (1, "1s"), (0, "0s")] {
            assert_eq!(left(1_000, 1_000 + rest).0, text);
        }
        for rest in [761_000, 60_001, 60_000, 59_001, 1_500] {
            let (text, next) = left(0, rest);
            assert_ne!(left(next.expect("moving"), rest).0, text, "{rest}");
            assert_eq!(left(next.expect("moving") - 1, rest).0, text, "{rest}");
        }
    }

    #[test]
    fn another_day_shows_its_date() {
        let noon = 1_763_812_951_000; // 2025-11-22 12:02:31 UTC
        let utc = jiff::tz::TimeZone::UTC;
        assert_eq!(clock(noon, noon - 1_000, &utc), "12:02:30");
        assert_eq!(minute(noon, noon, &utc), "12:02");
        assert_eq!(minute(noon, noon - DAY, &utc), "Nov 21");
    }
}
