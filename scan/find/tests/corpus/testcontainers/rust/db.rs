use testcontainers::GenericImage;
fn a<'a>(x: &'a str) {
    let c = GenericImage::new("valkey/valkey", "8.0").with_exposed_port(6379.tcp());
}
