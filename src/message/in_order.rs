//! Responses that do not say which request they answer: they come in the order of the requests, and each protocol says in its
//! own file which message begins an answer and which one ends it.

/// What a request says of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// It is answered; [`InOrder::answers`] is asked with this number.
    Answer(u8),
    /// Nothing answers it.
    Nothing,
    /// What answers it may overtake other answers: what waits is forgotten, and the count has to begin anew.
    Unsure,
    /// What the other side sends from here on answers nothing that could be counted.
    Stops,
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
    /// It ends the answer.
    Ends,
    /// The request will not be answered, and has to be passed over; the next one is asked.
    Skips,
}

/// How responses that come in the order of their requests are told.
#[derive(Clone, Copy, Debug)]
pub struct InOrder {
    /// A client sends nothing before it has its answer: where the count was lost, it begins again with the next request.
    pub waits: bool,
    /// How a request is answered. The octets are those of [`MessageStart::head`](super::MessageStart::head).
    pub asks: fn(&[u8]) -> Asks,
    /// What a response is to a request of which [`asks`](Self::asks) has told this number.
    pub answers: fn(u8, &[u8]) -> Answers,
}

/// How the responses of a protocol find their requests, where they repeat something of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByNumber {
    /// A number is another request's only when it was answered, or long ago.
    Once,
    /// A number may be that of the next request, so that behind a loss nobody knows whose it is.
    Again,
}
