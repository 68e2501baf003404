//! NetBox's objects as they arrive: only the fields used, parsed straight from the bytes of a page.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A page of a list. `count` is null in cursor paging.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Page<T> {
    #[serde(default)]
    pub(super) count: Option<usize>,
    #[serde(default)]
    pub(super) next: Option<IgnoredAny>,
    pub(super) results: Vec<T>,
}

/// Only an id: of an object, or the bare number that stands for one. GraphQL writes ids as text.
#[derive(Clone, Copy)]
pub(super) struct Id {
    pub(super) id: u64,
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = u64;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with an id, or an id")
            }
            fn visit_u64<E>(self, id: u64) -> Result<u64, E> {
                Ok(id)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
                text.parse().map_err(|_| E::custom(format!("`{text}` is no id")))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<u64, A::Error> {
                let mut id = None;
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    if key == "id" {
                        id = Some(map.next_value::<Number>()?.0);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                id.ok_or_else(|| serde::de::Error::missing_field("id"))
            }
        }
        deserializer.deserialize_any(Either).map(|id| Self { id })
    }
}

/// A number, or a text that is one: GraphQL writes ids and large numbers as text.
#[derive(Clone, Copy)]
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = u64;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_u64<E>(self, number: u64) -> Result<u64, E> {
                Ok(number)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
                text.parse().map_err(|_| E::custom(format!("`{text}` is no number")))
            }
        }
        deserializer.deserialize_any(Either).map(Self)
    }
}

/// An id as a number or as text.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Number::deserialize(deserializer).map(|number| number.0)
}

/// What an object hangs on, as GraphQL says it: `InterfaceType`, `DeviceType`, `VLANType`, `ClusterType`.
#[derive(Deserialize)]
pub(super) struct Link<'a> {
    #[serde(rename = "__typename", borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(default)]
    id: Option<Number>,
}

impl Link<'_> {
    /// The id, when it is of this type.
    pub(super) fn of(link: &Option<Self>, kind: &str) -> Option<u64> {
        link.as_ref().filter(|link| link.kind.as_ref().is_some_and(|have| have.0 == kind))?.id.map(|id| id.0)
    }
}

#[derive(Deserialize)]
pub(super) struct Named<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Slugged<'a> {
    #[serde(borrow)]
    pub(super) slug: Cow<'a, str>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct VlanBrief {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    pub(super) vid: u16,
}

#[derive(Deserialize)]
pub(super) struct AddressBrief<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) address: Cow<'a, str>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct AsnBrief {
    pub(super) asn: u32,
}

#[derive(Deserialize)]
pub(super) struct PrefixBrief<'a> {
    #[serde(borrow)]
    pub(super) prefix: Cow<'a, str>,
}

/// `{value, label}` or, in older versions and in plugins, the plain value.
pub(super) struct Choice<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Choice<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a choice: text or {value, label}")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(""))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut value = Cow::Borrowed("");
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    if key == "value" {
                        value = map.next_value::<Option<Text<'de>>>()?.map_or(Cow::Borrowed(""), |text| text.0);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(value)
            }
        }
        deserializer.deserialize_any(Either).map(Self)
    }
}

/// A text that borrows when it can, also inside an `Option` in a map.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Custom fields: names are the site's, so values wait as text until one is asked for.
#[derive(Default)]
pub(super) struct Custom<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Custom<'a> {
    /// One value as it came; `None` when NetBox knows no field of this name on this kind of object.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, raw)| raw.get())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Custom<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("custom fields")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Vec::new())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(Text(name)) = map.next_key()? {
                    fields.push((name, map.next_value()?));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_any(Fields).map(Self)
    }
}

