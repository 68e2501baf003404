//! Intent → Desired: one file a construct, each making YANG leaves that know the object they come from.
//!
//! Conventions (what the models leave open, decided once, here and in the files named):
//! - list keys have their twin `config/<key>`; protocols are called BGP, STATIC, DIRECTLY_CONNECTED and have an entry of their own;
//! - identities are bare (`IPV4_UNICAST`), leaf-lists that are sets are sorted and hold no value twice;
//! - MTU is the IP MTU (`ipv4/config/mtu`); the L2 MTU of a switchport is left alone (`interfaces`);
//! - `enabled` is always said, `ipv4/config/enabled` on everything that routes;
//! - an EVPN instance is called by its VLAN id (`evpn`);
//! - a static next hop is called `AUTO_1_<next hop, dashes for dots>` as EOS does; compare by prefix and next hop (`routes`);
//! - a shared gateway beside an own address of anybody is `ip virtual-router address`, without one `ip address virtual` (`addresses`);
//! - VLANs, addresses with status `reserved` and sessions, L2VPNs with status `planned` are not on the device yet;
//! - accounts are not in the source of intent, so nothing of AAA is ever desired.

pub mod cli;

mod addresses;
mod bgp;
mod evpn;
mod interfaces;
mod mlag;
mod ospf;
mod own;
mod policy;
mod routes;
mod stp;
mod system;
mod unread;
mod vlans;
mod vrfs;
mod vxlan;
mod writer;

use std::sync::Arc;

use super::Fabric;
use super::fabric::Device;
use super::finding::{Finding, Severity};
use super::records::Settings;
use crate::path::Path;
use crate::tree::{Paths, Tree};
use crate::yang::Schema;
use writer::Writer;

pub(crate) use addresses::{is_gateway, is_virtual};
pub(crate) use evpn::rd_template as l2vpn_rd_template;
pub(crate) use vrfs::{filled, overrides, rd_template, redistributed};

/// What one device should hold.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The leaves, each with its origin.
    pub tree: Tree,
    /// What is ours beyond the leaves of `tree`: an observed leaf that is not desired is ours to delete when a pattern here
    /// reaches it. A pattern that ends at a list entry (its last element has keys) claims whole entries of which nothing is
    /// desired, and no single leaf of an entry that is; a pattern that ends at a leaf claims that leaf. Key values may end in
    /// `*` (`Vlan*`). What EOS keeps by itself (VLAN 1, tables) and what we are reached by is for the diff to except.
    pub exhaustive: Arc<[Arc<Path>]>,
    /// VRFs management runs in, the default one not among them: never to be deleted, whatever `exhaustive` says.
    pub management_vrfs: Vec<String>,
    /// Below these nothing is repaired now: interfaces a person is at work on.
    pub held: Vec<Path>,
    /// What could not be mapped. An error among them: no plan for the device.
    pub findings: Vec<Finding>,
    /// A person is at work on the device: drift is shown, not repaired.
    pub maintenance: bool,
}

impl Desired {
    /// Nothing desired, nothing owned.
    pub fn nothing(paths: &Arc<Paths>) -> Self {
        Self {
            tree: Tree::new(Arc::clone(paths)),
            exhaustive: Arc::default(),
            management_vrfs: Vec::new(),
            held: Vec::new(),
            findings: Vec::new(),
            maintenance: false,
        }
    }

    /// Whether no plan may be made: something was left out that would look like intent to delete.
    pub fn is_incomplete(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// What the mappings of one device look at.
struct Scope<'a> {
    fabric: &'a Fabric,
    device: &'a Device,
    settings: &'a Settings,
    /// Has Vxlan1 with a source.
    is_vtep: bool,
}

/// Maps one device. A device that intent does not know gets nothing desired, nothing owned, and a finding.
pub fn desired(fabric: &Fabric, schema: &Schema, device: &str, paths: &Arc<Paths>) -> Desired {
    let Some((device, settings)) = fabric.device(device).and_then(|device| Some((device, fabric.settings_of(device.id)?))) else {
        let finding = Finding {
            code: "unknown-device".into(),
            severity: Severity::Error,
            device: Some(Arc::from(device)),
            path: None,
            origin: None,
            message: format!("{device} is not in intent"),
            hint: "give it the fabric's tag in NetBox, or take it out of the targets".into(),
        };
        return Desired { findings: vec![finding], ..Desired::nothing(paths) };
    };
    let is_vtep = fabric.interfaces_of(device.id).any(|interface| interface.vxlan_source.is_some());
    let scope = Scope { fabric, device, settings, is_vtep };
    let mut writer = Writer::new(schema, paths, device);
    system::map(&scope, &mut writer);
    vlans::map(&scope, &mut writer);
    stp::map(&scope, &mut writer);
    interfaces::map(&scope, &mut writer);
    vxlan::map(&scope, &mut writer);
    mlag::map(&scope, &mut writer);
    vrfs::map(&scope, &mut writer);
    policy::map(&scope, &mut writer);
    bgp::map(&scope, &mut writer);
    evpn::map(&scope, &mut writer);
    routes::map(&scope, &mut writer);
    ospf::map(&scope, &mut writer);
    own::map(&scope, &mut writer);
    let unread = unread::findings(&scope);
    let mut made = writer.finish();
    made.management_vrfs = own::management_vrfs(&scope);
    made.maintenance = settings.maintenance;
    made.findings.extend(fabric.findings.iter().filter(|finding| finding.device.as_ref() == Some(&device.name)).cloned());
    made.findings.extend(unread);
    made
}
