//! Who is behind the changes of a plan, where the newest entries of NetBox's change log did not say: asked when somebody looks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::reader;
use crate::config::Settings;
use crate::plan::json;
use crate::plan::model::Plan;
use crate::tree::Origin;

/// Fills in the authors of a plan's changes and gives it its new hash. Returns how many objects stay without one.
///
/// # Errors
/// What NetBox said, in words; the plan is as it was.
pub async fn complete(settings: &Settings, plan: &mut Plan) -> Result<usize, String> {
    let mut wanted: BTreeMap<String, Origin> = BTreeMap::new();
    for change in plan.steps.iter().flat_map(|step| &step.changes) {
        if let Some(origin) = change.origin.as_ref().filter(|origin| origin.user.is_none() && !origin.url.is_empty()) {
            wanted.entry(origin.url.clone()).or_insert_with(|| Origin::clone(origin));
        }
    }
    if wanted.is_empty() {
        return Ok(0);
    }
    // What only a branch says was edited there lately; what is older main's log knows.
    let client = reader::client(&settings.netbox, None).map_err(|error| error.to_string())?;
    let mut origins: Vec<Origin> = wanted.into_values().collect();
    let unknown = client.blame(&mut origins, |_| {}).await.map_err(|error| error.to_string())?;
    let found: BTreeMap<&str, Arc<Origin>> =
        origins.iter().filter(|origin| origin.user.is_some()).map(|origin| (&*origin.url, Arc::new(origin.clone()))).collect();
    for change in plan.steps.iter_mut().flat_map(|step| &mut step.changes) {
        let url = change.origin.as_ref().filter(|origin| origin.user.is_none()).map(|origin| origin.url.clone());
        if let Some(origin) = url.and_then(|url| found.get(&*url)) {
            change.origin = Some(Arc::clone(origin));
        }
    }
    plan.hash = json::hash(plan);
    Ok(unknown)
}
