//! The lists that make a fabric: where they are, which fields are asked for, what their objects are called.

/// One list of NetBox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum List {
    /// Devices with the fabric's tag.
    Devices,
    /// Interfaces of those.
    Interfaces,
    /// Addresses on those.
    Addresses,
    /// Groups that share a gateway address, with their addresses. All.
    FhrpGroups,
    /// Which interfaces are in which of those groups. All.
    FhrpAssignments,
    /// Cables of those devices.
    Cables,
    /// Services of those devices.
    Services,
    /// All VLANs.
    Vlans,
    /// All VLAN groups.
    VlanGroups,
    /// All clusters.
    Clusters,
    /// All VRFs.
    Vrfs,
    /// All L2VPNs.
    L2vpns,
    /// All L2VPN terminations.
    Terminations,
    /// All BGP peer groups.
    PeerGroups,
    /// BGP sessions of those devices.
    Sessions,
    /// All prefix lists.
    PrefixLists,
    /// All rules of prefix lists.
    PrefixRules,
    /// All routing policies.
    Policies,
    /// All rules of routing policies.
    PolicyRules,
    /// The newest entries of the change log.
    Changes,
}

/// How a list is read and its objects are named.
pub(super) struct Facts {
    /// Below the base URL.
    pub(super) path: &'static str,
    /// `fields=`.
    pub(super) fields: &'static str,
    /// What a person calls one.
    pub(super) word: &'static str,
    /// Its page for people, without the id.
    pub(super) web: &'static str,
    /// Its type in the change log.
    pub(super) kind: &'static str,
    /// Takes `device_id=`.
    pub(super) per_device: bool,
}

impl List {
    /// Everything but devices and changes: what is read once the devices are known.
    pub(super) const AFTER_DEVICES: [Self; 18] = [
        Self::Interfaces,
        Self::Sessions,
        Self::Addresses,
        Self::FhrpGroups,
        Self::FhrpAssignments,
        Self::Services,
        Self::Cables,
        Self::Vlans,
        Self::VlanGroups,
        Self::Clusters,
        Self::Vrfs,
        Self::L2vpns,
        Self::Terminations,
        Self::PeerGroups,
        Self::PrefixLists,
        Self::PrefixRules,
        Self::Policies,
        Self::PolicyRules,
    ];

