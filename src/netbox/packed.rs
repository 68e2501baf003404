//! The objects of a read, packed: between two reads nobody looks at them, and of the fabrics of a thousand devices they are
//! twenty megabytes, which say the same words again and again.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::pages::{List, Pages};

/// One object: its id, the number of the page it came with, how long its JSON is.
pub(super) type Row = (u64, u32, u32);

/// Packed objects.
#[derive(Clone, Default)]
pub(super) struct Packed {
    filtered: bool,
    lists: Vec<(List, Vec<Row>)>,
    urls: Vec<Arc<str>>,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packed").field("lists", &self.lists.len()).field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Packed {
    /// Packs `pages`; `None` when that cannot be done, which takes more than 4 GiB of one object.
    pub(super) fn of(pages: &Pages) -> Option<Self> {
        let mut packed = Self { filtered: pages.filtered, ..Self::default() };
        // It is packed after every read, and seldom opened.
        let mut bytes = DeflateEncoder::new(Vec::new(), Compression::fast());
        for list in pages.lists() {
            let mut rows = Vec::with_capacity(pages.count(list));
            for (id, body, url) in pages.objects(list) {
                // Neighbours came with the same page.
                if packed.urls.last().is_none_or(|last| **last != *url) {
                    packed.urls.push(Arc::from(url));
                }
                bytes.write_all(body).ok()?;
                rows.push((id, u32::try_from(packed.urls.len() - 1).ok()?, u32::try_from(body.len()).ok()?));
            }
            packed.lists.push((list, rows));
        }
        packed.bytes = bytes.finish().ok()?;
        packed.bytes.shrink_to_fit();
        Some(packed)
    }

    /// All of it as it was; `None` when it is broken, which it is not.
    pub(super) fn open(&self) -> Option<Pages> {
        let length = self.lists.iter().flat_map(|(_, rows)| rows).map(|(_, _, length)| *length as usize).sum();
        let mut bytes = Vec::with_capacity(length);
        DeflateDecoder::new(self.bytes.as_slice()).read_to_end(&mut bytes).ok()?;
        let mut bytes = Bytes::from(bytes);
        let mut pages = Pages::default();
        pages.filtered = self.filtered;
        for (list, rows) in &self.lists {
            pages.begin(*list);
            for (id, url, length) in rows {
                let length = Some(*length as usize).filter(|length| *length <= bytes.len())?;
                pages.put(*list, *id, bytes.split_to(length), self.urls.get(*url as usize)?);
            }
        }
        Some(pages)
    }

    /// Bytes of heap it takes.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.lists.iter().map(|(_, rows)| rows.capacity() * size_of::<Row>()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_takes_a_quarter_at_the_most() {
        let mut pages = Pages::default();
        let object = |id: u64| {
            format!(
                r#"{{"id":{id},"name":"Ethernet{id}","device":{{"id":{},"name":"leaf{}"}},"enabled":true,"mtu":null,"tagged_vlans":[]}}"#,
                id / 48,
                id / 48
            )
        };
        let page = |from: u64| format!(r#"{{"count":2000,"results":[{}]}}"#, (from..from + 1000).map(object).collect::<Vec<_>>().join(","));
        pages.push(List::Interfaces, "one", page(1)).unwrap();
        pages.push(List::Interfaces, "other", page(1001)).unwrap();
        pages.push(List::Devices, "devices", r#"{"count":1,"results":[{"id":7,"name":"leaf7"}]}"#).unwrap();
        pages.begin(List::Vlans);
        pages.filtered = true;
        let packed = Packed::of(&pages).unwrap();
        let open = packed.open().unwrap();
        for list in [List::Interfaces, List::Devices, List::Vlans] {
            assert!(open.has(list) && open.objects(list).eq(pages.objects(list)), "{list:?}");
        }
        assert!(open.filtered && !open.has(List::Vrfs), "what was not read is not read");
        let plain: usize = pages.lists().flat_map(|list| pages.objects(list)).map(|(_, body, _)| body.len()).sum();
        assert!(packed.heap_bytes() * 4 <= plain, "{} of {plain}", packed.heap_bytes());
        assert!(Packed::of(&Pages::default()).unwrap().open().unwrap().lists().next().is_none());
    }
}
