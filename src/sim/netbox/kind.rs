//! What kinds of objects NetBox has, field by field in the order of its answers: the tables everything else here reads.
//!
//! Names, order, types, defaults and what happens when the object a field points to is deleted are NetBox 4.7.3's (and netbox-bgp 0.20's).
//! A kind that is not listed is served from its recording, read only. No behaviour lives here.

mod bgp;
mod dcim;
mod ipam;
mod other;

/// How an object looks inside another one's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The brief form, also the answer to `brief=true`.
    Brief,
    /// The form of parents and LAGs: with `display_url`, without a description.
    Nested,
    /// Everything, as a VRF shows its route targets.
    Full,
    /// An address as a device shows its primary one.
    Primary,
}

/// What a field computes from the rest of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calc {
    /// Address of the object in the API.
    Url,
    /// Address of the object's page.
    DisplayUrl,
    /// The name people read.
    Display,
    /// `{value: 4, label: IPv4}` of an address or prefix.
    Family,
    /// The object named by the two fields before it (`scope`, `assigned_object`, `parent`).
    Object,
    /// `primary_ip4`, else `primary_ip6`.
    PrimaryIp,
    /// Merged config contexts of a device.
    ConfigContext,
    /// The cable on an interface.
    Cable,
    /// `A` or `B`.
    CableEnd,
    /// Interfaces at the other end of the cable.
    Peers,
    /// `dcim.interface`, or null without a peer.
    PeersType,
    /// As [`Calc::Peers`], null without a cable.
    Endpoints,
    /// Whether there is an endpoint.
    Reachable,
    /// Whether a cable is on it.
    Occupied,
    /// The L2VPN termination on this VLAN or interface.
    Termination,
    /// Addresses translated to this one.
    NatOutside,
    /// Addresses assigned to this one.
    Addresses,
    /// Prefixes that contain this one; parents above a tree node.
    Depth,
    /// Prefixes inside this one.
    Children,
    /// First protocol of the port mappings.
    Protocol,
    /// Port numbers of the port mappings.
    Ports,
    /// VLAN ids a group may hold.
    TotalVlanIds,
    /// Share of them in use, in percent, two digits.
    Utilization,
    /// Sites an AS number is used in.
    AsnSites,
    /// How many objects carry the tag.
    Tagged,
    /// Interfaces of a bridge.
    Bridged,
    /// Prefixes of a site group's sites too.
    GroupPrefixes,
    /// How many objects of a kind point here with a field.
    Count(&'static str, &'static str),
    /// The same for a tree: what points at its children counts too.
    TreeCount(&'static str, &'static str),
    /// Always 0: the lab has no such objects.
    Zero,
    /// Always true.
    Yes,
    /// The lab's one user.
    User,
}

/// What a stored field holds, how it is written and how it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    /// Database id.
    Id,
    /// Text of at most so many characters.
    Text(usize),
    /// Whole number within bounds.
    Int(i64, i64),
    /// Decimal number.
    Number,
    /// true or false.
    Flag,
    /// Any JSON.
    Json,
    /// A field of NetBox the lab never fills.
    Nothing,
    /// Value and label.
    Choice(&'static [(&'static str, &'static str)]),
    /// A value without label.
    Word(&'static [&'static str]),
    /// Id of an object of this kind.
    Link(&'static str, Shape),
    /// Ids of objects of this kind.
    Links(&'static str, Shape),
    /// `app.model` of the object named by the next field.
    Model,
    /// Id beside a [`Type::Model`].
    Object,
    /// Cable ends.
    Ends,
    /// IP address with mask length.
    Address,
    /// IP prefix.
    Network,
    /// `tcp/6030`.
    Mappings,
    /// VLAN id ranges.
    Ranges,
    /// Tags of the object.
    Tags,
    /// Tags it applies to, as slugs.
    TagSlugs,
    /// Custom fields.
    Custom,
    /// A list of texts.
    Words,
    /// `created` and `last_updated`.
    Stamp,
    /// Not stored.
    Calc(Calc),
}

/// Value of a field nobody wrote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Blank {
    /// null
    Null,
    /// A text.
    Text(&'static str),
    /// true or false.
    Flag(bool),
    /// A number.
    Int(i64),
    /// `[]`
    List,
    /// `{}`
    Map,
}

/// What happens to an object when the one its field points to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The field becomes empty.
    Clear,
    /// The object goes too.
    Cascade,
    /// The deletion is refused (409).
    Protect,
}

/// One field of a kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
    /// Must be in a POST.
    pub needed: bool,
    /// May be null.
    pub nullable: bool,
    /// Value when not written.
    pub blank: Blank,
    /// What the deletion of its target does.
    pub gone: Gone,
}

