//! VLANs, VRFs, L2VPNs.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::super::error::Error;
use super::super::pages::{List, Pages};
use super::super::raw::{self, Link};
use super::{Maker, owned, text_of};
use crate::intent::Fabric;
use crate::intent::records::{L2vpn, Vlan, Vrf};

impl Maker<'_> {
    pub(super) fn vlans(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let groups: Vec<raw::VlanGroup<'_>> = pages.parse(List::VlanGroups)?;
        let vlans: Vec<raw::Vlan<'_>> = pages.parse(List::Vlans)?;
        let terminations: Vec<raw::Termination<'_>> = pages.parse(List::Terminations)?;
        *objects += groups.len() + vlans.len() + terminations.len();
        let scoped = |group: &raw::VlanGroup<'_>| {
            let cluster = group.scope_type.as_ref().is_some_and(|kind| kind.0 == "virtualization.cluster");
            group.scope_id.filter(|_| cluster).or_else(|| Link::of(&group.scope, "ClusterType"))
        };
        let clusters: FxHashMap<u64, u64> = groups.iter().filter_map(|group| Some((group.id, scoped(group)?))).collect();
        let ends = |termination: &raw::Termination<'_>| {
            let vlan = termination.assigned_object_type.as_ref().is_some_and(|kind| kind.0 == "ipam.vlan");
            termination.assigned_object_id.filter(|_| vlan).or_else(|| Link::of(&termination.assigned_object, "VLANType"))
        };
        let l2vpns: FxHashMap<u64, u64> =
            terminations.iter().filter_map(|termination| Some((ends(termination)?, termination.l2vpn.id))).collect();
        let f = &self.settings.fields;
        for vlan in vlans {
            let origin = self.origin(List::Vlans, vlan.id, &format!("{} {}", vlan.vid, vlan.name), vlan.last_updated);
            let mut fields = self.fields(List::Vlans, &vlan.custom_fields, &origin, None);
            let (trunk_groups, stp_disabled) = (fields.words(&f.trunk_groups), fields.flag(&f.stp_disabled).unwrap_or_default());
            fabric.vlans.push(Vlan {
                id: vlan.id,
                vid: vlan.vid,
                name: vlan.name.into_owned(),
                cluster: vlan.group.and_then(|group| clusters.get(&group.id).copied()),
                status: text_of(vlan.status),
                trunk_groups,
                stp_disabled,
                l2vpn: l2vpns.get(&vlan.id).copied(),
                origin,
            });
        }
        Ok(())
    }

    pub(super) fn vpns(&mut self, pages: &Pages, fabric: &mut Fabric, objects: &mut usize) -> Result<(), Error> {
        let f = &self.settings.fields;
        let vrfs: Vec<raw::Vrf<'_>> = pages.parse(List::Vrfs)?;
        let l2vpns: Vec<raw::L2vpn<'_>> = pages.parse(List::L2vpns)?;
        *objects += vrfs.len() + l2vpns.len();
        let targets = |list: Vec<raw::Named<'_>>| list.into_iter().map(|target| target.name.into_owned()).collect();
        for vrf in vrfs {
            let origin = self.origin(List::Vrfs, vrf.id, &vrf.name, vrf.last_updated);
            let mut fields = self.fields(List::Vrfs, &vrf.custom_fields, &origin, None);
            let l3vni = fields.get(&f.l3vni, "a VNI");
            let rd_template = fields.text(&f.rd_template);
            let redistribute = fields.get(&f.redistribute, "a list of {source, route_map}").unwrap_or_default();
            fabric.vrfs.push(Vrf {
                id: vrf.id,
                name: Arc::from(vrf.name.as_ref()),
                l3vni,
                rd: vrf.rd.map(owned).filter(|rd| !rd.is_empty()),
                rd_template,
                import: targets(vrf.import_targets),
                export: targets(vrf.export_targets),
                redistribute,
                origin,
            });
        }
        for l2vpn in l2vpns {
            let origin = self.origin(List::L2vpns, l2vpn.id, &l2vpn.name, l2vpn.last_updated);
            let mut fields = self.fields(List::L2vpns, &l2vpn.custom_fields, &origin, None);
            let rd_template = fields.text(&f.rd_template);
            let redistribute = fields.get(&f.redistribute, "a list of {source, route_map}").unwrap_or_default();
            fabric.l2vpns.push(L2vpn {
                id: l2vpn.id,
                name: l2vpn.name.into_owned(),
                vni: l2vpn.identifier.and_then(|vni| u32::try_from(vni).ok()),
                kind: text_of(l2vpn.kind),
                status: text_of(l2vpn.status),
                import: targets(l2vpn.import_targets),
                export: targets(l2vpn.export_targets),
                rd_template,
                redistribute,
                origin,
            });
        }
        Ok(())
    }
}
