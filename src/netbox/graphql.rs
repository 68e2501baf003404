//! The lists GraphQL tells, in few calls and with addresses inside their interfaces: devices, interfaces, FHRP groups, VLANs, VRFs,
//! L2VPNs. What that costs the server beside REST: benches/README.md. What it cannot filter by device (cables, services) or page (the
//! BGP plugin) stays with REST.
//!
//! A GraphQL list has no count, its limit is cut in silence, and an error has status 200. So pages are read by the last id seen
//! until one is empty, each device says how many interfaces it has, and anything but whole data gives GraphQL up.

use std::borrow::Cow;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::client::{Call, Session};
use super::error::Error;
use super::pages::{List, Pages};
use super::raw::{Id, Owner};
use super::settings::GraphQl;

/// Interfaces are asked for so many devices at a time: side by side, where pages of one list come one after the other.
const DEVICES_A_CALL: usize = 40;

/// List, field of the query, what is selected.
const LISTS: [(List, &str, &str); 10] = [
    (
        List::Devices,
        "device_list",
        "id name status last_updated interface_count custom_fields config_context role { slug } site { slug } cluster { id name } tags { slug } primary_ip4 { id address } primary_ip6 { id address }",
    ),
    (
        List::Interfaces,
        "interface_list",
        "id name enabled mtu mode description custom_fields last_updated device { id } lag { id } parent { id } vrf { id } untagged_vlan { id vid } tagged_vlans { id vid } tags { slug } ip_addresses { id address status role custom_fields last_updated vrf { id } tags { slug } }",
    ),
    (List::FhrpGroups, "fhrp_group_list", "id name protocol group_id last_updated ip_addresses { id address }"),
    (List::FhrpAssignments, "fhrp_group_assignment_list", "id group { id } interface { __typename ... on InterfaceType { id } }"),
    (List::Vlans, "vlan_list", "id vid name status custom_fields last_updated group { id }"),
    (List::VlanGroups, "vlan_group_list", "id name scope { __typename ... on ClusterType { id } }"),
    (List::Clusters, "cluster_list", "id name type { slug }"),
    (List::Vrfs, "vrf_list", "id name rd custom_fields last_updated import_targets { id name } export_targets { id name }"),
    (
        List::L2vpns,
        "l2vpn_list",
        "id name identifier type status custom_fields last_updated import_targets { id name } export_targets { id name }",
    ),
    (List::Terminations, "l2vpn_termination_list", "id l2vpn { id } assigned_object { __typename ... on VLANType { id } }"),
];

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
    #[serde(default)]
    errors: Vec<Problem>,
}

/// Every list is asked for under the same name.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    rows: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Problem {
    message: String,
}

/// How many interfaces a device has.
#[derive(Deserialize)]
struct Counted<'a> {
    id: Id,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default)]
    interface_count: Option<usize>,
}

/// Whether as many interfaces of each device came as it says it has.
fn whole(url: &str, parts: &[Pages]) -> Result<(), Error> {
    let mut got = FxHashMap::<u64, usize>::default();
    for port in parts.iter().flat_map(|part| part.each::<Owner<'_>>(List::Interfaces)) {
        if let Some(device) = port?.device {
            *got.entry(device.id).or_default() += 1;
        }
    }
    for device in parts.iter().flat_map(|part| part.each::<Counted<'_>>(List::Devices)) {
        let device = device?;
        let (has, came) = (device.interface_count, got.get(&device.id.id).copied().unwrap_or(0));
        if let Some(has) = has.filter(|has| *has != came) {
            let url = format!("{url} (interfaces of {})", device.name);
            return Err(Error::Truncated { url, got: came, count: has });
        }
    }
    Ok(())
}

/// The addresses inside an interface.
#[derive(Deserialize)]
struct Port<'a> {
    #[serde(borrow)]
    ip_addresses: Vec<&'a RawValue>,
}

