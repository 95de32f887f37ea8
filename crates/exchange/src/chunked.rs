//! A sequence that only grows, never moves what it holds, and is copied in no time: copies share their chunks until
//! one of them changes something there.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many elements a chunk holds. Growing costs one allocation a chunk and copies nothing that is stored, so a
/// long history never makes one command slow.
const CHUNK: usize = 1024;

/// An append-only sequence, addressed by the index that [`Chunked::push`] returned.
#[derive(Clone, Debug)]
pub(crate) struct Chunked<T> {
    chunks: Vec<Arc<Vec<T>>>,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T: Clone> Chunked<T> {
    /// How many elements there are.
    pub(crate) fn len(&self) -> u32 {
        match self.chunks.last() {
            Some(last) => ((self.chunks.len() - 1) * CHUNK + last.len()) as u32,
            None => 0,
        }
    }

    /// Adds an element and returns its index.
    pub(crate) fn push(&mut self, value: T) -> u32 {
        let index = self.len();
        assert!(index < u32::MAX, "a history is full");
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => Arc::make_mut(last).push(value),
            // The first chunk grows as it fills, since most histories stay short.
            None => self.chunks.push(Arc::new(vec![value])),
            Some(_) => {
                let mut next = Vec::with_capacity(CHUNK);
                next.push(value);
                self.chunks.push(Arc::new(next));
            }
        }
        index
    }

    /// The element at an index, if there is one.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let index = index as usize;
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    /// The element at an index that `push` returned.
    #[expect(clippy::indexing_slicing, reason = "indexes come from `push` alone and nothing is ever removed")]
    pub(crate) fn at(&self, index: u32) -> &T {
        let index = index as usize;
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    /// The element at an index that `push` returned, to change it.
    #[expect(clippy::indexing_slicing, reason = "indexes come from `push` alone and nothing is ever removed")]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut T {
        let index = index as usize;
        &mut Arc::make_mut(&mut self.chunks[index / CHUNK])[index % CHUNK]
    }

    /// All elements, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

/// The elements of `rows` that a [`crate::view::Page`] asks for. Both ids and times must rise with the index.
pub(crate) fn page<'a, T: 'a>(
    length: u32,
    at: impl Fn(u32) -> &'a T,
    id: impl Fn(&T) -> i64,
    time: impl Fn(&T) -> i64,
    page: &crate::view::Page,
) -> Vec<&'a T> {
    let from = page.from.map_or(0, |least| partition(length, |i| id(at(i)) < least));
    let start = page.start.map_or(0, |t| partition(length, |i| time(at(i)) < t.as_micros()));
    let end = page.end.map_or(length, |t| partition(length, |i| time(at(i)) <= t.as_micros()));
    let first = from.max(start);
    if page.from.is_some() || page.start.is_some() {
        return (first..end).map(at).take(page.limit).collect();
    }
    let mut rows: Vec<&T> = (first..end).rev().map(at).take(page.limit).collect();
    rows.reverse();
    rows
}

/// The indexes below `length` whose time lies between `start` and `end`, both included. Times must rise.
pub(crate) fn between(
    length: u32,
    time: impl Fn(u32) -> i64,
    start: latchkey_protocol::Timestamp,
    end: latchkey_protocol::Timestamp,
) -> core::ops::Range<u32> {
    let first = partition(length, |i| time(i) < start.as_micros());
    let last = partition(length, |i| time(i) <= end.as_micros());
    first..last.max(first)
}

/// The first index below `length` for which `before` is false.
fn partition(length: u32, before: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl<T: Serialize + Clone> Serialize for Chunked<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut sequence = serializer.serialize_seq(Some(self.len() as usize))?;
        for element in self.iter() {
            sequence.serialize_element(element)?;
        }
        sequence.end()
    }
}

impl<'de, T: Deserialize<'de> + Clone> Deserialize<'de> for Chunked<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut chunked = Self::default();
        for element in Vec::<T>::deserialize(deserializer)? {
            chunked.push(element);
        }
        Ok(chunked)
    }
}