#[derive(Deserialize)]
pub(super) struct Device<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) role: Option<Slugged<'a>>,
    #[serde(borrow)]
    pub(super) site: Option<Slugged<'a>>,
    #[serde(borrow, default)]
    pub(super) status: Option<Choice<'a>>,
    #[serde(borrow, default)]
    pub(super) primary_ip4: Option<AddressBrief<'a>>,
    #[serde(borrow, default)]
    pub(super) primary_ip6: Option<AddressBrief<'a>>,
    #[serde(borrow, default)]
    pub(super) cluster: Option<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) tags: Vec<Slugged<'a>>,
    #[serde(borrow, default)]
    pub(super) custom_fields: Custom<'a>,
    #[serde(borrow, default)]
    pub(super) config_context: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Interface<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    pub(super) device: Id,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) lag: Option<Id>,
    #[serde(default)]
    pub(super) parent: Option<Id>,
    #[serde(default)]
    pub(super) mtu: Option<u32>,
    #[serde(borrow, default)]
    pub(super) mode: Option<Choice<'a>>,
    #[serde(default)]
    pub(super) untagged_vlan: Option<VlanBrief>,
    #[serde(default)]
    pub(super) tagged_vlans: Vec<VlanBrief>,
    #[serde(default)]
    pub(super) vrf: Option<Id>,
    #[serde(borrow, default)]
    pub(super) description: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) tags: Vec<Slugged<'a>>,
    #[serde(borrow, default)]
    pub(super) custom_fields: Custom<'a>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Address<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) address: Cow<'a, str>,
    #[serde(default)]
    pub(super) vrf: Option<Id>,
    #[serde(borrow, default)]
    pub(super) status: Option<Choice<'a>>,
    #[serde(borrow, default)]
    pub(super) role: Option<Choice<'a>>,
    #[serde(borrow, default)]
    pub(super) assigned_object_type: Option<Text<'a>>,
    #[serde(default)]
    pub(super) assigned_object_id: Option<u64>,
    #[serde(borrow, default)]
    pub(super) tags: Vec<Slugged<'a>>,
    #[serde(borrow, default)]
    pub(super) custom_fields: Custom<'a>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
    /// GraphQL: what the two before say in REST.
    #[serde(borrow, default)]
    pub(super) assigned_object: Option<Link<'a>>,
}

/// A group that shares addresses. Of those only number and text are the same in REST and GraphQL.
#[derive(Deserialize)]
pub(super) struct FhrpGroup<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) protocol: Choice<'a>,
    pub(super) group_id: u32,
    #[serde(borrow, default)]
    pub(super) ip_addresses: Vec<AddressBrief<'a>>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct FhrpAssignment<'a> {
    pub(super) group: Id,
    #[serde(borrow, default)]
    interface_type: Option<Text<'a>>,
    #[serde(default)]
    interface_id: Option<u64>,
    /// GraphQL: what the two before say in REST.
    #[serde(borrow, default)]
    interface: Option<Link<'a>>,
}

impl FhrpAssignment<'_> {
    /// The interface of a device that is in the group.
    pub(super) fn port(&self) -> Option<u64> {
        let of_device = self.interface_type.as_ref().is_some_and(|kind| kind.0 == "dcim.interface");
        self.interface_id.filter(|_| of_device).or_else(|| Link::of(&self.interface, "InterfaceType"))
    }
}

#[derive(Deserialize)]
pub(super) struct Cable<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow, default)]
    pub(super) a_terminations: Vec<End<'a>>,
    #[serde(borrow, default)]
    pub(super) b_terminations: Vec<End<'a>>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

/// What a cable ends on.
#[derive(Deserialize)]
pub(super) struct End<'a> {
    #[serde(borrow)]
    pub(super) object_type: Cow<'a, str>,
    pub(super) object_id: u64,
}

#[derive(Deserialize)]
pub(super) struct Service<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) parent_object_type: Option<Text<'a>>,
    #[serde(default)]
    pub(super) parent_object_id: Option<u64>,
    #[serde(default)]
    pub(super) device: Option<Id>,
    #[serde(borrow, default)]
    pub(super) port_mappings: Vec<Text<'a>>,
    #[serde(default)]
    pub(super) ports: Vec<u16>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Vlan<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    pub(super) vid: u16,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(default)]
    pub(super) group: Option<Id>,
    #[serde(borrow, default)]
    pub(super) status: Option<Choice<'a>>,
    #[serde(borrow, default)]
    pub(super) custom_fields: Custom<'a>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct VlanGroup<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow, default)]
    pub(super) scope_type: Option<Text<'a>>,
    #[serde(default)]
    pub(super) scope_id: Option<u64>,
    /// GraphQL: what the two before say in REST.
    #[serde(borrow, default)]
    pub(super) scope: Option<Link<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Cluster<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(rename = "type", borrow)]
    pub(super) kind: Slugged<'a>,
}

#[derive(Deserialize)]
pub(super) struct Vrf<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) rd: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) import_targets: Vec<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) export_targets: Vec<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) custom_fields: Custom<'a>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct L2vpn<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(default)]
    pub(super) identifier: Option<u64>,
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Option<Choice<'a>>,
    #[serde(borrow, default)]
    pub(super) status: Option<Choice<'a>>,
    #[serde(borrow, default)]
    pub(super) import_targets: Vec<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) export_targets: Vec<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) custom_fields: Custom<'a>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Termination<'a> {
    pub(super) l2vpn: Id,
    #[serde(borrow, default)]
    pub(super) assigned_object_type: Option<Text<'a>>,
    #[serde(default)]
    pub(super) assigned_object_id: Option<u64>,
    /// GraphQL: what the two before say in REST.
    #[serde(borrow, default)]
    pub(super) assigned_object: Option<Link<'a>>,
}

