# Completions of inet-asm for bash: made by inet-asm --completions bash.

# The pieces of a list, separated by commas, that begin as the last one does, behind those that stand there.
_inet_asm_list() {
    local before="" piece=$1 not="" word
    if [[ $1 == *,* ]]; then
        before=${1%,*},
        piece=${1##*,}
    fi
    if [[ $2 == 'not' && $piece == '!'* ]]; then
        not='!'
        piece=${piece#'!'}
    fi
    for word in $3; do
        if [[ $word == "$piece"* && ",$before" != *",$not$word,"* ]]; then
            COMPREPLY+=("$before$not$word")
        fi
    done
    compopt -o nospace 2>/dev/null
}

# The values of an option.
_inet_asm_value() {
    local words
    case $1 in
        -r|--read) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        -i|--interface) COMPREPLY=(); return 0 ;;
        -f|--capture-filter) COMPREPLY=(); return 0 ;;
        --extcap-version) COMPREPLY=(); return 0 ;;
        --extcap-interface) COMPREPLY=(); return 0 ;;
        --extcap-capture-filter) COMPREPLY=(); return 0 ;;
        --fifo) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --sort-delay) COMPREPLY=(); return 0 ;;
        --sort-queue) COMPREPLY=(); return 0 ;;
        --keylog) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --keylog-wait) COMPREPLY=(); return 0 ;;
        --decrypted-port) COMPREPLY=(); return 0 ;;
        --tls) COMPREPLY=($(compgen -W 'opened records' -- "$2")); return 0 ;;
        -w|--write) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --dropped) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --bypass) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        -p|--print) COMPREPLY=($(compgen -W 'brief full' -- "$2")); return 0 ;;
        --follow) COMPREPLY=($(compgen -W 'text hex raw' -- "$2")); return 0 ;;
        --table) COMPREPLY=($(compgen -W 'messages http dns connections protocols files' -- "$2")); return 0 ;;
        --fields) case $table in
                messages) words='time transport connection src dst protocol kind bytes lost whole summary delay amqp.method amqp.exchange amqp.routing_key amqp.queue amqp.vhost amqp.reply amqp.content_type dhcpv6.type dhcpv6.client_id dhcpv6.address dhcpv6.status diameter.command diameter.code diameter.application diameter.application_id diameter.result diameter.hop_by_hop diameter.command diameter.code diameter.application diameter.application_id diameter.result diameter.hop_by_hop dns.id dns.question dns.type dns.rcode dns.answers dns.answer dns.id dns.question dns.type dns.rcode dns.answers dns.answer e1ap.procedure e1ap.kind f1ap.procedure f1ap.kind ftp.command ftp.argument ftp.code ftp.text hnbap.procedure hnbap.kind http.method http.uri http.host http.user_agent http.status http.reason http.server http.location http.content_type http.content_length http2.method http2.uri http2.host http2.user_agent http2.status http2.server http2.location http2.content_type http2.content_length http2.grpc_encoding http2.trailers http2.grpc_status http2.grpc_message imap.tag imap.command imap.argument imap.status imap.text irc.prefix irc.command irc.parameters kafka.api kafka.version kafka.correlation_id kafka.client_id ldap.operation ldap.message_id ldap.name ldap.result llmnr.id llmnr.question llmnr.type llmnr.rcode llmnr.answers llmnr.answer m2ap.procedure m2ap.kind m3ap.procedure m3ap.kind mbtcp.function mbtcp.function_code mbtcp.unit mbtcp.transaction mbtcp.exception mdns.id mdns.question mdns.type mdns.rcode mdns.answers mdns.answer memcache.command memcache.key memcache.status mqtt.type mqtt.packet_id mqtt.topic mqtt.client_id mqtt.error mysql.command mysql.query mysql.user mysql.error nats.operation nats.subject nats.error nbss.command nbss.status nbss.file nbss.message_id ngap.procedure ngap.kind pgsql.type pgsql.query pgsql.error pop.command pop.argument pop.status pop.text proxy.version proxy.src proxy.src_port proxy.dst proxy.dst_port radius.code radius.id radius.user resp.command resp.key resp.error rtmpt.type rtmpt.timestamp rtmpt.message_stream rtmpt.command rtmpt.transaction rtmpt.argument rtsp.method rtsp.uri rtsp.status rtsp.reason rtsp.cseq s1ap.procedure s1ap.kind sbcap.procedure sbcap.kind sip.status sip.reason sip.method sip.uri sip.from sip.to sip.call_id sip.status sip.reason sip.method sip.uri sip.from sip.to sip.call_id smtp.command smtp.argument smtp.code smtp.text snmp.version snmp.operation snmp.request_id snmp.oid snmp.error socks.version socks.command socks.destination socks.user socks.status ssh.version ssh.message ssh.version ssh.message stomp.command stomp.destination stomp.message tls.record tls.handshake tls.version tls.sni tpkt.s7 tpkt.function tpkt.reference tpkt.error websocket.opcode websocket.compressed websocket.close_code websocket.text x2ap.procedure x2ap.kind xmpp.stanza xmpp.type xmpp.id xmpp.from xmpp.to xnap.procedure xnap.kind' ;;
                http) words='time client server method host uri status type request_bytes response_bytes delay whole' ;;
                dns) words='time client server type question rcode answers delay' ;;
                connections) words='time transport connection client server protocol client_packets server_packets client_bytes server_bytes client_messages server_messages client_lost server_lost duration end named_client named_server tls_version tls_cipher sni alpn ja4' ;;
                protocols) words='protocol messages bytes incomplete skipped' ;;
                files) words='file size complete found_type protocol src url' ;;
            esac
            _inet_asm_list "$2" '' "$words"; return 0 ;;
        -j|--json) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --json-body) COMPREPLY=($(compgen -W 'none text base64' -- "$2")); return 0 ;;
        --hash) _inet_asm_list "$2" '' 'md5 sha1 sha256'; return 0 ;;
        --har) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --har-body) COMPREPLY=(); return 0 ;;
        --dump) COMPREPLY=($(compgen -d -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --dump-name) COMPREPLY=(); return 0 ;;
        -x|--extract) COMPREPLY=($(compgen -d -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --extract-types) COMPREPLY=(); return 0 ;;
        --extract-protocols) _inet_asm_list "$2" '' 'cifs dicom ftp grpc h2 h2c http http/2 http2 imap nbss pop pop3 smb smb2 smtp tftp websocket'; return 0 ;;
        --extract-min) COMPREPLY=(); return 0 ;;
        --extract-max) COMPREPLY=(); return 0 ;;
        --on-file) COMPREPLY=(); return 0 ;;
        --connection) COMPREPLY=($(compgen -W 'all tcp udp sctp' -- "$2")); return 0 ;;
        --kind) _inet_asm_list "$2" '' 'request response other'; return 0 ;;
        --match) COMPREPLY=(); return 0 ;;
        --from) COMPREPLY=(); return 0 ;;
        --to) COMPREPLY=(); return 0 ;;
        -c|--count) COMPREPLY=(); return 0 ;;
        --encap) COMPREPLY=($(compgen -W 'auto ethernet raw pdu' -- "$2")); return 0 ;;
        --format) COMPREPLY=($(compgen -W 'pcap pcapng' -- "$2")); return 0 ;;
        --large) COMPREPLY=($(compgen -W 'split jumbo snap' -- "$2")); return 0 ;;
        --max-message) COMPREPLY=(); return 0 ;;
        --timestamps) COMPREPLY=($(compgen -W 'monotone original' -- "$2")); return 0 ;;
        --output-sort-delay) COMPREPLY=(); return 0 ;;
        --output-sort-queue) COMPREPLY=(); return 0 ;;
        --protocols) _inet_asm_list "$2" not '104apci amqp asap bgp bicc bootp calcappprotocol cassandra cifs cip cql dhcp dhcpv6 diameter dicom dnp3 dns doip dtls dua e1ap enip enrp ethernetip f1ap fractalgeneratorprotocol ftp gdt grpc gtp gtpv2 h2 h248 h2c hnbap http http/2 http2 https iec104 imap irc iua jabber kafka lcsap ldap llmnr m2ap m2pa m2ua m3ap m3ua mariadb mbtcp mdns megaco memcache memcached modbus mongo mongodb mqtt mysql nats nbap nbss netperfmeter ngap ntp opcua pfcp pgsql pingpongprotocol pop pop3 postgres postgresql proxy q931 quic radius redis resp rtcdc rtmp rtmpt rtsp rua s1ap s7 s7comm sabp sbcap sip smb smb2 smtp snmp socks someip ssh ssl ssp stomp stun sua syslog tftp tls tpkt v5ua valkey websocket x2ap xmpp xnap data'; return 0 ;;
        --unframed) COMPREPLY=($(compgen -W 'emit drop' -- "$2")); return 0 ;;
        -d|--decode-as) if [[ $2 == *,* ]]; then _inet_asm_list "$2" '' '104apci amqp asap bgp bicc bootp calcappprotocol cassandra cifs cip cql dhcp dhcpv6 diameter dicom dnp3 dns doip dtls dua e1ap enip enrp ethernetip f1ap fractalgeneratorprotocol ftp gdt grpc gtp gtpv2 h2 h248 h2c hnbap http http/2 http2 https iec104 imap irc iua jabber kafka lcsap ldap llmnr m2ap m2pa m2ua m3ap m3ua mariadb mbtcp mdns megaco memcache memcached modbus mongo mongodb mqtt mysql nats nbap nbss netperfmeter ngap ntp opcua pfcp pgsql pingpongprotocol pop pop3 postgres postgresql proxy q931 quic radius redis resp rtcdc rtmp rtmpt rtsp rua s1ap s7 s7comm sabp sbcap sip smb smb2 smtp snmp socks someip ssh ssl ssp stomp stun sua syslog tftp tls tpkt v5ua valkey websocket x2ap xmpp xnap'; else COMPREPLY=($(compgen -W 'tcp.port== udp.port== sctp.port==' -- "$2")); compopt -o nospace 2>/dev/null; fi; return 0 ;;
        --framer) COMPREPLY=(); return 0 ;;
        --disable) _inet_asm_list "$2" '' 'tcp udp sctp'; return 0 ;;
        --vlan) COMPREPLY=($(compgen -W 'merge first separate' -- "$2")); return 0 ;;
        --decapsulate) _inet_asm_list "$2" '' 'gre erspan vxlan geneve gtp ipip teredo l2tp sctp all none'; return 0 ;;
        --checksums) _inet_asm_list "$2" '' 'auto verify ignore'; return 0 ;;
        --overlap) COMPREPLY=($(compgen -W 'first last' -- "$2")); return 0 ;;
        --ip-packet-timeout) COMPREPLY=(); return 0 ;;
        --tcp-packet-timeout) COMPREPLY=(); return 0 ;;
        --sctp-packet-timeout) COMPREPLY=(); return 0 ;;
        --session-timeout) COMPREPLY=(); return 0 ;;
        --reorder-window) COMPREPLY=(); return 0 ;;
        --look-behind) COMPREPLY=(); return 0 ;;
        --tcp-buffer) COMPREPLY=(); return 0 ;;
        --tcp-holes) COMPREPLY=(); return 0 ;;
        --max-gap) COMPREPLY=(); return 0 ;;
        --max-streams) COMPREPLY=(); return 0 ;;
        --max-file) COMPREPLY=(); return 0 ;;
        --memory-limit) COMPREPLY=(); return 0 ;;
        --max-connections) COMPREPLY=(); return 0 ;;
        --max-active-packets) COMPREPLY=(); return 0 ;;
        --threads) COMPREPLY=(); return 0 ;;
        -s|--stats) _inet_asm_list "$2" '' 'text all json csv input link ipv4 ipv6 tunnel udp tcp sctp message carried decrypted output pair exchange har files buffer runtime lost inputs outputs input.files input.packets input.octets input.snapped input.backwards input.cut_short input.capture_drops input.shared_interfaces input.secrets input.names input.blocks_left_out link.packets link.passed link.subframes link.subframes_skipped link.subframes_lost link.unknown_type link.truncated link.bad_header link.not_data link.encrypted link.compressed link.fragments link.unknown_pdu link.not_ip ipv4.packets ipv4.octets ipv4.passed ipv4.bad_checksum ipv4.fragments ipv4.reassembled ipv4.reassembled_fragments ipv4.overlaps ipv4.conflicts ipv4.closed_gre ipv4.closed_ipip ipv4.truncated ipv4.bad_header ipv4.dropped_checksum ipv4.esp_encrypted ipv4.empty_fragments ipv4.misaligned_fragments ipv4.oversized_fragments ipv4.duplicate_fragments ipv4.bad_end_fragments ipv4.expired_fragments ipv4.evicted_fragments ipv4.unfinished_fragments ipv4.other_protocol ipv6.packets ipv6.octets ipv6.passed ipv6.fragments ipv6.atomic_fragments ipv6.reassembled ipv6.reassembled_fragments ipv6.overlaps ipv6.closed_gre ipv6.closed_ipip ipv6.truncated ipv6.bad_header ipv6.empty_fragments ipv6.misaligned_fragments ipv6.oversized_fragments ipv6.duplicate_fragments ipv6.bad_end_fragments ipv6.overlapping_fragments ipv6.expired_fragments ipv6.evicted_fragments ipv6.unfinished_fragments ipv6.esp_encrypted ipv6.other_protocol tunnel.packets tunnel.passed tunnel.truncated tunnel.bad_header tunnel.not_ip tunnel.too_deep udp.datagrams udp.octets udp.flows udp.flows_idle udp.flows_evicted udp.flows_end udp.bad_checksum udp.messages udp.message_octets udp.snapped udp.disabled udp.closed_vxlan udp.closed_geneve udp.closed_gtp udp.closed_l2tp udp.closed_teredo udp.closed_sctp udp.truncated udp.bad_length udp.dropped_checksum udp.duplicates tcp.segments tcp.octets tcp.accepted_octets tcp.delivered_octets tcp.duplicate_octets tcp.refused_octets tcp.abandoned_octets tcp.connections tcp.midstream tcp.reused_ports tcp.closed_fin tcp.closed_reset tcp.closed_idle tcp.closed_evicted tcp.closed_replaced tcp.closed_end tcp.closed_unconfirmed tcp.syn tcp.fin tcp.rst tcp.pure_acks tcp.retransmissions tcp.overlaps tcp.conflicts tcp.keep_alives tcp.out_of_order tcp.ack_held tcp.ack_timeout tcp.ack_forced tcp.bad_checksum tcp.damaged tcp.damaged_used tcp.gaps tcp.lost_octets tcp.gaps_acked tcp.gaps_closed tcp.gaps_timeout tcp.gaps_buffer tcp.gaps_holes tcp.gaps_memory tcp.gaps_end tcp.gaps_snapped tcp.gaps_jump tcp.disabled tcp.truncated tcp.bad_header tcp.dropped_checksum tcp.other_channel tcp.stray tcp.late tcp.before_start tcp.after_end sctp.packets sctp.octets sctp.disabled sctp.passed sctp.held_packets sctp.associations sctp.midstream sctp.multihomed sctp.reused_ports sctp.restarts sctp.closed_shutdown sctp.closed_abort sctp.closed_idle sctp.closed_evicted sctp.closed_replaced sctp.closed_end sctp.data_chunks sctp.i_data_chunks sctp.data_octets sctp.init sctp.init_ack sctp.sack sctp.heartbeat sctp.heartbeat_ack sctp.abort sctp.shutdown sctp.shutdown_ack sctp.error sctp.cookie_echo sctp.cookie_ack sctp.ecne sctp.cwr sctp.shutdown_complete sctp.forward_tsn sctp.re_config sctp.asconf sctp.other_chunks sctp.bad_chunks sctp.bad_checksum sctp.zero_checksum sctp.gap_blocks sctp.reported_duplicates sctp.delivered_chunks sctp.duplicates sctp.dropped_chunks sctp.dropped_octets sctp.waiting_chunks sctp.out_of_order sctp.ack_held sctp.ack_timeout sctp.ack_forced sctp.damaged_chunks sctp.damaged_used sctp.messages sctp.whole sctp.incomplete sctp.message_octets sctp.fragmented sctp.gaps sctp.lost_tsns sctp.abandoned_tsns sctp.gaps_acked sctp.gaps_forward sctp.gaps_closed sctp.gaps_timeout sctp.gaps_buffer sctp.gaps_holes sctp.gaps_memory sctp.gaps_end sctp.gaps_jump sctp.tsn_restarts sctp.truncated sctp.bad_header sctp.dropped_checksum sctp.damaged sctp.bad_tag sctp.stray sctp.other_channel sctp.late sctp.before_start message.messages message.whole message.incomplete message.octets message.lost_octets message.unframed_octets message.lost carried.frames carried.messages carried.incomplete carried.inner carried.evicted carried.unknown_fields carried.left_out_fields carried.bad_blocks carried.undecoded carried.oversized decrypted.records decrypted.octets decrypted.content_octets decrypted.no_key decrypted.no_hello decrypted.unknown_suite decrypted.no_block decrypted.no_fit decrypted.trials decrypted.awaited decrypted.awaited_in_vain decrypted.awaited_full output.messages output.packets output.octets output.streams output.clients output.clients_refused output.clients_dropped output.late output.other_link_type pair.held pair.reset pair.limited exchange.paired exchange.no_response exchange.no_request har.entries har.unanswered har.incomplete har.cut_bodies har.unmatched files.written files.whole files.incomplete files.octets files.limited files.decoded files.undecoded files.mails files.parts files.ranges files.range_files files.ranges_repeated files.ranges_left_out files.not_chosen files.commands files.commands_failed files.smb_unplaced files.smb_forgotten files.smb_encrypted files.smb_compressed buffer.waiting buffer.peak buffer.sorting buffer.sorting_peak buffer.output_sorting buffer.output_sorting_peak buffer.sorting_octets buffer.sorting_octets_peak buffer.fragments buffer.fragments_peak buffer.fragments_octets buffer.fragments_octets_peak buffer.segments buffer.segments_peak buffer.segments_octets buffer.segments_octets_peak buffer.chunks buffer.chunks_peak buffer.chunks_octets buffer.chunks_octets_peak runtime.milliseconds runtime.packets_per_second runtime.octets_per_second runtime.packets_per_second_now runtime.octets_per_second_now runtime.resident runtime.behind lost.capture_drops lost.cut_short lost.snapped lost.link lost.ip lost.fragments lost.refused lost.tcp_holes lost.before_start lost.abandoned lost.sctp_holes lost.sctp_chunks lost.incomplete lost.unframed lost.evicted lost.files lost.other_link_type 104apci amqp asap bgp bicc bootp calcappprotocol cassandra cifs cip cql dhcp dhcpv6 diameter dicom dnp3 dns doip dtls dua e1ap enip enrp ethernetip f1ap fractalgeneratorprotocol ftp gdt grpc gtp gtpv2 h2 h248 h2c hnbap http http/2 http2 https iec104 imap irc iua jabber kafka lcsap ldap llmnr m2ap m2pa m2ua m3ap m3ua mariadb mbtcp mdns megaco memcache memcached modbus mongo mongodb mqtt mysql nats nbap nbss netperfmeter ngap ntp opcua pfcp pgsql pingpongprotocol pop pop3 postgres postgresql proxy q931 quic radius redis resp rtcdc rtmp rtmpt rtsp rua s1ap s7 s7comm sabp sbcap sip smb smb2 smtp snmp socks someip ssh ssl ssp stomp stun sua syslog tftp tls tpkt v5ua valkey websocket x2ap xmpp xnap'; return 0 ;;
        --fail-if) _inet_asm_list "$2" '' 'input.files input.packets input.octets input.snapped input.backwards input.cut_short input.capture_drops input.shared_interfaces input.secrets input.names input.blocks_left_out link.packets link.passed link.subframes link.subframes_skipped link.subframes_lost link.unknown_type link.truncated link.bad_header link.not_data link.encrypted link.compressed link.fragments link.unknown_pdu link.not_ip ipv4.packets ipv4.octets ipv4.passed ipv4.bad_checksum ipv4.fragments ipv4.reassembled ipv4.reassembled_fragments ipv4.overlaps ipv4.conflicts ipv4.closed_gre ipv4.closed_ipip ipv4.truncated ipv4.bad_header ipv4.dropped_checksum ipv4.esp_encrypted ipv4.empty_fragments ipv4.misaligned_fragments ipv4.oversized_fragments ipv4.duplicate_fragments ipv4.bad_end_fragments ipv4.expired_fragments ipv4.evicted_fragments ipv4.unfinished_fragments ipv4.other_protocol ipv6.packets ipv6.octets ipv6.passed ipv6.fragments ipv6.atomic_fragments ipv6.reassembled ipv6.reassembled_fragments ipv6.overlaps ipv6.closed_gre ipv6.closed_ipip ipv6.truncated ipv6.bad_header ipv6.empty_fragments ipv6.misaligned_fragments ipv6.oversized_fragments ipv6.duplicate_fragments ipv6.bad_end_fragments ipv6.overlapping_fragments ipv6.expired_fragments ipv6.evicted_fragments ipv6.unfinished_fragments ipv6.esp_encrypted ipv6.other_protocol tunnel.packets tunnel.passed tunnel.truncated tunnel.bad_header tunnel.not_ip tunnel.too_deep udp.datagrams udp.octets udp.flows udp.flows_idle udp.flows_evicted udp.flows_end udp.bad_checksum udp.messages udp.message_octets udp.snapped udp.disabled udp.closed_vxlan udp.closed_geneve udp.closed_gtp udp.closed_l2tp udp.closed_teredo udp.closed_sctp udp.truncated udp.bad_length udp.dropped_checksum udp.duplicates tcp.segments tcp.octets tcp.accepted_octets tcp.delivered_octets tcp.duplicate_octets tcp.refused_octets tcp.abandoned_octets tcp.connections tcp.midstream tcp.reused_ports tcp.closed_fin tcp.closed_reset tcp.closed_idle tcp.closed_evicted tcp.closed_replaced tcp.closed_end tcp.closed_unconfirmed tcp.syn tcp.fin tcp.rst tcp.pure_acks tcp.retransmissions tcp.overlaps tcp.conflicts tcp.keep_alives tcp.out_of_order tcp.ack_held tcp.ack_timeout tcp.ack_forced tcp.bad_checksum tcp.damaged tcp.damaged_used tcp.gaps tcp.lost_octets tcp.gaps_acked tcp.gaps_closed tcp.gaps_timeout tcp.gaps_buffer tcp.gaps_holes tcp.gaps_memory tcp.gaps_end tcp.gaps_snapped tcp.gaps_jump tcp.disabled tcp.truncated tcp.bad_header tcp.dropped_checksum tcp.other_channel tcp.stray tcp.late tcp.before_start tcp.after_end sctp.packets sctp.octets sctp.disabled sctp.passed sctp.held_packets sctp.associations sctp.midstream sctp.multihomed sctp.reused_ports sctp.restarts sctp.closed_shutdown sctp.closed_abort sctp.closed_idle sctp.closed_evicted sctp.closed_replaced sctp.closed_end sctp.data_chunks sctp.i_data_chunks sctp.data_octets sctp.init sctp.init_ack sctp.sack sctp.heartbeat sctp.heartbeat_ack sctp.abort sctp.shutdown sctp.shutdown_ack sctp.error sctp.cookie_echo sctp.cookie_ack sctp.ecne sctp.cwr sctp.shutdown_complete sctp.forward_tsn sctp.re_config sctp.asconf sctp.other_chunks sctp.bad_chunks sctp.bad_checksum sctp.zero_checksum sctp.gap_blocks sctp.reported_duplicates sctp.delivered_chunks sctp.duplicates sctp.dropped_chunks sctp.dropped_octets sctp.waiting_chunks sctp.out_of_order sctp.ack_held sctp.ack_timeout sctp.ack_forced sctp.damaged_chunks sctp.damaged_used sctp.messages sctp.whole sctp.incomplete sctp.message_octets sctp.fragmented sctp.gaps sctp.lost_tsns sctp.abandoned_tsns sctp.gaps_acked sctp.gaps_forward sctp.gaps_closed sctp.gaps_timeout sctp.gaps_buffer sctp.gaps_holes sctp.gaps_memory sctp.gaps_end sctp.gaps_jump sctp.tsn_restarts sctp.truncated sctp.bad_header sctp.dropped_checksum sctp.damaged sctp.bad_tag sctp.stray sctp.other_channel sctp.late sctp.before_start message.messages message.whole message.incomplete message.octets message.lost_octets message.unframed_octets message.lost carried.frames carried.messages carried.incomplete carried.inner carried.evicted carried.unknown_fields carried.left_out_fields carried.bad_blocks carried.undecoded carried.oversized decrypted.records decrypted.octets decrypted.content_octets decrypted.no_key decrypted.no_hello decrypted.unknown_suite decrypted.no_block decrypted.no_fit decrypted.trials decrypted.awaited decrypted.awaited_in_vain decrypted.awaited_full output.messages output.packets output.octets output.streams output.clients output.clients_refused output.clients_dropped output.late output.other_link_type pair.held pair.reset pair.limited exchange.paired exchange.no_response exchange.no_request har.entries har.unanswered har.incomplete har.cut_bodies har.unmatched files.written files.whole files.incomplete files.octets files.limited files.decoded files.undecoded files.mails files.parts files.ranges files.range_files files.ranges_repeated files.ranges_left_out files.not_chosen files.commands files.commands_failed files.smb_unplaced files.smb_forgotten files.smb_encrypted files.smb_compressed buffer.waiting buffer.peak buffer.sorting buffer.sorting_peak buffer.output_sorting buffer.output_sorting_peak buffer.sorting_octets buffer.sorting_octets_peak buffer.fragments buffer.fragments_peak buffer.fragments_octets buffer.fragments_octets_peak buffer.segments buffer.segments_peak buffer.segments_octets buffer.segments_octets_peak buffer.chunks buffer.chunks_peak buffer.chunks_octets buffer.chunks_octets_peak runtime.milliseconds runtime.packets_per_second runtime.octets_per_second runtime.packets_per_second_now runtime.octets_per_second_now runtime.resident runtime.behind lost.capture_drops lost.cut_short lost.snapped lost.link lost.ip lost.fragments lost.refused lost.tcp_holes lost.before_start lost.abandoned lost.sctp_holes lost.sctp_chunks lost.incomplete lost.unframed lost.evicted lost.files lost.other_link_type'; return 0 ;;
        --sctp-stats) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --config) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --save-state) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --load-state) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --state) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --counters-file) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --counters-period) COMPREPLY=(); return 0 ;;
        --log-file) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames 2>/dev/null; return 0 ;;
        --trace) COMPREPLY=($(compgen -W 'all tcp udp sctp' -- "$2")); return 0 ;;
        --time) COMPREPLY=($(compgen -W 'utc local relative delta epoch' -- "$2")); return 0 ;;
        --progress) COMPREPLY=($(compgen -W 'auto always never' -- "$2")); return 0 ;;
        --color) COMPREPLY=($(compgen -W 'auto always never' -- "$2")); return 0 ;;
        --completions) COMPREPLY=($(compgen -W 'bash elvish fish powershell zsh' -- "$2")); return 0 ;;
        *) return 1 ;;
    esac
}

