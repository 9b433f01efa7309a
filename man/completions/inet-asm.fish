complete -c inet-asm -s r -l read -d 'Capture to read; the same list as INPUT' -r
complete -c inet-asm -l sort-delay -d 'Put packets in timestamp order; each is held until another one is so much later [default: off]' -r
complete -c inet-asm -l sort-queue -d 'Put packets in timestamp order, and hold so many of them at most [default: off; 100,000 with --sort-delay]' -r
complete -c inet-asm -s w -l write -d 'Write messages as packets to a capture file [default: stdout]' -r
complete -c inet-asm -l dropped -d 'Write each packet that could not be used, as it was, with the reason as comment' -r
complete -c inet-asm -l bypass -d 'Write each input packet as it was, also the dropped ones' -r
complete -c inet-asm -s p -l print -d 'Print a line for each message' -r -f -a "brief\t'one line'
full\t'and header fields and the first 100 octets of the body'"
complete -c inet-asm -s j -l json -d 'Write one JSON object a line: messages, gaps, connections' -r
complete -c inet-asm -l json-body -d 'What the JSON shows of the octets of a message' -r -f -a "none\t'nothing'
text\t'UTF-8; what is none is replaced'
base64\t'base64'"
complete -c inet-asm -l dump -d 'Write a file for each stream, with its octets, into this folder' -r -F
complete -c inet-asm -l dump-name -d 'Names of the stream files' -r
complete -c inet-asm -s x -l extract -d 'Write the files that were transferred into this folder' -r -F
complete -c inet-asm -l connection -d 'Connections to write, for all outputs' -r
complete -c inet-asm -l encap -d 'Link layer of the packets written' -r -f -a "auto\t'Ethernet where the first input is Ethernet, else raw IP'
ethernet\t'Ethernet, with the addresses and VLAN tags of the input'
raw\t'raw IP'
pdu\t'no network: the message behind the name of Wireshark\'s dissector'"
complete -c inet-asm -l format -d 'Format of the capture files written' -r -f -a "pcap\t'pcap'
pcapng\t'pcapng, with the input\'s interfaces'"
complete -c inet-asm -l large -d 'What becomes of a message that is larger than an IP packet' -r -f -a "split\t'a train of full segments'
jumbo\t'one packet of up to 262,144 octets, a train beyond'
snap\t'one packet, cut at --max-message as a snapshot length does'"
complete -c inet-asm -l max-message -d 'Octets of a message in one packet, at most, with --large jumbo and snap [default: 262,144 less headers]' -r
complete -c inet-asm -l timestamps -d 'Timestamps: never going back, or as they were' -r -f -a "monotone\t'Never going back'
original\t'As they were'"
complete -c inet-asm -l protocols -d 'Hand on the messages of these protocols only' -r
complete -c inet-asm -l unframed -d 'What to do about octets of no known protocol' -r -f -a "emit\t'They are messages of the protocol `data`'
drop\t'They are counted only'"
complete -c inet-asm -s d -l decode-as -d 'Take connections or datagrams on these ports for this protocol, as tshark\'s option' -r
complete -c inet-asm -l framer -d 'Add a protocol: where its length stands, or what ends its messages' -r
complete -c inet-asm -l disable -d 'Transports whose IP datagrams are written unprocessed, but whole' -r
complete -c inet-asm -l vlan -d 'What copies of a packet on several channels (VLANs, tunnels) are to each other' -r -f -a "merge\t'one connection, where the numbers fit; a hole of one is filled from another'
first\t'one connection, which is followed where it was first seen'
separate\t'connections of their own'"
complete -c inet-asm -l decapsulate -d 'Tunnels to open: gre, erspan, vxlan, geneve, gtp, ipip, teredo, l2tp, sctp, or all [default: none]' -r
complete -c inet-asm -l checksums -d 'What to do about checksums, for all layers or one' -r
complete -c inet-asm -l overlap -d 'Which of two differing copies of an octet stays while it waits' -r -f -a "first\t'the octets that came first'
last\t'the newer ones, as long as they have not been delivered'"
complete -c inet-asm -l ip-packet-timeout -d 'How long a fragment waits for the others' -r
complete -c inet-asm -l tcp-packet-timeout -d 'How long a segment waits behind a hole where no acknowledgments are captured' -r
complete -c inet-asm -l sctp-packet-timeout -d 'How long a data chunk waits behind a hole where no acknowledgments are captured' -r
complete -c inet-asm -l session-timeout -d 'A connection or association that is idle for so long is closed' -r
complete -c inet-asm -l reorder-window -d 'Packets and time, or time alone, that go by before an acknowledged hole is given up' -r
complete -c inet-asm -l look-behind -d 'How long the beginning of a stream captured from the middle is held for earlier segments' -r
complete -c inet-asm -l tcp-buffer -d 'Octets that wait on one stream; then its first hole is given up' -r
complete -c inet-asm -l tcp-holes -d 'Holes in one stream; then the first is given up' -r
complete -c inet-asm -l max-gap -d 'A jump of the sequence number over this is no hole' -r
complete -c inet-asm -l max-file -d 'Size of an extracted file; octets beyond it are left out, and the list says so' -r
complete -c inet-asm -l memory-limit -d 'Memory for all that waits' -r
complete -c inet-asm -l max-connections -d 'Connections known at once, for each transport' -r
complete -c inet-asm -l max-active-packets -d 'Fragments and segments that wait, each of IP, TCP, SCTP' -r
complete -c inet-asm -s s -l stats -d 'Print the counters on stderr at the end' -r -f -a "text\t'aligned, with descriptions'
json\t'one object'
csv\t'a header line and a row'"
complete -c inet-asm -l sctp-stats -d 'Write statistics of SCTP links as CSV: 22 for each direction of an association, every 15 minutes of the capture' -r -F
complete -c inet-asm -l trace -d 'Say on stderr what becomes of each segment of the connections that RULE chooses' -r
complete -c inet-asm -l color -d 'Colour of --print' -r -f -a "auto\t'on a terminal, unless NO_COLOR is set'
always\t'always'
never\t'never'"
complete -c inet-asm -l completions -d 'Write completions for this shell to stdout' -r -f -a "bash\t''
elvish\t''
fish\t''
powershell\t''
zsh\t''"
complete -c inet-asm -s n -l no-output -d 'Write no messages'
complete -c inet-asm -l hash -d 'Show the SHA-256 of each whole message in the JSON'
complete -c inet-asm -s U -l packet-buffered -d 'Flush the output after each packet'
complete -c inet-asm -l fill-gaps -d 'Write zeros where octets are missing inside a message'
complete -c inet-asm -l info -d 'Write a comment to each message: protocol, summary, frames, gaps; means --format pcapng'
complete -c inet-asm -l track -d 'Write a comment to each packet that tells where its octets stood in the input; means --format pcapng'
complete -c inet-asm -l handshake -d 'Write SYN, FIN and RST packets for all connections'
complete -c inet-asm -l list-protocols -d 'List the protocols, with the ports that hint at them'
complete -c inet-asm -l store-fragments -d 'Keep the keys of whole datagrams until --ip-packet-timeout, to know late copies of their fragments'
complete -c inet-asm -l track-missing-chunks -d 'Remember each missing SCTP data chunk that was given up, so that late ones are told from duplicates'
complete -c inet-asm -l wait-ack -d 'Hold messages until the other side has acknowledged their octets, or the packet timeout'
complete -c inet-asm -s v -l verbose -d 'Say more; twice: even more'
complete -c inet-asm -s q -l quiet -d 'Say nothing but errors'
complete -c inet-asm -s h -d 'Show the options that people need most; --help shows all'
complete -c inet-asm -l help -d 'Show all options'
complete -c inet-asm -s V -l version -d 'Show the version'
complete -c inet-asm -l man -d 'Write the man page to stdout'
