//! When two spellings of one leaf are the same leaf.
//!
//! Both sides come with canonical values (`yang::Schema::canonical`), so two values that are equal need nothing from here: this
//! is the slow path of what looks different. Rules hold for kinds of leaves, told by the schema, never for one path.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::value::Value;

/// Whether two values of one leaf say the same. `set`: the order and the number of times a member is said do not count, and
/// `"20..22"` stands for its members. `text`: free text, compared to the letter.
pub fn same(a: &Value, b: &Value, set: bool, text: bool) -> bool {
    if a == b {
        return true;
    }
    match (a, b) {
        (Value::List(left), Value::List(right)) if set => members(left) == members(right),
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right.iter()).all(|(a, b)| same(a, b, false, text))
        }
        // A leaf-list of one member, as some servers send it.
        (Value::List(list), one) | (one, Value::List(list)) => list.len() == 1 && list.iter().all(|member| same(member, one, set, text)),
        (Value::Str(left), Value::Str(right)) => !text && spelled(left) == spelled(right),
        // A plan file and a JSON answer know fewer kinds than the wire: "10.0" and 10.0 are one decimal.
        (Value::Json(_) | Value::Bytes(_), _) | (_, Value::Json(_) | Value::Bytes(_)) => a.to_json() == b.to_json(),
        (Value::Str(said), other) | (other, Value::Str(said)) => {
            let printed = other.to_string();
            **said == *printed || Value::decimal(said).is_some_and(|left| Some(left) == Value::decimal(&printed))
        }
        (Value::Double(_) | Value::Decimal(_), _) | (_, Value::Double(_) | Value::Decimal(_)) => {
            Value::decimal(&a.to_string()).is_some_and(|left| Some(left) == Value::decimal(&b.to_string()))
        }
        _ => false,
    }
}

/// A leaf-list as a set of texts: ranges expanded, duplicates and order gone.
pub fn members(list: &[Value]) -> BTreeSet<String> {
    let mut set = BTreeSet::new();
    for value in list {
        let text = value.to_string();
        match range(&text) {
            Some(numbers) => set.extend(numbers.map(|number| number.to_string())),
            None => _ = set.insert(spelled(&text).into_owned()),
        }
    }
    set
}

/// `20..29` of VLAN lists. Only ranges a VLAN list can hold: nobody's text makes us count to a million.
fn range(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let (low, high) = text.split_once("..")?;
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high && high <= 4094).then_some(low..=high)
}

/// One spelling for texts that are numbers in disguise: MAC addresses, IPv6 addresses and prefixes, hex.
fn spelled(text: &str) -> Cow<'_, str> {
    if let Some(mac) = mac(text) {
        return Cow::Owned(mac);
    }
    if text.contains(':') {
        if let Ok(address) = text.parse::<std::net::Ipv6Addr>() {
            return Cow::Owned(address.to_string());
        }
        if let Ok(net) = text.parse::<ipnet::Ipv6Net>() {
            return Cow::Owned(net.to_string());
        }
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()) => Cow::Owned(text.to_ascii_lowercase()),
        _ => Cow::Borrowed(text),
    }
}

/// `c001.cafe.babe`, `C0-01-CA-FE-BA-BE` and `c0:01:ca:fe:ba:be` as the last one.
fn mac(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split(['.', ':', '-']).collect();
    let width = match groups.len() {
        3 if text.matches('.').count() == 2 => 4,
        6 if text.matches(':').count() == 5 || text.matches('-').count() == 5 => 2,
        _ => return None,
    };
    if !groups.iter().all(|group| group.len() == width && group.bytes().all(|b| b.is_ascii_hexdigit())) {
        return None;
    }
    let digits: String = groups.concat().to_ascii_lowercase();
    let pairs: Vec<&str> = (0..6).filter_map(|at| digits.get(at * 2..at * 2 + 2)).collect();
    Some(pairs.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(items: &[&str]) -> Value {
        Value::list(items.iter().map(|item| item.parse::<u64>().map_or_else(|_| Value::str(item), Value::Uint)))
    }

    #[test]
    fn sets_ignore_order_number_and_ranges() {
        assert!(same(&list(&["20..22", "40"]), &list(&["40", "22", "20", "21", "40"]), true, false));
        assert!(!same(&list(&["20..22"]), &list(&["20", "21"]), true, false));
        assert!(!same(&list(&["a", "b"]), &list(&["b", "a"]), false, false));
        assert!(same(&list(&["40"]), &Value::Uint(40), true, false));
        assert!(!same(&list(&["1..999999"]), &list(&["1"]), true, false));
    }

    #[test]
    fn disguised_numbers_are_compared_as_numbers_and_texts_as_texts() {
        let pairs = [
            ("c001.cafe.babe", "c0:01:ca:fe:ba:BE"),
            ("2001:DB8::1", "2001:db8:0::1"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("0xFF", "0xff"),
        ];
        for (a, b) in pairs {
            assert!(same(&Value::str(a), &Value::str(b), false, false), "{a} {b}");
            assert!(!same(&Value::str(a), &Value::str(b), false, true), "{a} {b}");
        }
        for (a, b) in [("Spine1", "spine1"), ("65001:40", "65001:41"), ("c001.cafe.babe", "c001.cafe.babf"), ("10.0.0.1", "10.0.0.01")] {
            assert!(!same(&Value::str(a), &Value::str(b), false, false), "{a} {b}");
        }
    }

    #[test]
    fn kinds_lost_in_json_do_not_make_a_difference() {
        assert!(same(&Value::decimal("10.0").unwrap(), &Value::str("10.0"), false, false));
        assert!(same(&Value::decimal("10.0").unwrap(), &Value::Uint(10), false, false));
        assert!(same(&Value::str("300"), &Value::Uint(300), false, false));
        assert!(!same(&Value::str("true"), &Value::Bool(false), false, false));
        assert!(!same(&Value::Uint(1), &Value::Bool(true), false, false));
    }

    proptest! {
        #[test]
        fn sameness_is_symmetric(a in "[0-9a-f:.]{0,17}", b in "[0-9a-f:.]{0,17}", n in any::<u64>()) {
            for (x, y) in [(Value::str(&a), Value::str(&b)), (Value::str(&a), Value::Uint(n)), (Value::list([Value::str(&a)]), Value::str(&b))] {
                for set in [false, true] {
                    prop_assert_eq!(same(&x, &y, set, false), same(&y, &x, set, false));
                    prop_assert!(same(&x, &x, set, false));
                }
            }
        }

        #[test]
        fn shuffled_sets_are_the_same(mut numbers in proptest::collection::vec(1u64..200, 1..20), seed in any::<usize>()) {
            let before = Value::list(numbers.iter().map(|n| Value::Uint(*n)));
            let turn = seed % numbers.len();
            numbers.rotate_left(turn);
            numbers.extend_from_within(..turn);
            prop_assert!(same(&before, &Value::list(numbers.into_iter().map(Value::Uint)), true, false));
        }
    }
}
