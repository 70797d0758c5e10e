//! Both connections are encrypted, and know whom they speak to.

use std::net::SocketAddr;
use std::sync::Arc;

use postrider_database::Address;
use postrider_source::capture::{Capture, CaptureError};
use postrider_source::mapping::CaptureKind;
use postrider_source::replication::Replication;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::crm::{Crm, PATIENCE, table};

/// Speaks TLS alone, with a certificate of its own, and passes on what it hears to the server. Returns where it is, and the certificate.
async fn tls_in_front_of(server: String) -> (SocketAddr, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let (listener, acceptor) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TlsAcceptor::from(Arc::new(config)));
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, acceptor.clone(), server.clone()));
        }
    });
    (at, certificate.pem().into_bytes())
}

async fn pass_on(mut client: TcpStream, acceptor: TlsAcceptor, server: String) -> std::io::Result<()> {
    let mut asks = [0; 8];
    client.read_exact(&mut asks).await?;
    assert_eq!(asks, [0, 0, 0, 8, 4, 210, 22, 47], "a connection begins with what asks for TLS");
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

#[tokio::test]
async fn changes_come_over_tls_from_a_server_that_is_known() {
    let sql = "CREATE TABLE deals (id int PRIMARY KEY)";
    let mut crm = Crm::start(CaptureKind::Replication, sql, &[table("deals", &["id"])]).await;
    let url = crm.database.url();
    let (user, rest) = url.split_once('@').unwrap();
    let (server, rest) = rest.split_once('/').unwrap();
    let (at, certificate) = tls_in_front_of(server.to_owned()).await;
    let and = if rest.contains('?') { "&" } else { "?" };
    let url = format!("{user}@localhost:{}/{rest}{and}sslmode=require", at.port());
    let capture = |authorities: &[Vec<u8>]| {
        let address = Address::new(&url, authorities).unwrap();
        Box::new(Replication::new(address, Arc::clone(&crm.mapping)))
    };
    let mut strange = capture(&[]);
    let known = capture(&[certificate]);
    crm.capture = known;
    crm.run("INSERT INTO deals VALUES (1)").await;
    assert_eq!(crm.changes().await.len(), 1);
    let Err(CaptureError::Unusable(why)) = strange.next(10, PATIENCE).await else { panic!("it is read") };
    assert!(why.contains("certificate"), "{why}");
}
