//! Completions for shells. bash's script is made here, as it splits words at `=` and clap's looks neither there nor behind commas;
//! for the other shells clap's is mended where a value is a list.

use super::args::command;
use super::report::CHANNELS;
use crate::base::counters::{Counters, SECTIONS};
use crate::base::limits::Tunnel;
use crate::message::{NO_PROTOCOL, known_aliases, known_name, listed_fields, protocols};
use crate::sink::files::file_protocols;
use crate::sink::follow::FollowForm;
use crate::sink::table::{TABLES, TableName};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, ValueEnum, ValueHint};
use clap_complete::Shell;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Options whose values are lists, and what may stand in them.
fn lists() -> Vec<(&'static str, Vec<String>)> {
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let mut names = known_names();
    let mut stats = owned(&["text", "all", "json", "csv"]);
    stats.extend(SECTIONS.iter().map(|(section, _)| (*section).to_owned()));
    stats.extend(owned(&CHANNELS));
    let counters = Counters::names(&[]);
    stats.extend(counters.iter().cloned());
    stats.extend(names.iter().cloned());
    let mut carriers = owned(&file_protocols());
    let fits =
        |alias: &&str| known_name(alias).is_some_and(|name| file_protocols().contains(&name));
    carriers.extend(known_aliases().into_iter().filter(fits).map(str::to_owned));
    carriers.sort_unstable();
    carriers.dedup();
    let known = names.iter().cloned();
    let rules = known.chain(RULES.iter().map(|&rule| rule.to_owned()));
    let rules = rules.collect();
    names.push(NO_PROTOCOL.to_owned());
    let mut columns: Vec<String> = TABLES
        .iter()
        .flat_map(|(name, ..)| columns(*name))
        .collect();
    columns.sort_unstable();
    columns.dedup();
    let mut tunnels = owned(&Tunnel::ALL.map(Tunnel::name));
    tunnels.extend(owned(&["all", "none"]));
    vec![
        ("protocols", names),
        ("extract_protocols", carriers),
        ("decode_as", rules),
        ("stats", stats),
        ("fail_if", counters),
        ("fields", columns),
        ("kind", owned(&["request", "response", "other"])),
        ("disable", owned(&["tcp", "udp", "sctp"])),
        ("hash", owned(&["md5", "sha1", "sha256"])),
        ("checksums", owned(&["auto", "verify", "ignore"])),
        ("decapsulate", tunnels),
    ]
}

/// How a rule of --decode-as begins; behind the number and a comma stands a protocol.
const RULES: &[&str] = &["tcp.port==", "udp.port==", "sctp.port=="];

/// The columns of a table, and what that of messages also takes.
fn columns(table: TableName) -> Vec<String> {
    let columns = table.columns().iter().map(|(name, _)| (*name).to_owned());
    let mut all: Vec<_> = columns.collect();
    if table == TableName::Messages {
        for protocol in protocols() {
            let listed = listed_fields(protocol.name).iter();
            all.extend(listed.map(|field| format!("{}.{field}", protocol.name)));
        }
        all.dedup();
    }
    all
}

/// Options with other values that are known and that clap does not tell.
const OTHERS: &[(&str, &[&str])] = &[
    ("connection", &["all", "tcp", "udp", "sctp"]),
    ("trace", &["all", "tcp", "udp", "sctp"]),
];

/// The command as completions see it: without what is hidden, and --follow=FORM as it is typed.
fn visible() -> Command {
    let all = command();
    let args = all.get_arguments().filter(|arg| !arg.is_hide_set());
    let args = args.map(|arg| {
        let arg = arg.clone();
        let id = arg.get_id().as_str().to_owned();
        let others = OTHERS.iter().find(|(name, _)| *name == id);
        if id == "follow" {
            let forms = FollowForm::value_variants()
                .iter()
                .filter_map(ValueEnum::to_possible_value);
            return Arg::new("follow")
                .long("follow")
                .help(arg.get_help().cloned().unwrap_or_default())
                .num_args(0..=1)
                .require_equals(true)
                .value_name("FORM")
                .value_parser(PossibleValuesParser::new(forms));
        }
        match others {
            Some((_, words)) => arg.value_parser(PossibleValuesParser::new(words.iter().copied())),
            None => arg,
        }
    });
    Command::new("inet-asm")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(args)
}