_inet_asm() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} option="" before=""
    local table=messages i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --table) [[ ${COMP_WORDS[i+1]} == = ]] && table=${COMP_WORDS[i+2]} ;;
            --table=*) table=${COMP_WORDS[i]#--table=} ;;
            --) COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null; return ;;
        esac
    done
    # The protocols of an output, behind its name.
    if [[ $prev == = && ${COMP_WORDS[COMP_CWORD-2]} == *[?\&]protocol ]]; then
        _inet_asm_list "$cur" '' '104apci amqp asap bgp bicc bootp calcappprotocol cassandra cifs cip cql dhcp dhcpv6 diameter dicom dnp3 dns doip dtls dua e1ap enip enrp ethernetip f1ap fractalgeneratorprotocol ftp gdt grpc gtp gtpv2 h2 h248 h2c hnbap http http/2 http2 https iec104 imap irc iua jabber kafka lcsap ldap llmnr m2ap m2pa m2ua m3ap m3ua mariadb mbtcp mdns megaco memcache memcached modbus mongo mongodb mqtt mysql nats nbap nbss netperfmeter ngap ntp opcua pfcp pgsql pingpongprotocol pop pop3 postgres postgresql proxy q931 quic radius redis resp rtcdc rtmp rtmpt rtsp rua s1ap s7 s7comm sabp sbcap sip smb smb2 smtp snmp socks someip ssh ssl ssp stomp stun sua syslog tftp tls tpkt v5ua valkey websocket x2ap xmpp xnap'
        return
    elif [[ $cur == *[?\&]protocol=* ]]; then
        before=${cur%protocol=*}protocol=
        _inet_asm_list "${cur##*protocol=}" '' '104apci amqp asap bgp bicc bootp calcappprotocol cassandra cifs cip cql dhcp dhcpv6 diameter dicom dnp3 dns doip dtls dua e1ap enip enrp ethernetip f1ap fractalgeneratorprotocol ftp gdt grpc gtp gtpv2 h2 h248 h2c hnbap http http/2 http2 https iec104 imap irc iua jabber kafka lcsap ldap llmnr m2ap m2pa m2ua m3ap m3ua mariadb mbtcp mdns megaco memcache memcached modbus mongo mongodb mqtt mysql nats nbap nbss netperfmeter ngap ntp opcua pfcp pgsql pingpongprotocol pop pop3 postgres postgresql proxy q931 quic radius redis resp rtcdc rtmp rtmpt rtsp rua s1ap s7 s7comm sabp sbcap sip smb smb2 smtp snmp socks someip ssh ssl ssp stomp stun sua syslog tftp tls tpkt v5ua valkey websocket x2ap xmpp xnap'
        COMPREPLY=("${COMPREPLY[@]/#/$before}")
        return
    fi
    # A rule of --decode-as has two of them.
    if [[ $prev == == && ${COMP_WORDS[COMP_CWORD-3]} == @(-d|--decode-as|=) ]]; then
        _inet_asm_value --decode-as "$cur"
        return
    fi
    # bash parts words at =, unless COMP_WORDBREAKS says otherwise.
    if [[ $cur == = ]]; then
        option=$prev cur=""
    elif [[ $prev == = && $COMP_CWORD -ge 2 ]]; then
        option=${COMP_WORDS[COMP_CWORD-2]}
    elif [[ $cur == -*=* ]]; then
        option=${cur%%=*} before=$option= cur=${cur#*=}
    fi
    if [[ -n $option ]]; then
        _inet_asm_value "$option" "$cur"
        if [[ -n $before ]]; then
            COMPREPLY=("${COMPREPLY[@]/#/$before}")
        fi
        return
    fi
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W '-r --read -i --interface -f --capture-filter -D --list-interfaces --extcap-interfaces --extcap-version --extcap-version= --extcap-interface --extcap-dlts --extcap-config --extcap-capture-filter --capture --fifo --sort-delay --sort-queue --sort-files --live --keep-secrets --keylog --keylog-wait --decrypted-port --tls -w --write --dropped --bypass -n --no-output -p --print --print= --follow --follow= --table --table= --fields -j --json --json= --json-body --hash --hash= --har --har-body --dump --dump-name -x --extract --extract-types --extract-protocols --extract-min --extract-max --on-file --certificates --index -U --packet-buffered --synchronized --connection --kind --match --from --to -c --count --encap --format --large --max-message --fill-gaps --info --track --timestamps --output-sort-delay --output-sort-queue --handshake --pair --protocols --unframed -d --decode-as --framer --list-protocols --disable --vlan --decapsulate --store-fragments --checksums --overlap --track-missing-chunks --ip-packet-timeout --tcp-packet-timeout --sctp-packet-timeout --session-timeout --reorder-window --look-behind --wait-ack --tcp-buffer --tcp-holes --max-gap --max-streams --max-file --memory-limit --max-connections --max-active-packets --threads -s --stats --stats= --fail-if --sctp-stats --config --save-config --save-state --load-state --state --counters-file --counters-period --counters-clear -v --verbose --log-file -q --quiet --trace --time --wide --progress --color -h --help -V --version --man --completions' -- "$cur"))
        if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
            compopt -o nospace 2>/dev/null
        fi
        return
    fi
    # A value behind a space, but for options that take theirs behind = alone.
    case $prev in
        --extcap-version|-p|--print|--follow|--table|-j|--json|--hash|-s|--stats) ;;
        *) _inet_asm_value "$prev" "$cur" && return ;;
    esac
    COMPREPLY=($(compgen -f -- "$cur"))
    compopt -o filenames 2>/dev/null
}

complete -F _inet_asm inet-asm
