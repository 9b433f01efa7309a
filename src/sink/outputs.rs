//! All outputs together, and the table of them.

use super::files::Files;
use super::json::{self, Json};
use super::options::{OutputKind, OutputOptions};
use super::output::{Output, flush_all, forward_events};
use super::packets::{OriginalOutput, OriginalOutputs, PacketOptions, PacketOutput, PacketOutputs};
use super::print::{self, Print};
use super::streams::{Dump, DumpToStdout, Template};
use super::writer::{self, OutputError, Target, Writer};
use crate::base::connection_rule::ConnectionRule;
use crate::base::context::Context;
use crate::base::flow::Flow;
use crate::base::packet::{Interface, LinkType};
use crate::message::MessageSink;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::Path;

/// Makes the table of outputs: each row is a field of [`OutputTable`] and one of [`OutputState`], and gets every event.
macro_rules! outputs {
    ($( $(#[$doc:meta])* $name:ident: $Output:ty; )*) => {
        /// What the outputs keep with a connection: nothing before its first message begins.
        #[derive(Debug, Default, Serialize, Deserialize)]
        pub struct OutputState {
            $( $name: <$Output as MessageSink>::State, )*
        }

        /// The outputs, whatever `--connection` says.
        #[derive(Default)]
        pub(super) struct OutputTable {
            $( $(#[$doc])* pub(super) $name: $Output, )*
        }

        impl MessageSink for OutputTable {
            type State = OutputState;

            forward_events!(to_rows [$($name)*]);
        }

        impl Output for OutputTable {
            fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
                $( self.$name.begin(link_type, nanoseconds); )*
            }

            fn interfaces(&mut self, all: &[Interface]) {
                $( self.$name.interfaces(all); )*
            }

            fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
                flush_all([$( self.$name.flush(), )*].into_iter())
            }

            fn finish(&mut self) -> Result<(), OutputError> {
                let mut all = Ok(());
                $( all = all.and(self.$name.finish()); )*
                all
            }

            fn counts(&self) -> bool {
                false $(|| self.$name.counts())*
            }
        }
    };
}

/// For [`forward_events`]: to each row, with the row's own state.
macro_rules! to_rows {
    ([] $kind:ident $self:ident $at:ident $event:ident $args:tt) => {};
    ([$name:ident $($more:ident)*] state $self:ident $at:ident $event:ident($($arg:ident),*)) => {
        $self.$name.$event(&mut $at.with(|s| &mut s.$name) $(, $arg)*);
        to_rows!([$($more)*] state $self $at $event($($arg),*));
    };
    ([$name:ident $($more:ident)*] plain $self:ident $at:ident $event:ident($($arg:ident),*)) => {
        $self.$name.$event($at $(, $arg)*);
        to_rows!([$($more)*] plain $self $at $event($($arg),*));
    };
}

outputs! {
    /// Messages as packets.
    packets: PacketOutputs;
    /// Packets of the input as they were.
    originals: OriginalOutputs;
    /// A line for each message.
    print: Option<Print>;
    /// `--dump -`: the chosen streams, as they come.
    raw: Option<DumpToStdout>;
    /// A file for each stream.
    dump: Option<Dump>;
    /// An object for each message and more.
    json: Option<Json>;
    /// The files that were transferred.
    files: Option<Files>;
}

/// All outputs that were opened.
#[derive(Default)]
pub struct Outputs {
    pub(super) table: OutputTable,
    /// `--connection`: the connections that all outputs get; all where there is none.
    choice: Option<ConnectionRule>,
}

/// For [`forward_events`]: to the table, if the connection is chosen.
macro_rules! to_chosen {
    // Written messages are counted.
    ([] $kind:ident $self:ident $at:ident end $args:tt) => { to_chosen!(count $self $at end $args) };
    ([] $kind:ident $self:ident $at:ident datagram $args:tt) => { to_chosen!(count $self $at datagram $args) };
    ([] $kind:ident $self:ident $at:ident user_message $args:tt) => {
        to_chosen!(count $self $at user_message $args)
    };
    // Outputs drop what they keep with a connection: it costs less to end what was never begun than to look again whether
    // the connection is chosen.
    ([] $kind:ident $self:ident $at:ident stream_end $args:tt) => { to_chosen!(all $self $at stream_end $args) };
    ([] $kind:ident $self:ident $at:ident closed $args:tt) => { to_chosen!(all $self $at closed $args) };
    ([] $kind:ident $self:ident $at:ident association_end $args:tt) => {
        to_chosen!(all $self $at association_end $args)
    };
    // These belong to no connection.
    ([] $kind:ident $self:ident $at:ident unprocessed $args:tt) => { to_chosen!(all $self $at unprocessed $args) };
    ([] $kind:ident $self:ident $at:ident packet $args:tt) => {
        to_chosen!(all $self $at packet $args);
        $self.list_files();
    };
    ([] $kind:ident $self:ident $at:ident input_end $args:tt) => {
        to_chosen!(all $self $at input_end $args);
        $self.list_files();
    };
    ([] $kind:ident $self:ident $at:ident $event:ident $args:tt) => {
        if $self.takes($at.flow) {
            to_chosen!(all $self $at $event $args);
        }
    };
    (count $self:ident $at:ident $event:ident $args:tt) => {
        if $self.takes($at.flow) {
            to_chosen!(all $self $at $event $args);
            $self.count($at.cx);
        }
    };
    (all $self:ident $at:ident $event:ident($($arg:ident),*)) => {
        $self.table.$event($at $(, $arg)*)
    };
}

impl MessageSink for Outputs {
    type State = OutputState;

    forward_events!(to_chosen []);
}

impl Outputs {
    /// The first input's header is known: file headers are written. Later calls change nothing.
    pub fn begin(&mut self, link_type: LinkType, nanoseconds: bool) {
        self.table.begin(link_type, nanoseconds);
    }

    /// These are all interfaces of the input until now. pcapng outputs describe them before the first packet of each.
    pub fn interfaces(&mut self, all: &[Interface]) {
        self.table.interfaces(all);
    }

    /// Writes all that is buffered. Breaks when nobody reads stdout any more.
    ///
    /// # Errors
    ///
    /// The first error of any output since the last call.
    pub fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        self.table.flush()
    }

    /// Writes all that is left, at the end of the run.
    ///
    /// # Errors
    ///
    /// As [`Outputs::flush`].
    pub fn finish(&mut self) -> Result<ControlFlow<()>, OutputError> {
        let flow = self.flush();
        self.table.finish().and(flow)
    }

    /// A message was written.
    fn count(&self, cx: &mut Context) {
        cx.counters.output.messages += u64::from(self.table.counts());
    }
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
    pub fn open(config: &OutputOptions, inputs: &[&str]) -> Result<Self, OutputError> {
        let mut outputs = Self::new();
        let raw = config.dump.as_ref().filter(|d| d.dir.as_os_str() == "-");
        let names = config.outputs.iter().map(|o| o.target.name.as_str());
        for name in names
            .chain(config.print.map(|_| "-"))
            .chain(raw.map(|_| "-"))
            .chain(config.json.as_ref().map(|j| j.target.name.as_str()))
        {
            writer::refuse_input(name, inputs)?;
        }
        for spec in &config.outputs {
            let to = writer::open(&spec.target)?;
            let name = writer::shown(&spec.target.name);
            match spec.what {
                OutputKind::Messages => {
                    outputs.messages(name, to, spec.form, spec.protocols.clone())
                }
                OutputKind::Dropped => outputs.originals(name, to, spec.form, true),
                OutputKind::Bypass => outputs.originals(name, to, spec.form, false),
            }
        }
        if let Some(p) = config.print {
            let to = writer::open(&Target::stdout())?;
            outputs.print(writer::shown("-"), to, p.style, p.color, p.packet_buffered);
        }
        match &config.dump {
            Some(d) if d.dir.as_os_str() == "-" => {
                let to = writer::open(&Target::stdout())?;
                outputs.table.raw = Some(DumpToStdout::new(
                    writer::shown("-"),
                    to,
                    config.connection.clone(),
                    d.packet_buffered,
                ));
            }
            Some(d) => outputs.dump(&d.dir, d.template.clone())?,
            None => {}
        }
        if let Some(j) = &config.json {
            let to = writer::open(&j.target)?;
            let name = writer::shown(&j.target.name);
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
    pub fn dump(&mut self, dir: &Path, template: Template) -> Result<(), OutputError> {
        self.table.dump = Some(Dump::new(dir, template)?);
        Ok(())
    }

    /// Adds the output of transferred files, of which none becomes larger than `max_file` octets.
    ///
    /// # Errors
    ///
    /// The folder cannot be made, or its list not be opened.
    pub fn extract(&mut self, dir: &Path, max_file: u64) -> Result<(), OutputError> {
        self.table.files = Some(Files::new(dir, max_file)?);
        self.join();
        Ok(())
    }

    /// Adds an output of packets that is called `name` in errors.
    pub fn packets(&mut self, name: &str, to: Writer, form: PacketOptions) {
        self.messages(name, to, form, Vec::new());
    }

    /// Adds an output of packets for the messages of these protocols, by Wireshark's names; without any, for those that
    /// no other output names.
    pub fn messages(
        &mut self,
        name: &str,
        to: Writer,
        form: PacketOptions,
        protocols: Vec<String>,
    ) {
        self.table
            .packets
            .0
            .push(PacketOutput::new(name, to, form, protocols));
    }

    /// Adds an output of the input's own packets: all of them, or those that could not be used, with the reason.
    pub fn originals(&mut self, name: &str, to: Writer, form: PacketOptions, dropped: bool) {
        let (format, each) = (form.format, form.packet_buffered);
        self.table
            .originals
            .0
            .push(OriginalOutput::new(name, to, format, dropped, each));
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
        self.table.print = Some(Print::new(name, to, style, color, packet_buffered));
    }

    /// Adds the output of JSON lines.
    pub fn json(&mut self, name: &str, to: Writer, show: json::Show, packet_buffered: bool) {
        self.table.json = Some(Json::new(name, to, show, packet_buffered));
        self.join();
    }

    /// `--json` lists the files of `--extract`, if there are both.
    fn join(&mut self) {
        if let (Some(_), Some(files)) = (&self.table.json, &mut self.table.files) {
            files.keep_lines();
        }
    }

    #[inline] // asked for every packet, and nothing to do for nearly all
    fn list_files(&mut self) {
        if let (Some(json), Some(files)) = (&mut self.table.json, &mut self.table.files) {
            json.files(&files.take_lines());
        }
    }

    /// The outputs take this connection.
    fn takes(&self, flow: &Flow) -> bool {
        self.choice.as_ref().is_none_or(|c| c.takes(flow))
    }
}