    pub(super) fn facts(self) -> Facts {
        let (path, web, kind, word, fields) = match self {
            Self::Devices => (
                "/api/dcim/devices/",
                "/dcim/devices/",
                "dcim.device",
                "device",
                "id,name,role,status,site,primary_ip4,primary_ip6,cluster,tags,custom_fields,config_context,last_updated",
            ),
            Self::Interfaces => (
                "/api/dcim/interfaces/",
                "/dcim/interfaces/",
                "dcim.interface",
                "interface",
                "id,device,name,enabled,lag,parent,mtu,mode,untagged_vlan,tagged_vlans,vrf,description,tags,custom_fields,last_updated",
            ),
            Self::Addresses => (
                "/api/ipam/ip-addresses/",
                "/ipam/ip-addresses/",
                "ipam.ipaddress",
                "address",
                "id,address,vrf,status,role,assigned_object_type,assigned_object_id,tags,custom_fields,last_updated",
            ),
            Self::FhrpGroups => (
                "/api/ipam/fhrp-groups/",
                "/ipam/fhrp-groups/",
                "ipam.fhrpgroup",
                "FHRP group",
                "id,name,protocol,group_id,ip_addresses,last_updated",
            ),
            // There is no page for one: its group's shows it.
            Self::FhrpAssignments => (
                "/api/ipam/fhrp-group-assignments/",
                "/ipam/fhrp-groups/",
                "ipam.fhrpgroupassignment",
                "FHRP group assignment",
                "id,group,interface_type,interface_id",
            ),
            Self::Cables => ("/api/dcim/cables/", "/dcim/cables/", "dcim.cable", "cable", "id,a_terminations,b_terminations,last_updated"),
            Self::Services => (
                "/api/ipam/services/",
                "/ipam/services/",
                "ipam.service",
                "service",
                "id,name,parent_object_type,parent_object_id,device,port_mappings,ports,last_updated",
            ),
            Self::Vlans => ("/api/ipam/vlans/", "/ipam/vlans/", "ipam.vlan", "VLAN", "id,vid,name,group,status,custom_fields,last_updated"),
            Self::VlanGroups => {
                ("/api/ipam/vlan-groups/", "/ipam/vlan-groups/", "ipam.vlangroup", "VLAN group", "id,name,scope_type,scope_id")
            }
            Self::Clusters => {
                ("/api/virtualization/clusters/", "/virtualization/clusters/", "virtualization.cluster", "cluster", "id,name,type")
            }
            Self::Vrfs => {
                ("/api/ipam/vrfs/", "/ipam/vrfs/", "ipam.vrf", "VRF", "id,name,rd,import_targets,export_targets,custom_fields,last_updated")
            }
            Self::L2vpns => (
                "/api/vpn/l2vpns/",
                "/vpn/l2vpns/",
                "vpn.l2vpn",
                "L2VPN",
                "id,name,identifier,type,status,import_targets,export_targets,custom_fields,last_updated",
            ),
            Self::Terminations => (
                "/api/vpn/l2vpn-terminations/",
                "/vpn/l2vpn-terminations/",
                "vpn.l2vpntermination",
                "L2VPN termination",
                "id,l2vpn,assigned_object_type,assigned_object_id",
            ),
            Self::PeerGroups => (
                "/api/plugins/bgp/peer-group/",
                "/plugins/bgp/peer-group/",
                "netbox_bgp.bgppeergroup",
                "peer group",
                "id,name,description,local_as,remote_as,import_policies,export_policies,prefix_list_in,prefix_list_out,extra_attributes,last_updated",
            ),
            Self::Sessions => (
                "/api/plugins/bgp/session/",
                "/plugins/bgp/session/",
                "netbox_bgp.bgpsession",
                "BGP session",
                "id,name,description,status,device,local_address,remote_address,remote_prefix,local_as,remote_as,peer_group,import_policies,export_policies,max_prefixes,prefix_list_in,prefix_list_out,extra_attributes,last_updated",
            ),
            Self::PrefixLists => (
                "/api/plugins/bgp/prefix-list/",
                "/plugins/bgp/prefix-list/",
                "netbox_bgp.prefixlist",
                "prefix list",
                "id,name,family,custom_fields,last_updated",
            ),
            Self::PrefixRules => (
                "/api/plugins/bgp/prefix-list-rule/",
                "/plugins/bgp/prefix-list-rule/",
                "netbox_bgp.prefixlistrule",
                "prefix list rule",
                "id,prefix_list,index,action,prefix,prefix_custom,ge,le",
            ),
            Self::Policies => (
                "/api/plugins/bgp/routing-policy/",
                "/plugins/bgp/routing-policy/",
                "netbox_bgp.routingpolicy",
                "routing policy",
                "id,name,custom_fields,last_updated",
            ),
            Self::PolicyRules => (
                "/api/plugins/bgp/routing-policy-rule/",
                "/plugins/bgp/routing-policy-rule/",
                "netbox_bgp.routingpolicyrule",
                "routing policy rule",
                "id,routing_policy,index,action,match_ip_address,match_ipv6_address,match_community,match_community_list,match_aspath_list,match_custom,set_actions,continue_entry",
            ),
            Self::Changes => (
                "/api/core/object-changes/",
                "/core/changelog/",
                "core.objectchange",
                "change",
                "id,time,user_name,request_id,action,changed_object_type,changed_object_id",
            ),
        };
        let per_device = matches!(self, Self::Interfaces | Self::Addresses | Self::Services | Self::Cables | Self::Sessions);
        Facts { path, fields, word, web, kind, per_device }
    }

    /// The list that holds objects of this type.
    pub(super) fn of_kind(kind: &str) -> Option<Self> {
        Self::AFTER_DEVICES.into_iter().chain([Self::Devices]).find(|list| list.facts().kind == kind)
    }

    /// Whether a change to an object of this type can change intent.
    pub(super) fn relevant(kind: &str) -> bool {
        const MORE: [&str; 10] = [
            "extras.configcontext",
            "extras.savedfilter",
            "extras.tag",
            "extras.customfield",
            "dcim.devicerole",
            "dcim.site",
            "dcim.platform",
            "ipam.routetarget",
            "ipam.asn",
            "ipam.prefix",
        ];
        Self::of_kind(kind).is_some() || MORE.contains(&kind)
    }
}
