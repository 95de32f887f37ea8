//! A symbol's book: price levels in order, and in each level orders in order of arrival.

use std::collections::BTreeMap;

use latchkey_protocol::order::Side;
use serde::{Deserialize, Serialize};

/// The place of a resting order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct NodeId(u32);

/// Marks the end of a chain.
const NONE: u32 = u32::MAX;

/// Whose order it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Party {
    /// An order of a wallet: wallet index and order index.
    Wallet(u32, u32),
    /// A quote of the synthetic market: its slot.
    House(u8),
}

/// A resting order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) party: Party,
    pub(crate) price: i64,
    /// What can still trade; above zero while it rests.
    pub(crate) remaining: i64,
    previous: u32,
    next: u32,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Queue {
    head: u32,
    tail: u32,
    quantity: i128,
}

/// The book of one symbol.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Book {
    nodes: Vec<Node>,
    /// The head of the chain of unused nodes.
    free: u32,
    bids: BTreeMap<i64, Queue>,
    asks: BTreeMap<i64, Queue>,
    /// Raised by each change.
    pub(crate) update_id: i64,
}

impl Book {
    pub(crate) fn new() -> Self {
        Self { nodes: Vec::new(), free: NONE, bids: BTreeMap::new(), asks: BTreeMap::new(), update_id: 0 }
    }

    /// The best price of a side and the first order there.
    pub(crate) fn best(&self, side: Side) -> Option<(i64, NodeId)> {
        let (price, queue) = match side {
            Side::Buy => self.bids.last_key_value()?,
            Side::Sell => self.asks.first_key_value()?,
        };
        Some((*price, NodeId(queue.head)))
    }

    /// The resting order at a place that is in use.
    #[expect(clippy::indexing_slicing, reason = "a place in use lies inside the slab, which never shrinks")]
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "a place in use lies inside the slab, which never shrinks")]
    fn node_mut(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<i64, Queue> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Puts an order at the end of its level.
    pub(crate) fn insert(&mut self, side: Side, price: i64, remaining: i64, party: Party) -> NodeId {
        assert!(remaining > 0, "a resting order has something to trade");
        self.update_id += 1;
        let mut node = Node { party, price, remaining, previous: NONE, next: NONE };
        let id = if self.free == NONE { self.nodes.len() as u32 } else { self.free };
        let queue = self.side_mut(side).entry(price).or_insert(Queue { head: id, tail: NONE, quantity: 0 });
        let tail = core::mem::replace(&mut queue.tail, id);
        queue.quantity += i128::from(remaining);
        node.previous = tail;
        if tail != NONE {
            self.node_mut(tail).next = id;
        }
        if self.free == NONE {
            self.nodes.push(node);
        } else {
            self.free = core::mem::replace(self.node_mut(id), node).next;
        }
        NodeId(id)
    }

    /// Takes an order off the book.
    pub(crate) fn remove(&mut self, side: Side, id: NodeId) {
        self.update_id += 1;
        let node = *self.node(id);
        self.shrink_level(side, &node, node.remaining, true);
        self.release(id, &node);
    }

    /// Lowers what an order can trade and takes it off the book when nothing is left; says whether it went.
    pub(crate) fn reduce(&mut self, side: Side, id: NodeId, by: i64) -> bool {
        let node = *self.node(id);
        assert!(by > 0 && by <= node.remaining, "a fill is no larger than the order");
        self.update_id += 1;
        let gone = by == node.remaining;
        self.shrink_level(side, &node, by, gone);
        if gone {
            self.release(id, &node);
        } else {
            self.node_mut(id.0).remaining -= by;
        }
        gone
    }

    fn shrink_level(&mut self, side: Side, node: &Node, by: i64, gone: bool) {
        let levels = self.side_mut(side);
        if gone && node.previous == NONE && node.next == NONE {
            levels.remove(&node.price);
            return;
        }
        if let Some(queue) = levels.get_mut(&node.price) {
            queue.quantity -= i128::from(by);
            if gone && node.previous == NONE {
                queue.head = node.next;
            }
            if gone && node.next == NONE {
                queue.tail = node.previous;
            }
        }
    }

    fn release(&mut self, id: NodeId, node: &Node) {
        if node.previous != NONE {
            self.node_mut(node.previous).next = node.next;
        }
        if node.next != NONE {
            self.node_mut(node.next).previous = node.previous;
        }
        let free = self.free;
        self.node_mut(id.0).next = free;
        self.free = id.0;
    }

    /// A side's orders in the order in which a taker meets them.
    pub(crate) fn queue(&self, side: Side) -> impl Iterator<Item = &Node> {
        let (bids, asks) = match side {
            Side::Buy => (Some(self.bids.values().rev()), None),
            Side::Sell => (None, Some(self.asks.values())),
        };
        let levels = bids.into_iter().flatten().chain(asks.into_iter().flatten());
        levels.flat_map(move |queue| {
            let first = Some(self.node(NodeId(queue.head)));
            core::iter::successors(first, |node| (node.next != NONE).then(|| self.node(NodeId(node.next))))
        })
    }

    /// A side's levels, best first: price and quantity.
    pub(crate) fn levels(&self, side: Side) -> impl Iterator<Item = (i64, i128)> {
        let (bids, asks) = match side {
            Side::Buy => (Some(self.bids.iter().rev()), None),
            Side::Sell => (None, Some(self.asks.iter())),
        };
        bids.into_iter().flatten().chain(asks.into_iter().flatten()).map(|(price, queue)| (*price, queue.quantity))
    }
}

/// The other side.
pub(crate) const fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_keep_price_then_time_and_reuse_places() {
        let mut book = Book::new();
        let party = |order| Party::Wallet(0, order);
        let first = book.insert(Side::Sell, 101, 5, party(0));
        let second = book.insert(Side::Sell, 101, 7, party(1));
        book.insert(Side::Sell, 100, 1, party(2));
        let third = book.insert(Side::Sell, 101, 9, party(3));
        let order = |book: &Book| book.queue(Side::Sell).map(|node| node.remaining).collect::<Vec<_>>();
        assert_eq!(order(&book), [1, 5, 7, 9]);
        assert_eq!(book.levels(Side::Sell).collect::<Vec<_>>(), [(100, 1), (101, 21)]);

        book.remove(Side::Sell, second);
        assert!(!book.reduce(Side::Sell, first, 2));
        assert_eq!(order(&book), [1, 3, 9]);
        assert!(book.reduce(Side::Sell, first, 3));
        book.remove(Side::Sell, third);
        assert_eq!(book.levels(Side::Sell).collect::<Vec<_>>(), [(100, 1)]);
        book.insert(Side::Buy, 99, 4, party(4));
        book.insert(Side::Buy, 98, 4, party(5));
        book.insert(Side::Buy, 99, 6, party(6));
        assert_eq!(book.levels(Side::Buy).collect::<Vec<_>>(), [(99, 10), (98, 4)]);
        assert_eq!(book.nodes.len(), 4, "freed places are used again");
        assert_eq!(book.update_id, 11);
    }
}
