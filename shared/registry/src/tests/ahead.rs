//! A large blob, read ahead in pieces: the same bytes in the same order, whatever becomes of a piece.

use super::*;
use crate::decide::ahead::ReadAhead;
use pullsafe::manifest::Descriptor;

const SIZE: usize = 3_000_000;
const PIECE: usize = 256 * 1024;
/// Pieces at the first opportunity, however fast the source is.
pub(crate) const EAGER: ReadAhead =
    ReadAhead { piece: PIECE as u64, of_one: 3, of_all: 3, after: 1, fast: u64::MAX, waited_percent: 0, far: Duration::ZERO, large: 0 };

fn content() -> Vec<u8> {
    (0..SIZE).map(|n| u8::try_from((n / 7 + n / 4099) % 251).unwrap()).collect()
}

fn of_redis() -> Reference {
    "redis:7".parse().unwrap()
}

/// Reads the blob to its end, or to the error that ended it.
async fn read(
    read_ahead: ReadAhead,
    fault: impl Fn(&Request, usize) -> Option<Reply> + Send + Sync + 'static,
) -> (Vec<u8>, Option<RegistryError>, Server) {
    let server = Server::start(fault).await;
    let digest = server.put_blob(REPOSITORY, &content());
    let defaults = Config::new(Arc::new(|| Timestamp::from_millis(1_768_506_420_000)));
    let client = Client::new(Config {
        endpoints: format!("docker.io=http://{}", server.address).parse().unwrap(),
        timeouts: Timeouts { stall: Duration::from_millis(150), ..defaults.timeouts },
        first_pause: Duration::from_millis(1),
        read_ahead,
        ..defaults
    });
    let blob = Descriptor { media_type: String::new(), digest, size: SIZE as u64, urls: Vec::new(), platform: None };
    let mut reader = client.blob(&of_redis(), &blob).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, None, server),
            Err(error) => return (bytes, Some(error), server),
        }
    }
}

fn ranges(server: &Server) -> Vec<String> {
    let requests = server.requests();
    requests.iter().map(|request| request.header("range").to_owned()).filter(|range| !range.is_empty()).collect()
}

pub(crate) fn is_piece(request: &Request) -> bool {
    request.header("range").split_once('-').is_some_and(|(_, last)| !last.is_empty())
}

#[tokio::test]
async fn pieces_follow_the_stream_and_each_other() {
    let (bytes, error, server) = read(EAGER, |_, _| None).await;
    assert_eq!(error, None);
    assert!(bytes == content());
    let mut edges: Vec<(usize, usize)> = ranges(&server)
        .iter()
        .map(|range| range.trim_start_matches("bytes=").split_once('-').unwrap())
        .map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap()))
        .collect();
    edges.sort_unstable();
    assert!(edges.len() > 5, "{edges:?}");
    assert!(edges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "each byte is asked for once: {edges:?}");
    assert_eq!(edges.last().unwrap().1, SIZE - 1);
}

#[tokio::test]
async fn without_room_one_stream_does() {
    let (bytes, error, server) = read(ReadAhead { of_all: 0, ..EAGER }, |_, _| None).await;
    assert_eq!(error, None);
    assert!(bytes == content());
    assert!(ranges(&server).is_empty());
}

#[tokio::test]
async fn whatever_becomes_of_a_piece_the_blob_is_whole() {
    type Fault = fn(&Request, usize) -> Option<Reply>;
    let faults: [(&str, Fault); 7] = [
        ("refused", |request, _| is_piece(request).then(|| Reply::new(403, ""))),
        ("unavailable", |request, _| is_piece(request).then(|| Reply::new(503, ""))),
        ("limited", |request, _| is_piece(request).then(|| Reply::new(429, "").with("retry-after", "3600"))),
        ("ranges are not known", |request, _| (!request.header("range").is_empty()).then(|| Reply::new(200, content()))),
        ("broken off", |request, _| is_piece(request).then(|| cut_piece(request, &content(), Cut::Break))),
        ("silent", |request, _| is_piece(request).then(|| cut_piece(request, &content(), Cut::Silence))),
        ("another range", |request, _| {
            is_piece(request).then(|| Reply::new(206, &content()[..10]).with("content-range", format!("bytes 0-9/{SIZE}")))
        }),
    ];
    for (name, fault) in faults {
        let (bytes, error, server) = read(EAGER, fault).await;
        assert_eq!(error, None, "{name}");
        assert!(bytes == content(), "{name}");
        assert!(ranges(&server).iter().any(|range| range.ends_with('-')), "{name}: one stream goes on");
    }
}

/// What was asked for, as far as its middle.
pub(crate) fn cut_piece(request: &Request, content: &[u8], how: Cut) -> Reply {
    let (first, last) = request.header("range").trim_start_matches("bytes=").split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let range = format!("bytes {first}-{last}/{}", content.len());
    let reply = Reply::new(206, &content[first..=last]).with("content-range", range);
    Reply { cut: Some(((last - first) / 2, how)), ..reply }
}

#[tokio::test]
async fn wrong_bytes_in_a_piece_are_found_before_the_last_are_handed_on() {
    let (bytes, error, _server) = read(EAGER, |request, _| {
        is_piece(request).then(|| {
            let mut reply = cut_piece(request, &content(), Cut::Break);
            (reply.cut, reply.body[5]) = (None, reply.body[5] ^ 1);
            reply
        })
    })
    .await;
    assert!(matches!(error, Some(RegistryError::Content { .. })), "{error:?}");
    assert!(bytes.len() < SIZE);
}
