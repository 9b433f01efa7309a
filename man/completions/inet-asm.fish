complete -c inet-asm -s r -l read -d 'The same as INPUT' -r -F
complete -c inet-asm -l sort-delay -d 'Sort packets by timestamp, holding each until one this much later arrives [default: off]' -r
complete -c inet-asm -l sort-queue -d 'Sort packets by timestamp, holding at most N of them [default: off; 100,000 with --sort-delay]' -r
complete -c inet-asm -s w -l write -d 'Write messages as packets to a capture file [default: stdout]' -r
complete -c inet-asm -l dropped -d 'Write each packet that could not be used, as it was, with the reason as a comment' -r
complete -c inet-asm -l bypass -d 'Write every input packet as it was, the dropped ones included' -r
complete -c inet-asm -s p -l print -d 'Print a line for each message' -r -f -a "brief\t'one line'
full\t'and header fields and the body'"
complete -c inet-asm -l follow -d 'Show connections as conversations: --follow RULE, --follow=hex RULE, --follow=raw RULE' -r
complete -c inet-asm -l follow-form -d 'What --follow=FORM RULE stands for' -r -f -a "text\t'text, and hex dumps of what is none'
hex\t'hex dumps'
raw\t'the bytes alone'"
complete -c inet-asm -l table -d 'Print a table for scripts: a row for each message, or what NAME says; columns are separated by tabs' -r -f -a "messages\t'a row for each message'
http\t'a row for each request of HTTP, with its response'
dns\t'a row for each query of DNS, with its answer'
connections\t'a row for each connection'
protocols\t'a row for each protocol'
files\t'a row for each file that --extract writes'"
complete -c inet-asm -l fields -d 'Columns of --table, in order' -r
complete -c inet-asm -s j -l json -d 'Write one JSON object a line: messages, gaps, connections' -r
complete -c inet-asm -l json-body -d 'How message bodies appear in the JSON' -r -f -a "none\t'nothing'
text\t'UTF-8; what is none is replaced'
base64\t'base64'"
complete -c inet-asm -l dump -d 'Write a file for each stream, with its bytes, into this folder' -r -f -a "(__fish_complete_directories)"
complete -c inet-asm -l dump-name -d 'Names of the stream files' -r
complete -c inet-asm -s x -l extract -d 'Write the files that were transferred into this folder' -r -f -a "(__fish_complete_directories)"
complete -c inet-asm -l connection -d 'Write only these connections, to all outputs' -r
complete -c inet-asm -l kind -d 'Write these messages only: requests, responses, others' -r
complete -c inet-asm -l match -d 'Write the messages whose summary or head matches a regular expression' -r
complete -c inet-asm -l from -d 'Write the messages that begin at this time or later' -r
complete -c inet-asm -l to -d 'Write the messages that begin before this time' -r
complete -c inet-asm -s c -l count -d 'Stop after so many messages' -r
complete -c inet-asm -l encap -d 'Link layer of the packets written' -r -f -a "auto\t'Ethernet where the first input is Ethernet, else raw IP'
ethernet\t'Ethernet, with the addresses and VLAN tags of the input'
raw\t'raw IP'
pdu\t'no network: the message behind the name of Wireshark\'s dissector'"
complete -c inet-asm -l format -d 'Format of the capture files written' -r -f -a "pcap\t'pcap'
pcapng\t'pcapng, with the input\'s interfaces'"
complete -c inet-asm -l large -d 'How to write a message larger than an IP packet' -r -f -a "split\t'a train of full segments'
jumbo\t'one packet of up to 262,144 octets, a train beyond'
snap\t'one packet, cut at --max-message as a snapshot length does'"
complete -c inet-asm -l max-message -d 'Largest part of a message in one packet, with --large jumbo and snap [default: 262,144 less headers]' -r
complete -c inet-asm -l timestamps -d 'Timestamps of the packets written: never going back, or as captured' -r -f -a "monotone\t'Never going back'
original\t'As they were'"
complete -c inet-asm -l protocols -d 'Write the messages of these protocols only' -r -f -a "104apci\t''
amqp\t''
asap\t''
bgp\t''
bicc\t''
calcappprotocol\t''
dhcp\t''
dhcpv6\t''
diameter\t''
dns\t''
doip\t''
dtls\t''
dua\t''
e1ap\t''
enrp\t''
f1ap\t''
fractalgeneratorprotocol\t''
ftp\t''
gdt\t''
hnbap\t''
http\t''
imap\t''
iua\t''
lcsap\t''
ldap\t''
llmnr\t''
m2ap\t''
m2pa\t''
m2ua\t''
m3ap\t''
m3ua\t''
mbtcp\t''
mdns\t''
megaco\t''
mongo\t''
mqtt\t''
mysql\t''
nbap\t''
nbss\t''
netperfmeter\t''
ngap\t''
ntp\t''
pgsql\t''
pingpongprotocol\t''
pop\t''
proxy\t''
q931\t''
radius\t''
resp\t''
rtcdc\t''
rtsp\t''
rua\t''
s1ap\t''
sabp\t''
sbcap\t''
sip\t''
smtp\t''
snmp\t''
someip\t''
ssh\t''
ssp\t''
stun\t''
sua\t''
syslog\t''
tftp\t''
tls\t''
tpkt\t''
v5ua\t''
websocket\t''
x2ap\t''
xnap\t''"
complete -c inet-asm -l unframed -d 'What to do with data of no known protocol' -r -f -a "emit\t'They are messages of the protocol `data`'
drop\t'They are counted only'"
complete -c inet-asm -s d -l decode-as -d 'Treat traffic on these ports as this protocol, like tshark\'s option' -r
complete -c inet-asm -l framer -d 'Add a protocol of your own: where its length is, or what ends its messages' -r
complete -c inet-asm -l disable -d 'Do not reassemble these transports: pass their IP datagrams through, defragmented' -r
complete -c inet-asm -l vlan -d 'What copies of a packet on several channels (VLANs, tunnels) are to each other' -r -f -a "merge\t'one connection, where the numbers fit; a hole of one is filled from another'
first\t'one connection, which is followed where it was first seen'
separate\t'connections of their own'"
complete -c inet-asm -l decapsulate -d 'Tunnels to decapsulate: gre, erspan, vxlan, geneve, gtp, ipip, teredo, l2tp, sctp, or all [default: none]' -r
complete -c inet-asm -l checksums -d 'How to treat checksums, for all layers or one' -r
complete -c inet-asm -l overlap -d 'Which copy wins when two segments disagree, until one is delivered' -r -f -a "first\t'the octets that came first'
last\t'the newer ones, as long as they have not been delivered'"
complete -c inet-asm -l ip-packet-timeout -d 'How long an IP fragment waits for the others' -r
complete -c inet-asm -l tcp-packet-timeout -d 'How long segments wait behind a hole when no acknowledgments are captured' -r
complete -c inet-asm -l sctp-packet-timeout -d 'How long SCTP data chunks wait behind a hole when no acknowledgments are captured' -r
complete -c inet-asm -l session-timeout -d 'Close connections and associations that have been idle for this long' -r
complete -c inet-asm -l reorder-window -d 'How many packets, and how much time, before a hole that was acknowledged is given up' -r
complete -c inet-asm -l look-behind -d 'How long the start of a stream captured from the middle waits for earlier segments' -r
complete -c inet-asm -l tcp-buffer -d 'Most bytes held for one stream before its first hole is given up' -r
complete -c inet-asm -l tcp-holes -d 'Most holes in one stream before the first is given up' -r
complete -c inet-asm -l max-gap -d 'Largest jump of the sequence number that is treated as a loss' -r
complete -c inet-asm -l max-file -d 'Largest extracted file, not counting holes; the rest is left out, and the list says so' -r
complete -c inet-asm -l memory-limit -d 'Memory limit for everything that is held' -r
complete -c inet-asm -l max-connections -d 'Most connections followed at once, for each transport' -r
complete -c inet-asm -l max-active-packets -d 'Most fragments and segments held, for each of IP, TCP and SCTP' -r
complete -c inet-asm -s s -l stats -d 'Print the counters on stderr at the end' -r -f -a "text\t'aligned, with descriptions; what is 0 is left out'
all\t'the same, with what is 0'
json\t'one object'
csv\t'a header line and a row'"
complete -c inet-asm -l fail-if -d 'End with status 1 where a condition on the counters holds (repeatable)' -r
complete -c inet-asm -l sctp-stats -d 'Write statistics of SCTP links as CSV: 22 for each direction of an association, every 15 minutes of the capture' -r -F
complete -c inet-asm -l trace -d 'Trace on stderr what happens to each segment of the connections that RULE chooses' -r
complete -c inet-asm -l time -d 'Times as --print, --follow and --table show them' -r -f -a "utc\t'date and time in UTC'
local\t'date and time where the program runs'
relative\t'seconds since the first packet'
delta\t'seconds since the line before'
epoch\t'seconds since 1970-01-01 00:00:00 UTC'"
complete -c inet-asm -l color -d 'Colours of --print and --follow' -r -f -a "auto\t'on a terminal, unless NO_COLOR is set'
always\t'always'
never\t'never'"
complete -c inet-asm -l completions -d 'Write completions for this shell to stdout' -r -f -a "bash\t''
elvish\t''
fish\t''
powershell\t''
zsh\t''"
complete -c inet-asm -l sort-files -d 'Read files in the order of their first packets, not in the order they are named'
complete -c inet-asm -l keep-secrets -d 'Pass decryption secrets and name resolution blocks of pcapng inputs through; implies --format pcapng'
complete -c inet-asm -s n -l no-output -d 'Write no messages'
complete -c inet-asm -l hash -d 'Add the SHA-256 of each whole message to the JSON'
complete -c inet-asm -s U -l packet-buffered -d 'Flush the output after each message'
complete -c inet-asm -l fill-gaps -d 'Write zeros where bytes are missing inside a message'
complete -c inet-asm -l info -d 'Add a comment to each message: protocol, summary, frames, gaps; implies --format pcapng'
complete -c inet-asm -l track -d 'Add a comment to each packet with the input frames its bytes came from; implies --format pcapng'
complete -c inet-asm -l handshake -d 'Write SYN, FIN and RST packets for all connections'
complete -c inet-asm -l list-protocols -d 'List the protocols, with the ports that hint at them'
complete -c inet-asm -l store-fragments -d 'Remember reassembled datagrams until --ip-packet-timeout, to recognise late copies of fragments'
complete -c inet-asm -l track-missing-chunks -d 'Remember every SCTP chunk that was given up, to tell late ones from duplicates'
complete -c inet-asm -l wait-ack -d 'Hold messages until the other side has acknowledged them, or the packet timeout'
complete -c inet-asm -s v -l verbose -d 'Report files, interfaces and ends of connections on stderr; twice: also what is given up or dropped'
complete -c inet-asm -s q -l quiet -d 'Print errors only'
complete -c inet-asm -l wide -d 'Print lines as long as they are, where a terminal would cut them'
complete -c inet-asm -s h -d 'Show the options that people need most; --help shows all'
complete -c inet-asm -l help -d 'Show all options'
complete -c inet-asm -s V -l version -d 'Show the version'
complete -c inet-asm -l man -d 'Write the man page to stdout'
