//! Small things drawn on several screens: data in, text out.

pub mod spark;
pub mod words;
