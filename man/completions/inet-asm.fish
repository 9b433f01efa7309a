complete -c inet-asm -s r -l read -d 'The same as INPUT' -r -F
complete -c inet-asm -l sort-delay -d 'Sort packets by timestamp, holding each until one this much later arrives [default: off]' -r
complete -c inet-asm -l sort-queue -d 'Sort packets by timestamp, holding at most N of them [default: off; 100,000 with --sort-delay]' -r
complete -c inet-asm -s w -l write -d 'Write messages as packets to a capture file [default: stdout]' -r
complete -c inet-asm -l dropped -d 'Write each packet that could not be used, as it was, with the reason as a comment' -r
complete -c inet-asm -l bypass -d 'Write every input packet as it was, the dropped ones included' -r
complete -c inet-asm -s p -l print -d 'Print a line for each message' -r -f -a "brief\t'one line'
full\t'the line, header fields and the body'"
complete -c inet-asm -l follow -d 'Show connections as conversations: --follow RULE, --follow=hex RULE, --follow=raw RULE' -r -f -a "text\t'text; other bytes as a hex dump'
hex\t'hex dumps'
raw\t'the bytes alone'"
complete -c inet-asm -l table -d 'Print a table for scripts: a row for each message, or what NAME says; columns are separated by tabs' -r -f -a "messages\t'a row for each message'
http\t'a row for each request of HTTP, with its response'
dns\t'a row for each query of DNS, with its answer'
connections\t'a row for each connection'
protocols\t'a row for each protocol'
files\t'a row for each file that --extract writes'"
complete -c inet-asm -l fields -d 'Columns of --table, in order' -r -f -a "(__fish_append , amqp.content_type amqp.exchange amqp.method amqp.queue amqp.reply amqp.routing_key amqp.vhost answers bytes client client_bytes client_lost client_messages client_packets complete connection delay dhcpv6.address dhcpv6.client_id dhcpv6.status dhcpv6.type diameter.application diameter.application_id diameter.code diameter.command diameter.hop_by_hop diameter.result dns.answer dns.answers dns.id dns.question dns.rcode dns.type dst duration e1ap.kind e1ap.procedure end f1ap.kind f1ap.procedure file found_type ftp.argument ftp.code ftp.command ftp.text hnbap.kind hnbap.procedure host http.content_length http.content_type http.host http.location http.method http.reason http.server http.status http.uri http.user_agent http2.content_length http2.content_type http2.grpc_encoding http2.grpc_message http2.grpc_status http2.host http2.location http2.method http2.server http2.status http2.trailers http2.uri http2.user_agent imap.argument imap.command imap.status imap.tag imap.text incomplete irc.command irc.parameters irc.prefix kafka.api kafka.client_id kafka.correlation_id kafka.version kind ldap.message_id ldap.name ldap.operation ldap.result llmnr.answer llmnr.answers llmnr.id llmnr.question llmnr.rcode llmnr.type lost m2ap.kind m2ap.procedure m3ap.kind m3ap.procedure mbtcp.exception mbtcp.function mbtcp.function_code mbtcp.transaction mbtcp.unit mdns.answer mdns.answers mdns.id mdns.question mdns.rcode mdns.type memcache.command memcache.key memcache.status messages method mqtt.client_id mqtt.error mqtt.packet_id mqtt.topic mqtt.type mysql.command mysql.error mysql.query mysql.user named_client named_server nats.error nats.operation nats.subject nbss.command nbss.file nbss.message_id nbss.status ngap.kind ngap.procedure pgsql.error pgsql.query pgsql.type pop.argument pop.command pop.status pop.text protocol proxy.dst proxy.dst_port proxy.src proxy.src_port proxy.version question radius.code radius.id radius.user rcode request_bytes resp.command resp.error resp.key response_bytes rtmpt.argument rtmpt.command rtmpt.message_stream rtmpt.timestamp rtmpt.transaction rtmpt.type rtsp.cseq rtsp.method rtsp.reason rtsp.status rtsp.uri s1ap.kind s1ap.procedure sbcap.kind sbcap.procedure server server_bytes server_lost server_messages server_packets sip.call_id sip.from sip.method sip.reason sip.status sip.to sip.uri size skipped smtp.argument smtp.code smtp.command smtp.text snmp.error snmp.oid snmp.operation snmp.request_id snmp.version socks.command socks.destination socks.status socks.user socks.version src ssh.message ssh.version status stomp.command stomp.destination stomp.message summary time tls.handshake tls.record tls.sni tls.version tpkt.error tpkt.function tpkt.reference tpkt.s7 transport type uri url websocket.close_code websocket.compressed websocket.opcode websocket.text whole x2ap.kind x2ap.procedure xmpp.from xmpp.id xmpp.stanza xmpp.to xmpp.type xnap.kind xnap.procedure)"
complete -c inet-asm -s j -l json -d 'Write one JSON object a line: messages, gaps, connections' -r
complete -c inet-asm -l json-body -d 'How message bodies appear in the JSON' -r -f -a "none\t'nothing'
text\t'as UTF-8; bytes that are not are replaced'
base64\t'base64'"
complete -c inet-asm -l hash -d 'Add the SHA-256 of each whole message to the JSON; =md5,sha1: sums of files too' -r
complete -c inet-asm -l har -d 'Write the exchanges of HTTP/1 and HTTP/2 as a HAR document, which browsers open' -r
complete -c inet-asm -l har-body -d 'Most bytes of a body in --har; 0: no bodies' -r
complete -c inet-asm -l dump -d 'Write a file for each stream, with its bytes, into this folder' -r -f -a "(__fish_complete_directories)"
complete -c inet-asm -l dump-name -d 'Names of the stream files' -r
complete -c inet-asm -s x -l extract -d 'Write the files that were transferred into this folder' -r -f -a "(__fish_complete_directories)"
complete -c inet-asm -l extract-types -d 'Extract only files of these media types: image/*,application/pdf' -r
complete -c inet-asm -l extract-protocols -d 'Extract only files that these protocols carried' -r -f -a "(__fish_append , ftp http http2 imap nbss pop smtp tftp websocket)"
complete -c inet-asm -l extract-min -d 'Extract only files of so many bytes at least' -r
complete -c inet-asm -l extract-max -d 'Extract only files of so many bytes at most' -r
complete -c inet-asm -l on-file -d 'Run this command for each extracted file; {} is its path' -r
complete -c inet-asm -l connection -d 'Write only these connections, to all outputs' -r -f -a "all\t''
tcp\t''
udp\t''
sctp\t''"
complete -c inet-asm -l kind -d 'Write these messages only: requests, responses, others' -r -f -a "(__fish_append , request response other)"
complete -c inet-asm -l match -d 'Write the messages whose summary or head matches a regular expression' -r
complete -c inet-asm -l from -d 'Write the messages that begin at this time or later' -r
complete -c inet-asm -l to -d 'Write the messages that begin before this time' -r
complete -c inet-asm -s c -l count -d 'Stop after so many messages, or rows of --table' -r
complete -c inet-asm -l encap -d 'Link layer of the packets written' -r -f -a "auto\t'Ethernet where the first input is Ethernet, else raw IP'
ethernet\t'Ethernet, with the addresses and VLAN tags of the input'
raw\t'raw IP'
pdu\t'no network: the message behind the name of Wireshark\'s dissector'"
complete -c inet-asm -l format -d 'Format of the capture files written' -r -f -a "pcap\t'pcap'
pcapng\t'pcapng, with the input\'s interfaces'"
complete -c inet-asm -l large -d 'How to write a message larger than an IP packet' -r -f -a "split\t'a train of full segments'
jumbo\t'one packet of up to 262,144 bytes, a train beyond'
snap\t'one packet, cut at --max-message as a snapshot length does'"
complete -c inet-asm -l max-message -d 'Largest part of a message in one packet, with --large jumbo and snap [default: 262,144 less headers]' -r
complete -c inet-asm -l timestamps -d 'Timestamps of the packets written: never going back, or as captured' -r -f -a "monotone\t'Never going back'
original\t'As they were'"
complete -c inet-asm -l protocols -d 'Write the messages of these protocols only' -r -f -a "(__fish_append , 104apci amqp asap bgp bicc bootp calcappprotocol cassandra cifs cip cql dhcp dhcpv6 diameter dnp3 dns doip dtls dua e1ap enip enrp ethernetip f1ap fractalgeneratorprotocol ftp gdt grpc gtp gtpv2 h2 h248 h2c hnbap http http/2 http2 https iec104 imap irc iua jabber kafka lcsap ldap llmnr m2ap m2pa m2ua m3ap m3ua mariadb mbtcp mdns megaco memcache memcached modbus mongo mongodb mqtt mysql nats nbap nbss netperfmeter ngap ntp opcua pfcp pgsql pingpongprotocol pop pop3 postgres postgresql proxy q931 quic radius redis resp rtcdc rtmp rtmpt rtsp rua s1ap s7 s7comm sabp sbcap sip smb smb2 smtp snmp socks someip ssh ssl ssp stomp stun sua syslog tftp tls tpkt v5ua valkey websocket x2ap xmpp xnap data)"
complete -c inet-asm -l unframed -d 'What to do with data of no known protocol' -r -f -a "emit\t'They are messages of the protocol named data'
drop\t'They are counted only'"
complete -c inet-asm -s d -l decode-as -d 'Treat traffic on these ports as this protocol, like tshark\'s option' -r -f -a "(__fish_append , 104apci amqp asap bgp bicc bootp calcappprotocol cassandra cifs cip cql dhcp dhcpv6 diameter dnp3 dns doip dtls dua e1ap enip enrp ethernetip f1ap fractalgeneratorprotocol ftp gdt grpc gtp gtpv2 h2 h248 h2c hnbap http http/2 http2 https iec104 imap irc iua jabber kafka lcsap ldap llmnr m2ap m2pa m2ua m3ap m3ua mariadb mbtcp mdns megaco memcache memcached modbus mongo mongodb mqtt mysql nats nbap nbss netperfmeter ngap ntp opcua pfcp pgsql pingpongprotocol pop pop3 postgres postgresql proxy q931 quic radius redis resp rtcdc rtmp rtmpt rtsp rua s1ap s7 s7comm sabp sbcap sip smb smb2 smtp snmp socks someip ssh ssl ssp stomp stun sua syslog tftp tls tpkt v5ua valkey websocket x2ap xmpp xnap tcp.port== udp.port== sctp.port==)"
complete -c inet-asm -l framer -d 'Add a protocol of your own: where its length is, or what ends its messages' -r
complete -c inet-asm -l disable -d 'Do not reassemble these transports: pass their IP datagrams through, defragmented' -r -f -a "(__fish_append , tcp udp sctp)"
complete -c inet-asm -l vlan -d 'How to treat copies of a connection on several channels (VLANs, tunnels)' -r -f -a "merge\t'one connection, where the numbers fit; a hole of one is filled from another'
first\t'one connection, which is followed where it was first seen'
separate\t'connections of their own'"
complete -c inet-asm -l decapsulate -d 'Tunnels to decapsulate: gre, erspan, vxlan, geneve, gtp, ipip, teredo, l2tp, sctp, or all [default: none]' -r -f -a "(__fish_append , gre erspan vxlan geneve gtp ipip teredo l2tp sctp all none)"
complete -c inet-asm -l checksums -d 'How to treat checksums, for all layers or one' -r -f -a "auto\t''
verify\t''
ignore\t''"
complete -c inet-asm -l overlap -d 'Which copy wins when two segments disagree, until one is delivered' -r -f -a "first\t'the bytes that came first'
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
complete -c inet-asm -l max-streams -d 'Most streams of one connection that are open at once, in HTTP/2; the oldest is ended for one more' -r
complete -c inet-asm -l max-file -d 'Largest extracted file, not counting holes; the rest is left out, and the list says so' -r
complete -c inet-asm -l memory-limit -d 'Memory limit for everything that is held' -r
complete -c inet-asm -l max-connections -d 'Most connections followed at once, for each transport' -r
complete -c inet-asm -l max-active-packets -d 'Most fragments and segments held, for each of IP, TCP and SCTP' -r
complete -c inet-asm -s s -l stats -d 'Print the counters on stderr at the end' -r -f -a "(__fish_append , text all json csv input link ipv4 ipv6 tunnel udp tcp sctp message carried output pair har files buffer lost input.files input.packets input.octets input.snapped input.backwards input.cut_short input.capture_drops input.shared_interfaces input.secrets input.names input.blocks_left_out link.packets link.passed link.subframes link.closed_gre link.closed_ipip link.subframes_skipped link.subframes_lost link.unknown_type link.truncated link.bad_header link.not_data link.encrypted link.compressed link.fragments link.unknown_pdu link.not_ip ipv4.packets ipv4.octets ipv4.passed ipv4.bad_checksum ipv4.fragments ipv4.reassembled ipv4.reassembled_fragments ipv4.overlaps ipv4.conflicts ipv4.truncated ipv4.bad_header ipv4.dropped_checksum ipv4.esp_encrypted ipv4.empty_fragments ipv4.misaligned_fragments ipv4.oversized_fragments ipv4.duplicate_fragments ipv4.bad_end_fragments ipv4.expired_fragments ipv4.evicted_fragments ipv4.unfinished_fragments ipv4.other_protocol ipv6.packets ipv6.octets ipv6.passed ipv6.fragments ipv6.atomic_fragments ipv6.reassembled ipv6.reassembled_fragments ipv6.overlaps ipv6.truncated ipv6.bad_header ipv6.empty_fragments ipv6.misaligned_fragments ipv6.oversized_fragments ipv6.duplicate_fragments ipv6.bad_end_fragments ipv6.overlapping_fragments ipv6.expired_fragments ipv6.evicted_fragments ipv6.unfinished_fragments ipv6.esp_encrypted ipv6.other_protocol tunnel.packets tunnel.passed tunnel.truncated tunnel.bad_header tunnel.not_ip tunnel.too_deep udp.datagrams udp.octets udp.flows udp.bad_checksum udp.messages udp.message_octets udp.snapped udp.disabled udp.closed_vxlan udp.closed_geneve udp.closed_gtp udp.closed_l2tp udp.closed_teredo udp.closed_sctp udp.truncated udp.bad_length udp.dropped_checksum udp.duplicates tcp.segments tcp.octets tcp.accepted_octets tcp.delivered_octets tcp.duplicate_octets tcp.refused_octets tcp.abandoned_octets tcp.connections tcp.midstream tcp.reused_ports tcp.closed_fin tcp.closed_reset tcp.closed_idle tcp.closed_evicted tcp.closed_replaced tcp.closed_end tcp.closed_unconfirmed tcp.syn tcp.fin tcp.rst tcp.pure_acks tcp.retransmissions tcp.overlaps tcp.conflicts tcp.keep_alives tcp.out_of_order tcp.ack_held tcp.ack_timeout tcp.ack_forced tcp.bad_checksum tcp.damaged tcp.damaged_used tcp.gaps tcp.lost_octets tcp.gaps_acked tcp.gaps_closed tcp.gaps_timeout tcp.gaps_buffer tcp.gaps_holes tcp.gaps_memory tcp.gaps_end tcp.gaps_snapped tcp.gaps_jump tcp.disabled tcp.truncated tcp.bad_header tcp.dropped_checksum tcp.other_channel tcp.stray tcp.late tcp.before_start tcp.after_end sctp.packets sctp.octets sctp.disabled sctp.passed sctp.held_packets sctp.associations sctp.midstream sctp.multihomed sctp.reused_ports sctp.restarts sctp.closed_shutdown sctp.closed_abort sctp.closed_idle sctp.closed_evicted sctp.closed_replaced sctp.closed_end sctp.data_chunks sctp.i_data_chunks sctp.data_octets sctp.init sctp.init_ack sctp.sack sctp.heartbeat sctp.heartbeat_ack sctp.abort sctp.shutdown sctp.shutdown_ack sctp.error sctp.cookie_echo sctp.cookie_ack sctp.ecne sctp.cwr sctp.shutdown_complete sctp.forward_tsn sctp.re_config sctp.asconf sctp.other_chunks sctp.bad_chunks sctp.bad_checksum sctp.zero_checksum sctp.gap_blocks sctp.reported_duplicates sctp.delivered_chunks sctp.duplicates sctp.dropped_chunks sctp.dropped_octets sctp.waiting_chunks sctp.out_of_order sctp.ack_held sctp.ack_timeout sctp.ack_forced sctp.damaged_chunks sctp.damaged_used sctp.messages sctp.whole sctp.incomplete sctp.message_octets sctp.fragmented sctp.gaps sctp.lost_tsns sctp.abandoned_tsns sctp.gaps_acked sctp.gaps_forward sctp.gaps_closed sctp.gaps_timeout sctp.gaps_buffer sctp.gaps_holes sctp.gaps_memory sctp.gaps_end sctp.gaps_jump sctp.tsn_restarts sctp.truncated sctp.bad_header sctp.dropped_checksum sctp.damaged sctp.bad_tag sctp.stray sctp.other_channel sctp.late sctp.before_start message.messages message.whole message.incomplete message.octets message.lost_octets message.unframed_octets message.lost carried.messages carried.incomplete carried.inner carried.evicted carried.unknown_fields carried.left_out_fields carried.undecoded carried.oversized output.messages output.packets output.octets output.streams output.other_link_type pair.held pair.reset pair.limited har.entries har.unanswered har.incomplete har.cut_bodies har.unmatched files.written files.whole files.incomplete files.octets files.limited files.decoded files.undecoded files.mails files.parts files.ranges files.range_files files.ranges_repeated files.ranges_left_out files.not_chosen files.commands files.commands_failed files.smb_unplaced files.smb_forgotten files.smb_encrypted files.smb_compressed buffer.waiting buffer.peak lost.capture_drops lost.cut_short lost.snapped lost.link lost.ip lost.fragments lost.refused lost.tcp_holes lost.before_start lost.abandoned lost.sctp_holes lost.sctp_chunks lost.incomplete lost.unframed lost.evicted lost.files lost.other_link_type 104apci amqp asap bgp bicc bootp calcappprotocol cassandra cifs cip cql dhcp dhcpv6 diameter dnp3 dns doip dtls dua e1ap enip enrp ethernetip f1ap fractalgeneratorprotocol ftp gdt grpc gtp gtpv2 h2 h248 h2c hnbap http http/2 http2 https iec104 imap irc iua jabber kafka lcsap ldap llmnr m2ap m2pa m2ua m3ap m3ua mariadb mbtcp mdns megaco memcache memcached modbus mongo mongodb mqtt mysql nats nbap nbss netperfmeter ngap ntp opcua pfcp pgsql pingpongprotocol pop pop3 postgres postgresql proxy q931 quic radius redis resp rtcdc rtmp rtmpt rtsp rua s1ap s7 s7comm sabp sbcap sip smb smb2 smtp snmp socks someip ssh ssl ssp stomp stun sua syslog tftp tls tpkt v5ua valkey websocket x2ap xmpp xnap)"
complete -c inet-asm -l fail-if -d 'End with status 1 where a condition on the counters holds (repeatable)' -r -f -a "(__fish_append , input.files input.packets input.octets input.snapped input.backwards input.cut_short input.capture_drops input.shared_interfaces input.secrets input.names input.blocks_left_out link.packets link.passed link.subframes link.closed_gre link.closed_ipip link.subframes_skipped link.subframes_lost link.unknown_type link.truncated link.bad_header link.not_data link.encrypted link.compressed link.fragments link.unknown_pdu link.not_ip ipv4.packets ipv4.octets ipv4.passed ipv4.bad_checksum ipv4.fragments ipv4.reassembled ipv4.reassembled_fragments ipv4.overlaps ipv4.conflicts ipv4.truncated ipv4.bad_header ipv4.dropped_checksum ipv4.esp_encrypted ipv4.empty_fragments ipv4.misaligned_fragments ipv4.oversized_fragments ipv4.duplicate_fragments ipv4.bad_end_fragments ipv4.expired_fragments ipv4.evicted_fragments ipv4.unfinished_fragments ipv4.other_protocol ipv6.packets ipv6.octets ipv6.passed ipv6.fragments ipv6.atomic_fragments ipv6.reassembled ipv6.reassembled_fragments ipv6.overlaps ipv6.truncated ipv6.bad_header ipv6.empty_fragments ipv6.misaligned_fragments ipv6.oversized_fragments ipv6.duplicate_fragments ipv6.bad_end_fragments ipv6.overlapping_fragments ipv6.expired_fragments ipv6.evicted_fragments ipv6.unfinished_fragments ipv6.esp_encrypted ipv6.other_protocol tunnel.packets tunnel.passed tunnel.truncated tunnel.bad_header tunnel.not_ip tunnel.too_deep udp.datagrams udp.octets udp.flows udp.bad_checksum udp.messages udp.message_octets udp.snapped udp.disabled udp.closed_vxlan udp.closed_geneve udp.closed_gtp udp.closed_l2tp udp.closed_teredo udp.closed_sctp udp.truncated udp.bad_length udp.dropped_checksum udp.duplicates tcp.segments tcp.octets tcp.accepted_octets tcp.delivered_octets tcp.duplicate_octets tcp.refused_octets tcp.abandoned_octets tcp.connections tcp.midstream tcp.reused_ports tcp.closed_fin tcp.closed_reset tcp.closed_idle tcp.closed_evicted tcp.closed_replaced tcp.closed_end tcp.closed_unconfirmed tcp.syn tcp.fin tcp.rst tcp.pure_acks tcp.retransmissions tcp.overlaps tcp.conflicts tcp.keep_alives tcp.out_of_order tcp.ack_held tcp.ack_timeout tcp.ack_forced tcp.bad_checksum tcp.damaged tcp.damaged_used tcp.gaps tcp.lost_octets tcp.gaps_acked tcp.gaps_closed tcp.gaps_timeout tcp.gaps_buffer tcp.gaps_holes tcp.gaps_memory tcp.gaps_end tcp.gaps_snapped tcp.gaps_jump tcp.disabled tcp.truncated tcp.bad_header tcp.dropped_checksum tcp.other_channel tcp.stray tcp.late tcp.before_start tcp.after_end sctp.packets sctp.octets sctp.disabled sctp.passed sctp.held_packets sctp.associations sctp.midstream sctp.multihomed sctp.reused_ports sctp.restarts sctp.closed_shutdown sctp.closed_abort sctp.closed_idle sctp.closed_evicted sctp.closed_replaced sctp.closed_end sctp.data_chunks sctp.i_data_chunks sctp.data_octets sctp.init sctp.init_ack sctp.sack sctp.heartbeat sctp.heartbeat_ack sctp.abort sctp.shutdown sctp.shutdown_ack sctp.error sctp.cookie_echo sctp.cookie_ack sctp.ecne sctp.cwr sctp.shutdown_complete sctp.forward_tsn sctp.re_config sctp.asconf sctp.other_chunks sctp.bad_chunks sctp.bad_checksum sctp.zero_checksum sctp.gap_blocks sctp.reported_duplicates sctp.delivered_chunks sctp.duplicates sctp.dropped_chunks sctp.dropped_octets sctp.waiting_chunks sctp.out_of_order sctp.ack_held sctp.ack_timeout sctp.ack_forced sctp.damaged_chunks sctp.damaged_used sctp.messages sctp.whole sctp.incomplete sctp.message_octets sctp.fragmented sctp.gaps sctp.lost_tsns sctp.abandoned_tsns sctp.gaps_acked sctp.gaps_forward sctp.gaps_closed sctp.gaps_timeout sctp.gaps_buffer sctp.gaps_holes sctp.gaps_memory sctp.gaps_end sctp.gaps_jump sctp.tsn_restarts sctp.truncated sctp.bad_header sctp.dropped_checksum sctp.damaged sctp.bad_tag sctp.stray sctp.other_channel sctp.late sctp.before_start message.messages message.whole message.incomplete message.octets message.lost_octets message.unframed_octets message.lost carried.messages carried.incomplete carried.inner carried.evicted carried.unknown_fields carried.left_out_fields carried.undecoded carried.oversized output.messages output.packets output.octets output.streams output.other_link_type pair.held pair.reset pair.limited har.entries har.unanswered har.incomplete har.cut_bodies har.unmatched files.written files.whole files.incomplete files.octets files.limited files.decoded files.undecoded files.mails files.parts files.ranges files.range_files files.ranges_repeated files.ranges_left_out files.not_chosen files.commands files.commands_failed files.smb_unplaced files.smb_forgotten files.smb_encrypted files.smb_compressed buffer.waiting buffer.peak lost.capture_drops lost.cut_short lost.snapped lost.link lost.ip lost.fragments lost.refused lost.tcp_holes lost.before_start lost.abandoned lost.sctp_holes lost.sctp_chunks lost.incomplete lost.unframed lost.evicted lost.files lost.other_link_type)"
complete -c inet-asm -l sctp-stats -d 'Write statistics of SCTP links as CSV: 22 for each direction of an association, every 15 minutes of the capture' -r -F
complete -c inet-asm -l config -d 'Read options from an INI file' -r -F
complete -c inet-asm -l save-state -d 'Keep all that waits in this file at the end, and on SIGUSR2, instead of giving it up' -r -F
complete -c inet-asm -l load-state -d 'Go on with what another run has kept in this file' -r -F
complete -c inet-asm -l state -d 'Go on from this file where it is there, and keep what waits in it at the end: one command for all pieces of a capture' -r -F
complete -c inet-asm -l counters-file -d 'Write the counters into this file as CSV, a row for each period of the capture' -r -F
complete -c inet-asm -l counters-period -d 'Length of the periods of --counters-file' -r
complete -c inet-asm -l log-file -d 'Write messages to the end of this file instead of stderr, with time and level' -r -F
complete -c inet-asm -l trace -d 'Trace on stderr what happens to each segment, or SCTP chunk, of the connections that RULE chooses' -r -f -a "all\t''
tcp\t''
udp\t''
sctp\t''"
complete -c inet-asm -l time -d 'Times as --print, --follow and --table show them' -r -f -a "utc\t'date and time in UTC'
local\t'date and time where the program runs'
relative\t'seconds since the first packet'
delta\t'seconds since the line before'
epoch\t'seconds since 1970-01-01 00:00:00 UTC'"
complete -c inet-asm -l progress -d 'Show on stderr how far a run has come: bytes, rate, time left, messages' -r -f -a "auto\t'of files, where stderr is a terminal and it takes longer than a second'
always\t'at once, also of pipes and without a terminal'
never\t'never'"
complete -c inet-asm -l color -d 'When to use colours, on stdout and stderr' -r -f -a "auto\t'on a terminal, unless NO_COLOR is set'
always\t'always'
never\t'never'"
complete -c inet-asm -l completions -d 'Write completions for this shell to stdout' -r -f -a "bash\t''
elvish\t''
fish\t''
powershell\t''
zsh\t''"
complete -c inet-asm -l sort-files -d 'Read files in the order of their first packets, not in the order they are named'
complete -c inet-asm -l live -d 'Count silence as time, for a capture that is read as it is made'
complete -c inet-asm -l keep-secrets -d 'Pass decryption secrets and name resolution blocks of pcapng inputs through; implies --format pcapng'
complete -c inet-asm -s n -l no-output -d 'Write no messages'
complete -c inet-asm -l index -d 'Write a page that shows the extracted files: DIR/index.html'
complete -c inet-asm -s U -l packet-buffered -d 'Flush the output after each message'
complete -c inet-asm -l fill-gaps -d 'Write zeros where bytes are missing inside a message'
complete -c inet-asm -l info -d 'Add a comment to each message: protocol, summary, frames, gaps; implies --format pcapng'
complete -c inet-asm -l track -d 'Add a comment to each packet with the input frames its bytes came from; implies --format pcapng'
complete -c inet-asm -l handshake -d 'Write SYN, FIN and RST packets for all connections'
complete -c inet-asm -l pair -d 'Write each request of a connection, what answers it, and then the next request'
complete -c inet-asm -l list-protocols -d 'List the protocols, with the ports that hint at them'
complete -c inet-asm -l store-fragments -d 'Remember reassembled datagrams until --ip-packet-timeout, to recognise late copies of fragments'
complete -c inet-asm -l track-missing-chunks -d 'Remember every SCTP chunk that was given up, to tell late ones from duplicates'
complete -c inet-asm -l wait-ack -d 'Hold messages until the other side has acknowledged them, or the packet timeout'
complete -c inet-asm -l save-config -d 'Print what is in force as a file for --config, and end'
complete -c inet-asm -l counters-clear -d 'Rows of --counters-file say what was counted in their period, not since the beginning'
complete -c inet-asm -s v -l verbose -d 'Report files, interfaces and ends of connections on stderr; twice: also what is given up or dropped'
complete -c inet-asm -s q -l quiet -d 'Print errors only'
complete -c inet-asm -l wide -d 'Do not fit lines to the width of the terminal'
complete -c inet-asm -s h -d 'Show the options that people need most; --help shows all'
complete -c inet-asm -l help -d 'Show all options'
complete -c inet-asm -s V -l version -d 'Show the version'
complete -c inet-asm -l man -d 'Write the man page to stdout'
