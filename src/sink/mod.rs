//! Outputs: where messages go.
//!
//! [`Outputs`] is all of them together; it is the [`MessageSink`] at the end of the pipeline. Adding an output is one file,
//! with what it does of `events::Output`, and one row of the table here. A scheme by which an output is opened is one row
//! of the table in `output.rs`.

mod by_protocol;
mod events;
mod file;
pub mod files;
pub mod json;
mod json_line;
pub mod options;
mod originals;
pub mod output;
pub mod packets;
mod pcap;
mod pcapng;
mod pdu;
pub mod print;
pub mod raw;
pub mod sctp_stats;
mod synthetic;
#[cfg(test)]
mod tests;
mod track;

use crate::base::connection_rule::ConnectionRule;
use crate::base::context::Context;
use crate::base::counters::Discard;
use crate::base::flow::Flow;
use crate::base::packet::{Interface, LinkType, Packet};
use crate::base::stream::{Chunk, Close, Duplicate, Gap};
use crate::ip::Datagram;
use crate::message::sink::DatagramMessage;
use crate::message::{MessageEnd, MessageGap, MessageSink, MessageStart, Piece};
use crate::transport::datagram::DatagramContext;
use crate::transport::sctp::{AssociationContext, UserMessage};
use crate::transport::stream::StreamContext;
use events::{Output, flush_all};
pub use file::Format;
use files::Files;
use json::Json;
use options::{Options, What};
use originals::Originals;
pub use output::{Error, Target, Writer};
use packets::Packets;
pub use packets::{Encap, Form, Large};
use print::Print;
use raw::Dump;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;

