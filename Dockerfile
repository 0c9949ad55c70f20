# Makes an image that holds launchgate and nothing else, for `COPY --from` in yours:
#
#   docker build -t launchgate .
#
# Any image with Rust for musl will do as RUST_IMAGE; Alpine's own compiles for musl anyway.
ARG RUST_IMAGE=rust:1-alpine

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --target "$(uname -m)-unknown-linux-musl" \
    && mv target/*/release/launchgate /launchgate

FROM scratch
COPY --from=build /launchgate /launchgate
ENTRYPOINT ["/launchgate"]
