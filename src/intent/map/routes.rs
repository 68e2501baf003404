//! Static routes out of the config context.
//!
//! EOS calls a next hop in a form of its own (`AUTO_1_172-16-0-254`). Ours is made the same way, but only prefix and next hop
//! identify it: compare by those.

use super::Scope;
use super::writer::Writer;
use crate::intent::finding::Severity;

pub(super) fn map(scope: &Scope<'_>, w: &mut Writer<'_>) {
    let Some(routing) = &scope.settings.context.routing else { return };
    for route in &routing.routes {
        let vrf = route.vrf.as_deref().unwrap_or("default");
        let Some(next_hop) = route.next_hop.as_deref() else {
            let message = format!("static route {} has no next hop", route.prefix);
            w.problem("unmapped-route", Severity::Error, message, "give it a next_hop");
            continue;
        };
        for key in route.rest.keys() {
            let message = format!("`{key}` of static route {} is not mapped", route.prefix);
            w.problem("unmapped-context", Severity::Warning, message, "prefix, next_hop, vrf and distance are");
        }
        w.entry("network-instances/network-instance", &[("name", vrf)], |w| {
            w.entry("protocols/protocol", &[("identifier", "STATIC"), ("name", "STATIC")], |w| {
                w.leaf("config/identifier", "STATIC");
                w.leaf("config/name", "STATIC");
                w.entry("static-routes/static", &[("prefix", &route.prefix)], |w| {
                    w.leaf("config/prefix", route.prefix.as_str());
                    let index = format!("AUTO_1_{}", next_hop.replace(['.', ':'], "-"));
                    w.entry("next-hops/next-hop", &[("index", &index)], |w| {
                        w.leaf("config/index", index.as_str());
                        w.leaf("config/next-hop", next_hop);
                        w.maybe("config/preference", route.distance);
                    });
                    w.own_entries("next-hops/next-hop", &[("index", "*")]);
                });
            });
        });
    }
}