/// The table: each row makes a field of [`Outputs`] and one of [`State`], and has every event told to it.
macro_rules! outputs {
    ($( $(#[$doc:meta])* $name:ident: $Output:ty; )*) => {
        /// What the outputs keep with a connection: nothing before its first message begins.
        #[derive(Debug, Default, Serialize, Deserialize)]
        pub struct State {
            $( $name: <$Output as Output>::State, )*
        }

        /// All outputs that were opened.
        #[derive(Default)]
        pub struct Outputs {
            $( $(#[$doc])* $name: $Output, )*
            /// `--connection`: what is chosen, for all outputs.
            choice: Option<ConnectionRule>,
        }

        impl Outputs {
            /// The first input's header is known: file headers are written. Later calls change nothing.
            pub fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
                $( self.$name.begin(link_type, nanoseconds); )*
            }

            /// These are all interfaces of the input until now. pcapng outputs describe them before the first packet of
            /// each.
            pub fn interfaces(&mut self, all: &[Interface]) {
                $( self.$name.interfaces(all); )*
            }

            /// Writes all that is buffered. Breaks when nobody reads stdout any more.
            ///
            /// # Errors
            ///
            /// The first error of any output since the last call.
            pub fn flush(&mut self) -> Result<ControlFlow<()>, Error> {
                flush_all([$( self.$name.flush(), )*].into_iter())
            }

            /// Writes all that is left, at the end of the run.
            ///
            /// # Errors
            ///
            /// As [`Outputs::flush`].
            pub fn finish(&mut self) -> Result<ControlFlow<()>, Error> {
                let flow = self.flush();
                let mut all = Ok(());
                $( all = all.and(self.$name.finish()); )*
                all.and(flow)
            }

            /// A message was written.
            fn count(&self, cx: &mut Context) {
                cx.counters.output.messages += u64::from(false $(|| self.$name.counts())*);
            }
        }

        impl MessageSink for Outputs {
            type State = State;

            fn start(&mut self, at: &mut StreamContext<'_, State>, start: &MessageStart<'_>) {
                if self.takes(at.flow) {
                    $( self.$name.start(&mut at.with(|s| &mut s.$name), start); )*
                }
            }

            fn data(&mut self, at: &mut StreamContext<'_, State>, piece: &Piece<'_>) {
                if self.takes(at.flow) {
                    $( self.$name.data(&mut at.with(|s| &mut s.$name), piece); )*
                }
            }

            fn gap(&mut self, at: &mut StreamContext<'_, State>, gap: &MessageGap) {
                if self.takes(at.flow) {
                    $( self.$name.gap(&mut at.with(|s| &mut s.$name), gap); )*
                }
            }

            fn end(&mut self, at: &mut StreamContext<'_, State>, end: &MessageEnd) {
                if self.takes(at.flow) {
                    $( self.$name.end(&mut at.with(|s| &mut s.$name), end); )*
                    self.count(at.cx);
                }
            }

            fn datagram(&mut self, at: &mut DatagramContext<'_>, message: &DatagramMessage<'_>) {
                if self.takes(at.flow) {
                    $( self.$name.datagram(at, message); )*
                    self.count(at.cx);
                }
            }

            fn unprocessed(&mut self, cx: &mut Context, datagram: &Datagram<'_>) {
                $( self.$name.unprocessed(cx, datagram); )*
            }

            fn user_message(
                &mut self,
                at: &mut AssociationContext<'_, State>,
                message: &UserMessage<'_>,
                protocol: &'static str,
            ) {
                if self.takes(at.flow) {
                    $( self.$name.user_message(&mut at.with(|s| &mut s.$name), message, protocol); )*
                    self.count(at.cx);
                }
            }

            fn association_end(&mut self, at: &mut AssociationContext<'_, State>, close: Close) {
                $( self.$name.association_end(&mut at.with(|s| &mut s.$name), close); )*
            }

            fn input_end(&mut self, cx: &mut Context) {
                $( self.$name.input_end(cx); )*
                self.tell_files();
            }

            fn packet(&mut self, cx: &mut Context, packet: &Packet<'_>, dropped: Option<Discard>) {
                $( self.$name.packet(cx, packet, dropped); )*
                self.tell_files();
            }

            fn stream_arrival(&mut self, at: &mut StreamContext<'_, State>, chunk: &Chunk<'_>) {
                if self.takes(at.flow) {
                    $( self.$name.stream_arrival(&mut at.with(|s| &mut s.$name), chunk); )*
                }
            }

            fn stream_data(&mut self, at: &mut StreamContext<'_, State>, chunk: &Chunk<'_>) {
                if self.takes(at.flow) {
                    $( self.$name.stream_data(&mut at.with(|s| &mut s.$name), chunk); )*
                }
            }

            fn stream_duplicate(
                &mut self,
                at: &mut StreamContext<'_, State>,
                duplicate: &Duplicate,
            ) {
                if self.takes(at.flow) {
                    $( self.$name.stream_duplicate(&mut at.with(|s| &mut s.$name), duplicate); )*
                }
            }

            fn stream_gap(&mut self, at: &mut StreamContext<'_, State>, gap: &Gap) {
                if self.takes(at.flow) {
                    $( self.$name.stream_gap(&mut at.with(|s| &mut s.$name), gap); )*
                }
            }

            fn stream_end(&mut self, at: &mut StreamContext<'_, State>, close: Close) {
                $( self.$name.stream_end(&mut at.with(|s| &mut s.$name), close); )*
            }

            fn closed(&mut self, at: &mut StreamContext<'_, State>, close: Close) {
                $( self.$name.closed(&mut at.with(|s| &mut s.$name), close); )*
            }
        }
    };
}

outputs! {
    /// Messages as packets.
    packets: by_protocol::All;
    /// Packets of the input as they were.
    originals: originals::All;
    /// A line for each message.
    print: Option<Print>;
    /// `--dump -`: the chosen streams, as they come.
    raw: Option<raw::Stdout>;
    /// A file for each stream.
    dump: Option<Dump>;
    /// An object for each message and more.
    json: Option<Json>;
    /// The files that were transferred.
    files: Option<Files>;
}

impl Outputs {
    /// No outputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens what `config` asks for. None of them may be one of `inputs`, which are paths.
    ///
    /// # Errors
    ///
    /// The first output that cannot be opened.
    pub fn open(config: &Options, inputs: &[&str]) -> Result<Self, Error> {
        let mut outputs = Self::new();
        let raw = config.dump.as_ref().filter(|d| d.dir.as_os_str() == "-");
        let names = config.outputs.iter().map(|o| o.target.name.as_str());
        for name in names
            .chain(config.print.map(|_| "-"))
            .chain(raw.map(|_| "-"))
            .chain(config.json.as_ref().map(|j| j.target.name.as_str()))
        {
            output::refuse_input(name, inputs)?;
        }
        for spec in &config.outputs {
            let to = output::open(&spec.target)?;
            let name = output::shown(&spec.target.name);
            match spec.what {
                What::Messages => outputs.messages(name, to, spec.form, spec.protocols.clone()),
                What::Dropped => outputs.originals(name, to, spec.form, true),
                What::Bypass => outputs.originals(name, to, spec.form, false),
            }
        }
        if let Some(p) = config.print {
            let to = output::open(&Target::stdout())?;
            outputs.print(output::shown("-"), to, p.style, p.color, p.packet_buffered);
        }
        match &config.dump {
            Some(d) if d.dir.as_os_str() == "-" => {
                let to = output::open(&Target::stdout())?;
                outputs.raw = Some(raw::Stdout::new(
                    output::shown("-"),
                    to,
                    config.connection.clone(),
                    d.packet_buffered,
                ));
            }
            Some(d) => outputs.dump(&d.dir, d.template.clone())?,
            None => {}
        }
        if let Some(j) = &config.json {
            let to = output::open(&j.target)?;
            let name = output::shown(&j.target.name);
            outputs.json(name, to, j.show, j.packet_buffered);
        }
        if let Some(e) = &config.extract {
            outputs.extract(&e.dir, e.max_file)?;
        }
        outputs.choice.clone_from(&config.connection);
        Ok(outputs)
    }

    /// Adds the output of stream files.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn dump(&mut self, dir: &Path, template: raw::Template) -> Result<(), Error> {
        self.dump = Some(Dump::new(dir, template)?);
        Ok(())
    }

    /// Adds the output of transferred files, of which none becomes larger than `max_file` octets.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, or its list not be opened.
    pub fn extract(&mut self, dir: &Path, max_file: u64) -> Result<(), Error> {
        self.files = Some(Files::new(dir, max_file)?);
        self.join();
        Ok(())
    }

    /// Adds an output of packets that is called `name` in errors.
    pub fn packets(&mut self, name: &str, to: Writer, form: Form) {
        self.messages(name, to, form, Vec::new());
    }

    /// Adds an output of packets for the messages of these protocols, by Wireshark's names; without any, for those that
    /// no other output names.
    pub fn messages(&mut self, name: &str, to: Writer, form: Form, protocols: Vec<String>) {
        self.packets.0.push(Packets::new(name, to, form, protocols));
    }

    /// Adds an output of the input's own packets: all of them, or those that could not be used, with the reason.
    pub fn originals(&mut self, name: &str, to: Writer, form: Form, dropped: bool) {
        let (format, each) = (form.format, form.packet_buffered);
        self.originals
            .0
            .push(Originals::new(name, to, format, dropped, each));
    }

    /// Adds the output that prints a line for each message.
    pub fn print(
        &mut self,
        name: &str,
        to: Writer,
        style: print::Style,
        color: bool,
        packet_buffered: bool,
    ) {
        self.print = Some(Print::new(name, to, style, color, packet_buffered));
    }

    /// Adds the output of JSON lines.
    pub fn json(&mut self, name: &str, to: Writer, show: json::Show, packet_buffered: bool) {
        self.json = Some(Json::new(name, to, show, packet_buffered));
        self.join();
    }

    /// `--json` tells of the files of `--extract`, where there are both.
    fn join(&mut self) {
        if let (Some(_), Some(files)) = (&self.json, &mut self.files) {
            files.keep_lines();
        }
    }

    fn tell_files(&mut self) {
        if let (Some(json), Some(files)) = (&mut self.json, &mut self.files) {
            json.files(&files.take_lines());
        }
    }

    /// The outputs take this connection.
    fn takes(&self, flow: &Flow) -> bool {
        self.choice.as_ref().is_none_or(|c| c.takes(flow))
    }
}
