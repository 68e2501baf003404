//! Branches of netbox-branching: found by name, read through a header.

use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::client::{Call, Session};
use super::error::Error;
use super::raw::Choice;

/// A branch that can be read.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// Its schema id, as the header wants it.
    pub(super) header: HeaderValue,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    schema_id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    status: Choice<'a>,
}

#[derive(Deserialize)]
struct Rows<'a> {
    #[serde(borrow)]
    results: Vec<Row<'a>>,
}

impl<F: Fn(&Call) + Send + Sync> Session<'_, F> {
    /// Finds the branch of the settings, once.
    pub(super) async fn find_branch(&self) -> Result<(), Error> {
        let Some(wanted) = &self.client.settings().branch else { return Ok(()) };
        self.client.branch_cell().get_or_try_init(|| self.branch(wanted)).await.map(|_| ())
    }

    async fn branch(&self, wanted: &str) -> Result<Branch, Error> {
        let wrong = |reason: String| Error::Branch { branch: wanted.to_owned(), reason };
        let url = format!("{}/api/plugins/branching/branches/?limit=1000", self.client.base());
        let body = match self.get(&url).await {
            Err(Error::NotJson { status: 404, .. }) => {
                return Err(wrong("this NetBox has no branches: the netbox-branching plugin is not installed".into()));
            }
            other => other?,
        };
        let rows: Rows<'_> = serde_json::from_slice(&body).map_err(|error| Error::BadObject {
            object: "the list of branches".into(),
            url,
            reason: error.to_string(),
        })?;
        // Names are not unique among merged ones: the one that can be read counts.
        let named = || rows.results.iter().filter(|row| row.name == wanted || row.schema_id == wanted);
        let Some(row) = named().find(|row| row.status.0 == "ready").or_else(|| named().next()) else {
            let known: Vec<&str> = rows.results.iter().map(|row| &*row.name).take(10).collect();
            return Err(wrong(if known.is_empty() { "there are no branches".into() } else { format!("there are: {}", known.join(", ")) }));
        };
        if row.status.0 != "ready" {
            return Err(wrong(format!("it is {}, not ready", row.status.0)));
        }
        let header = HeaderValue::from_str(&row.schema_id).map_err(|_| wrong("its schema id is none".into()))?;
        Ok(Branch { header })
    }
}