/// Writes completions for a shell.
///
/// # Errors
///
/// Those of the writer.
pub fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    if shell == Shell::Bash {
        return out.write_all(bash().as_bytes());
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(), "inet-asm", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match shell {
        Shell::Zsh => zsh_with_lists(&script),
        Shell::Fish => fish_with_lists(&script),
        _ => script.into_owned(),
    };
    out.write_all(script.as_bytes())
}

/// Protocols by all their names.
fn known_names() -> Vec<String> {
    let mut names: Vec<_> = protocols().iter().map(|p| p.name.to_owned()).collect();
    names.extend(known_aliases().into_iter().map(str::to_owned));
    names.sort_unstable();
    names.dedup();
    names
}

/// zsh: what an output takes, a file or, behind `?protocol=`, a list.
const ZSH_OUTPUT: &str = r#"
_inet_asm_output() {
    if compset -P '*[?&]protocol='; then
        _sequence compadd - @PROTOCOLS@
    else
        _files
    fi
}

"#;

/// fish: the protocols of an output, behind its name. The word may begin with the option.
const FISH_OUTPUT: &str = r#"function __inet_asm_protocols
    set -l word (string replace -r '^--write=' '' -- (commandline -ct))
    set -l before (string match -r '^.*[?&]protocol=(?:[^,&]*,)*' -- $word)
    and printf '%s\n' $before{@PROTOCOLS@}
end
"#;

/// zsh: a sequence where the value of an option is a list.
fn zsh_with_lists(script: &str) -> String {
    let (mut out, lists) = (String::with_capacity(script.len()), lists());
    let output = ZSH_OUTPUT.replace("@PROTOCOLS@", &known_names().join(" "));
    for line in script.split_inclusive('\n') {
        if line == "_inet-asm() {\n" {
            out.push_str(output.trim_start_matches('\n'));
        }
        if let Some((before, rest)) = line.rsplit_once(":OUTPUT:_default' ")
            && (before.contains("-w+[") || before.contains("--write=["))
        {
            let _ = write!(out, "{before}:OUTPUT:_inet_asm_output' {rest}");
            continue;
        }
        let is = |(name, _): &&(&str, Vec<String>)| {
            let short = *name == "stats" && line.contains("'-s+[");
            short || line.contains(&format!("--{}=[", name.replace('_', "-")))
        };
        let list = lists.iter().find(is).zip(line.rsplit_once(":_default' "));
        match list {
            Some(((_, words), (before, rest))) => {
                let _ = write!(
                    out,
                    "{before}:_sequence compadd - {}' {rest}",
                    words.join(" ")
                );
            }
            None => out.push_str(line),
        }
    }
    out
}

/// fish: an item of a list is appended to those that are there.
fn fish_with_lists(script: &str) -> String {
    let (mut out, lists) = (String::with_capacity(script.len()), lists());
    out.push_str(&FISH_OUTPUT.replace("@PROTOCOLS@", &known_names().join(",")));
    for line in script.lines() {
        out.push_str(line);
        if line.contains(" -l write ") {
            out.push_str(" -a \"(__inet_asm_protocols)\"");
        }
        let is = |(name, _): &&(&str, Vec<String>)| {
            line.contains(&format!(" -l {} ", name.replace('_', "-")))
        };
        if let Some((_, words)) = lists.iter().find(is) {
            let _ = write!(out, " -f -a \"(__fish_append , {})\"", words.join(" "));
        }
        out.push('\n');
    }
    out
}

/// What completes the value of an option.
enum Value {
    /// One of these words.
    Words(String),
    /// Some of these, separated by commas.
    List(String),
    Folder,
    File,
    /// Nothing that could be guessed.
    Text,
}

