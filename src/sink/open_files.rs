//! The names of files that messages are about, where only the first of them says it: of SMB2, a number stands for a file that was
//! opened by its name.

use crate::base::context::Context;
use crate::base::state::{Deserialize, Serialize};
use crate::message::{FileUse, MessageStart, escape, file_use};
use std::collections::VecDeque;

/// Files of a connection that are remembered; for one more the oldest is forgotten. Clients have some dozens open at once.
const OPEN: usize = 256;
/// Requests about them that wait for their answers, likewise.
const ASKED: usize = 64;

/// What is kept of a connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct OpenFiles {
    /// Numbers of requests, and names of their files.
    asked: VecDeque<(u64, String)>,
    /// Files by their handles.
    open: VecDeque<([u8; 16], String)>,
    /// Octets of memory that were counted.
    counted: usize,
}

/// Octets of memory of a name that is kept.
fn size(name: &str) -> usize {
    size_of::<([u8; 16], String)>() + name.len()
}

impl OpenFiles {
    /// A message begins: the name of the file that it is about, escaped, where it does not say that itself.
    pub(super) fn message(&mut self, cx: &mut Context, start: &MessageStart<'_>) -> Option<String> {
        match file_use(start.protocol, start.kind, start.head)? {
            FileUse::Asks { number, name } => {
                let mut text = String::new();
                escape(name.as_bytes(), &mut text);
                self.ask(cx, number, text);
                None
            }
            FileUse::Opens { number, handle } => {
                let name = self.answer(cx, number)?;
                if let Some(handle) = handle {
                    self.forget(cx, handle);
                    if self.open.len() >= OPEN
                        && let Some((_, oldest)) = self.open.pop_front()
                    {
                        self.give(cx, &oldest);
                    }
                    self.take(cx, &name);
                    self.open.push_back((handle, name.clone()));
                }
                Some(name)
            }
            FileUse::About {
                number,
                handle,
                last,
            } => {
                let mut all = self.open.iter();
                let name = all.find(|(known, _)| *known == handle)?.1.clone();
                if last {
                    self.forget(cx, handle);
                }
                self.ask(cx, number, name.clone());
                Some(name)
            }
            FileUse::Answers { number } => self.answer(cx, number),
        }
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self, cx: &mut Context) {
        cx.budget.give(self.counted);
        *self = Self::default();
    }

    fn take(&mut self, cx: &mut Context, name: &str) {
        cx.budget.take(size(name));
        self.counted += size(name);
    }

    fn give(&mut self, cx: &mut Context, name: &str) {
        cx.budget.give(size(name));
        self.counted -= size(name);
    }

    /// A request waits for its answer.
    fn ask(&mut self, cx: &mut Context, number: u64, name: String) {
        if self.asked.len() >= ASKED
            && let Some((_, oldest)) = self.asked.pop_front()
        {
            self.give(cx, &oldest);
        }
        self.take(cx, &name);
        self.asked.push_back((number, name));
    }

    /// The file of the request that is answered.
    fn answer(&mut self, cx: &mut Context, number: u64) -> Option<String> {
        // The latest first: numbers may come again.
        let place = self.asked.iter().rposition(|(asked, _)| *asked == number)?;
        let (_, name) = self.asked.remove(place)?;
        self.give(cx, &name);
        Some(name)
    }

    fn forget(&mut self, cx: &mut Context, handle: [u8; 16]) {
        let place = self.open.iter().position(|(known, _)| *known == handle);
        if let Some((_, name)) = place.and_then(|place| self.open.remove(place)) {
            self.give(cx, &name);
        }
    }
}
