//! Saved filters: several fabrics in one NetBox, told apart by a query somebody keeps there.
//!
//! NetBox applies `filter=SLUG` itself, but overlooks a slug it does not know and shows every device. So the filter is read first
//! and its parameters are asked for; what they say of tag, site, role and status is checked on the answer, since parameters a
//! NetBox does not know are overlooked, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;

use super::client::{Call, Session};
use super::error::Error;
use super::raw;
use super::read::escaped;

/// The parameters of a saved filter: names with one or several values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved(BTreeMap<String, Vec<String>>);

#[derive(Deserialize)]
struct Row {
    name: String,
    slug: String,
    #[serde(default)]
    object_types: Vec<String>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    parameters: Option<serde_json::Map<String, Value>>,
}

#[derive(Deserialize)]
struct Rows {
    results: Vec<Row>,
}

impl<F: Fn(&Call) + Send + Sync> Session<'_, F> {
    /// The saved filter of the settings, if there is one.
    pub(super) async fn saved_filter(&self) -> Result<Option<Saved>, Error> {
        let Some(wanted) = self.client.settings().filter.as_deref() else { return Ok(None) };
        let base = self.client.base();
        for key in ["slug", "name"] {
            let url = format!(
                "{base}/api/extras/saved-filters/?{key}={}&limit=100&fields=id,name,slug,object_types,enabled,parameters",
                escaped(wanted)
            );
            let body = self.get(&url).await?;
            let rows: Rows = serde_json::from_slice(&body).map_err(|error| Error::BadObject {
                object: format!("saved filter {wanted}"),
                url: url.clone(),
                reason: error.to_string(),
            })?;
            // The filter by name may be overlooked as any other.
            if let Some(row) = rows.results.into_iter().find(|row| row.slug == wanted || row.name == wanted) {
                return usable(wanted, row).map(Some);
            }
        }
        Err(Error::Filter { filter: wanted.to_owned(), reason: "there is none of that name or slug, or the token may not see it".into() })
    }
}

fn usable(wanted: &str, row: Row) -> Result<Saved, Error> {
    let wrong = |reason: &str| Err(Error::Filter { filter: wanted.to_owned(), reason: reason.to_owned() });
    if !row.object_types.iter().any(|kind| kind == "dcim.device") {
        return wrong("it is not for devices");
    }
    if row.enabled == Some(false) {
        return wrong("it is disabled");
    }
    let mut parameters = BTreeMap::new();
    for (name, value) in row.parameters.unwrap_or_default() {
        let mut values = Vec::new();
        for value in if let Value::Array(values) = value { values } else { vec![value] } {
            match value {
                Value::String(text) if text.is_empty() => {}
                Value::String(text) => values.push(text),
                Value::Number(number) => values.push(number.to_string()),
                Value::Bool(flag) => values.push(flag.to_string()),
                Value::Null => {}
                _ => return wrong("one of its parameters is no value"),
            }
        }
        // What only shapes the answer is ours to say.
        let shapes = ["limit", "offset", "start", "ordering", "fields", "omit", "brief", "format", "_branch"].contains(&name.as_str());
        if !values.is_empty() && !shapes {
            parameters.insert(name, values);
        }
    }
    if parameters.is_empty() {
        return wrong("it has no parameters, so every device would be ours");
    }
    Ok(Saved(parameters))
}

impl Saved {
    /// `&site=dc1&role=leaf`
    pub(super) fn query(&self) -> String {
        self.0.iter().fold(String::new(), |mut query, (name, values)| {
            for value in values {
                let _ = write!(query, "&{}={}", escaped(name), escaped(value));
            }
            query
        })
    }

    /// Whether it says this.
    pub(super) fn says(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether a device is as the filter says, as far as the device's own fields tell.
    pub(super) fn fits(&self, device: &raw::Device<'_>) -> bool {
        let one =
            |name: &str, own: Option<&str>| self.0.get(name).is_none_or(|wanted| wanted.iter().any(|wanted| Some(wanted.as_str()) == own));
        let tagged = |wanted: &String| device.tags.iter().any(|tag| tag.slug == wanted.as_str());
        one("site", device.site.as_ref().map(|site| &*site.slug))
            && one("role", device.role.as_ref().map(|role| &*role.slug))
            && one("status", device.status.as_ref().map(|status| &*status.0))
            && self.0.get("tag").is_none_or(|wanted| wanted.iter().all(tagged))
    }
}
