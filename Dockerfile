# Builds an image that contains launchgate and nothing else, for `COPY --from` in your own:
#
#   docker build -t launchgate .
#
# RUST_IMAGE can be any image with Rust for musl. Alpine's own compiles for musl by default.
ARG RUST_IMAGE=rust:1-alpine

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --target "$(uname -m)-unknown-linux-musl" \
    && mv target/*/release/launchgate /launchgate

FROM scratch
COPY --from=build /launchgate /launchgate
ENTRYPOINT ["/launchgate"]
