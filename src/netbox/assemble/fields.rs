//! Custom fields of one object, read with findings about it.

use std::sync::Arc;

use serde::Deserialize;

use super::super::pages::List;
use super::super::raw::{self, Choice, Custom};
use super::Maker;
use crate::intent::finding::{Severity, about};
use crate::tree::Origin;

/// Custom fields of one object, read with findings about it.
pub(super) struct Fields<'m, 's, 'a> {
    pub(super) maker: &'m mut Maker<'s>,
    pub(super) custom: &'m Custom<'a>,
    pub(super) list: List,
    pub(super) origin: Arc<Origin>,
    pub(super) device: Option<Arc<str>>,
}

impl<'a> Fields<'_, '_, 'a> {
    pub(super) fn get<T: Deserialize<'a>>(&mut self, name: &str, expected: &str) -> Option<T> {
        let came = match self.custom.raw(name) {
            None => {
                self.maker.unknown(self.list, name);
                return None;
            }
            Some("null" | "\"\"") => return None,
            Some(came) => came,
        };
        match serde_json::from_str(came) {
            Ok(value) => Some(value),
            Err(_) => {
                let came: String = came.chars().take(60).collect();
                let message = format!("custom field `{name}` of {} is {came}, not {expected}", self.origin.object);
                let finding = about(
                    "bad-field",
                    Severity::Error,
                    self.device.as_ref(),
                    &self.origin,
                    message,
                    "mend the field, or name another one in the settings",
                );
                self.maker.findings.push(finding);
                None
            }
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.get::<Choice<'a>>(name, "text").map(|choice| choice.0.into_owned()).filter(|text| !text.is_empty())
    }

    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        self.get(name, "a number")
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.get(name, "true or false")
    }

    /// Divided by commas, or a list.
    pub(super) fn words(&mut self, name: &str) -> Vec<String> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            Many(Vec<String>),
        }
        let words = match self.get::<Either>(name, "text or a list of texts") {
            None => Vec::new(),
            Some(Either::One(text)) => text.split(',').map(|word| word.trim().to_owned()).collect(),
            Some(Either::Many(words)) => words,
        };
        words.into_iter().filter(|word| !word.is_empty()).collect()
    }

    /// An object, or its name.
    pub(super) fn reference(&mut self, name: &str) -> Option<String> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Object { name: String },
            Name(String),
            Id(u64),
        }
        match self.get::<Either>(name, "an object or its name")? {
            Either::Object { name } | Either::Name(name) => Some(name),
            // GraphQL shows the number only.
            Either::Id(id) => self.maker.pages.one::<raw::Named<'_>>(List::Interfaces, id).map(|port| port.name.into_owned()),
        }
    }
}