impl Field {
    const fn new(name: &'static str, kind: Type, blank: Blank) -> Self {
        Self { name, kind, needed: false, nullable: matches!(blank, Blank::Null), blank, gone: Gone::Clear }
    }
    const fn needed(mut self) -> Self {
        self.needed = true;
        self.nullable = false;
        self
    }
    const fn cascade(mut self) -> Self {
        self.gone = Gone::Cascade;
        self
    }
    const fn protect(mut self) -> Self {
        self.gone = Gone::Protect;
        self
    }
    const fn or(mut self, blank: Blank) -> Self {
        self.blank = blank;
        self.nullable = matches!(blank, Blank::Null);
        self
    }
    /// Whether the store holds a value for it.
    pub const fn stored(&self) -> bool {
        !matches!(self.kind, Type::Calc(_))
    }
}

/// One kind of object.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Path below `/api/`, without slashes at the ends.
    pub path: &'static str,
    /// Path used in the objects' own URLs where it is another one (netbox-bgp has two names for some).
    pub url: &'static str,
    /// `app.model`.
    pub model: &'static str,
    /// NetBox's class name, as in its 404.
    pub class: &'static str,
    /// App and verbose name, as in the change log.
    pub label: (&'static str, &'static str),
    /// Id of the content type in the recorded installation.
    pub type_id: u32,
    /// Fields in the order of the answer.
    pub fields: &'static [Field],
    /// Fields of the brief form. `name=0` is a counter that is 0 inside other objects, `name+` one that is missing there.
    pub brief: &'static [&'static str],
    /// Fields of the nested form.
    pub nested: &'static [&'static str],
    /// Default order.
    pub order: &'static [&'static str],
    /// Sets of fields that must be unique together.
    pub unique: &'static [&'static [&'static str]],
    /// Its list also answers TRACE (a quirk of interfaces, seen in `Allow`).
    pub trace: bool,
}

impl Kind {
    /// A field by name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
    /// Whether the kind has this field.
    pub fn has(&self, name: &str) -> bool {
        self.field(name).is_some()
    }
}

/// All kinds.
pub const KINDS: &[&Kind] = &[
    &dcim::DEVICE,
    &dcim::INTERFACE,
    &dcim::CABLE,
    &dcim::SITE,
    &dcim::SITE_GROUP,
    &dcim::DEVICE_ROLE,
    &dcim::DEVICE_TYPE,
    &dcim::MANUFACTURER,
    &dcim::PLATFORM,
    &ipam::IP_ADDRESS,
    &ipam::PREFIX,
    &ipam::VLAN,
    &ipam::VLAN_GROUP,
    &ipam::VRF,
    &ipam::ROUTE_TARGET,
    &ipam::ASN,
    &ipam::RIR,
    &ipam::ROLE,
    &ipam::SERVICE,
    &ipam::FHRP_GROUP,
    &ipam::FHRP_GROUP_ASSIGNMENT,
    &other::L2VPN,
    &other::L2VPN_TERMINATION,
    &other::CLUSTER,
    &other::CLUSTER_TYPE,
    &other::TAG,
    &other::CUSTOM_FIELD,
    &other::SAVED_FILTER,
    &other::CONFIG_CONTEXT,
    &other::JOURNAL_ENTRY,
    &other::WEBHOOK,
    &other::EVENT_RULE,
    &other::BRANCH,
    &bgp::SESSION,
    &bgp::PEER_GROUP,
    &bgp::COMMUNITY,
    &bgp::COMMUNITY_LIST,
    &bgp::COMMUNITY_LIST_RULE,
    &bgp::PREFIX_LIST,
    &bgp::PREFIX_LIST_RULE,
    &bgp::ROUTING_POLICY,
    &bgp::ROUTING_POLICY_RULE,
    &bgp::ASPATH_LIST,
    &bgp::ASPATH_LIST_RULE,
];

/// Number of a kind in [`KINDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub u8);

impl KindId {
    /// The kind itself.
    pub fn get(self) -> &'static Kind {
        KINDS.get(usize::from(self.0)).copied().unwrap_or(&dcim::DEVICE)
    }
    /// By `app.model`.
    pub fn of_model(model: &str) -> Option<Self> {
        Self::find(|kind| kind.model == model)
    }
    /// By path below `/api/`, either name.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::find(|kind| kind.path == path || kind.url == path)
    }
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..KINDS.len()).filter_map(|index| u8::try_from(index).ok().map(Self))
    }
    fn find(test: impl Fn(&Kind) -> bool) -> Option<Self> {
        Self::all().find(|id| test(id.get()))
    }
}

