//! How values get the one spelling the mirror keeps, without gNMI knowing which that is.

use std::sync::Arc;

use serde_json::Value as Json;

use super::convert;
use crate::path::Path;
use crate::value::Value;

/// A container taken apart: leaves with canonical values, and what could not be understood.
pub type Flat = (Vec<(Path, Value)>, Vec<(Path, String)>);

/// Gives values the one spelling the mirror keeps. The schema's part, behind a trait so that gNMI knows no policy.
pub trait Canon: Send + Sync + 'static {
    /// What is known of a path once and for all; asked once a path.
    fn prepare(&self, path: &Path) -> Prepared;

    /// The canonical spelling of a leaf's value, or why it is not one of its type (the mirror then keeps what came). `path` is
    /// there to be asked; where [`Prepared::node`] says enough, not asking saves half of the cost.
    ///
    /// # Errors
    /// In words, for the operator.
    fn canonical(&self, prepared: Prepared, path: &dyn Fn() -> Arc<Path>, value: Value) -> Result<Value, String>;

    /// A JSON container at `path` as leaves with canonical values, and what could not be understood.
    fn flatten(&self, path: &Path, json: &Json) -> Flat;
}

/// What a [`Canon`] knows of a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Kinds of values that are canonical as they come: for most leaves there is nothing to ask.
    pub keeps: Kinds,
    /// Not kept at all: the key leaf of a list entry, whose value the path says already.
    pub skip: bool,
    /// Free for the [`Canon`]: a schema node's number.
    pub node: u32,
}

/// A set of kinds of [`Value`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// None: always ask.
    pub const NONE: Self = Self(0);
    /// All but [`Value::Json`], which is always flattened.
    pub const ALL: Self = Self(u16::MAX);
    /// Strings.
    pub const STR: Self = Self(1);
    /// Booleans.
    pub const BOOL: Self = Self(2);
    /// Signed.
    pub const INT: Self = Self(4);
    /// Unsigned.
    pub const UINT: Self = Self(8);
    /// Decimals.
    pub const DECIMAL: Self = Self(16);
    /// Floats.
    pub const DOUBLE: Self = Self(32);
    /// Bytes.
    pub const BYTES: Self = Self(64);
    /// Leaf-lists.
    pub const LIST: Self = Self(128);
    /// Empty leaves.
    pub const EMPTY: Self = Self(256);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a value is of one of these kinds.
    pub fn has(self, value: &Value) -> bool {
        let kind = match value {
            Value::Str(_) => Self::STR,
            Value::Bool(_) => Self::BOOL,
            Value::Int(_) => Self::INT,
            Value::Uint(_) => Self::UINT,
            Value::Decimal(_) => Self::DECIMAL,
            Value::Double(_) => Self::DOUBLE,
            Value::Bytes(_) => Self::BYTES,
            Value::List(_) => Self::LIST,
            Value::Empty => Self::EMPTY,
            Value::Json(_) => Self::NONE,
        };
        self.0 & kind.0 != 0
    }
}

/// Keeps values as they come and flattens JSON by its shape alone: for tests, and for trees without a schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsItCame;

impl Canon for AsItCame {
    fn prepare(&self, _path: &Path) -> Prepared {
        Prepared { keeps: Kinds::ALL, ..Prepared::default() }
    }

    fn canonical(&self, _prepared: Prepared, _path: &dyn Fn() -> Arc<Path>, value: Value) -> Result<Value, String> {
        Ok(value)
    }

    fn flatten(&self, path: &Path, json: &Json) -> Flat {
        let mut leaves = Vec::new();
        by_shape(path.clone(), json, &mut leaves);
        (leaves, Vec::new())
    }
}

fn by_shape(path: Path, json: &Json, leaves: &mut Vec<(Path, Value)>) {
    match json {
        Json::Object(members) => {
            for (name, member) in members {
                by_shape(path.clone().child(convert::bare_name(name)), member, leaves);
            }
        }
        // Without a schema nobody knows the keys of a list: it stays whole.
        other => leaves.push((path, Value::from_json(other))),
    }
}
