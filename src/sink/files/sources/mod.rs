//! The table of sources.

mod dicom;
mod dotted;
mod ftp;
mod ftp_lines;
mod http;
mod imap;
mod mail;
mod smb;
mod smb_old;
mod smb_opens;
mod smb_words;
mod tftp;
mod websocket;

use super::source::{At, Event, FileSource};
use super::store::Store;
use crate::base::context::Context;
use crate::base::state::{Deserialize, Serialize};
use crate::message::events::DatagramMessage;
use crate::transport::datagram::DatagramContext;
use crate::transport::stream::StreamContext;

macro_rules! sources {
    ($( $(#[$doc:meta])* $field:ident: $Variant:ident($Source:ty); )*) => {
        /// What is kept of a connection.
        #[derive(Debug, Default, Serialize, Deserialize)]
        pub(super) enum Kept {
            /// The sources have not been asked yet whether they take it as a stream.
            #[default]
            New,
            /// No source has claimed it, and none has read a message of it.
            Free,
            $( $(#[$doc])* $Variant(Box<<$Source as FileSource>::Connection>), )*
        }

        /// The sources, with what they keep apart from connections.
        #[derive(Default, Serialize, Deserialize)]
        pub(super) struct Sources { $( $field: $Source, )* }

        impl Sources {
            /// Protocols that carry files.
            fn protocols(&self) -> Vec<&'static str> {
                let all: &[&[&'static str]] = &[$( self.$field.protocols() ),*];
                all.concat()
            }

            /// Asks each source whether it takes a new connection as a stream. True if one does.
            pub(super) fn claim<S>(
                &mut self,
                to: &mut StreamContext<'_, S>,
                kept: &mut Kept,
                store: &mut Store,
            ) -> bool {
                *kept = Kept::Free;
                $(
                    let mut own = None;
                    let claimed = self.$field.claims(&mut at(to, &mut own, store));
                    if let Some(own) = own {
                        *kept = Kept::$Variant(own);
                    }
                    if claimed {
                        return true;
                    }
                )*
                false
            }

            /// Whether the source that claimed a connection gives it up, because a message of a known protocol begins.
            pub(super) fn release<S>(
                &mut self,
                to: &mut StreamContext<'_, S>,
                kept: &mut Kept,
                store: &mut Store,
            ) -> bool {
                match std::mem::take(kept) {
                    Kept::New | Kept::Free => false,
                    $( Kept::$Variant(own) => {
                        let mut own = Some(own);
                        let released = self.$field.releases(&mut at(to, &mut own, store));
                        *kept = own.map_or(Kept::Free, Kept::$Variant);
                        released
                    } )*
                }
            }

            /// Chooses the source that reads messages of this protocol, and hands it the event. False where there is none,
            /// or where another one keeps something of the connection.
            pub(super) fn start<S>(
                &mut self,
                to: &mut StreamContext<'_, S>,
                kept: &mut Kept,
                store: &mut Store,
                protocol: &str,
                event: &Event<'_>,
            ) -> bool {
                $(
                    let mine = matches!(kept, Kept::Free | Kept::$Variant(_));
                    if mine && self.$field.protocols().contains(&protocol) {
                        let mut own = match std::mem::replace(kept, Kept::Free) {
                            Kept::$Variant(own) => Some(own),
                            _ => None,
                        };
                        self.$field.receive(&mut at(to, &mut own, store), event);
                        *kept = own.map_or(Kept::Free, Kept::$Variant);
                        return true;
                    }
                )*
                false
            }

            /// Hands an event to the source that keeps something of the connection.
            pub(super) fn receive<S>(
                &mut self,
                to: &mut StreamContext<'_, S>,
                kept: &mut Kept,
                store: &mut Store,
                event: &Event<'_>,
            ) {
                match std::mem::replace(kept, Kept::Free) {
                    none @ (Kept::New | Kept::Free) => *kept = none,
                    $( Kept::$Variant(own) => {
                        let mut own = Some(own);
                        self.$field.receive(&mut at(to, &mut own, store), event);
                        *kept = own.map_or(Kept::Free, Kept::$Variant);
                    } )*
                }
            }

            /// Hands a datagram to each source.
            pub(super) fn datagram(
                &mut self,
                store: &mut Store,
                at: &mut DatagramContext<'_>,
                message: &DatagramMessage<'_>,
            ) {
                $( self.$field.datagram(store, at, message); )*
            }

            /// Capture time has gone on.
            pub(super) fn tick(&mut self, cx: &mut Context, store: &mut Store) {
                $( self.$field.tick(cx, store); )*
            }

            /// The input has ended.
            pub(super) fn finish(&mut self, cx: &mut Context, store: &mut Store) {
                $( self.$field.finish(cx, store); )*
            }
        }
    };
}

sources! {
    /// HTTP/1.x.
    http: Http(http::Http);
    /// FTP.
    ftp: Ftp(ftp::Ftp);
    /// Mail over SMTP and POP3.
    mail: Mail(mail::Mail);
    /// Mail over IMAP.
    imap: Imap(imap::Imap);
    /// SMB.
    smb: Smb(smb::Smb);
    /// DICOM.
    dicom: Dicom(dicom::Dicom);
    /// WebSocket.
    websocket: Websocket(websocket::Websocket);
    /// TFTP, which keeps nothing with a connection.
    tftp: Tftp(tftp::Tftp);
}

/// Protocols that carry files, by Wireshark's names.
pub fn file_protocols() -> Vec<&'static str> {
    Sources::default().protocols()
}

fn at<'a, S, Connection>(
    to: &'a mut StreamContext<'_, S>,
    kept: &'a mut Option<Box<Connection>>,
    store: &'a mut Store,
) -> At<'a, Connection> {
    At {
        cx: to.cx,
        flow: to.flow,
        sides: to.sides,
        direction: to.direction,
        kept,
        store,
    }
}
