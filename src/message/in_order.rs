//! Responses that do not say which request they answer: they come in the order of the requests, and each protocol says in its
//! own file which message begins an answer and which one ends it.

/// Set in the number with which [`InOrder::answers`] is asked where a request has said that it [listens](Asks::Listens).
pub const LISTENS: u64 = 1 << 63;

/// What a request says of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// It is answered; [`InOrder::answers`] is asked with this number.
    Answer(u64),
    /// The same, by so many messages, each of which is said to end it; from here on the other side also sends what nobody has asked
    /// for, and [`LISTENS`] is set in the numbers.
    Listens(u64, u16),
    /// The same, and only where something was found, or went wrong.
    Perhaps(u64),
    /// It is answered, and nothing else waited for an answer when it was sent.
    Alone(u64),
    /// The same, and it says something of those for whom a later one is answered each: LMTP (RFC 2033, 4.2).
    Recipients(Recipients, u64),
    /// Nothing answers it.
    Nothing,
    /// Nothing answers it, nor the next request.
    MutesNext,
    /// Nothing answers it, nor what follows it, up to the next that [speaks up](Self::SpeaksUp).
    Mutes,
    /// It is answered, as [`Answer`](Self::Answer) is, and so is what follows it.
    SpeaksUp(u64),
    /// What answers it may overtake other answers: what waits is forgotten, and the count has to begin anew.
    Unsure,
    /// It is answered, and what the other side sends behind that answers nothing that could be counted.
    Last(u64),
}

/// What a request says of those for whom one is answered each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// From here on they are answered each.
    Count,
    /// There is none yet.
    None,
    /// There is one more, unless the answer [says that there is not](Answers::Fails).
    More,
    /// It is answered for each of them, if they are, and nothing else waited for an answer when it was sent.
    Each,
}

/// What a response is to the oldest request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// None of its answer.
    Nothing,
    /// It says that the answer will come.
    Interim,
    /// It begins the answer, or goes on with it.
    Part,
    /// It ends the answer, or is one of the messages of which it has several.
    Ends,
    /// It ends the answer, however many messages were to come.
    Fails,
    /// The request will not be answered, and has to be passed over; the next one is asked.
    Skips,
}

/// How responses that come in the order of their requests are told.
#[derive(Clone, Copy, Debug)]
pub struct InOrder {
    /// A client sends nothing before it has its answer: where the count was lost, it begins again with the next request.
    pub waits: bool,
    /// The same of some requests, where clients send others ahead.
    pub last: fn(&[u8]) -> bool,
    /// How a request is answered. The octets are those of [`MessageStart::head`](super::MessageStart::head).
    pub asks: fn(&[u8]) -> Asks,
    /// What a response is to a request of which [`asks`](Self::asks) has told this number.
    pub answers: fn(u64, &[u8]) -> Answers,
}

/// How the responses of a protocol find their requests, where they repeat something of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByNumber {
    /// A number is another request's only when it was answered, or long ago.
    Once,
    /// A number may be that of the next request, so that behind a loss nobody knows whose it is.
    Again,
}
