//! decimal64, in nine bytes.

use std::fmt;

/// `digits / 10^precision`. Kept as bytes, so that a value which holds one is no larger than one with a number.
#[derive(Clone, Copy)]
pub struct Decimal {
    digits: [u8; 8],
    precision: u8,
}

impl Decimal {
    /// All digits, with sign, and how many of them stand behind the point (0 to 18).
    pub fn new(digits: i64, precision: u8) -> Self {
        Self { digits: digits.to_ne_bytes(), precision }
    }

    /// All digits, with sign.
    pub fn digits(self) -> i64 {
        i64::from_ne_bytes(self.digits)
    }

    /// How many of them stand behind the point.
    pub fn precision(self) -> u8 {
        self.precision
    }

    /// Both, without zeros at the end: 10.0 is 10.
    fn trimmed(self) -> (i64, u8) {
        let (mut digits, mut precision) = (self.digits(), self.precision);
        while precision > 0 && digits % 10 == 0 {
            digits /= 10;
            precision -= 1;
        }
        (digits, precision)
    }
}

/// Equal in value: 10.0 is 10.
impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.trimmed() == other.trimmed()
    }
}

impl Eq for Decimal {}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}e-{}", self.digits(), self.precision)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        if self.precision == 0 {
            return write!(f, "{digits}");
        }
        let width = usize::from(self.precision) + 1;
        let text = format!("{:0width$}", digits.unsigned_abs());
        let (whole, fraction) = text.split_at(text.len() - usize::from(self.precision));
        write!(f, "{}{whole}.{fraction}", if digits < 0 { "-" } else { "" })
    }
}