impl<F: Fn(&Call) + Send + Sync> Session<'_, F> {
    /// Reads what GraphQL tells into `pages`. `false` when it is not used, or was given up.
    pub(super) async fn graphql(&self, pages: &mut Pages) -> Result<bool, Error> {
        let mode = self.client.settings().graphql;
        if mode == GraphQl::Never || (mode == GraphQl::Auto && self.client.graphql_off.get().is_some()) {
            return Ok(false);
        }
        // GraphQL knows no saved filters: which devices one lets through, and what is on them, REST says.
        let read = self.all(!pages.filtered).await;
        match read {
            Ok(parts) => {
                parts.into_iter().for_each(|part| pages.join(part));
                Ok(true)
            }
            // Nobody at home says nothing of GraphQL.
            Err(error @ Error::Unreachable { .. }) => Err(error),
            Err(error) if mode == GraphQl::Always => Err(error),
            Err(error) => {
                tracing::info!(%error, "GraphQL is not used");
                // What passes (a proxy, a timeout) is asked again with the next whole read; what NetBox refuses stays refused.
                if matches!(error, Error::GraphQl { .. } | Error::NotJson { .. } | Error::Denied { .. }) {
                    let _ = self.client.graphql_off.set(error.to_string());
                }
                Ok(false)
            }
        }
    }

    /// Devices, if they are wanted with their interfaces; then everything else, side by side.
    async fn all(&self, with_devices: bool) -> Result<Vec<Pages>, Error> {
        let settings = self.client.settings();
        let mut jobs: Vec<(List, String)> = Vec::new();
        let mut parts = Vec::new();
        if with_devices {
            parts.push(self.devices().await?);
            let ids = parts.iter().flat_map(|part| part.each::<Id>(List::Devices)).map(|device| Ok(device?.id.to_string()));
            let ids = ids.collect::<Result<Vec<_>, Error>>()?;
            jobs.extend(ids.chunks(DEVICES_A_CALL).map(|some| (List::Interfaces, format!("device: {{id: {{in_list: {}}}}}", json!(some)))));
        }
        let others = LISTS.iter().map(|(list, ..)| *list).filter(|list| !matches!(list, List::Devices | List::Interfaces));
        jobs.extend(others.map(|list| (list, String::new())));
        let mut rest = stream::iter(jobs).map(|(list, filter)| async move { self.rows(list, &filter).await });
        let mut rest = std::pin::pin!((&mut rest).buffer_unordered(settings.parallel.max(1)));
        while let Some(part) = rest.try_next().await? {
            parts.push(part);
        }
        whole(&format!("{}/graphql/", self.client.base()), &parts)?;
        Ok(parts)
    }

    /// Our devices.
    async fn devices(&self) -> Result<Pages, Error> {
        let settings = self.client.settings();
        let mut ours = Vec::new();
        if !settings.tag.is_empty() {
            ours.push(format!("tags: {{slug: {{exact: {}}}}}", json!(settings.tag)));
        }
        if !settings.sites.is_empty() {
            ours.push(format!("site: {{slug: {{in_list: {}}}}}", json!(settings.sites)));
        }
        self.rows(List::Devices, &ours.join(", ")).await
    }

    /// All rows of one of [`LISTS`] that pass a filter.
    async fn rows(&self, list: List, filter: &str) -> Result<Pages, Error> {
        let Some((_, field, selection)) = LISTS.iter().find(|(of, ..)| *of == list).copied() else { return Ok(Pages::default()) };
        let size = self.client.settings().page_size;
        let url = format!("{}/graphql/", self.client.base());
        let mut pages = Pages::default();
        pages.begin(list);
        if list == List::Interfaces {
            pages.begin(List::Addresses);
        }
        let mut start = 0;
        loop {
            let query = format!(
                "query Rows($start: Int!, $limit: Int!) {{ rows: {field}(pagination: {{start: $start, limit: $limit}}{}) {{ {selection} }} }}",
                if filter.is_empty() { String::new() } else { format!(", filters: {{{filter}}}") }
            );
            let variables = json!({"start": start, "limit": size});
            let body = self.post(&url, &json!({"query": query, "variables": variables}).to_string()).await?;
            let wrong = |text: String| Error::GraphQl { list: field.to_owned(), text };
            let answer: Answer<'_> = serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))?;
            if let Some(problem) = answer.errors.first() {
                return Err(wrong(problem.message.chars().take(200).collect()));
            }
            let rows = answer.data.ok_or_else(|| wrong("no data".into()))?.rows;
            self.tell(list, rows.len(), None);
            let mut newest = start;
            for row in &rows {
                let id = serde_json::from_str::<Id>(row.get()).map_err(|error| wrong(error.to_string()))?.id;
                newest = newest.max(id + 1);
                if list == List::Interfaces {
                    addresses(&mut pages, &url, row, id)?;
                }
            }
            let (empty, stuck) = (rows.is_empty(), newest == start);
            pages.insert(list, &url, &body, rows)?;
            if empty {
                return Ok(pages);
            }
            if stuck {
                return Err(wrong("its pages do not move on".into()));
            }
            start = newest;
        }
    }
}

/// The addresses of an interface become objects of their own, which know what they hang on.
fn addresses(pages: &mut Pages, url: &str, interface: &RawValue, id: u64) -> Result<(), Error> {
    let port: Port<'_> =
        serde_json::from_str(interface.get()).map_err(|error| Error::GraphQl { list: "ip_addresses".into(), text: error.to_string() })?;
    for address in port.ip_addresses {
        let Some(rest) = address.get().trim_start().strip_prefix('{') else { continue };
        let whole = format!(r#"{{"assigned_object":{{"__typename":"InterfaceType","id":"{id}"}},{rest}"#);
        let body = Bytes::from(whole);
        let text = std::str::from_utf8(&body).unwrap_or_default();
        let raw: &RawValue =
            serde_json::from_str(text).map_err(|error| Error::GraphQl { list: "ip_addresses".into(), text: error.to_string() })?;
        pages.insert(List::Addresses, url, &body, vec![raw])?;
    }
    Ok(())
}