// Builders of the tables. `text` may be left out, `named` must be written.
const ID: Field = Field::new("id", Type::Id, Blank::Null);
const URL: Field = calc("url", Calc::Url);
const DISPLAY_URL: Field = calc("display_url", Calc::DisplayUrl);
const DISPLAY: Field = calc("display", Calc::Display);
const DESCRIPTION: Field = text("description", 200);
const COMMENTS: Field = text("comments", 100_000);
const TAGS: Field = Field::new("tags", Type::Tags, Blank::List);
const CUSTOM: Field = Field::new("custom_fields", Type::Custom, Blank::Map);
const CREATED: Field = Field::new("created", Type::Stamp, Blank::Null);
const UPDATED: Field = Field::new("last_updated", Type::Stamp, Blank::Null);
const TENANT: Field = none("tenant");
const OWNER: Field = none("owner");
const NAME: Field = text("name", 100).needed();
const SLUG: Field = text("slug", 100).needed();
const NAMED: &[&str] = &["id", "url", "display", "name", "description"];
const SLUGGED: &[&str] = &["id", "url", "display", "name", "slug", "description"];
const NESTED: &[&str] = &["id", "url", "display_url", "display", "name"];
const BY_NAME: &[&str] = &["name"];
const ACTIVE: &[(&str, &str)] = &[("active", "Active"), ("reserved", "Reserved"), ("deprecated", "Deprecated")];

const fn calc(name: &'static str, calc: Calc) -> Field {
    Field::new(name, Type::Calc(calc), Blank::Null)
}
const fn zero(name: &'static str) -> Field {
    calc(name, Calc::Zero)
}
const fn count(name: &'static str, model: &'static str, field: &'static str) -> Field {
    calc(name, Calc::Count(model, field))
}
const fn tree_count(name: &'static str, model: &'static str, field: &'static str) -> Field {
    calc(name, Calc::TreeCount(model, field))
}
const fn text(name: &'static str, max: usize) -> Field {
    Field::new(name, Type::Text(max), Blank::Text(""))
}
const fn int(name: &'static str, low: i64, high: i64) -> Field {
    Field::new(name, Type::Int(low, high), Blank::Null)
}
const fn flag(name: &'static str, blank: bool) -> Field {
    Field::new(name, Type::Flag, Blank::Flag(blank))
}
const fn json(name: &'static str) -> Field {
    Field::new(name, Type::Json, Blank::Null)
}
const fn choice(name: &'static str, set: &'static [(&'static str, &'static str)], blank: &'static str) -> Field {
    Field::new(name, Type::Choice(set), Blank::Text(blank))
}
const fn word(name: &'static str, set: &'static [&'static str]) -> Field {
    Field::new(name, Type::Word(set), Blank::Text("")).needed()
}
/// A choice that may be empty.
const fn option(name: &'static str, set: &'static [(&'static str, &'static str)]) -> Field {
    Field::new(name, Type::Choice(set), Blank::Null)
}
const fn link(name: &'static str, model: &'static str) -> Field {
    Field::new(name, Type::Link(model, Shape::Brief), Blank::Null)
}
const fn links(name: &'static str, model: &'static str) -> Field {
    Field::new(name, Type::Links(model, Shape::Brief), Blank::List)
}
/// A field of NetBox that the lab never fills: null in, null out.
const fn none(name: &'static str) -> Field {
    Field::new(name, Type::Nothing, Blank::Null)
}
/// As [`none`], for lists.
const fn empty(name: &'static str) -> Field {
    Field::new(name, Type::Nothing, Blank::List)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_consistent() {
        for id in KindId::all() {
            let kind = id.get();
            assert_eq!(KindId::of_path(kind.path), Some(id));
            assert_eq!(KindId::of_model(kind.model), Some(id));
            for name in kind.brief.iter().chain(kind.nested) {
                let name = name.trim_end_matches("=0").trim_end_matches('+');
                assert!(kind.has(name), "{}: {name}", kind.model);
            }
            for name in kind.order.iter().chain(kind.unique.iter().copied().flatten()) {
                assert!(kind.has(name), "{}: {name}", kind.model);
            }
            for field in kind.fields {
                assert_eq!(kind.fields.iter().filter(|other| other.name == field.name).count(), 1, "{}.{}", kind.model, field.name);
                match field.kind {
                    Type::Link(model, _) | Type::Links(model, _) => assert!(KindId::of_model(model).is_some(), "{model}"),
                    Type::Calc(Calc::Count(model, name) | Calc::TreeCount(model, name)) => {
                        assert!(KindId::of_model(model).is_some_and(|kind| kind.get().has(name)), "{model}.{name}");
                    }
                    _ => {}
                }
            }
        }
    }
}