#[derive(Deserialize)]
pub(super) struct PeerGroup<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(default)]
    pub(super) remote_as: Option<AsnBrief>,
    #[serde(default)]
    pub(super) local_as: Option<AsnBrief>,
    #[serde(borrow, default)]
    pub(super) import_policies: Vec<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) export_policies: Vec<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) prefix_list_in: Option<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) prefix_list_out: Option<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) extra_attributes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Session<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) description: Cow<'a, str>,
    #[serde(default)]
    pub(super) device: Option<Id>,
    #[serde(borrow, default)]
    pub(super) status: Option<Choice<'a>>,
    #[serde(borrow, default)]
    pub(super) local_address: Option<AddressBrief<'a>>,
    #[serde(borrow, default)]
    pub(super) remote_address: Option<AddressBrief<'a>>,
    #[serde(borrow, default)]
    pub(super) remote_prefix: Option<PrefixBrief<'a>>,
    #[serde(default)]
    pub(super) local_as: Option<AsnBrief>,
    #[serde(default)]
    pub(super) remote_as: Option<AsnBrief>,
    #[serde(default)]
    pub(super) peer_group: Option<Id>,
    #[serde(borrow, default)]
    pub(super) import_policies: Vec<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) export_policies: Vec<Named<'a>>,
    #[serde(default)]
    pub(super) max_prefixes: Option<u64>,
    #[serde(borrow, default)]
    pub(super) prefix_list_in: Option<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) prefix_list_out: Option<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) extra_attributes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

/// A prefix list or a routing policy.
#[derive(Deserialize)]
pub(super) struct Rules<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) family: Option<Choice<'a>>,
    #[serde(borrow, default)]
    pub(super) custom_fields: Custom<'a>,
    #[serde(borrow, default)]
    pub(super) last_updated: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct PrefixRule<'a> {
    pub(super) prefix_list: Id,
    pub(super) index: u64,
    #[serde(borrow)]
    pub(super) action: Choice<'a>,
    #[serde(borrow, default)]
    pub(super) prefix: Option<PrefixBrief<'a>>,
    #[serde(borrow, default)]
    pub(super) prefix_custom: Option<Text<'a>>,
    #[serde(default)]
    pub(super) ge: Option<u8>,
    #[serde(default)]
    pub(super) le: Option<u8>,
}

#[derive(Deserialize)]
pub(super) struct PolicyRule<'a> {
    pub(super) routing_policy: Id,
    pub(super) index: u64,
    #[serde(borrow)]
    pub(super) action: Choice<'a>,
    #[serde(borrow, default)]
    pub(super) match_ip_address: Vec<Named<'a>>,
    #[serde(borrow, default)]
    pub(super) match_ipv6_address: Vec<Named<'a>>,
    /// Free JSON: an object, or nothing.
    #[serde(default)]
    pub(super) set_actions: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    pub(super) continue_entry: Option<u64>,
    #[serde(flatten)]
    pub(super) rest: std::collections::BTreeMap<String, serde_json::Value>,
}

/// Whose an object of a per-device list is: the parts of one that say it.
#[derive(Deserialize)]
pub(super) struct Owner<'a> {
    #[serde(default)]
    pub(super) device: Option<Id>,
    #[serde(borrow, default)]
    pub(super) assigned_object_type: Option<Text<'a>>,
    #[serde(default)]
    pub(super) assigned_object_id: Option<u64>,
    #[serde(borrow, default)]
    pub(super) parent_object_type: Option<Text<'a>>,
    #[serde(default)]
    pub(super) parent_object_id: Option<u64>,
    #[serde(borrow, default)]
    pub(super) assigned_object: Option<Link<'a>>,
}

/// An entry of the change log.
#[derive(Deserialize)]
pub(super) struct Change<'a> {
    #[serde(deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(borrow, default)]
    pub(super) time: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) user_name: Option<Text<'a>>,
    /// `create`, `update`, `delete`.
    #[serde(borrow, default)]
    pub(super) action: Option<Choice<'a>>,
    /// One a request: edits made together carry the same.
    #[serde(borrow, default)]
    pub(super) request_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) changed_object_type: Cow<'a, str>,
    #[serde(default)]
    pub(super) changed_object_id: u64,
}
