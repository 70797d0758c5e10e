# Builds Postrider and puts the one binary into an image that holds nothing else: no shell, no package manager.
#
#   docker build --tag postrider:local .
#
# The base is distroless rather than scratch: a static build would need musl's compiler, one more package to keep current.
# Pin both images by digest where you build for production.

# The compiler's version is that of rust-toolchain.toml, and its Debian that of the image below: both have the same glibc.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY contracts contracts
COPY crates crates
COPY bench bench
COPY fuzz fuzz
COPY tests tests
RUN cargo build --release --locked -p postrider
# Line tables are three quarters of the file; backtraces keep the functions' names without them.
RUN mkdir -p /out/data && objcopy --strip-debug target/release/postrider /out/postrider

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="Postrider" \
      org.opencontainers.image.description="The webhook server for CRMs" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/postrider /usr/local/bin/postrider
# Where the embedded store lies when no database is named: the setting `data` is relative to the working directory.
COPY --from=build --chown=65532:65532 --chmod=0700 /out/data /data
WORKDIR /
VOLUME ["/data"]
ENV POSTRIDER_LISTEN=0.0.0.0:8400
EXPOSE 8400
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
STOPSIGNAL SIGTERM
# Whether the process answers, not whether its database does: whoever restarts what is unhealthy would help nobody while that is away. Load balancers
# and orchestrators ask /readyz.
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["/usr/local/bin/postrider", "health", "--live"]
ENTRYPOINT ["/usr/local/bin/postrider"]
CMD ["serve"]