fn value(arg: &Arg) -> Value {
    let id = arg.get_id().as_str();
    if let Some((_, words)) = lists().into_iter().find(|(name, _)| *name == id) {
        return Value::List(words.join(" "));
    }
    let words: Vec<_> = arg
        .get_possible_values()
        .iter()
        .map(|v| v.get_name().to_owned())
        .collect();
    if !words.is_empty() {
        return Value::Words(words.join(" "));
    }
    match (arg.get_value_hint(), id) {
        (ValueHint::DirPath, _) => Value::Folder,
        (ValueHint::FilePath, _) => Value::File,
        (_, "write" | "dropped" | "bypass" | "json" | "har" | "sctp_stats" | "counters_file") => {
            Value::File
        }
        _ => Value::Text,
    }
}

const BASH: &str = r#"# Completions of inet-asm for bash: made by inet-asm --completions bash.

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
@VALUES@
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
        _inet_asm_list "$cur" '' '@PROTOCOLS@'
        return
    elif [[ $cur == *[?\&]protocol=* ]]; then
        before=${cur%protocol=*}protocol=
        _inet_asm_list "${cur##*protocol=}" '' '@PROTOCOLS@'
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
        COMPREPLY=($(compgen -W '@OPTIONS@' -- "$cur"))
        if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
            compopt -o nospace 2>/dev/null
        fi
        return
    fi
    # A value behind a space, but for options that take theirs behind = alone.
    case $prev in
        @EQUALS@) ;;
        *) _inet_asm_value "$prev" "$cur" && return ;;
    esac
    COMPREPLY=($(compgen -f -- "$cur"))
    compopt -o filenames 2>/dev/null
}

complete -F _inet_asm inet-asm
"#;

fn bash() -> String {
    let (mut values, mut options, mut equals) = (String::new(), Vec::new(), Vec::new());
    let mut protocols = String::new();
    for arg in visible().get_arguments() {
        let names: Vec<_> = [
            arg.get_short().map(|c| format!("-{c}")),
            arg.get_long().map(|name| format!("--{name}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if names.is_empty() {
            continue;
        }
        options.extend(names.iter().cloned());
        if !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
            continue;
        }
        if arg.is_require_equals_set() {
            options.extend(
                names
                    .iter()
                    .filter(|name| name.starts_with("--"))
                    .map(|name| format!("{name}=")),
            );
            equals.extend(names.iter().cloned());
        }
        let what = match value(arg) {
            Value::List(words) if arg.get_id() == "decode_as" => {
                let (rules, names): (Vec<_>, Vec<_>) =
                    words.split(' ').partition(|word| word.ends_with("=="));
                protocols = names.join(" ");
                format!(
                    "if [[ $2 == *,* ]]; then _inet_asm_list \"$2\" '' '{protocols}'; else COMPREPLY=($(compgen -W '{}' -- \"$2\")); compopt -o nospace 2>/dev/null; fi",
                    rules.join(" ")
                )
            }
            Value::List(words) if arg.get_id() == "protocols" => {
                format!("_inet_asm_list \"$2\" not '{words}'")
            }
            Value::List(_) if arg.get_id() == "fields" => {
                let mut tables = "case $table in\n".to_owned();
                for (name, ..) in TABLES {
                    let table = name.to_possible_value();
                    let table = table.as_ref().map_or("", |value| value.get_name());
                    let words = columns(*name).join(" ");
                    let _ = writeln!(tables, "                {table}) words='{words}' ;;");
                }
                tables + "            esac\n            _inet_asm_list \"$2\" '' \"$words\""
            }
            Value::List(words) => format!("_inet_asm_list \"$2\" '' '{words}'"),
            Value::Words(words) => format!("COMPREPLY=($(compgen -W '{words}' -- \"$2\"))"),
            Value::Folder => {
                "COMPREPLY=($(compgen -d -- \"$2\")); compopt -o filenames 2>/dev/null".to_owned()
            }
            Value::File => {
                "COMPREPLY=($(compgen -f -- \"$2\")); compopt -o filenames 2>/dev/null".to_owned()
            }
            Value::Text => "COMPREPLY=()".to_owned(),
        };
        let _ = writeln!(values, "        {}) {what}; return 0 ;;", names.join("|"));
    }
    BASH.replace("@VALUES@\n", &values)
        .replace("@OPTIONS@", &options.join(" "))
        .replace("@EQUALS@", &equals.join("|"))
        .replace("@PROTOCOLS@", &protocols)
}
