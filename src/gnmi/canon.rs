//! The EOS schema's spellings for the mirror: [`Canon`] over [`Schema`].

use std::sync::Arc;

use serde_json::Value as Json;

use super::wire::canon::{Canon, Flat, Kinds, Prepared};
use super::wire::convert::bare_name;
use crate::path::Path;
use crate::value::Value;
use crate::yang::{NodeId, NodeKind, Schema};

/// Spells values as the schema does; what the schema does not know is kept as it came.
pub struct SchemaCanon {
    schema: Arc<Schema>,
    nodes: Vec<NodeId>,
}

impl SchemaCanon {
    /// Over a schema.
    pub fn new(schema: Arc<Schema>) -> Arc<Self> {
        let nodes = std::iter::once(schema.root()).chain(schema.all()).collect();
        Arc::new(Self { schema, nodes })
    }
}

impl Canon for SchemaCanon {
    fn prepare(&self, path: &Path) -> Prepared {
        let Some(id) = self.schema.find(path) else { return Prepared { keeps: Kinds::ALL, ..Prepared::default() } };
        let node = self.schema.node(id);
        let keeps = match (node.kind, node.base_type()) {
            (NodeKind::Leaf, Some("string")) => Kinds::STR,
            (NodeKind::Leaf, Some("boolean")) => Kinds::BOOL,
            (NodeKind::Leaf, Some("uint64")) => Kinds::UINT,
            (NodeKind::Leaf, Some("int64")) => Kinds::INT,
            _ => Kinds::NONE,
        };
        Prepared { keeps, node: u32::try_from(id.index()).unwrap_or(0), skip: node.is_key() }
    }

    fn canonical(&self, prepared: Prepared, path: &dyn Fn() -> Arc<Path>, value: Value) -> Result<Value, String> {
        match self.nodes.get(prepared.node as usize) {
            Some(id) if prepared.node != 0 => self.schema.canonical_at(*id, value).map_err(|problem| problem.to_string()),
            _ => self.schema.canonical(&path(), value).map_err(|problem| problem.to_string()),
        }
    }

    fn flatten(&self, path: &Path, json: &Json) -> Flat {
        let Some(id) = self.schema.find(path) else {
            return (vec![(path.clone(), Value::Json(Arc::new(json.clone())))], Vec::new());
        };
        let (leaves, issues) = self.schema.flatten_lossy(path, self.unwrapped(id, path, json));
        (leaves, issues.into_iter().map(|issue| (issue.path, issue.message)).collect())
    }
}

impl SchemaCanon {
    /// EOS answers a Get of `…/vlan` with `{"openconfig-network-instance:vlan": […]}`: the node once more around its value.
    fn unwrapped<'a>(&self, id: NodeId, path: &Path, json: &'a Json) -> &'a Json {
        let Json::Object(members) = json else { return json };
        match members.iter().next() {
            Some((name, inner)) if members.len() == 1 && bare_name(name) == path.name() && self.schema.child(id, path.name()).is_none() => {
                inner
            }
            _ => json,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gnmi::wire::batch::{Batch, Op};
    use crate::gnmi::wire::convert::Notification;
    use crate::gnmi::wire::walk::Decoder;
    use crate::tree::{Paths, Tree};

    /// The same leaves as a stream and as the answer of a Get end as the same mirror.
    #[test]
    fn a_stream_and_a_get_make_one_mirror() {
        let decoder = Decoder::new(Paths::new(), SchemaCanon::new(Arc::new(Schema::eos().unwrap())));
        let path = |text: &str| Path::parse(text).unwrap();
        let base = "/interfaces/interface[name=Ethernet1]";
        let leaf = |tail: &str, value: Value| (path(&format!("{base}/{tail}")), Ok(value));
        let streamed = Notification {
            updates: vec![
                leaf("name", Value::str("Ethernet1")),
                leaf("state/name", Value::str("Ethernet1")),
                leaf("state/type", Value::str("iana-if-type:ethernetCsmacd")),
                leaf("state/counters/in-octets", Value::Uint(21581)),
                leaf("state/mtu", Value::Uint(9214)),
            ],
            ..Notification::default()
        };
        let json = serde_json::json!({"openconfig-interfaces:interface": [{
            "name": "Ethernet1",
            "state": {"name": "Ethernet1", "type": "iana-if-type:ethernetCsmacd", "counters": {"in-octets": "21581"}, "mtu": 9214},
        }]});
        let got = Notification { updates: vec![(path("/interfaces/interface"), Ok(Value::from_json(&json)))], ..Notification::default() };
        let mirror = |notification: Notification| {
            let mut batch = Batch::default();
            decoder.notification(notification, &mut batch);
            assert_eq!((batch.bad, &batch.bad_leaves), (0, &Vec::new()));
            let mut tree = Tree::new(Arc::clone(decoder.paths()));
            batch.apply(&mut tree);
            tree
        };
        let (left, right) = (mirror(streamed), mirror(got));
        assert!(left == right, "{:?}\n{:?}", left.sorted(), right.sorted());
        assert_eq!(left.len(), 4, "the key leaf is said by the path already");
        assert_eq!(left.value(&path(&format!("{base}/state/type"))), Some(&Value::str("ethernetCsmacd")));

        let mut batch = Batch::default();
        let wrong = Notification {
            updates: vec![leaf("state/mtu", Value::str("big")), leaf("state/new-in-eos-5", Value::Uint(1))],
            ..Notification::default()
        };
        decoder.notification(wrong, &mut batch);
        assert_eq!((batch.bad, batch.ops.len()), (1, 2), "a value of the wrong type is kept and told, an unknown leaf is kept");
        assert!(matches!(&batch.ops[0], Op::Set(_, Value::Str(text)) if &**text == "big"));
    }
}
