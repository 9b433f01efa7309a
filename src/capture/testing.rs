//! Captures made by hand, for tests.

/// Packets as tests compare them: time in nanoseconds, octets, original length.
pub(crate) type TestPackets = Vec<(u64, Vec<u8>, u32)>;

/// Octets with the ends of all records in them, so that a test knows what is left when they are cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestCapture {
    pub(crate) octets: Vec<u8>,
    /// Where each record or block ends, and how many packets there are up to there.
    pub(crate) ends: Vec<(usize, u64)>,
    /// Every packet.
    pub(crate) packets: TestPackets,
    /// Octets of the first file header.
    pub(crate) header: usize,
    big_endian: bool,
    nanoseconds: bool,
    modified: bool,
}

impl TestCapture {
    /// A pcap file of Ethernet with this magic number.
    pub(crate) fn pcap(magic: u32, big_endian: bool) -> Self {
        Self::pcap_of(magic, big_endian, 1)
    }

    /// A pcap file with this link type word.
    pub(crate) fn pcap_of(magic: u32, big_endian: bool, link: u32) -> Self {
        let mut c = Self {
            big_endian,
            nanoseconds: magic == 0xa1b2_3c4d,
            modified: magic == 0xa1b2_cd34,
            ..Self::default()
        };
        c.u32(magic).u16(2).u16(4).u32(0).u32(0).u32(96).u32(link);
        c.header = c.octets.len();
        c.end(0)
    }

    /// A pcapng file with one section and one Ethernet interface in microseconds.
    pub(crate) fn pcapng(big_endian: bool) -> Self {
        let mut c = Self {
            big_endian,
            ..Self::default()
        };
        c = c.section();
        c.header = c.octets.len();
        c.interface(1, &[])
    }

    pub(crate) fn u16(&mut self, n: u16) -> &mut Self {
        let octets = if self.big_endian {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        };
        self.octets.extend(octets);
        self
    }

    pub(crate) fn u32(&mut self, n: u32) -> &mut Self {
        let octets = if self.big_endian {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        };
        self.octets.extend(octets);
        self
    }

    fn end(mut self, packets: u64) -> Self {
        let before = self.ends.last().map_or(0, |e| e.1);
        self.ends.push((self.octets.len(), before + packets));
        self
    }

    /// A pcap record.
    pub(crate) fn record(mut self, nanos: u64, data: &[u8], orig_len: u32) -> Self {
        let len = u32::try_from(data.len()).unwrap();
        let fraction = nanos % 1_000_000_000 / if self.nanoseconds { 1 } else { 1000 };
        self.u32((nanos / 1_000_000_000).try_into().unwrap())
            .u32(fraction.try_into().unwrap())
            .u32(len)
            .u32(orig_len);
        if self.modified {
            self.u32(7).u32(0);
        }
        self.octets.extend(data);
        self.packets.push((nanos, data.to_vec(), orig_len));
        self.end(1)
    }

    /// A block with this body, padded.
    pub(crate) fn block(mut self, kind: u32, body: impl FnOnce(&mut Self), packets: u64) -> Self {
        let from = self.octets.len();
        self.u32(kind).u32(0);
        body(&mut self);
        while !self.octets.len().is_multiple_of(4) {
            self.octets.push(0);
        }
        let len = u32::try_from(self.octets.len() - from + 4).unwrap();
        self.u32(len);
        let last: [u8; 4] = *self.octets.last_chunk().unwrap();
        self.octets[from + 4..from + 8].copy_from_slice(&last);
        self.end(packets)
    }

    pub(crate) fn section(self) -> Self {
        self.block(
            0x0a0d_0d0a,
            |c| {
                c.u32(0x1a2b_3c4d).u16(1).u16(0).u32(!0).u32(!0);
            },
            0,
        )
    }

    pub(crate) fn interface(self, link: u16, options: &[(u16, &[u8])]) -> Self {
        self.block(
            1,
            |c| {
                c.u16(link).u16(0).u32(96);
                c.options(options);
            },
            0,
        )
    }

    fn options(&mut self, options: &[(u16, &[u8])]) {
        for (code, value) in options {
            self.u16(*code).u16(value.len().try_into().unwrap());
            self.octets.extend(*value);
            self.octets
                .extend(&[0; 3][..value.len().next_multiple_of(4) - value.len()]);
        }
        if !options.is_empty() {
            self.u32(0);
        }
    }

    /// An Enhanced Packet Block; `ticks` are in the interface's unit, `nanos` is what they mean.
    pub(crate) fn enhanced(
        mut self,
        interface: u32,
        ticks: u64,
        nanos: u64,
        data: &[u8],
        options: &[(u16, &[u8])],
    ) -> Self {
        let len = u32::try_from(data.len()).unwrap();
        self.packets.push((nanos, data.to_vec(), len));
        self.block(
            6,
            |c| {
                c.u32(interface)
                    .u32((ticks >> 32) as u32)
                    .u32((ticks & 0xffff_ffff) as u32)
                    .u32(len)
                    .u32(len);
                c.octets.extend(data);
                c.octets
                    .extend(&[0; 3][..data.len().next_multiple_of(4) - data.len()]);
                c.options(options);
            },
            1,
        )
    }

    /// Another capture behind this one.
    pub(crate) fn then(mut self, other: &Self) -> Self {
        let (at, packets) = (self.octets.len(), self.packets.len() as u64);
        self.octets.extend(&other.octets);
        self.ends
            .extend(other.ends.iter().map(|(o, p)| (at + o, packets + p)));
        self.packets.extend(other.packets.iter().cloned());
        self
    }
}

/// One small capture of every format.
pub(crate) fn samples() -> Vec<(&'static str, TestCapture)> {
    let mut all = Vec::new();
    for (name, magic, big) in [
        ("us le", 0xa1b2_c3d4, false),
        ("us be", 0xa1b2_c3d4, true),
        ("ns le", 0xa1b2_3c4d, false),
        ("ns be", 0xa1b2_3c4d, true),
        ("modified le", 0xa1b2_cd34, false),
        ("modified be", 0xa1b2_cd34, true),
    ] {
        let nanos = if magic == 0xa1b2_3c4d { 789 } else { 0 };
        let c = TestCapture::pcap(magic, big)
            .record(1_700_000_000_123_456_000 + nanos, b"first", 5)
            .record(1_700_000_001_000_000_000, b"", 60)
            .record(1_700_000_001_999_999_000, &[0x5a; 150], 1500);
        all.push((name, c));
    }
    for (name, big) in [("pcapng le", false), ("pcapng be", true)] {
        let eight = |n: u64| {
            if big {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        };
        let four = |n: u32| {
            if big {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        };
        let c = TestCapture::pcapng(big)
            .enhanced(
                0,
                1_700_000_000_123_456,
                1_700_000_000_123_456_000,
                b"first",
                &[],
            )
            .interface(101, &[(2, b"eth7"), (9, &[9]), (14, &eight(1_000_000_000))])
            .block(0x8000_0001, |c| c.octets.extend(b"who knows"), 0)
            .enhanced(
                1,
                700_000_000_000_000_007,
                1_700_000_000_000_000_007,
                b"second!",
                &[(1, b"a comment"), (2, &four(0x81)), (4, &eight(3))],
            )
            .section()
            .interface(113, &[(9, &[0x80 | 10])])
            .enhanced(
                0,
                1_700_000_001 << 10 | 512,
                1_700_000_001_500_000_000,
                b"third",
                &[],
            );
        all.push((name, c));
    }
    all
}
